"""A style's code becomes the kernels of the style network.

The code mixes a bank of kernels into one kernel for each convolution (Shen, Yan and Zeng 2018,
"Neural style transfer via meta networks", make all weights from a style; Yang et al. 2019,
"CondConv", arXiv:1904.04971, mix kernels).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from volute.nets.stylizer import STEM, Kernels

LUMA = (0.299, 0.587, 0.114)
"""BT.601."""
QUIET = 0.1
"""How strong the first kernels are that add to what is there."""
SPLAT, TAPS = 3 * STEM, 2
"""Side in px of what a feature adds to a picture, and of the step up in features, before it is
smoothed."""


@dataclass(frozen=True)
class Shape:
    """One convolution."""

    before: int
    after: int
    side: int = 3

    @property
    def weight(self) -> tuple[int, int, int, int]:
        """The shape of its weight."""
        return self.after, self.before, self.side, self.side


def shapes(width: int, blocks: int) -> list[Shape]:
    """Return what is learned of the convolutions: stem, step down, residual blocks, then five.

    They are the step up before it is smoothed, a last touch to its features, how much of the detail
    of the luma each colour gets, `colours` of pixels, and `last` from pixels to features.
    """
    inner, pixels = 2 * width, 3 * STEM**2
    return [
        Shape(pixels, width),
        Shape(width, inner),
        *[Shape(inner, inner)] * (2 * blocks),
        Shape(inner, width, side=TAPS),
        Shape(width, width),
        Shape(1, 3, side=1),
        Shape(3, 3, side=1),
        Shape(3, width, side=SPLAT),
    ]


class Painter(nn.Module):
    """A bank of kernels, and what mixes them.

    Args:
        code: length of a style's code.
        width: channels at a quarter of the resolution; twice as many at an eighth.
        blocks: residual blocks, at an eighth.
        bank: kernels that are mixed, for each convolution.
    """

    def __init__(self, code: int, width: int, blocks: int, bank: int) -> None:
        super().__init__()
        self.shapes, self.bank = shapes(width, blocks), bank
        self.kernels = nn.ParameterList([_kernels(shape, bank) for shape in self.shapes])
        *_, touch, detail, colours, last = self.kernels
        with torch.no_grad():  # it starts close to the identity, and without a grid of squares
            for second in [*self.kernels[3:-5:2], touch]:
                second *= QUIET
            last.copy_(_blurred(last) * QUIET * STEM * (3 / width) ** 0.5)
            colours.copy_(torch.eye(3).view_as(colours[0]))
            detail.zero_()
        self.mix = nn.Linear(code, sum(shape.after * (bank + 1) for shape in self.shapes))
        nn.init.normal_(self.mix.weight, std=0.15)
        nn.init.zeros_(self.mix.weight[-(3 + 3 + width) * (bank + 1) :])
        nn.init.zeros_(self.mix.bias)

    def mixed(self, code_SD: torch.Tensor) -> Kernels:
        """Return what the bank gives of S styles [S, code]: weights as in `shapes`, with their
        first axis before them, and biases [S, after]."""
        rows = [shape.after * (self.bank + 1) for shape in self.shapes]
        parts = zip(self.mix(code_SD).split(rows, 1), self.kernels, self.shapes, strict=True)
        made = []
        for part, kernels, shape in parts:
            mixed = part.unflatten(1, (self.bank + 1, shape.after))
            share = mixed[:, :-1] + 1 / self.bank
            weight = (share[..., None] * kernels.flatten(2)).sum(1)
            made.append((weight.unflatten(2, shape.weight[1:]), mixed[:, -1]))
        return made

    def forward(self, code_SD: torch.Tensor) -> Kernels:
        """Return the kernels of S styles, by their codes [S, code]."""
        made = self.mixed(code_SD)
        (stem, shift), *plain, (taps, lift), touch = made[:-3]
        (detail, _), (colours, tint), (splats, _) = made[-3:]
        luma = detail.new_tensor(LUMA)[:, None, None]
        soft = _soft(luma).expand(len(tint), -1, -1, -1, -1)
        none = torch.zeros_like(tint).repeat_interleave(STEM**2, 1)
        return [
            (_by_pixels(stem), shift),
            *plain,
            (_smoothed(taps), lift),
            touch,
            (soft, none[:, :1]),
            (_balanced(-detail[:, None, :, 0] * _spline(detail)), none),
            (colours + detail * luma, tint),
            (_balanced(splats), none),
        ]


def _smoothed(taps_BON22: torch.Tensor) -> torch.Tensor:
    """Return [B, O, N, 3, 3]: taps convolved with a square of two by two features.

    Of features that lie there twice it makes what lies between: no squares of `MULTIPLE` pixels.
    """
    flat = taps_BON22.flatten(0, 2)[:, None]
    square = flat.new_full((1, 1, TAPS, TAPS), 1 / TAPS**2)
    return F.conv2d(flat, square, padding=TAPS - 1).view(*taps_BON22.shape[:3], 3, 3)


def _balanced(splats_SW3KK: torch.Tensor) -> torch.Tensor:
    """Return [S, 3 * STEM^2, W, 3, 3]: splats of features by the squares of pixels they fall in.

    The last convolution places pixels by where they lie in their square: it is a transposed
    convolution of stride `STEM`. All places get the same sum of weights, so that even features make
    an even colour and no grid (Odena, Dumoulin and Olah 2016, "Deconvolution and checkerboard
    artifacts").
    """
    squares = splats_SW3KK.unflatten(4, (3, STEM)).unflatten(3, (3, STEM)).flip(3, 5)
    sums = squares.sum((3, 5), keepdim=True)
    squares = squares - (sums - sums.mean((4, 6), keepdim=True)) / 9
    return squares.permute(0, 2, 4, 6, 1, 3, 5).flatten(1, 3)


def _spline(like: torch.Tensor) -> torch.Tensor:
    """Return the quadratic B-spline of squares of pixels, [1, 1, 1, K, K], 1 in sum for a place."""
    square = torch.full((STEM,), 1 / STEM, dtype=like.dtype, device=like.device)
    line = F.conv1d(square.view(1, 1, -1), square.view(1, 1, -1), padding=STEM - 1)
    line = F.conv1d(line, STEM * square.view(1, 1, -1), padding=STEM)[0, 0]
    return (line[:, None] * line)[None, None, None]


def _soft(luma: torch.Tensor) -> torch.Tensor:
    """Return [1, 1, 3, K, K]: the luma, blurred by that spline, once for each square."""
    return (luma * _spline(luma)[0, 0] / STEM**2)[None, None]


def _by_pixels(stem_SOPKK: torch.Tensor) -> torch.Tensor:
    """Return kernels over squares of pixels [S, W, 3 * STEM^2, 3, 3] as kernels over the pixels
    themselves, [S, W, 3, K, K]."""
    squares = stem_SOPKK.unflatten(2, (3, STEM, STEM))
    return squares.permute(0, 1, 2, 5, 3, 6, 4).flatten(5, 6).flatten(3, 4)


def _blurred(splats: torch.Tensor) -> torch.Tensor:
    """Blur splats [..., K, K] by a square of `STEM` pixels."""
    flat = F.pad(splats.flatten(0, -3)[:, None], (STEM // 2, (STEM - 1) // 2) * 2)
    return F.avg_pool2d(flat, STEM, 1).view(splats.shape)


def _kernels(shape: Shape, bank: int) -> nn.Parameter:
    """Return [bank, after, before, k, k] whose mean has the variance of one that learns well."""
    fan = shape.before * shape.side**2
    made = torch.randn(bank, *shape.weight)
    return nn.Parameter(made * (2 * bank / fan) ** 0.5)
