"""What a picture is of, and how it is painted, as convolutional features tell them apart.

Content is the features of deep layers, style the correlations of features at several depths (Gatys,
Ecker and Bethge 2016, "Image style transfer using convolutional neural networks"). A constant
feature joins each layer, so that their means are compared as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from volute.nets.extractor import load_extractor
from volute.nets.vgg import Vgg16
from volute.training.device import Device

TINY = 1e-4
WAYS = (
    *((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0)),
    *((1.0, -1.0, 0.0), (0.0, 1.0, -1.0), (-1.0, 0.0, 1.0)),
    *((-1.0, 1.0, 1.0), (1.0, -1.0, 1.0), (1.0, 1.0, -1.0)),
)
"""Directions in RGB along which colours are compared."""
COARSE, QUANTILES = 4, 64
"""Side in px of the squares whose mean colours are compared, and as how many numbers."""
EYE_DEPTHS, VGG_DEPTHS = (2, 3), (2,)
"""Of the features that tell the content."""
Maps = list[torch.Tensor]
"""Features [B, C, H, W] from fine to coarse."""
Features = Callable[[torch.Tensor], Maps]
"""Gives them for pictures [B, 3, H, W] in [-1, 1]."""
KNEE = 0.25
"""Distance of moments from which on it counts by its root."""
DEEP = 4
"""Stages of `eye` that are compared: from full resolution to an eighth."""


@dataclass(frozen=True)
class Kind:
    """One network that compares pictures."""

    features: Features
    depths: tuple[int, ...]
    """Of the features that tell the content."""
    told: Callable[[Maps], Maps]
    """What features tell of the style, for each depth."""
    apart: Callable[[Maps, Maps], torch.Tensor]
    """How far that lies from the same of the style, for each picture [B]."""


@dataclass(frozen=True)
class Said:
    """What is kept of a picture's style."""

    maps: list[Maps]
    """What each kind tells of it: see `Kind.told`."""
    palette: torch.Tensor
    """See `palette`."""


