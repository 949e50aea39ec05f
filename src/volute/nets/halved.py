"""A network whose weights take half of the room on disk."""

from __future__ import annotations

import torch
from torch import nn
from torch.func import functional_call


class Halved(nn.Module):
    """A network whose parameters lie on disk in half precision and compute in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> torch.Tensor:
        """Run it on one input or two."""
        inputs = (x,) if y is None else (x, y)
        wide = {name: value.float() for name, value in self.network.named_parameters()}
        made: torch.Tensor = functional_call(self.network, wide, inputs)
        return made
