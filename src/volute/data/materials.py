"""Procedural surfaces: stones, bricks, wood, cloth, fur, plaster.

Each takes `rng` and `side` and returns a canvas (see `volute.data.draw`).
"""

from __future__ import annotations

import numpy as np

from volute.data.draw import (
    TURN,
    cells,
    fractal,
    grid,
    lay,
    mixed,
    natural,
    ramp,
    sample,
    smooth,
)


def surface(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return one material seen from above: stones, bricks, wood, cloth, fur or plaster."""
    materials = (_stones, _bricks, _wood, _cloth, _fur, _plaster)
    return materials[rng.integers(len(materials))](rng, side)


def _stones(rng: np.random.Generator, side: int) -> np.ndarray:
    x, y = grid(side)
    warp = 0.02 * smooth(rng, side, 9)
    index, distance, border = cells(rng, x + warp, y + warp, int(rng.integers(4, 26)))
    colours = natural(rng, 4)
    tone = rng.integers(4, size=index.max() + 1)[index]
    shade = rng.uniform(0.7, 1.2, index.max() + 1)[index] * (1.1 - 0.5 * distance)
    shade *= 1 + 0.1 * fractal(rng, side, 0.8)
    return colours[tone] * (shade * (0.25 + 0.75 * ramp(border, 0.01, 0.12)))[..., None]


def _bricks(rng: np.random.Generator, side: int) -> np.ndarray:
    x, y = grid(side)
    rows, long = int(rng.integers(6, 22)), rng.uniform(1.5, 3.5)
    row = np.floor(y * rows)
    place = x * rows / long + 0.5 * (row % 2)
    u, v = place % 1, y * rows % 1
    tones = rng.normal(1, rng.uniform(0.03, 0.2), (rows + 1, rows + 2))
    shade = tones[np.int64(row), np.int64(place)] * (1 + 0.12 * fractal(rng, side, 0.7))
    joint = rng.uniform(0.02, 0.08)
    brick = ramp(np.minimum(u, 1 - u) * long, joint, joint + 0.08) * ramp(
        np.minimum(v, 1 - v), joint, joint + 0.08
    )
    wall, mortar = natural(rng, 2)
    canvas = wall * shade[..., None]
    lay(canvas, mortar * (1 + 0.1 * fractal(rng, side, 0.5))[..., None], 1 - brick)
    return canvas


def _wood(rng: np.random.Generator, side: int) -> np.ndarray:
    x, y = grid(side)
    boards = int(rng.integers(1, 7))
    board = np.int64(y * boards)
    shift = rng.random(boards + 1)[board]
    rings = 1.5 * sample(fractal(rng, side, 1.6), x * 0.3 + shift, y + shift)
    grain = np.sin(TURN * (rings * rng.uniform(1, 3) + y * rng.uniform(5, 30)))
    fibre = fractal(rng, side, 0.7, 14, 1)
    shade = rng.uniform(0.8, 1.15, boards + 1)[board] + 0.12 * grain + 0.08 * fibre
    gap = ramp(np.abs(y * boards % 1 - 0.5), 0.5 - 0.012 * boards, 0.5)
    colour = natural(rng, 1)[0] * 0.4 + np.array([0.42, 0.28, 0.16])
    return colour * (shade * (1 - 0.7 * gap * (boards > 1)))[..., None]


def _cloth(rng: np.random.Generator, side: int) -> np.ndarray:
    x, y = grid(side)
    x, y = x + 0.012 * smooth(rng, side, 4), y + 0.012 * smooth(rng, side, 4)
    threads = rng.uniform(20, 60)
    colours = natural(rng, 6)
    bands = int(rng.integers(2, 9))
    warp = colours[rng.integers(6, size=bands)][np.int64(x * bands * 2) % bands]
    weft = colours[rng.integers(6, size=bands)][np.int64(y * bands * 2) % bands]
    over = ramp(np.sin(TURN * threads * x / 2) * np.sin(TURN * threads * y / 2), -0.5, 0.5)
    folds = fractal(rng, side, 2.2)
    lean = _slope(folds) * rng.uniform(0.05, 0.25)
    canvas = warp + over[..., None] * (weft - warp)
    return (
        canvas
        * np.clip(0.9 + lean + 0.15 * (over - 0.5) + 0.03 * fractal(rng, side, 0.4), 0.2, 1.6)[
            ..., None
        ]
    )


def _fur(rng: np.random.Generator, side: int) -> np.ndarray:
    x, y = grid(side)
    field = fractal(rng, side, 0.8, 12, 1)
    bend = 0.12 * smooth(rng, side, 4)
    hairs = sample(field, x + bend, y + bend) + 0.7 * sample(field, y + bend + 0.3, x - bend)
    spots = fractal(rng, side, 1.7)
    canvas = mixed(natural(rng, 3), 0.5 + 0.35 * spots)
    return canvas * np.clip(0.8 + 0.25 * hairs, 0.1, 1.8)[..., None]


def _plaster(rng: np.random.Generator, side: int) -> np.ndarray:
    height = fractal(rng, side, rng.uniform(1.0, 1.8))
    lean = _slope(height) * rng.uniform(0.05, 0.25)
    stain = ramp(fractal(rng, side, 1.5), -0.5, 1.5)
    canvas = mixed(natural(rng, 2), stain)
    return canvas * np.clip(1 + lean + 0.06 * height, 0.2, 1.8)[..., None]


def _slope(height: np.ndarray) -> np.ndarray:
    """Return how much of the light from the upper left falls on each pixel: deviation 1."""
    slope = height - np.roll(height, (1, 1), (0, 1))
    return np.asarray(slope / slope.std())