class StyleJudge:
    """What compares pictures: `eye`, and VGG16 where a file of it is given.

    Args:
        device: where it works.
        path: of VGG16 up to relu3_3, or empty.

    Raises:
        UsageError: if the file is not that.
    """

    def __init__(self, device: Device, path: str) -> None:
        self.device = device
        self.kinds = [Kind(eye(device), EYE_DEPTHS, correlations, style_loss)]
        if path:
            self.kinds.append(Kind(vgg(Path(path), device), VGG_DEPTHS, moments, moments_loss))

    @torch.no_grad()
    def said(self, picture: torch.Tensor) -> Said:
        """Return what is to be compared of a picture [1, 3, H, W]."""
        picture = picture.to(self.device.torch)
        maps = [kind.told(self._maps(kind.features, picture)) for kind in self.kinds]
        return Said(maps, palette(picture))

    def off_colour(self, made: torch.Tensor, said: list[Said]) -> torch.Tensor:
        """Return how far the colours of pictures lie from those of their styles, [B]."""
        goal = torch.cat([one.palette for one in said])
        return ((palette(made) - goal).square().mean((1, 2)) + TINY).sqrt()

    def losses(
        self,
        made: torch.Tensor,
        content: torch.Tensor,
        said: list[Said],
        rng: torch.Generator,
        same: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses of style and content [B]: the mean of what the features say.

        VGG16 costs ten times as much as `eye`: on a CPU it looks at every second picture.

        Args:
            made: [B, 3, H, W] in [-1, 1].
            content: what it shows, likewise.
            said: of the style of each.
            rng: decides which.
            same: `content` is what is to be made, at all depths.
        """
        style, kept = self._compared(0, made, content, said, same)
        if len(self.kinds) == 1:
            return style, kept
        count = len(made) if self.device.torch.type != "cpu" else max(1, len(made) // 2)
        first = int(torch.rand(1, generator=rng, device=rng.device) * len(made))
        some = [(first + index * len(made) // count) % len(made) for index in range(count)]
        chosen = [said[index] for index in some]
        more = self._compared(1, made[some], content[some], chosen, same)
        index, scale = torch.tensor(some, device=made.device), len(made) / count
        style, kept = (
            (one / 2).index_add(0, index, other * scale / 2)
            for one, other in zip((style, kept), more, strict=True)
        )
        return style, kept

    def by_eye(
        self, made: torch.Tensor, content: torch.Tensor, said: list[Said]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what `eye` alone says."""
        return self._compared(0, made, content, said)

    def _compared(
        self,
        kind: int,
        made: torch.Tensor,
        content: torch.Tensor,
        said: list[Said],
        same: bool = False,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        judge = self.kinds[kind]
        with torch.no_grad():
            real = self._maps(judge.features, content)
        maps = self._maps(judge.features, made)
        goal = [torch.cat(depth) for depth in zip(*[one.maps[kind] for one in said], strict=True)]
        kept = unlike(maps, real) if same else content_loss(maps, real, judge.depths)
        return judge.apart(judge.told(maps), goal), kept

    def _maps(self, features: Features, x_BCHW: torch.Tensor) -> Maps:
        with self.device.autocast():
            return features(x_BCHW.contiguous(memory_format=torch.channels_last))


def eye(device: Device) -> Features:
    """Return the features of the shipped extractor: three heads, and the stage at an eighth."""
    network = device.place(load_extractor())

    def features(x_BCHW: torch.Tensor) -> Maps:
        maps = network.maps(x_BCHW)
        return [*network.read(maps), maps[DEEP - 1].float()]

    return features


def vgg(path: Path, device: Device) -> Features:
    """Return the features of VGG16 up to relu3_3.

    Raises:
        UsageError: if the file is not that.
    """
    network = device.place(Vgg16(path))
    return lambda x_BCHW: [x.float() for x in network(x_BCHW)]


def correlations(maps: Maps) -> Maps:
    """Return the Gram matrices [B, C + 1, C + 1] of features and a constant, for each depth."""
    made = []
    for features in maps:
        flat = features.flatten(2)
        flat = torch.cat([flat, flat.new_ones(len(flat), 1, flat.shape[2])], 1)
        made.append(flat @ flat.mT / flat.shape[2])
    return made


def style_loss(made: Maps, style: Maps) -> torch.Tensor:
    """Return how far correlations lie from those of the style, for each picture [B].

    The length of the difference as a share of that of the style's, not its square: the squares of
    flat styles are fifty times those of rich ones at the beginning, and would drown them.
    """
    parts = [
        ((a - b).square().sum((1, 2)) / b.square().sum((1, 2)) + TINY).sqrt()
        for a, b in zip(made, style, strict=True)
    ]
    return torch.stack(parts).mean(0)


def moments(maps: Maps) -> Maps:
    """Return the channel means and deviations [B, 2, C] of features, for each depth."""
    made = []
    for features in maps:
        variance, mean = torch.var_mean(features, (2, 3))
        made.append(torch.stack([mean, (variance + TINY**2).sqrt()], 1))
    return made


def moments_loss(made: Maps, style: Maps) -> torch.Tensor:
    """Return how far moments lie from those of the style, for each picture [B].

    As squares (Huang and Belongie 2017, arXiv:1703.06868, eq. 13) up to `KNEE`, and as their root
    from there (Huber): styles of flat colours, which are far off, would be paid for with noise.
    """
    parts = [2 * (a - b).square().mean((1, 2)) for a, b in zip(made, style, strict=True)]
    off = torch.stack(parts).sum(0)
    return torch.where(off < KNEE, off, 2 * (KNEE * off.clamp(min=KNEE)).sqrt() - KNEE)


def content_loss(made: Maps, content: Maps, depths: tuple[int, ...]) -> torch.Tensor:
    """Return how far features at some depths lie from those of the content, for each picture [B].

    Each channel is brought to mean 0 and deviation 1 first, so that new colours and contrasts do
    not count (Liu et al. 2021, "AdaAttN", arXiv:2108.03647).
    """
    parts = [
        (_plain(made[depth]) - _plain(content[depth])).square().mean((1, 2, 3)) for depth in depths
    ]
    return torch.stack(parts).mean(0)


def unlike(made: Maps, goal: Maps) -> torch.Tensor:
    """Return how far features at all depths lie from others, as a share of their variance [B]."""
    parts = [
        (a - b).square().mean((1, 2, 3)) / (b.var((2, 3)).mean(1) + 1e-3)
        for a, b in zip(made, goal, strict=True)
    ]
    return torch.stack(parts).mean(0)


def palette(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Return how colours are spread, [B, D, QUANTILES]: sorted along each of D directions.

    The mean square of differences is the sliced Wasserstein distance (Bonneel et al. 2015).
    """
    ways = F.normalize(torch.tensor(WAYS, device=x_BCHW.device))
    along = (ways @ F.avg_pool2d(x_BCHW, COARSE).flatten(2)).sort(2).values
    return F.adaptive_avg_pool1d(along, QUANTILES)


def grid(x_BCHW: torch.Tensor, cell: int, window: int) -> torch.Tensor:
    """Return how strong a pattern repeats from cell to cell, as the mean square of what does.

    A network that sees squares of pixels as channels can place a pixel by where it lies in its
    square. What recurs there, in windows of cells, once slow changes are gone, is of no picture.

    Args:
        x_BCHW: square pictures whose side is a multiple of `window` cells, and a cell more.
        cell: side of a cell in px, even.
        window: side of a window in cells.
    """
    all_of_it, slow = (part.to(x_BCHW) for part in _folds(x_BCHW.shape[2], cell, window))
    repeated = all_of_it @ x_BCHW @ all_of_it.mT - slow @ x_BCHW @ slow.mT
    return repeated.square().mean()


@functools.cache
def _folds(side: int, cell: int, window: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what folds a line of pixels to the mean cell of each window, [windows * cell, side].

    The second folds its moving mean over a cell, in which nothing that repeats is left.
    """
    eye = torch.eye(side)
    taps = torch.ones(1, 1, cell + 1) / cell
    taps[..., [0, -1]] /= 2
    mean = F.conv1d(eye[:, None], taps)[:, 0].T
    plain = eye[cell // 2 : side - cell // 2]
    count = len(mean) // (cell * window)
    folded = [
        lines[: count * window * cell].unflatten(0, (count, window, cell)).mean(1).flatten(0, 1)
        for lines in (plain, mean)
    ]
    return folded[0], folded[1]


def _plain(x_BCHW: torch.Tensor) -> torch.Tensor:
    variance, mean = torch.var_mean(x_BCHW, (2, 3), keepdim=True)
    return (x_BCHW - mean) * (variance + 1e-3).rsqrt()
