"""The exponential moving average of the weights: what is sampled, exported and shipped."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Average:
    """An averaged copy of a network, counted in images shown.

    The half-life is `half_life` images, but never more than 8 % of those shown so far, so that
    the start is forgotten (Karras et al. 2018, section 4 use a fixed one; the ramp is that of
    Karras et al. 2020, ADA).
    """

    def __init__(self, network: nn.Module, half_life: float) -> None:
        self.network = copy.deepcopy(network).eval().requires_grad_(False)
        self.half_life = half_life

    @torch.no_grad()
    def update(self, network: nn.Module, batch: int, shown: int) -> None:
        """Move towards `network` after a step of `batch` images at `shown` images in all."""
        half_life = max(min(self.half_life, 0.08 * shown), 1.0)
        weight = 1 - 0.5 ** (batch / half_life)
        mine = [*self.network.parameters(), *self.network.buffers()]
        other = [*network.parameters(), *network.buffers()]
        moving = [(m, o) for m, o in zip(mine, other, strict=True) if m.is_floating_point()]
        torch._foreach_lerp_([m for m, _ in moving], [o for _, o in moving], weight)
        for m, o in zip(mine, other, strict=True):
            if not m.is_floating_point():
                m.copy_(o)
