"""Procedural scenes out of doors: sky, hills, ground, trees, streets.

Each takes `rng` and `side` and returns a canvas (see `volute.data.draw`).
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from volute.data.draw import (
    TURN,
    Pen,
    as_image,
    blurred,
    ellipse,
    fractal,
    grid,
    lay,
    lay_quad,
    mixed,
    natural,
    oklch,
    ramp,
    sample,
    turned,
)

_SKIES = (  # zenith and horizon: lightness, chroma, hue
    ((0.55, 0.12, 0.69), (0.86, 0.04, 0.66)),
    ((0.72, 0.03, 0.68), (0.88, 0.01, 0.6)),
    ((0.45, 0.09, 0.75), (0.82, 0.11, 0.17)),
    ((0.22, 0.05, 0.73), (0.42, 0.06, 0.7)),
    ((0.62, 0.1, 0.68), (0.92, 0.02, 0.25)),
)


def sky(rng: np.random.Generator, side: int, horizon: float) -> np.ndarray:
    """Return a sky: a gradient down to `horizon`, the glow of a sun, clouds of any cover."""
    x, y = grid(side)
    ends = np.array(_SKIES[rng.integers(len(_SKIES))]) + rng.normal(0, (0.03, 0.01, 0.01), (2, 3))
    canvas = mixed(oklch(*ends.T), (y / horizon) ** rng.uniform(0.7, 1.5))
    light = oklch(0.97, 0.04, 0.22)
    distance = np.hypot(x - rng.random(), (y - rng.uniform(0, horizon)) * 1.2)
    lay(canvas, light, rng.uniform(0, 0.8) * np.exp(-distance / rng.uniform(0.05, 0.4)))
    if rng.random() < 0.75:
        _clouds(rng, canvas, horizon)
    return canvas


def _clouds(rng: np.random.Generator, canvas: np.ndarray, horizon: float) -> None:
    side = len(canvas)
    x, y = grid(side)
    field = fractal(rng, side, rng.uniform(1.4, 1.8))
    depth = 0.35 / np.maximum(horizon * 1.15 - y, 0.05)
    noise = sample(field, 0.5 + (x - 0.5) * depth * 0.5, depth * 0.8)
    above = sample(field, 0.5 + (x - 0.5) * depth * 0.5 - 0.02, depth * 0.8 + 0.04)
    cover = rng.uniform(-0.6, 1.2)
    alpha = ramp(noise, cover, cover + rng.uniform(0.4, 1.6)) * np.clip(3 * (horizon - y), 0, 1)
    lit = np.clip(0.85 - 0.2 * above - 0.12 * noise, 0.3, 1)[..., None]
    lay(canvas, lit * (0.6 + 0.5 * canvas.mean((0, 1))), alpha * rng.uniform(0.6, 1))


def landscape(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return hills under a sky, a ground in perspective, and mostly trees."""
    horizon = rng.uniform(0.3, 0.75)
    canvas = sky(rng, side, horizon)
    haze = canvas[min(int(horizon * side), side - 1)].mean(0)
    near = natural(rng, 1)[0] * 0.7
    ranges = int(rng.integers(0, 5))
    noise = fractal(rng, side, 1.1)
    for number in range(ranges):
        share = (number + 1) / (ranges + 1)
        level = horizon - rng.uniform(0.02, 0.22) * (1 - share * 0.7)
        _range(rng, canvas, level, noise, haze + (near - haze) * share)
    if rng.random() < 0.85:
        _ground(rng, canvas, horizon, haze)
    pen = Pen(side, canvas)
    for depth in np.sort(rng.random(int(rng.choice([0, 1, 3, 8, 20])))):
        height = 0.06 + 0.5 * depth**2
        foot = horizon + 0.02 + 0.35 * depth**2
        _tree(rng, pen, (rng.random(), foot), height)
    return pen.canvas()


