"""Procedural scenes from near: dead leaves, things on a table, printed pages.

Each takes `rng` and `side` and returns a canvas (see `volute.data.draw`).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

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
    ramp,
    smooth,
    turned,
)
from volute.data.materials import surface


def dead_leaves(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return shapes of power-law size that hide each other (Lee, Mumford, Huang 2001).

    Each has its colour, shading, roundness and texture; those in front may be sharper.
    """
    canvas = np.empty((side, side, 3))
    canvas[:] = natural(rng, 1)[0]
    lay(canvas, natural(rng, 1)[0], ramp(smooth(rng, side, 2), -0.6, 0.6))
    if rng.random() < 0.6:
        canvas = _heap(rng, canvas, int(rng.integers(12, 50)), 0.06)
        canvas = blurred(canvas, rng.uniform(0.004, 0.03))
    return _heap(rng, canvas, int(np.exp(rng.uniform(3.6, 5.6))), np.exp(rng.uniform(-4.6, -2.9)))


def _heap(rng: np.random.Generator, canvas: np.ndarray, count: int, smallest: float) -> np.ndarray:
    side = len(canvas)
    largest = rng.uniform(0.2, 0.5)
    span = 1 - (smallest / largest) ** 2
    radius = smallest / np.sqrt(1 - rng.random(count) * span)
    centre = rng.uniform(-0.05, 1.05, (count, 2))
    colours = natural(rng, int(rng.integers(3, 30)))
    colours = colours[rng.integers(len(colours), size=count)] + rng.normal(0, 0.03, (count, 3))
    pen, label = Pen(side, canvas), Image.new("I", (side, side))
    labels = ImageDraw.Draw(label)
    mostly = int(rng.integers(4))
    for index in range(count):
        kind = mostly if rng.random() < 0.7 else int(rng.integers(4))
        corners = _outline(rng, kind) * radius[index] + centre[index]
        pen.polygon(corners, colours[index])
        labels.polygon((corners * side).ravel().tolist(), index + 1)
    owner = np.asarray(label).astype(np.int64)
    flat = pen.canvas()
    return flat * _relief(rng, owner, centre, radius)[..., None]


def _outline(rng: np.random.Generator, kind: int) -> np.ndarray:
    """Return a shape of radius 1 about the origin: disk, ellipse, polygon or bar."""
    angle = rng.random() * TURN
    if kind == 0:
        return ellipse(0, 0, 1, 1, angle, 28)
    if kind == 1:
        return ellipse(0, 0, 1, rng.uniform(0.25, 0.8), angle, 24)
    if kind == 2:
        turn = np.sort(rng.random(int(rng.integers(3, 9)))) * TURN
        reach = rng.uniform(0.6, 1.0, len(turn))
        return np.stack([reach * np.cos(turn), reach * np.sin(turn)], 1)
    high = rng.uniform(0.08, 0.9)
    bar = np.array([[-1, -high], [1, -high], [1, high], [-1, high]])
    return turned(bar, rng.normal(0, 0.15) if rng.random() < 0.5 else angle)


def _relief(
    rng: np.random.Generator, owner: np.ndarray, centre: np.ndarray, radius: np.ndarray
) -> np.ndarray:
    """Return a factor [side, side]: shading and texture of each shape, shadows of those above."""
    side, count = len(owner), len(radius)
    x, y = grid(side)

    def each(values: np.ndarray) -> np.ndarray:
        return np.concatenate([[0.0], values])[owner]

    radii = each(radius) + 1e-3
    u, v = (x - each(centre[:, 0])) / radii, (y - each(centre[:, 1])) / radii
    angle = rng.random() * TURN + rng.normal(0, 0.5, count)
    slope = rng.uniform(0, 0.35, count)
    light = 1 + each(slope * np.cos(angle)) * u + each(slope * np.sin(angle)) * v
    light -= each(rng.uniform(-0.1, 0.45, count)) * np.minimum(u * u + v * v, 1.5)
    bank = np.stack([fractal(rng, side, 0.8), fractal(rng, side, 1.3), fractal(rng, side, 1, 6, 1)])
    choice = np.append(0, rng.integers(3, size=count))[owner]
    light += each(rng.gamma(1.2, 0.07, count)) * np.take_along_axis(bank, choice[None], 0)[0]
    striped = each(rng.uniform(0.1, 0.4, count) * (rng.random(count) < 0.15))
    light += striped * np.sign(np.sin(u * each(rng.uniform(6, 30, count))))
    shift = (int(0.01 * side), int(rng.normal(0, 0.01) * side))
    height = (owner / (count + 1))[..., None].repeat(3, 2)
    above = np.roll(blurred(height, 0.012), shift, (0, 1))[..., 0] - height[..., 0]
    return np.clip(light, 0.15, 1.9) * (1 - rng.uniform(0, 1.2) * np.clip(above, 0, 0.6))


