"""Pictures for people who have none at hand: procedural scenes, and textures as styles.

A scene has the statistics of photographs (a spectrum of about 1/f, flat areas, edges, textures), so
that what a style network or an upscaler learns from it carries over to them. All is drawn with
NumPy and Pillow from one generator: a seed gives the same pictures on every machine.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from volute.data.draw import as_canvas, as_image, blurred, fractal, grid, smooth
from volute.data.entry import Entry, Source
from volute.data.materials import surface
from volute.data.scenery import foliage, landscape, street
from volute.data.stills import dead_leaves, page, table
from volute.data.textures import texture

__all__ = ["Scenes", "is_scenes", "scene", "texture"]

WORD = "scenes"
"""What is written for a source instead of a path."""
COUNT = 2000
SIDE = 256
VERSION = 1
"""Raised whenever a seed gives other pictures."""
_LEVELS = 4096
_KINDS = (dead_leaves, landscape, street, foliage, table, surface, page)
_SHARES = (0.26, 0.22, 0.15, 0.13, 0.14, 0.07, 0.03)


def scene(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return a procedural picture with the statistics of photographs: uint8 [side, side, 3]."""
    draw = _KINDS[rng.choice(len(_KINDS), p=_SHARES)]
    canvas = draw(rng, side)
    if rng.random() < 0.5:
        canvas = _tilted(rng, canvas)
    return np.asarray(as_image(_developed(rng, canvas)))


def _tilted(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """Return the canvas as a camera held a little askew sees it, without its borders."""
    side = len(canvas)
    near = rng.uniform(0, 0.14, (4, 2)) * side
    (a, b), (c, d), (e, f), (g, h) = near
    corners = (a, b, c, side - d, side - e, side - f, side - g, h)
    image = as_image(canvas).transform(
        (side, side), Image.Transform.QUAD, corners, Image.Resampling.BICUBIC
    )
    return as_canvas(image)


def _developed(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """Return the canvas as photographed: uneven light, white balance, exposure, lens, noise."""
    side = len(canvas)
    x, y = grid(side)
    light = 1 + rng.uniform(0, 0.3) * smooth(rng, side, 2)
    if rng.random() < 0.4:
        light += rng.uniform(0, 0.05) * fractal(rng, side, 0.9)
    light *= 1 - rng.uniform(-0.1, 0.9) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)
    level = (np.clip(canvas * light[..., None], 0, 1) * (_LEVELS - 1)).astype(np.int64)
    curve = np.linspace(0, 1, _LEVELS) ** np.exp(rng.normal(0, 0.25))
    some = curve[level[::4, ::4]]
    contrast = np.clip(rng.normal(0.21, 0.05) / some.std(), 0.7, 1.7)
    exposed = 0.35 * some.mean() + 0.65 * rng.normal(0.44, 0.14)
    balance = 1 + rng.normal(0, 0.06, 3)
    curves = balance * (exposed + (curve - some.mean()) * contrast)[:, None]
    canvas = curves.ravel()[level * 3 + np.arange(3)]
    if rng.random() < 0.5:
        canvas = blurred(canvas, rng.uniform(0.2, 0.7) / side)
    noise = rng.standard_normal(canvas.shape, np.float32)
    return np.asarray(canvas + rng.gamma(1, 0.006) * noise)


def is_scenes(path: Path) -> bool:
    """Say whether a source means the procedural scenes: the word, where nothing has that name."""
    return path == Path(WORD) and not path.exists()


class Scenes(Source):
    """Procedural scenes as a source: nothing is read, all is drawn."""

    def __init__(self, side: int) -> None:
        self.path = Path(WORD)
        self.total = COUNT
        self.side = side

    def stamp(self) -> str:
        """Return what the pictures follow from."""
        return f"scenes {VERSION} {self.total} {self.side}"

    def content(self) -> str:
        """Return the SHA-256 of the stamp."""
        return hashlib.sha256(self.stamp().encode()).hexdigest()

    def entries(self) -> Iterator[Entry]:
        """Draw the scenes, uint8 [side, side, 3]."""
        for index in range(self.total):
            yield Entry(f"scene {index}", scene(np.random.default_rng([0, index]), self.side))

    def notes(self) -> tuple[str, ...]:
        """Return what they are."""
        return ("procedural scenes",)