def _range(
    rng: np.random.Generator,
    canvas: np.ndarray,
    level: float,
    noise: np.ndarray,
    colour: np.ndarray,
) -> None:
    side = len(canvas)
    steps = rng.standard_normal(side // 2 + 1) + 1j * rng.standard_normal(side // 2 + 1)
    steps[1:] *= np.arange(1, side // 2 + 1) ** -rng.uniform(1.1, 2.0)
    steps[0] = 0
    line = level + rng.uniform(0.02, 0.1) * np.fft.irfft(steps, side) * side / 2
    mask = np.clip((grid(side)[1] - line) * side + 0.5, 0, 1)
    relief = noise - np.roll(noise, (1, -2), (0, 1))
    texture = 1 + np.clip(rng.uniform(0.05, 0.25) * noise + rng.uniform(0, 0.7) * relief, -0.7, 0.7)
    lay(canvas, colour * texture[..., None], mask)


def _ground(rng: np.random.Generator, canvas: np.ndarray, horizon: float, haze: np.ndarray) -> None:
    side = len(canvas)
    x, y = grid(side)
    depth = 0.12 / np.maximum(y - horizon, 0.004)
    across = 0.5 + (x - rng.random()) * depth
    water = rng.random() < 0.3
    coarse = fractal(rng, side, 0.9, *((1.0, 5.0) if water else (1.0, 1.0)))
    texture = sample(coarse, across, depth) + 0.6 * sample(coarse, across * 0.2, depth * 0.3)
    strength = rng.uniform(0.06, 0.3) * np.clip(1.3 - 0.25 * depth, 0.1, 1)
    if water:
        mirror = canvas[
            np.clip(np.int64((2 * horizon - y) * side), 0, side - 1), np.int64(x * side)
        ]
        colour = 0.7 * mirror + 0.3 * natural(rng, 1)[0]
    else:
        ends = natural(rng, 2)
        colour = mixed(ends, 0.5 + 0.4 * sample(coarse, across * 0.13 + 0.3, depth * 0.13))
        if rng.random() < 0.35:
            texture = texture + 1.2 * np.sin(TURN * 6 * across) * np.clip(1.5 - depth, 0, 1)
    colour = colour * np.clip(1 + strength * texture, 0, 2)[..., None]
    far = np.exp(-0.35 * depth)[..., None]
    lay(canvas, colour * far + haze * (1 - far), ramp(y, horizon, horizon + 1.5 / side))


def _tree(rng: np.random.Generator, pen: Pen, foot: tuple[float, float], height: float) -> None:
    """Draw branches that fork, and clusters of leaves at them."""
    bark = oklch(rng.uniform(0.2, 0.45), 0.03, 0.16)
    tips: list[np.ndarray] = []
    angle = -TURN / 4 + rng.normal(0, 0.08)
    _branch(rng, pen, np.array(foot), angle, height * 0.32, height * 0.05, bark, tips)
    if rng.random() < 0.85:
        base = oklch(rng.uniform(0.3, 0.6), rng.uniform(0.04, 0.13), rng.normal(0.34, 0.05))
        size = max(height * rng.uniform(0.012, 0.045), 0.002)
        leaves(rng, pen, np.array(tips), height * 0.09, size, base, int(20 + 500 * height))


def _branch(
    rng: np.random.Generator,
    pen: Pen,
    start: np.ndarray,
    angle: float,
    length: float,
    width: float,
    bark: np.ndarray,
    tips: list[np.ndarray],
) -> None:
    end = start + length * np.array([np.cos(angle), np.sin(angle)])
    pen.line(np.stack([start, end]), width, bark * rng.uniform(0.8, 1.2))
    tips.append(end)
    if length < 0.02 or len(tips) > 60:
        return
    for side in (-1, 1):
        bend = side * rng.uniform(0.25, 0.7) + rng.normal(0, 0.1)
        shorter = length * rng.uniform(0.6, 0.85)
        _branch(rng, pen, end, angle + bend, shorter, width * 0.65, bark, tips)


def leaves(
    rng: np.random.Generator,
    pen: Pen,
    centres: np.ndarray,
    spread: float,
    size: float,
    colour: np.ndarray,
    count: int,
) -> None:
    """Draw `count` leaves about `centres` [n, 2], dark ones first, the light from above."""
    where = centres[rng.integers(len(centres), size=count)] + rng.normal(0, spread, (count, 2))
    order = np.linspace(0, 1, count)
    height = (where[:, 1] - where[:, 1].mean()) / (where[:, 1].std() + 1e-9)
    light = 0.45 + 0.75 * order - 0.12 * height + rng.normal(0, 0.1, count)
    for (x, y), shade in zip(where, np.clip(light, 0.2, 1.7), strict=True):
        if size < 0.012:
            pen.disk(x, y, size, colour * shade)
        else:
            corners = ellipse(0, 0, size * 1.5, size * 0.7, 0, 8)
            pen.polygon(turned(corners, rng.random() * TURN) + (x, y), colour * shade)


def foliage(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return bushes from near: stems, and layers of clusters of leaves, the far ones soft."""
    canvas = np.empty((side, side, 3))
    canvas[:] = natural(rng, 1)[0] * rng.uniform(0.2, 1.1)
    lay(canvas, natural(rng, 1)[0], ramp(fractal(rng, side, 1.8), -1, 1.5))
    colours = natural(rng, 2) * 0.5 + 0.5 * oklch(
        rng.uniform(0.4, 0.65, 2), rng.uniform(0.05, 0.14, 2), rng.normal(0.34, 0.05, 2)
    )
    layers = int(rng.integers(2, 4))
    size = rng.uniform(0.008, 0.035)
    for layer in range(layers):
        pen = Pen(side, canvas)
        centres = rng.random((int(rng.integers(2, 7)), 2))
        centres = (centres[:, None] + rng.normal(0, 0.12, (len(centres), 5, 2))).reshape(-1, 2)
        for centre in centres[::4]:
            path = np.stack([centre, centre + rng.normal(0, 0.15, 2), (rng.random(), 1.05)])
            pen.line(path, 0.006 + 0.006 * layer, colours[0] * 0.5)
        share = (layer + 1) / layers
        leaves(rng, pen, centres, 0.06, size * (0.6 + share), colours[layer % 2], int(2.6 / size))
        canvas = pen.canvas()
        if layer < layers - 1:
            canvas = blurred(canvas, rng.uniform(0.004, 0.02))
    return canvas


def facade(rng: np.random.Generator, wide: int, high: int) -> Image.Image:
    """Return the front of a house, `wide` by `high` px: storeys of windows, some of them lit."""
    wall = natural(rng, 1)[0] * 0.6 + 0.3
    canvas = np.empty((high, wide, 3))
    canvas[:] = wall * rng.uniform(0.5, 1.1)
    square = max(wide, high)
    canvas *= 1 + rng.uniform(0.01, 0.1) * fractal(rng, square, 1)[:high, :wide, None]
    cell_x, cell_y = int(rng.integers(8, 40)), int(rng.integers(10, 44))
    gap_x, gap_y = (max(1, int(cell * rng.uniform(0.08, 0.35))) for cell in (cell_x, cell_y))
    x, y = np.arange(wide), np.arange(high)[:, None]
    inside = (x % cell_x >= gap_x) & (y % cell_y >= gap_y)
    inner = inside & (x % cell_x >= gap_x + 1) & (y % cell_y >= gap_y + 1)
    panes = natural(rng, 1)[0] * rng.uniform(0.2, 0.8, (high // cell_y + 1, wide // cell_x + 1, 1))
    lit = rng.random(panes.shape[:2]) < rng.choice([0, 0, 0.1, 0.4])
    panes[lit] = oklch(0.88, 0.09, 0.23)
    canvas[inside] = wall * rng.uniform(0.3, 1.2)
    shine = 1.25 - 0.5 * (y % cell_y) / cell_y
    glass = panes[y // cell_y, x // cell_x] * shine[..., None]
    canvas[inner] = glass[inner]
    if rng.random() < 0.4:
        canvas[(y % cell_y < 1)[:, 0]] *= 0.7
    return as_image(canvas)


def street(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return houses: side by side against the sky, or along a street in perspective."""
    horizon = rng.uniform(0.45, 0.7)
    canvas = sky(rng, side, horizon)
    haze = canvas[int(horizon * side)].mean(0)
    _ground(rng, canvas, horizon, haze)
    (_canyon if rng.random() < 0.5 else _skyline)(rng, canvas, horizon)
    return _wires(rng, canvas) if rng.random() < 0.5 else canvas


def _skyline(rng: np.random.Generator, canvas: np.ndarray, horizon: float) -> None:
    for depth in np.linspace(0, 1, int(rng.integers(3, 9))):
        wide, high = rng.uniform(0.1, 0.35), rng.uniform(0.15, 0.8) * (1 - 0.4 * depth)
        left, foot = rng.uniform(-0.1, 0.9), horizon + 0.12 * depth
        right, back = left + wide, left + 1.3 * wide
        top, skewed = foot - high, foot - high + rng.normal(0, 0.04)
        front = facade(rng, 128, int(np.clip(128 * high / wide, 40, 256)))
        lay_quad(canvas, front, [(left, top), (right, skewed), (right, foot), (left, foot)])
        flank = [(right, skewed), (back, skewed + 0.03), (back, foot - 0.01), (right, foot)]
        lay_quad(canvas, front, flank, 0.5)


def _canyon(rng: np.random.Generator, canvas: np.ndarray, horizon: float) -> None:
    centre = rng.uniform(0.35, 0.65)
    for edge in (-0.05, 1.05):
        light, high, base = rng.uniform(0.5, 1.2), rng.uniform(0.5, 1.6), rng.uniform(0.25, 0.6)
        cuts = np.sort(np.append(rng.uniform(0.1, 0.8, int(rng.integers(1, 4))), [0.0, 0.93]))
        for near, far in zip(cuts[-2::-1], cuts[:0:-1], strict=True):
            tall = high * rng.uniform(0.6, 1.1)
            (a, d), (b, c) = (
                ((x, horizon - tall * (1 - share)), (x, horizon + base * (1 - share)))
                for share, x in ((s, edge + (centre - edge) * s) for s in (near, far))
            )
            lay_quad(canvas, facade(rng, 192, 192), [a, b, c, d], light)


def _wires(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    pen = Pen(len(canvas), canvas)
    dark = natural(rng, 1)[0] * 0.3
    for _ in range(int(rng.integers(1, 4))):
        x = rng.random()
        pen.line(
            np.array([[x, rng.uniform(0.05, 0.4)], [x + rng.normal(0, 0.02), 0.95]]), 0.012, dark
        )
    t = np.linspace(-0.05, 1.05, 12)
    for _ in range(int(rng.integers(0, 5))):
        y = rng.uniform(0.02, 0.4) + rng.normal(0, 0.15) * t + rng.uniform(0, 0.3) * (t - 0.5) ** 2
        pen.line(np.stack([t, y], 1), 0.004, dark)
    return pen.canvas()
