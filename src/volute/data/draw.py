"""What procedural pictures are drawn with: noise, colours, antialiased shapes.

Canvases are float64 [side, side, 3], sRGB values around 0..1, changed in place. They are float64 so
that the last bits, in which processors differ, hardly ever reach the eight bits of the result.
Lengths are shares of the side, angles radians.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

FINE = 2
"""Shapes are drawn this many times larger and reduced: their edges come out smooth."""
TURN = 2 * np.pi
_SHADES = 4096
Point = tuple[float, float]
Level = float | np.ndarray

_SCHEMES = (
    (0, 0.03),
    (0, 0.07, -0.07),
    (0, 0.08, 0.5),
    (0, 1 / 3, 2 / 3),
    (0, 0.42, 0.58),
    (0, 0.5),
    (0, 0.25, 0.5, 0.75),
)
_OKLAB_TO_LMS = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.291485548],
    ]
)
_LMS_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.707614701],
    ]
)


@functools.lru_cache(maxsize=8)
def grid(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of the pixels' centres, each [side, side], 0..1."""
    line = (np.arange(side) + 0.5) / side
    x, y = np.meshgrid(line, line)
    x.flags.writeable = y.flags.writeable = False
    return x, y


@functools.lru_cache(maxsize=32)
def _falloff(side: int, slope: float, wide: float, high: float) -> np.ndarray:
    across = np.fft.rfftfreq(side)[None] * wide
    down = np.fft.fftfreq(side)[:, None] * high
    radius = np.hypot(across, down)
    radius[0, 0] = np.inf
    return np.asarray(radius**-slope)


def fractal(
    rng: np.random.Generator, side: int, slope: float = 1.0, wide: float = 1.0, high: float = 1.0
) -> np.ndarray:
    """Return noise [side, side] of amplitude 1/f^slope, mean 0, deviation 1, that tiles.

    `wide` and `high` stretch it.
    """
    weight = _falloff(side, slope, wide, high)
    real, imaginary = rng.standard_normal((2, *weight.shape))
    noise = np.fft.irfft2((real + 1j * imaginary) * weight, s=(side, side))
    return np.asarray((noise - noise.mean()) / noise.std())


def smooth(rng: np.random.Generator, side: int, cells: int) -> np.ndarray:
    """Return a smooth field [side, side] of about `cells` hills a side, roughly -1..1."""
    coarse = rng.uniform(-1, 1, (cells + 3, cells + 3)).astype(np.float32)
    box = (1, 1, cells + 2, cells + 2)
    field = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC, box)
    return np.asarray(field).astype(np.float64)


