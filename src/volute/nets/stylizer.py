"""The style network: a style becomes the kernels of a small convolutional network, once.

A style encoder reads a picture of any size and gives its code. The code mixes a bank of kernels
into one kernel for each convolution (Shen, Yan and Zeng 2018, "Neural style transfer via meta
networks", make all weights from a style; Yang et al. 2019, "CondConv", arXiv:1904.04971, mix
kernels). What then runs over pictures is plain convolutions: no statistics of the content, so tiles
are exact, frames agree, and nothing of the style costs time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

STEM = 4
"""Side of the square of pixels that the first convolution sees as channels."""
MULTIPLE = 2 * STEM
"""Of the height and width of pictures."""
WIDTHS = (16, 32, 64, 96)
"""Channels of the style encoder, each at half the resolution of the one before."""
QUIET = 0.1
"""How strong the first kernels are that add to what is there."""
Kernels = list[tuple[torch.Tensor, torch.Tensor]]
"""Weight [after, before, k, k] and bias [after] of each convolution, in the order of `shapes`."""


@dataclass(frozen=True)
class Shape:
    """One convolution."""

    before: int
    after: int
    side: int = 3
    stride: int = 1

    @property
    def weight(self) -> tuple[int, int, int, int]:
        """The shape of its weight."""
        return self.after, self.before, self.side, self.side


SPLAT, TAPS = 2 * STEM + 1, 2
"""Side in px of what a feature adds to a picture, and of the step up in features, before they are
evened."""


def shapes(width: int, blocks: int) -> list[Shape]:
    """Return the convolutions: stem, step down, residual blocks, step up, colours, last.

    Of the last three as they are learned: before they are evened, `colours` of pixels, and `last`
    from pixels to features.
    """
    inner, pixels = 2 * width, 3 * STEM**2
    return [
        Shape(pixels, width),
        Shape(width, inner, stride=2),
        *[Shape(inner, inner)] * (2 * blocks),
        Shape(inner, width, side=TAPS),
        Shape(3, 3, side=1),
        Shape(3, width, side=SPLAT),
    ]


def radius(blocks: int) -> int:
    """Return how far a pixel reaches, rounded up to whole squares of `MULTIPLE` pixels."""
    coarse = 2 * blocks + 1  # squares of MULTIPLE px: the blocks, and the pixel doubling
    fine = 1 + 1 + 1 + 1  # squares of STEM px: stem, step down, step up, last
    return MULTIPLE * (coarse + -(-fine * STEM // MULTIPLE))


def paint(x_BCHW: torch.Tensor, kernels: Kernels, mirrored: bool = False) -> torch.Tensor:
    """Paint pictures [B, 3, H, W] in [-1, 1] with one style; H and W are multiples of 8.

    Args:
        x_BCHW: the pictures.
        kernels: of the style.
        mirrored: continue features beyond the border by mirroring instead of zeros. So it learns:
            a border of zeros would be a place to paint frames.
    """
    first, down, *middle, up, colours, last = kernels

    def convolved(
        x: torch.Tensor, kernel: tuple[torch.Tensor, torch.Tensor], stride: int = 1
    ) -> torch.Tensor:
        if mirrored:
            return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), *kernel, stride=stride)
        return F.conv2d(x, *kernel, stride=stride, padding=1)

    pixels = F.pixel_unshuffle(x_BCHW, STEM)
    fine = F.relu(convolved(pixels, first))
    h = F.relu(convolved(fine, down, stride=2))
    for one, two in zip(middle[::2], middle[1::2], strict=True):
        h = h + convolved(F.relu(convolved(h, one)), two)
    h = F.interpolate(F.relu(h), scale_factor=2.0, mode="nearest")
    h = F.relu(fine + convolved(h, up))
    return F.pixel_shuffle(F.conv2d(pixels, *colours) + convolved(h, last), STEM)


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
        *_, colours, last = self.kernels
        with torch.no_grad():  # it starts close to the identity, and without a grid of squares
            for second in self.kernels[3:-3:2]:
                second *= QUIET
            last *= QUIET * STEM * (3 / width) ** 0.5
            colours.copy_(torch.eye(3).view_as(colours[0]))
        self.mix = nn.Linear(code, sum(shape.after * (bank + 1) for shape in self.shapes))
        nn.init.normal_(self.mix.weight, std=0.15)
        nn.init.zeros_(self.mix.weight[-(3 + width) * (bank + 1) :])
        nn.init.zeros_(self.mix.bias)

    def forward(self, code_BD: torch.Tensor) -> list[Kernels]:
        """Return the kernels of each style, by their codes [B, code]."""
        made = self._mixed(code_BD)
        return [[(w[i], b[i]) for w, b in made] for i in range(len(code_BD))]

    def flat(self, code_BD: torch.Tensor) -> torch.Tensor:
        """Return the same as [B, P]: weight and bias of each convolution in turn."""
        return torch.cat([part.flatten(1) for pair in self._mixed(code_BD) for part in pair], 1)

    def _mixed(self, code_BD: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return weight [B, after, before, k, k] and bias [B, after] of each convolution."""
        rows = [shape.after * (self.bank + 1) for shape in self.shapes]
        parts = zip(self.mix(code_BD).split(rows, 1), self.kernels, self.shapes, strict=True)
        made = []
        for part, kernels, shape in parts:
            mixed = part.unflatten(1, (self.bank + 1, shape.after))
            share = mixed[:, :-1] + 1 / self.bank
            weight = (share[..., None] * kernels.flatten(2)).sum(1)
            made.append((weight.unflatten(2, shape.weight[1:]), mixed[:, -1]))
        *plain, (taps, lift), (colours, tint), (splats, _) = made
        up, tint = (_smoothed(taps), lift), tint.repeat_interleave(STEM**2, 1)
        return [*plain, up, (_of_squares(colours), tint), (_evened(splats), torch.zeros_like(tint))]


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