def table(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return balls, vases, boxes and books on a table before a wall, lit from one side."""
    edge = rng.uniform(0.35, 0.65)
    canvas = surface(rng, side) if rng.random() < 0.4 else _wall(rng, side)
    canvas = blurred(canvas, rng.uniform(0.002, 0.03))
    top = surface(rng, side) if rng.random() < 0.5 else _wall(rng, side)
    board = [(-0.1, edge), (1.1, edge), (1.7, 1.05), (-0.7, 1.05)]
    lay_quad(canvas, as_image(top), board)
    light = -1.0 if rng.random() < 0.5 else 1.0
    for depth in np.sort(rng.random(int(rng.integers(2, 7)))):
        foot = edge + 0.06 + (0.9 - edge) * depth
        size = rng.uniform(0.07, 0.2) * (0.7 + 0.6 * depth)
        x = rng.uniform(0.08, 0.92)
        _shadow(canvas, x - light * size * 0.7, foot, size, rng.uniform(0.3, 0.7))
        things = (_ball, _vase, _box)
        things[rng.integers(3)](rng, canvas, x, foot, size, light)
    return canvas


def _wall(rng: np.random.Generator, side: int) -> np.ndarray:
    shade = 1 + 0.25 * smooth(rng, side, 1) + rng.uniform(0, 0.05) * fractal(rng, side, 0.7)
    return natural(rng, 1)[0] * shade[..., None]


def _shadow(canvas: np.ndarray, x: float, y: float, size: float, depth: float) -> None:
    across, down = grid(len(canvas))
    distance = np.hypot((across - x) / (size * 1.5), (down - y) / (size * 0.4))
    canvas *= (1 - depth * ramp(-distance, -1.1, -0.2))[..., None]


def _skin(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return what things are covered with: one colour, blotches or stripes."""
    x, y = grid(side)
    colours = natural(rng, 3)
    pattern = rng.integers(3)
    if pattern == 0:
        return mixed(colours[:2], 0.1 + 0.1 * fractal(rng, side, 1))
    if pattern == 1:
        return mixed(colours, 0.5 + 0.3 * fractal(rng, side, rng.uniform(1, 2)))
    return mixed(colours, 0.5 + 0.5 * np.sin(TURN * rng.uniform(5, 25) * (x * rng.random() + y)))


def _ball(
    rng: np.random.Generator, canvas: np.ndarray, x: float, y: float, size: float, light: float
) -> None:
    part = _window(len(canvas), x, y, size, 2 * size)
    across, down = (axis[part] for axis in grid(len(canvas)))
    u, v = (across - x) / size, (down - y + size) / size
    inside = np.maximum(1 - u * u - v * v, 0)
    facing = 0.6 * light * u - 0.55 * v + 0.58 * np.sqrt(inside)
    _lit(rng, canvas, part, facing, np.clip(inside * size * len(canvas), 0, 1))


def _vase(
    rng: np.random.Generator, canvas: np.ndarray, x: float, y: float, size: float, light: float
) -> None:
    side, high = len(canvas), size * rng.uniform(1.5, 3.2)
    part = _window(side, x, y, size, high)
    across, down = (axis[part] for axis in grid(side))
    t = (y - down) / high
    waves = rng.uniform(0.1, 0.35) * np.sin(TURN * (rng.uniform(0.4, 1.2) * t + rng.random()))
    width = size * (0.65 + waves)
    u = (across - x) / width
    inside = np.clip((1 - np.abs(u)) * width * side, 0, 1)
    inside *= np.clip(np.minimum(t, 1 - t) * high * side, 0, 1)
    facing = 0.6 * light * u + 0.75 * np.sqrt(np.maximum(1 - u * u, 0))
    _lit(rng, canvas, part, facing, inside)


def _window(side: int, x: float, y: float, half: float, high: float) -> tuple[slice, slice]:
    """Return the part of a canvas that something standing at x, y takes."""
    left, top = max(int((x - half) * side) - 1, 0), max(int((y - high) * side) - 1, 0)
    return np.s_[top : int(y * side) + 2, left : int((x + half) * side) + 2]


def _lit(
    rng: np.random.Generator,
    canvas: np.ndarray,
    part: tuple[slice, slice],
    facing: np.ndarray,
    mask: np.ndarray,
) -> None:
    facing = np.clip(facing, 0, 1)
    shine = rng.uniform(0, 0.8) * facing ** int(rng.integers(8, 60))
    skin = _skin(rng, len(canvas))[part]
    lay(canvas[part], skin * (0.25 + 0.9 * facing)[..., None] + shine[..., None], mask)


def _box(
    rng: np.random.Generator, canvas: np.ndarray, x: float, y: float, size: float, light: float
) -> None:
    side = len(canvas)
    image = as_image(page(rng, side) if rng.random() < 0.3 else _skin(rng, side))
    wide, high, deep = rng.uniform(0.4, 1.3, 3) * size
    left, right, top = x - wide, x + wide, y - 1.6 * high
    back, lift = deep * rng.uniform(-0.6, 0.6), deep * 0.45
    front = [(left, top), (right, top), (right, y), (left, y)]
    roof = [(left + back, top - lift), (right + back, top - lift), (right, top), (left, top)]
    corner = right if back > 0 else left
    flank = [(corner, top), (corner + back, top - lift), (corner + back, y - lift), (corner, y)]
    lit = (0.9, 1.15, 1.0 if back * light > 0 else 0.5)
    for face, shade in zip((front, roof, flank), lit, strict=True):
        lay_quad(canvas, image, face, shade)


def page(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return print: lines of strokes like letters and a picture, or a sign of few letters."""
    paper, ink = natural(rng, 2)
    paper, ink = (0.75 * 1 + 0.25 * paper, ink * 0.35) if rng.random() < 0.8 else (ink, paper)
    canvas = np.empty((side, side, 3))
    canvas[:] = paper
    pen = Pen(side, canvas * (1 + 0.05 * smooth(rng, side, 2))[..., None])
    size = float(np.exp(rng.uniform(np.log(0.012), np.log(0.15))))
    y = 0.05 + size
    while y < 0.97:
        x = 0.06 + rng.choice([0, 0, 0, 2]) * size
        end = rng.uniform(0.4, 0.94)
        while x < end and rng.random() < 0.995:
            letters = int(rng.integers(1, 9))
            for _ in range(letters):
                _letter(rng, pen, x, y, size, ink)
                x += size * 0.75
            x += size * 0.6
        y += size * rng.choice([1.8, 1.8, 3.0])
    if rng.random() < 0.4:
        left, top, size = *rng.uniform(0.05, 0.5, 2), rng.uniform(0.2, 0.45)
        box = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * size + (left, top)
        pen.polygon(box, natural(rng, 1)[0])
    return pen.canvas()


def _letter(
    rng: np.random.Generator, pen: Pen, x: float, y: float, size: float, ink: np.ndarray
) -> None:
    places = np.array([[0, 0], [0.5, 0], [0, -0.5], [0.5, -0.5], [0, -1], [0.5, -1], [0.25, -0.25]])
    path = places[rng.integers(len(places), size=int(rng.integers(2, 5)))]
    pen.line(path * size + (x, y), size * 0.12, ink)
