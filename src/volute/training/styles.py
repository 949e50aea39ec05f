"""Pictures to learn styles from: paintings whole, parts of them in other colours, textures.

A view is a pure function of the seed and its number. What the loss features say of it is measured
when it is first used, and kept.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from volute.data.scenes import texture
from volute.handles.styles import plain_name, style_pixels, style_reduced
from volute.training.style_loss import Said

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".avif", ".jp2"}
SUFFIXES |= {".dib", ".ppm", ".qoi"}
SIDE = 512
"""Shorter side in px to which paintings are reduced: strokes are as wide as in pictures of it."""
PART = 256
"""Side of a part of a painting, and of a texture."""
PAINTED = 0.6
"""Share of views that show a part of a painting; the others show textures."""


@dataclass(frozen=True)
class View:
    """A picture of a style."""

    picture: torch.Tensor
    """[1, 3, H, W] in [-1, 1], as the style encoder takes it."""
    said: Said
    """What is compared of it."""


class Styles:
    """The supply of views: the paintings, then `more` other ones.

    Args:
        paths: of the paintings; without any, the other ones are textures.
        more: how many views there are beside them.
        seed: decides what they show.
        measure: what is kept of a picture [1, 3, H, W] in [-1, 1].
    """

    def __init__(
        self,
        paths: tuple[str, ...],
        more: int,
        seed: int,
        measure: Callable[[torch.Tensor], Said],
    ) -> None:
        self.paintings = [_short(style_pixels(path, SIDE)) for path in paths]
        self.seed, self.measure = seed, measure
        self.count = len(paths) + more
        self._views: dict[int, View] = {}

    def view(self, index: int) -> View:
        """Return a view; the first ones are the whole paintings."""
        if index not in self._views:
            pixels = self._pixels(index)
            said = self.measure(_tensor(pixels))
            self._views[index] = View(_tensor(style_reduced(pixels)), said)
        return self._views[index]

    def picture(self, index: int) -> torch.Tensor:
        """Return a view as the style encoder takes it, without measuring it."""
        return _tensor(style_reduced(self._pixels(index)))

    def whole(self, index: int) -> torch.Tensor:
        """Return a view as what is compared sees it, [1, 3, H, W] in [-1, 1]."""
        return _tensor(self._pixels(index))

    def draw(self, count: int, whole: float, rng: torch.Generator) -> list[int]:
        """Return numbers of views at random, a share of them whole paintings."""
        first = len(self.paintings)
        return picked(count, first, self.count - first, whole, rng)

    def _pixels(self, index: int) -> np.ndarray:
        if index < len(self.paintings):
            return self.paintings[index]
        rng = np.random.default_rng((self.seed, index))
        if not self.paintings or rng.random() >= PAINTED:
            return texture(rng, PART)
        return _recoloured(_part(self.paintings[rng.integers(len(self.paintings))], rng), rng)


def picked(count: int, first: int, more: int, whole: float, rng: torch.Generator) -> list[int]:
    """Return numbers at random: a share `whole` are under `first`, the others the `more` behind."""
    share = whole if more else 1.0
    place = torch.rand(2, count, generator=rng, device=rng.device).tolist()
    return [
        int(where * first) if kind < share else first + int(where * more)
        for kind, where in zip(*place, strict=True)
    ]


def paintings(path: Path) -> list[str]:
    """Return a file, or the pictures in a folder, by name."""
    if not path.is_dir():
        return [str(path)]
    files = [file for file in path.iterdir() if not file.name.startswith(".")]
    return sorted(str(file) for file in files if file.suffix.lower() in SUFFIXES)


def names(paths: Sequence[str]) -> tuple[str, ...]:
    """Return what styles are called: by their files, each another name."""
    found: list[str] = []
    for path in paths:
        stem = plain_name(Path(path).stem).replace(",", "-")
        free = (f"{stem}-{count}" for count in itertools.count(2))
        found.append(next(name for name in itertools.chain([stem], free) if name not in found))
    return tuple(found)


def _short(pixels_HWC: np.ndarray) -> np.ndarray:
    height, width = pixels_HWC.shape[:2]
    scale = min(1.0, SIDE / min(height, width))
    size = round(width * scale), round(height * scale)
    return np.asarray(Image.fromarray(pixels_HWC).resize(size, Image.Resampling.BICUBIC))


def _part(pixels_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cut a square of 0.4 of the shorter side or more, and bring it to `PART`."""
    height, width = pixels_HWC.shape[:2]
    side = int(min(height, width) * rng.uniform(0.4, 1))
    top, left = rng.integers(height - side + 1), rng.integers(width - side + 1)
    part = Image.fromarray(pixels_HWC[top : top + side, left : left + side])
    if rng.random() < 0.5:
        part = part.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(part.resize((PART, PART), Image.Resampling.BICUBIC))


def _recoloured(pixels_HWC: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Mostly, turn the colours about grey, and change their brightness and contrast."""
    if rng.random() < 0.3:
        return pixels_HWC
    unit = pixels_HWC.astype(np.float32) / 255
    if rng.random() < 0.5:
        unit = unit[..., rng.permutation(3)]
    unit = _turned(unit, rng.uniform(-math.pi, math.pi) * rng.random())
    unit = (unit - 0.5) * rng.uniform(0.7, 1.3) + 0.5 + rng.uniform(-0.15, 0.15)
    return np.rint(unit.clip(0, 1) * 255).astype(np.uint8)


def _turned(unit_HWC: np.ndarray, angle: float) -> np.ndarray:
    """Turn colours about the grey axis by Rodrigues' formula."""
    axis = np.full(3, 1 / math.sqrt(3), np.float32)
    cross = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], np.float32) / math.sqrt(3)
    eye, outer = np.eye(3, dtype=np.float32), np.outer(axis, axis)
    matrix = math.cos(angle) * eye + math.sin(angle) * cross + (1 - math.cos(angle)) * outer
    return unit_HWC @ matrix.T


def _tensor(pixels_HWC: np.ndarray) -> torch.Tensor:
    unit = torch.from_numpy(np.array(pixels_HWC)).permute(2, 0, 1)[None].float()
    return unit / 127.5 - 1
