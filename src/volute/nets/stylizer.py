"""The style network: a style becomes the kernels of a small convolutional network, once.

A style encoder reads a picture of any size and gives its code. The code mixes a bank of kernels
into one kernel for each convolution (Shen, Yan and Zeng 2018, "Neural style transfer via meta
networks", make all weights from a style; Yang et al. 2019, "CondConv", arXiv:1904.04971, mix
kernels). Features are normalised as in instance normalisation (Ulyanov, Vedaldi and Lempitsky 2016,
arXiv:1607.08022), by what is measured once of a picture or shot, and the kernels take that in. So
plain convolutions run over pictures: tiles are exact, and nothing of the style costs time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

LUMA = (0.299, 0.587, 0.114)
"""BT.601."""
STEM = 4
"""Side of the square of pixels that the first convolution sees as channels."""
MULTIPLE = 2 * STEM
"""Of the height and width of pictures."""
WIDTHS = (16, 32, 64, 96)
"""Channels of the style encoder, each at half the resolution of the one before."""
QUIET = 0.1
"""How strong the first kernels are that add to what is there."""
FLAT = 1e-3
"""Share of its kernel's squared length under which a feature's variance counts as none."""
CONTRAST, LEAST = 0.5, 0.05
"""Deviation of all pixels to which a picture is brought, and one that counts as none."""
Kernels = list[tuple[torch.Tensor, torch.Tensor]]
"""Weight [S, after, before, k, k] and bias [S, after] of each convolution in `shapes`, S styles."""
Scales = list[tuple[torch.Tensor, torch.Tensor]]
"""Mean and gain [B, after] of each convolution but the last: y becomes (y - mean) gain + bias."""
Convolve = Callable[[int, torch.Tensor, int], torch.Tensor]
"""Runs a convolution, by its place in `shapes` and its stride, over features [n, S * C, H, W]."""


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


SPLAT, TAPS = 3 * STEM, 2
"""Side in px of what a feature adds to a picture, and of the step up in features, before it is
smoothed."""


def shapes(width: int, blocks: int) -> list[Shape]:
    """Return what is learned of the convolutions: stem, step down, residual blocks, then four.

    They are the step up before it is smoothed, how much of the detail of the luma each colour gets,
    `colours` of pixels, and `last` from pixels to features.
    """
    inner, pixels = 2 * width, 3 * STEM**2
    return [
        Shape(pixels, width),
        Shape(width, inner, stride=2),
        *[Shape(inner, inner)] * (2 * blocks),
        Shape(inner, width, side=TAPS),
        Shape(1, 3, side=1),
        Shape(3, 3, side=1),
        Shape(3, width, side=SPLAT),
    ]


def radius(blocks: int) -> int:
    """Return how far a pixel reaches, rounded up to whole squares of `MULTIPLE` pixels."""
    coarse = 2 * blocks + 1  # squares of MULTIPLE px: the blocks, and the pixel doubling
    fine = 1 + 1 + 1 + 1  # squares of STEM px: stem, step down, step up, last
    return MULTIPLE * (coarse + -(-fine * STEM // MULTIPLE))


def paint(x_BCHW: torch.Tensor, kernels: Kernels, mirrored: bool = False) -> torch.Tensor:
    """Paint pictures [B, 3, H, W] in [-1, 1] with plain kernels; H and W are multiples of 8.

    Args:
        x_BCHW: the pictures, those of each style one behind another and as many.
        kernels: of S styles, each with the scales of a picture: see `scaled`.
        mirrored: continue features beyond the border by mirroring instead of zeros. So it learns:
            a border of zeros would be a place to paint frames.
    """
    styles = len(kernels[0][0])
    plain = [(weight.flatten(0, 1), bias.flatten()) for weight, bias in kernels]

    def convolve(place: int, x: torch.Tensor, stride: int) -> torch.Tensor:
        return _convolved(x, *plain[place], stride, styles, mirrored)

    kept, strokes = _through(_together(x_BCHW, styles), convolve, len(kernels))
    return F.pixel_shuffle(_apart(kept + strokes, styles), STEM)


def measure(
    x_BCHW: torch.Tensor, kernels: Kernels, mirrored: bool = True
) -> tuple[torch.Tensor, torch.Tensor, Scales]:
    """Paint pictures [B, 3, H, W] in [-1, 1], each at its own scales.

    Returns the pictures, what of them are strokes and not kept of the pixels, and the scales.

    A feature is brought to mean 0 and, as deviation, the length of its kernel: so kernels decide
    how strong it is (Salimans and Kingma 2016, "Weight normalization"). Pixels are brought to mean
    0 by channel and to one contrast in common.

    Args:
        x_BCHW: as for `paint`.
        kernels: of S styles.
        mirrored: as for `paint`.
    """
    styles, colours, last = len(kernels[0][0]), len(kernels) - 2, len(kernels) - 1
    scales: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def convolve(place: int, x: torch.Tensor, stride: int) -> torch.Tensor:
        weight, bias = (part.flatten(0, 1) for part in kernels[place])
        if place == last:
            return _convolved(x, weight, bias, stride, styles, mirrored)
        made = _convolved(x, weight, None, stride, styles, mirrored)
        if place == colours:
            mean, gain = _of_pixels(x.float(), made.float())
        elif place == colours - 1:
            gain = _together(scales[colours][1], styles)
            mean = torch.zeros_like(gain)
        elif place == colours - 2:
            mean, gain = torch.zeros_like(made[:, :, 0, 0]), torch.ones_like(made[:, :, 0, 0])
        else:
            mean, gain = _of_features(made.float(), weight.float())
        scales[place] = _apart(mean, styles), _apart(gain, styles)
        shift = bias - mean * gain
        return made * _over(gain, made) + _over(shift, made)

    parts = _through(_together(x_BCHW, styles), convolve, last + 1)
    kept, strokes = (F.pixel_shuffle(_apart(part, styles), STEM) for part in parts)
    return kept + strokes, strokes, [scales[place] for place in range(last)]


def scaled(kernels: Kernels, scales: Scales, index: int = 0) -> Kernels:
    """Return plain kernels, S = 1, that paint as `measure` did the picture `index`."""
    pictures = len(scales[0][0]) // len(kernels[0][0])
    own = [(weight[index // pictures], bias[index // pictures]) for weight, bias in kernels]
    made = []
    for (weight, bias), (mean, gain) in zip(own[:-1], scales, strict=True):
        by = gain[index]
        made.append((weight * by[:, None, None, None], bias - mean[index] * by))
    return [(weight[None], bias[None]) for weight, bias in [*made, own[-1]]]


def flat(kernels: Kernels) -> torch.Tensor:
    """Return the kernels of one style as [P]: weight and bias of each convolution in turn."""
    return torch.cat([part.flatten() for pair in kernels for part in pair])


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
        *_, detail, colours, last = self.kernels
        with torch.no_grad():  # it starts close to the identity, and without a grid of squares
            for second in self.kernels[3:-4:2]:
                second *= QUIET
            last.copy_(_blurred(last) * QUIET * STEM * (3 / width) ** 0.5)
            colours.copy_(torch.eye(3).view_as(colours[0]))
            detail.zero_()
        self.mix = nn.Linear(code, sum(shape.after * (bank + 1) for shape in self.shapes))
        nn.init.normal_(self.mix.weight, std=0.15)
        nn.init.zeros_(self.mix.weight[-(3 + 3 + width) * (bank + 1) :])
        nn.init.zeros_(self.mix.bias)

    def forward(self, code_SD: torch.Tensor) -> Kernels:
        """Return the kernels of S styles, by their codes [S, code]."""
        rows = [shape.after * (self.bank + 1) for shape in self.shapes]
        parts = zip(self.mix(code_SD).split(rows, 1), self.kernels, self.shapes, strict=True)
        made = []
        for part, kernels, shape in parts:
            mixed = part.unflatten(1, (self.bank + 1, shape.after))
            share = mixed[:, :-1] + 1 / self.bank
            weight = (share[..., None] * kernels.flatten(2)).sum(1)
            made.append((weight.unflatten(2, shape.weight[1:]), mixed[:, -1]))
        *plain, (taps, lift), (detail, _), (colours, tint), (splats, _) = made
        luma = detail.new_tensor(LUMA)[:, None, None]
        tint = tint.repeat_interleave(STEM**2, 1)
        soft, none = _soft(luma).expand(len(tint), -1, -1, -1, -1), torch.zeros_like(tint)
        return [
            *plain,
            (_smoothed(taps), lift),
            (soft, none[:, :1]),
            (_balanced(-detail[:, None, :, 0] * _spline(detail)), none),
            (_of_squares(colours + detail * luma), tint),
            (_balanced(splats), none),
        ]


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
    """A painter as it is exported: a code [1, code] and a picture to the kernels [P] for both."""

    def __init__(self, painter: Painter) -> None:
        super().__init__()
        self.painter = painter

    def forward(self, code_1D: torch.Tensor, picture_1CHW: torch.Tensor) -> torch.Tensor:
        """See `measure` and `flat`."""
        kernels = self.painter(code_1D)
        *_, scales = measure(picture_1CHW, kernels)
        return flat(scaled(kernels, scales))


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


class Plain(nn.Module):
    """One style as a network of its own, its parameters in the order of `flat`."""

    def __init__(self, kernels: Kernels) -> None:
        super().__init__()
        parts = [part.detach()[0].clone() for pair in kernels for part in pair]
        self.parts = nn.ParameterList(parts)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Paint pictures [B, 3, H, W] in [-1, 1]."""
        parts = list(self.parts)

        def convolve(place: int, x: torch.Tensor, stride: int) -> torch.Tensor:
            return _convolved(x, parts[2 * place], parts[2 * place + 1], stride, 1, False)

        kept, strokes = _through(x_BCHW, convolve, len(parts) // 2)
        return F.pixel_shuffle(kept + strokes, STEM)


def _together(x_BCHW: torch.Tensor, styles: int) -> torch.Tensor:
    """Lay what is of all styles beside each other, as channels: [B / S, S * C, ...]."""
    made = x_BCHW.unflatten(0, (styles, -1)).transpose(0, 1).flatten(1, 2)
    return made.contiguous(memory_format=torch.channels_last) if made.ndim == 4 else made


def _apart(made: torch.Tensor, styles: int) -> torch.Tensor:
    """Undo `_together`, also of moments [B / S, S * C]."""
    return made.unflatten(1, (styles, -1)).transpose(0, 1).flatten(0, 1)


def _through(
    x_BCHW: torch.Tensor, convolve: Convolve, count: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run the network's `count` convolutions over pictures; return what is kept of their pixels
    and the strokes, by squares of pixels."""
    up, soft, detail, colours, last = range(count - 5, count)
    pixels = F.pixel_unshuffle(x_BCHW, STEM)
    fine = F.relu(convolve(0, pixels, 1))
    h = F.relu(convolve(1, fine, 2))
    for place in range(2, up, 2):
        h = h + convolve(place + 1, F.relu(convolve(place, h, 1)), 1)
    h = F.interpolate(F.relu(h), scale_factor=2.0, mode="nearest")
    h = F.relu(fine + convolve(up, h, 1))
    kept = convolve(colours, pixels, 1) + convolve(detail, convolve(soft, pixels, 1), 1)
    return kept, convolve(last, h, 1)


def _convolved(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: int,
    groups: int,
    mirrored: bool,
) -> torch.Tensor:
    reach = weight.shape[-1] // 2
    if mirrored and reach:
        x = F.pad(x, (reach, reach, reach, reach), mode="reflect")
    return F.conv2d(x, weight, bias, stride, 0 if mirrored else reach, groups=groups)


def _of_features(made: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and gain [n, S * C] that give features mean 0 and the length of their kernel."""
    variance, mean = torch.var_mean(made, (2, 3), correction=0)
    length = weight.square().sum((1, 2, 3))
    return mean, (length / (variance + FLAT * length)).sqrt()


def _of_pixels(pixels: torch.Tensor, made: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and gain [n, S * 3 * STEM^2] that give what is made of pixels mean 0, and the
    pixels of each picture one contrast."""
    mean, square = _evened_out(pixels.mean((2, 3))), _evened_out(pixels.square().mean((2, 3)))
    spread = (square - mean.square()).unflatten(1, (-1, 3 * STEM**2)).mean(2)
    gain = CONTRAST * (spread.clamp(min=0) + LEAST**2).rsqrt()
    return _evened_out(made.mean((2, 3))), gain.repeat_interleave(3 * STEM**2, 1)


def _evened_out(mean_BC: torch.Tensor) -> torch.Tensor:
    """Give all places in a square of pixels their mean."""
    return mean_BC.unflatten(1, (-1, STEM**2)).mean(2).repeat_interleave(STEM**2, 1)


def _over(value_BC: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    return value_BC[:, :, None, None].to(features.dtype)


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
    """Return [1, 1, 3 * STEM^2, 3, 3]: the luma, blurred by that spline, once for each square."""
    spline = _spline(luma)[0, 0, 0].unflatten(1, (3, STEM)).unflatten(0, (3, STEM)) / STEM**2
    squares = luma[..., None] * spline.permute(1, 3, 0, 2).flatten(0, 1)
    return squares.flatten(0, 1)[None, None]


def _blurred(splats: torch.Tensor) -> torch.Tensor:
    """Blur splats [..., K, K] by a square of `STEM` pixels."""
    flat = F.pad(splats.flatten(0, -3)[:, None], (STEM // 2, (STEM - 1) // 2) * 2)
    return F.avg_pool2d(flat, STEM, 1).view(splats.shape)


def _kernels(shape: Shape, bank: int) -> nn.Parameter:
    """Return [bank, after, before, k, k] whose mean has the variance of one that learns well."""
    fan = shape.before * shape.side**2
    made = torch.randn(bank, *shape.weight)
    return nn.Parameter(made * (2 * bank / fan) ** 0.5)
