"""The classifier: convolutions, pooling and one fully connected layer, with residual blocks.

A stem, then for each resolution `blocks` residual blocks, with a maximum pooling between one
resolution and the next; global average pooling and a linear layer at the end (He et al. 2016,
arXiv:1512.03385). Batch norms fold into their convolutions when the network runs.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from volute.nets.blocks import sides


class Classifier(nn.Module):
    """Score classes: pictures [B, channels, size, size] in [-1, 1] to logits [B, classes].

    Args:
        size: side of the picture in pixels, `base * 2**k` with base in 4..7.
        channels: 1 grey, 3 RGB, 4 RGBA.
        classes: number of classes, at least 2.
        width: channels at the first resolution; they double with each halving, up to `cap`.
        blocks: residual blocks at each resolution.
        dropout: share of the pooled features that a training step leaves out.
    """

    def __init__(
        self,
        size: int,
        channels: int,
        classes: int,
        width: int = 32,
        cap: int = 256,
        blocks: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        stride = 2 if size > 32 else 1
        self.stem = _convolution(channels, width, stride)
        self.stages = nn.ModuleList()
        before = width
        for index, _ in enumerate(reversed(sides(size // stride))):
            after = min(cap, width << index)
            pool = [] if index == 0 else [nn.MaxPool2d(2)]
            inner = [Block(before if k == 0 else after, after) for k in range(blocks)]
            self.stages.append(nn.Sequential(*pool, *inner))
            before = after
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(before, classes)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Return logits, float32 [B, classes]."""
        return self.decide(self.maps(x_BCHW)[-1])

    def decide(self, last_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits that the features of the last stage give."""
        return self.linear(self.dropout(last_BCHW.mean((2, 3)))).float()

    def maps(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of each stage [B, C, H, W], from fine to coarse, after their ReLU."""
        found = [self.stem(x_BCHW)]
        for stage in self.stages:
            found.append(stage(found[-1]))
        return found[1:]


class Block(nn.Module):
    """Two 3x3 convolutions with batch norm around a shortcut; 1x1 where channels change."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first = _convolution(before, after)
        norm = nn.BatchNorm2d(after)
        nn.init.zeros_(norm.weight)  # the block starts as its shortcut
        self.second = nn.Sequential(nn.Conv2d(after, after, 3, padding=1, bias=False), norm)
        self.shortcut = nn.Identity() if before == after else nn.Conv2d(before, after, 1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, before, H, W] to [B, after, H, W]."""
        return F.relu(self.shortcut(x_BCHW) + self.second(self.first(x_BCHW)))


def _convolution(before: int, after: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(),
    )