class Modulator(nn.Module):
    """A painter as it is exported: codes [B, code] to flat kernels [B, P]."""

    def __init__(self, painter: Painter) -> None:
        super().__init__()
        self.painter = painter

    def forward(self, code_BD: torch.Tensor) -> torch.Tensor:
        """See `Painter.flat`."""
        return self.painter.flat(code_BD)


class Halved(nn.Module):
    """A network whose parameters lie on disk in half precision and compute in float32."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Run it."""
        wide = {name: value.float() for name, value in self.network.named_parameters()}
        made: torch.Tensor = functional_call(self.network, wide, (x,))
        return made


class Plain(nn.Module):
    """One style as a network of its own, its parameters in the order of `Painter.flat`."""

    def __init__(self, kernels: Kernels) -> None:
        super().__init__()
        self.parts = nn.ParameterList([p.detach().clone() for pair in kernels for p in pair])

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Paint pictures [B, 3, H, W] in [-1, 1]."""
        parts = list(self.parts)
        return paint(x_BCHW, list(zip(parts[::2], parts[1::2], strict=True)))


def _of_squares(colours_B33: torch.Tensor) -> torch.Tensor:
    """Return what recolours pixels [B, 3, 3, 1, 1] as what does so to squares of `STEM` pixels."""
    eye = torch.eye(STEM**2, device=colours_B33.device)
    squares = colours_B33[:, :, None, :, None, 0, 0] * eye[:, None]
    return squares.flatten(3).flatten(1, 2)[..., None, None]


def _smoothed(taps_BON22: torch.Tensor) -> torch.Tensor:
    """Return [B, O, N, 3, 3]: taps convolved with a square of two by two features.

    Of features that lie there twice it makes what lies between: no squares of `MULTIPLE` pixels.
    """
    flat = taps_BON22.flatten(0, 2)[:, None]
    square = flat.new_full((1, 1, TAPS, TAPS), 1 / TAPS**2)
    return F.conv2d(flat, square, padding=TAPS - 1).view(*taps_BON22.shape[:3], 3, 3)


def _evened(splats_BW3KK: torch.Tensor) -> torch.Tensor:
    """Return [B, 3 * STEM^2, W, 3, 3]: each feature's splat, blurred by a square of `STEM` pixels.

    The last convolution places pixels by where they lie in their square: it is a transposed
    convolution of stride `STEM`. Its kernel is a square convolved with what is learned, so that
    even features make an even colour and no grid (Odena, Dumoulin and Olah 2016, "Deconvolution and
    checkerboard artifacts").
    """
    size = splats_BW3KK.shape[:3]
    square = splats_BW3KK.new_full((1, 1, STEM, STEM), 1 / STEM**2)
    flat = splats_BW3KK.flatten(0, 2)[:, None]
    splats = F.conv2d(flat, square, padding=STEM - 1)
    cells = splats.view(*size, 3, STEM, 3, STEM).flip(3, 5)
    return cells.permute(0, 2, 4, 6, 1, 3, 5).flatten(1, 3)


def _kernels(shape: Shape, bank: int) -> nn.Parameter:
    """Return [bank, after, before, k, k] whose mean has the variance of one that learns well."""
    fan = shape.before * shape.side**2
    made = torch.randn(bank, *shape.weight)
    return nn.Parameter(made * (2 * bank / fan) ** 0.5)
