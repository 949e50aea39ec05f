"""The detector of pictures that convolutional networks made: from differences of neighbours.

Networks that draw pictures double a small map again and again, and each way to double leaves its
trace in how neighbouring pixels differ (Odena et al. 2016; Durall et al. 2020, arXiv:2003.01826;
Tan et al. 2024, arXiv:2312.10461, who look at x - up2(down2(x))). The network sees these
residuals alone, at the resolution of the file, and never the picture itself.
"""

from __future__ import annotations

import copy
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

SOFT = 127.5 / 10
"""Residuals are bent from 10 grey levels on, so that edges do not drown what is even."""
WIDTHS = (32, 64, 96)
"""Channels at a half, a quarter and an eighth of the resolution."""


class Detector(nn.Module):
    """From pictures to one logit each: the larger, the more a network's traces are there.

    Args:
        widths: channels at a half, a quarter and so on of the resolution.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        stages = []
        for before, after in zip((48, *widths), widths, strict=False):
            stride = 1 if before == 48 else 2
            stages += [conv(before, after, stride), nn.ReLU(), Block(after)]
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(2 * widths[-1], 1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map pictures [B, 3, H, W] in [-1, 1], sides even and 32 px or more, to logits [B]."""
        x = self.stages(residuals(x_BCHW)).float()
        mean, square = x.mean((2, 3)), x.square().mean((2, 3))
        spread = (square - mean.square()).clamp(min=0).add(1e-4).sqrt()
        return cast("torch.Tensor", self.head(torch.cat([mean, spread], 1))[:, 0])


class Block(nn.Module):
    """Two 3x3 convolutions beside the identity (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.last = conv(channels, channels), conv(channels, channels)
        nn.init.zeros_(cast("nn.Parameter", self.last[1].weight))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, C, H, W] to the same shape."""
        return F.relu(x_BCHW + self.last(F.relu(self.first(x_BCHW))))


def residuals(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Return what is left of pictures after halving and doubling by nearest neighbours.

    x - up2(down2(x)) is, in each block of 2 x 2, how pixels differ from the one that is kept. Over
    the four places where blocks can begin that is each pixel's difference to its right, lower and
    two diagonal neighbours: 4 maps a colour, laid out by the four phases of a pixel.

    Args:
        x_BCHW: [B, 3, H, W] in [-1, 1], sides even.

    Returns:
        [B, 48, H / 2 - 1, W / 2 - 1] in [-1, 1].
    """
    here, right = x_BCHW[:, :, :-2, :-2], x_BCHW[:, :, :-2, 1:-1]
    below, across = x_BCHW[:, :, 1:-1, :-2], x_BCHW[:, :, 1:-1, 1:-1]
    differences = [here - right, here - below, here - across, right - below]
    return F.pixel_unshuffle(torch.tanh(SOFT * torch.cat(differences, 1)), 2)


def conv(before: int, after: int, stride: int = 1) -> nn.Sequential:
    """Return a 3x3 convolution and its batch norm."""
    layer = nn.Conv2d(before, after, 3, stride, 1, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after))


def folded(network: Detector) -> Detector:
    """Return a copy for inference whose batch norms lie in the convolutions before them."""
    network = copy.deepcopy(network).eval()
    for module in list(network.modules()):
        if isinstance(module, nn.Sequential) and isinstance(module[-1], nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(cast("nn.Conv2d", module[0]), module[-1])
            module[0], module[1] = fused, nn.Identity()
    return network
