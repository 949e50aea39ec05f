"""The style encoder: a picture of any size to the code of its style, once."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

WIDTHS = (16, 32, 64, 96)
"""Channels, each at half the resolution of the one before."""


class StyleEncoder(nn.Module):
    """Mean and deviation of features at four depths, brought to a code.

    Args:
        code: its length.
    """

    centre: torch.Tensor
    spread: torch.Tensor

    def __init__(self, code: int) -> None:
        super().__init__()
        before = 3
        self.stages = nn.ModuleList()
        for after in WIDTHS:
            self.stages.append(nn.Conv2d(before, after, 3, stride=2, padding=1))
            before = after
        self.register_buffer("centre", torch.zeros(2 * sum(WIDTHS)))
        self.register_buffer("spread", torch.ones(2 * sum(WIDTHS)))
        self.hidden = nn.Linear(2 * sum(WIDTHS), 2 * code)
        self.code = nn.Linear(2 * code, code)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map pictures [B, 3, H, W] in [-1, 1] to codes [B, code] of length 1, 32 px at least."""
        seen = (self.moments(x_BCHW) - self.centre) / self.spread
        code = self.code(F.relu(self.hidden(seen)))
        return F.normalize(code - code.mean(1, keepdim=True))

    def moments(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the means and deviations of all features [B, 2 * sum(WIDTHS)]."""
        found = []
        for stage in self.stages:
            x_BCHW = F.relu(stage(x_BCHW))
            mean = x_BCHW.mean((2, 3), keepdim=True)
            found += [mean.flatten(1), (x_BCHW - mean).square().mean((2, 3)).add(1e-4).sqrt()]
        return torch.cat(found, 1)

    @torch.no_grad()
    def settle(self, pictures: list[torch.Tensor]) -> None:
        """Measure how moments differ between styles, so that codes do from the beginning.

        As in data-dependent initialisation (Salimans and Kingma 2016, arXiv:1602.07868).
        """
        seen = torch.cat([self.moments(picture) for picture in pictures])
        self.centre.copy_(seen.mean(0))
        self.spread.copy_(seen.std(0, correction=0) + 1e-3)
