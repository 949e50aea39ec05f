"""The style network: plain convolutions, whose kernels a style and a picture decide once.

`painter.Painter` makes kernels of a style. Features are normalised as in instance normalisation
(Ulyanov, Vedaldi and Lempitsky 2016, arXiv:1607.08022), by what is measured once of a picture or
shot, and the kernels take that in. So plain convolutions run over pictures: tiles are exact, and
nothing of the style costs time.

The first convolutions see pixels by squares: kernels three squares wide at a stride of one are
those of a picture whose squares were laid into channels, without the cost of laying them there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import nn

if TYPE_CHECKING:
    from volute.nets.painter import Painter

STEM = 4
"""Side of the square of pixels that the first convolution sees as one place."""
MULTIPLE = 2 * STEM
"""Of the height and width of pictures."""
FLAT = 1e-3
"""Share of its kernel's squared length under which a feature's variance counts as none."""
CONTRAST, LEAST = 0.5, 0.05
"""Deviation of all pixels to which a picture is brought, and one that counts as none."""
Kernels = list[tuple[torch.Tensor, torch.Tensor]]
"""Weight [S, after, before, k, k] and bias [S, after] of each convolution, S styles; the step up
as it runs over features that lie twice beside each other."""
Scales = list[tuple[torch.Tensor, torch.Tensor]]
"""Mean and gain [B, after] of each convolution but the last: y becomes (y - mean) gain + bias."""
Convolve = Callable[[int, torch.Tensor, "Step"], torch.Tensor]
"""Runs a convolution, by its place among the kernels, over features [n, S * C, H, W]."""


@dataclass(frozen=True)
class Step:
    """How a convolution goes over its input."""

    reach: int = 1
    """Beyond the border."""
    stride: int = 1


ALONG, DOWN, ALONE = Step(), Step(stride=2), Step(reach=0)
SQUARES = Step(reach=STEM, stride=STEM)


def radius(blocks: int) -> int:
    """Return how far a pixel reaches, rounded up to whole squares of `MULTIPLE` pixels."""
    coarse = 2 * blocks + 1  # squares of MULTIPLE px: the blocks, and the pixel doubling
    fine = 1 + 1 + 1 + 1 + 1  # squares of STEM px: stem, steps down and up, touch, last
    return MULTIPLE * (coarse + -(-fine * STEM // MULTIPLE))


def paint(x_BCHW: torch.Tensor, kernels: Kernels, mirrored: bool = False) -> torch.Tensor:
    """Paint pictures [B, 3, H, W] in [-1, 1] with plain kernels; H and W are multiples of 8.

    Args:
        x_BCHW: the pictures, those of each style one behind another and as many.
        kernels: of S styles, each with the scales of a picture: see `scaled`.
        mirrored: continue features beyond the border by mirroring instead of zeros. So it learns:
            a border of zeros would be a place to paint frames.
    """
    styles, up = len(kernels[0][0]), len(kernels) - 6
    plain = [(weight.flatten(0, 1), bias.flatten()) for weight, bias in kernels]
    plain[up] = _phased(*plain[up])

    def convolve(place: int, x: torch.Tensor, step: Step) -> torch.Tensor:
        return _convolved(x, *plain[place], step, styles, mirrored)

    kept, detail, strokes = _through(_together(x_BCHW, styles), convolve, len(kernels))
    return _apart(kept + F.pixel_shuffle(detail + strokes, STEM), styles)


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
    styles, last = len(kernels[0][0]), len(kernels) - 1
    up, touch, soft, detail, colours = range(last - 5, last)
    scales: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def convolve(place: int, x: torch.Tensor, step: Step) -> torch.Tensor:
        weight, bias = (part.flatten(0, 1) for part in kernels[place])
        if place == last:
            return _convolved(x, weight, bias, step, styles, mirrored)
        run = _phased(weight, bias)[0] if place == up else weight
        made = _convolved(x, run, None, step, styles, mirrored)
        if place == colours:
            mean, gain = _of_pixels(x.float(), made.float())
        elif place == detail:
            gain = _together(scales[colours][1], styles).repeat_interleave(STEM**2, 1)
            mean = torch.zeros_like(gain)
        elif place in (touch, soft):
            mean, gain = torch.zeros_like(made[:, :, 0, 0]), torch.ones_like(made[:, :, 0, 0])
        else:
            seen = F.pixel_shuffle(made, 2)[:, :, 1:-1, 1:-1] if place == up else made
            mean, gain = _of_features(seen.float(), weight.float())
        scales[place] = _apart(mean, styles), _apart(gain, styles)
        shift = bias - mean * gain
        if place == up:
            gain, shift = gain.repeat_interleave(4, 1), shift.repeat_interleave(4, 1)
        return made * _over(gain, made) + _over(shift, made)

    kept, grain, small = _through(_together(x_BCHW, styles), convolve, last + 1)
    strokes = F.pixel_shuffle(small, STEM)
    made = kept + F.pixel_shuffle(grain, STEM) + strokes
    return _apart(made, styles), _apart(strokes, styles), [scales[place] for place in range(last)]


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
    """Return the kernels of one style as `Plain` has them, [P]: weights and biases in turn."""
    return torch.cat([part.flatten() for pair in _as_run(kernels) for part in pair])


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


class Plain(nn.Module):
    """One style as a network of its own, its parameters in the order of `flat`."""

    def __init__(self, kernels: Kernels) -> None:
        super().__init__()
        parts = [part.detach().clone() for pair in _as_run(kernels) for part in pair]
        self.parts = nn.ParameterList(parts)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Paint pictures [B, 3, H, W] in [-1, 1]."""
        parts = list(self.parts)

        def convolve(place: int, x: torch.Tensor, step: Step) -> torch.Tensor:
            return _convolved(x, parts[2 * place], parts[2 * place + 1], step, 1, False)

        kept, detail, strokes = _through(x_BCHW, convolve, len(parts) // 2)
        return kept + F.pixel_shuffle(detail + strokes, STEM)


def _as_run(kernels: Kernels) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return weight [after, before, k, k] and bias [after] of each convolution of one style."""
    own = [(weight[0], bias[0]) for weight, bias in kernels]
    own[-6] = _phased(*own[-6])
    return own


def _together(x_BCHW: torch.Tensor, styles: int) -> torch.Tensor:
    """Lay what is of all styles beside each other, as channels: [B / S, S * C, ...]."""
    made = x_BCHW.unflatten(0, (styles, -1)).transpose(0, 1).flatten(1, 2)
    return made.contiguous(memory_format=torch.channels_last) if made.ndim == 4 else made


def _apart(made: torch.Tensor, styles: int) -> torch.Tensor:
    """Undo `_together`, also of moments [B / S, S * C]."""
    return made.unflatten(1, (styles, -1)).transpose(0, 1).flatten(0, 1)


def _through(
    x_BCHW: torch.Tensor, convolve: Convolve, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Run the network's `count` convolutions over pictures.

    Returns what is kept of their pixels, and by squares of pixels their detail and the strokes.
    """
    up, touch, soft, detail, colours, last = range(count - 6, count)
    fine = F.relu(convolve(0, x_BCHW, SQUARES))
    h = F.relu(convolve(1, fine, DOWN))
    for place in range(2, up, 2):
        h = h + convolve(place + 1, F.relu(convolve(place, h, ALONG)), ALONG)
    twice = F.pixel_shuffle(convolve(up, F.relu(h), ALONG), 2)
    h = F.relu(fine + twice[:, :, 1:-1, 1:-1])
    h = F.relu(h + convolve(touch, h, ALONG))
    kept = convolve(colours, x_BCHW, ALONE)
    grain = convolve(detail, convolve(soft, x_BCHW, SQUARES), ALONG)
    return kept, grain, convolve(last, h, ALONG)


def _phased(weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the step up, [after, before, 3, 3] over features that lie twice beside each other, as
    it runs over each once: [4 * after, before, 2, 2] and bias, to be shuffled to twice the side.

    It gives a border of one place more on each side (Shi et al. 2016, arXiv:1609.07009: the same
    for transposed convolutions).
    """
    for axis in (2, 4):  # rows, then columns, with an axis of their phases behind each
        a, b, c = weight.unbind(axis)
        odd, even = torch.stack([a + b, c], axis), torch.stack([a, b + c], axis)
        weight = torch.stack([odd, even], axis + 1)
    return weight.permute(0, 3, 5, 1, 2, 4).flatten(0, 2), bias.repeat_interleave(4, 0)


def _convolved(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    step: Step,
    groups: int,
    mirrored: bool,
) -> torch.Tensor:
    reach = step.reach
    if mirrored and reach:
        x = F.pad(x, (reach, reach, reach, reach), mode="reflect")
    return F.conv2d(x, weight, bias, step.stride, 0 if mirrored else reach, groups=groups)


def _of_features(made: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and gain [n, S * C] that give features mean 0 and the length of their kernel."""
    variance, mean = torch.var_mean(made, (2, 3), correction=0)
    length = weight.square().sum((1, 2, 3))
    return mean, (length / (variance + FLAT * length)).sqrt()


def _of_pixels(pixels: torch.Tensor, made: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and gain [n, S * 3] that give what is made of pixels mean 0, and the pixels of
    each picture one contrast."""
    spread = pixels.square().mean((2, 3)) - pixels.mean((2, 3)).square()
    spread = spread.unflatten(1, (-1, 3)).mean(2)
    gain = CONTRAST * (spread.clamp(min=0) + LEAST**2).rsqrt()
    return made.mean((2, 3)), gain.repeat_interleave(3, 1)


def _over(value_BC: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    return value_BC[:, :, None, None].to(features.dtype)