def sample(field: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return `field` [side, side] at x and y in 0..1, bilinear; beyond, it is repeated."""
    side = len(field)
    x, y = x * side - 0.5, y * side - 0.5
    left, top = np.floor(x), np.floor(y)
    u, v = x - left, y - top
    wide = side + 1
    flat = np.pad(field, (0, 1), "wrap").ravel()
    place = top.astype(np.int64) % side * wide + left.astype(np.int64) % side
    upper = flat[place] * (1 - u) + flat[place + 1] * u
    lower = flat[place + wide] * (1 - u) + flat[place + wide + 1] * u
    return np.asarray(upper * (1 - v) + lower * v)


def cells(
    rng: np.random.Generator, x: np.ndarray, y: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Voronoi cells at x and y in 0..1, `number` a side, their seeds moved at random.

    Returns:
        index of the cell int64, 0 to number² - 1; distance to its seed; distance to its border,
        both in cells. Beyond 0..1, they are repeated.
    """
    x, y = x * number, y * number
    column, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    shift = rng.uniform(0.1, 0.9, (2, number, number))
    index = np.zeros(x.shape, np.int64)
    first, second = np.full(x.shape, 9.0), np.full(x.shape, 9.0)
    for step in range(9):
        right, down = column + step % 3 - 1, row + step // 3 - 1
        u, v = right % number, down % number
        distance = np.hypot(right + shift[0, v, u] - x, down + shift[1, v, u] - y)
        nearer = distance < first
        second = np.where(nearer, first, np.minimum(second, distance))
        first = np.where(nearer, distance, first)
        index = np.where(nearer, v * number + u, index)
    return index, first, (second - first) / 2


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return 0 below `low`, 1 above `high`, a smooth step between them."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def lay(canvas: np.ndarray, colour: np.ndarray, alpha: np.ndarray) -> None:
    """Lay `colour` [3] or like the canvas on it, where `alpha` [side, side] is above 0."""
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    if len(rows) == 0:
        return
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    part = canvas[box]
    part += alpha[box][..., None] * ((colour[box] if colour.ndim == 3 else colour) - part)


def mixed(colours: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the colour at `share` (0..1, any shape) of the way through `colours` [n, 3]."""
    steps, stops = np.linspace(0, 1, _SHADES), np.linspace(0, 1, len(colours))
    table = np.stack([np.interp(steps, stops, channel) for channel in colours.T], 1)
    return np.asarray(table[np.int64(np.clip(share, 0, 1) * (_SHADES - 1))])


def oklch(lightness: Level, chroma: Level, hue: Level) -> np.ndarray:
    """Return sRGB [..., 3] in 0..1 of OKLCH (Ottosson 2020); hue in turns, red at 0.08."""
    a, b = chroma * np.cos(TURN * hue), chroma * np.sin(TURN * hue)
    lms = np.einsum("...i,ji->...j", np.stack([lightness, a, b], -1), _OKLAB_TO_LMS) ** 3
    linear = np.clip(np.einsum("...i,ji->...j", lms, _LMS_TO_RGB), 0, 1)
    return np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def palette(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return harmonious colours [count, 3], dark to light: hues of one scheme, a common chroma."""
    scheme = np.array(_SCHEMES[rng.integers(len(_SCHEMES))])
    hue = rng.random() + rng.choice(scheme, count) + rng.normal(0, 0.015, count)
    dark, light = rng.uniform(0.18, 0.4), rng.uniform(0.8, 0.96)
    lightness = np.sort(np.linspace(dark, light, count) + rng.normal(0, 0.04, count))
    chroma = rng.uniform(0.03, 0.2) * rng.uniform(0.2, 1.2, count)
    return oklch(lightness, chroma, hue)


def natural(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return colours [count, 3] as things in photographs have: mostly dull, earth, leaf or sky."""
    hue = rng.choice([0.1, 0.17, 0.22, 0.34, 0.68, rng.random()], count, p=_NATURAL)
    hue = hue + rng.normal(0, 0.035, count)
    chroma = np.minimum(rng.gamma(1.8, 0.028, count), 0.24)
    return oklch(np.clip(rng.normal(0.55, 0.2, count), 0.12, 0.97), chroma, hue)


_NATURAL = (0.15, 0.25, 0.15, 0.2, 0.15, 0.1)


def as_image(canvas: np.ndarray, factor: int = 1) -> Image.Image:
    """Return the canvas as an RGB image, `factor` times enlarged."""
    image = Image.fromarray((np.clip(canvas, 0, 1) * 255 + 0.5).astype(np.uint8))
    size = (image.width * factor, image.height * factor)
    return image.resize(size, Image.Resampling.NEAREST) if factor > 1 else image


def as_canvas(image: Image.Image) -> np.ndarray:
    """Return an RGB image as a canvas, or a mask `L` as [side, side] in 0..1."""
    return np.asarray(image).astype(np.float64) / 255


def blurred(canvas: np.ndarray, radius: float) -> np.ndarray:
    """Return the canvas, or a mask, blurred with a deviation of `radius` of its side."""
    blur = ImageFilter.GaussianBlur(radius * canvas.shape[0])
    return as_canvas(as_image(canvas).filter(blur))


class Pen:
    """Draws antialiased shapes on a picture (mode RGB, from a canvas) or an empty mask (mode L).

    `colour` is [3] in 0..1; for a mask a number in 0..1.
    """

    def __init__(self, side: int, canvas: np.ndarray | None = None) -> None:
        self._scale = side * FINE
        blank = Image.new("L", (self._scale, self._scale))
        self._image = blank if canvas is None else as_image(canvas, FINE)
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: np.ndarray, colour: np.ndarray | float = 1.0) -> None:
        """Fill a polygon of corners [n, 2]."""
        self._draw.polygon((points * self._scale).ravel().tolist(), _byte(colour))

    def disk(self, x: float, y: float, radius: float, colour: np.ndarray | float = 1.0) -> None:
        """Fill a disk."""
        box = [(v + s) * self._scale for s in (-radius, radius) for v in (x, y)]
        self._draw.ellipse(box, _byte(colour))

    def line(self, points: np.ndarray, width: float, colour: np.ndarray | float = 1.0) -> None:
        """Draw a line through points [n, 2], at least half a pixel wide."""
        thick = max(1, round(width * self._scale))
        path = (points * self._scale).ravel().tolist()
        self._draw.line(path, _byte(colour), thick, joint="curve" if thick > 3 else None)

    def canvas(self) -> np.ndarray:
        """Return what was drawn: a canvas, or the mask [side, side] in 0..1."""
        return as_canvas(self._image.reduce(FINE))


def _byte(colour: np.ndarray | float) -> int | tuple[int, int, int]:
    if isinstance(colour, float):
        return round(colour * 255)
    red, green, blue = (min(max(round(v * 255), 0), 255) for v in colour.tolist())
    return red, green, blue


def ellipse(
    x: float, y: float, wide: float, high: float, angle: float, corners: int = 20
) -> np.ndarray:
    """Return the corners [corners, 2] of a turned ellipse with these half axes."""
    turn = np.arange(corners) / corners * TURN
    return turned(np.stack([wide * np.cos(turn), high * np.sin(turn)], 1), angle) + (x, y)


def turned(points: np.ndarray, angle: float) -> np.ndarray:
    """Return points [n, 2] turned about the origin."""
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = points[:, 0], points[:, 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], 1)


def lay_quad(
    canvas: np.ndarray, image: Image.Image, corners: Sequence[Point], light: float = 1.0
) -> None:
    """Lay an RGB image in perspective on the quadrangle of its `corners`, times `light`.

    They are its top left, top right, bottom right and bottom left.
    """
    places = np.array(corners) * len(canvas)
    left, top = np.clip(np.floor(places.min(0)), 0, len(canvas)).astype(int).tolist()
    right, bottom = np.clip(np.ceil(places.max(0)), 0, len(canvas)).astype(int).tolist()
    if right <= left or bottom <= top:
        return
    places = places - (left, top)
    size = (right - left, bottom - top)
    flat = image.transform(
        size, Image.Transform.PERSPECTIVE, _homography(places, image), Image.Resampling.BICUBIC
    )
    mask = Image.new("L", (size[0] * FINE, size[1] * FINE))
    ImageDraw.Draw(mask).polygon((places * FINE).ravel().tolist(), 255)
    part = canvas[top:bottom, left:right]
    lay(part, np.clip(as_canvas(flat) * light, 0, 1), as_canvas(mask.reduce(FINE)))


def _homography(corners: np.ndarray, image: Image.Image) -> list[float]:
    """Return the eight numbers of the map from `corners` [4, 2] to those of the image."""
    width, height = image.size
    rows, target = [], []
    for (x, y), (u, v) in zip(
        corners, [(0, 0), (width, 0), (width, height), (0, height)], strict=True
    ):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        target += [u, v]
    numbers: list[float] = np.linalg.solve(np.array(rows), np.array(target, float)).tolist()
    return numbers
