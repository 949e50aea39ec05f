"""The super-resolution network: 3x3 convolutions at low resolution, then a pixel shuffle.

Nothing but local convolutions, so the receptive radius is small and known and tiles can be exact.
Each convolution learns as a sum of branches and runs as one (Ding et al. 2021, arXiv:2101.03697;
Zhang et al. 2021, "Edge-oriented convolution block", use it for super-resolution). The branches are
summed as kernels before they meet the picture (Hu et al. 2022, arXiv:2204.00826), so learning costs
little more than running.
"""

from __future__ import annotations

import copy

import torch
import torch.nn.functional as F
from torch import nn


class Branched(nn.Module):
    """A 3x3 convolution whose kernel is a 3x3, a 1x1, and a 1x1-3x3-1x1 through twice as many."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.plain = nn.Parameter(nn.Conv2d(before, after, 3).weight.detach())
        self.bias = nn.Parameter(torch.zeros(after))
        self.point = nn.Parameter(torch.zeros(after, before))
        self.into = nn.Parameter(nn.Conv2d(before, 2 * before, 1).weight[:, :, 0, 0].detach())
        self.middle = nn.Parameter(nn.Conv2d(2 * before, 2 * after, 3).weight.detach())
        self.out = nn.Parameter(torch.zeros(after, 2 * after))

    def kernel(self) -> torch.Tensor:
        """Return the sum of the branches, [after, before, 3, 3]."""
        deep = torch.einsum("om,mnhw,ni->oihw", self.out, self.middle, self.into)
        return self.plain + deep + F.pad(self.point[:, :, None, None], (1, 1, 1, 1))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, before, H, W] to [B, after, H, W]."""
        return F.conv2d(x_BCHW, self.kernel(), self.bias, padding=1)

    def folded(self) -> nn.Conv2d:
        """Return the same convolution as one kernel."""
        after, before = self.plain.shape[:2]
        convolution = nn.Conv2d(before, after, 3, padding=1)
        convolution.load_state_dict({"weight": self.kernel(), "bias": self.bias})
        return convolution


class Block(nn.Module):
    """Two convolutions around a shortcut, without normalisation (Lim et al. 2017, EDSR)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Branched(width, width), Branched(width, width)
        nn.init.normal_(self.second.plain, std=1e-3)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, width, H, W] to the same shape."""
        return x_BCHW + self.second(F.relu(self.first(x_BCHW)))


class Upscaler(nn.Module):
    """Enlarge pictures [B, bands, H, W] in [-1, 1] by a whole factor.

    It starts as nearest-neighbour enlargement and learns what to add.

    Args:
        bands: channels in and out.
        width: channels inside.
        blocks: residual blocks.
        scale: 2, 3 or 4.
    """

    def __init__(self, bands: int, width: int, blocks: int, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.radius = 2 + 2 * blocks
        self.first = Branched(bands, width)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(blocks)])
        self.last = Branched(width, bands * scale**2)
        nn.init.zeros_(self.last.plain)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, bands, H, W] to [B, bands, scale * H, scale * W]."""
        added = self.last(self.blocks(self.first(x_BCHW)))
        nearest = x_BCHW.repeat_interleave(self.scale**2, 1)
        return F.pixel_shuffle(nearest + added, self.scale)


def folded(network: Upscaler) -> Upscaler:
    """Return a copy for use, each convolution one kernel."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Branched):
                setattr(module, name, child.folded())
    return network.eval()
