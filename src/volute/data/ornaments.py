"""Procedural pictures of tiles, paper, thread and print: the flat half of `volute.data.textures`.

Each takes `rng`, the tones of a motif [side, side] in 0..1 and a palette [n, 3], dark to light, and
returns a canvas (see `volute.data.draw`).
"""

from __future__ import annotations

import numpy as np

from volute.data.draw import (
    TURN,
    Pen,
    blurred,
    cells,
    fractal,
    grid,
    lay,
    mixed,
    ramp,
    smooth,
)


def _means(index: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the mean of `values` over each cell, at every pixel of it."""
    count = np.bincount(index.ravel())
    total = np.bincount(index.ravel(), values.ravel())
    return np.asarray((total / np.maximum(count, 1))[index])


def mosaic(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Lay stones in mortar, or glass in lead: each cell in one colour, a little domed."""
    side = len(tone)
    x, y = grid(side)
    glass = rng.random() < 0.4
    number = int(rng.integers(6, 14) if glass else rng.integers(14, 40))
    index, distance, border = cells(rng, x, y, number)
    share = _means(index, tone) + rng.normal(0, 0.08, number * number)[index]
    picture = mixed(colours, share)
    picture *= (1.08 - 0.2 * distance + 0.05 * fractal(rng, side, 1))[..., None]
    if glass:
        picture *= (1.1 + 0.25 * smooth(rng, side, 5))[..., None]
    joint = 0.08 if glass else rng.uniform(0.05, 0.12)
    mortar = np.array([0.05, 0.05, 0.06]) if glass else colours[rng.choice([0, -1])] * 0.85
    lay(picture, mortar, 1 - ramp(border, joint - number / side, joint + number / side))
    return picture


def facets(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Break the motif up into planes, each shaded from one edge to the other, in two layers."""
    side = len(tone)
    x, y = grid(side)
    canvas = np.zeros((side, side, 3))
    for number, weight in ((int(rng.integers(3, 6)), 1.0), (int(rng.integers(5, 11)), 0.55)):
        index, _, border = cells(rng, x, y, number)
        angle = rng.random(number * number)[index] * TURN
        u, v = x - _means(index, x), y - _means(index, y)
        lean = number * (u * np.cos(angle) + v * np.sin(angle))
        share = _means(index, tone) + rng.uniform(0.2, 0.5) * lean
        colour = mixed(colours, share)
        lay(colour, colours[0] * 0.7, 0.7 * (1 - ramp(border * side / number, 0.2, 1.6)))
        lay(canvas, colour, np.full((side, side), weight))
    return canvas


def poster(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Cut the motif into a few flat colours, with or without outlines."""
    side = len(tone)
    tone = blurred(tone, rng.uniform(0.004, 0.015)) + 0.06 * smooth(rng, side, 4)
    levels = len(colours)
    down, across = np.gradient(tone * levels)
    steep = np.hypot(down, across) + 0.004
    place = np.clip(tone * levels, 0.001, levels - 0.001)
    below = place.astype(np.int64)
    edge = np.minimum(place - below, 1)
    shuffled = colours if rng.random() < 0.6 else colours[rng.permutation(levels)]
    blend = np.clip(0.5 + edge / steep, 0, 1)[..., None]
    canvas = shuffled[below] * blend + shuffled[np.maximum(below - 1, 0)] * (1 - blend)
    if rng.random() < 0.6:
        distance = np.minimum(edge, 1 - edge) / steep
        inner = (place > 0.5) & (place < levels - 0.5)
        lay(canvas, colours[0] * 0.3, inner * (1 - ramp(distance, 0.3, rng.uniform(1.2, 3))))
    return canvas


def marbling(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Float paint on water and comb it: bands of colour warped again and again, thin veins."""
    side = len(tone)
    x, y = (np.array(axis) for axis in grid(side))
    for scale in (2, 4, 8):
        x, y = (
            x + rng.uniform(0.1, 0.5) / scale * smooth(rng, side, scale),
            y + rng.uniform(0.1, 0.5) / scale * smooth(rng, side, scale),
        )
    if rng.random() < 0.5:
        teeth = TURN * rng.integers(3, 9)
        y = y + rng.uniform(0.02, 0.08) * np.sin(teeth * x)
    bands = (y + 0.3 * tone * rng.random()) * rng.uniform(6, 22)
    order = rng.integers(len(colours), size=64)
    low = np.floor(bands).astype(np.int64)
    blend = ramp(bands - low, 0.5 - 0.25, 0.5 + 0.25)[..., None]
    canvas = colours[order[low % 64]] * (1 - blend) + colours[order[(low + 1) % 64]] * blend
    vein = np.abs(bands - low - 0.5)
    lay(canvas, colours[rng.choice([0, -1])], 0.7 * (1 - ramp(vein, 0.02, 0.1)))
    return canvas


def stitches(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Knit, weave or embroider the motif: one colour a stitch, the thread in relief."""
    side = len(tone)
    x, y = grid(side)
    number = int(rng.integers(22, 52))
    u, v = x * number, y * number
    kind = rng.integers(3)
    if kind == 0:  # knitted: two leaning strands a stitch
        v = v + np.abs(u % 1 - 0.5) * 1.2
        thread = 1 - np.abs(u * 2 % 1 - 0.5) * 1.5
    elif kind == 1:  # woven: over and under in turn
        over = (np.floor(u) + np.floor(v)) % 2
        thread = np.where(over, 1 - (u % 1 - 0.5) ** 2 * 3, 1 - (v % 1 - 0.5) ** 2 * 3)
    else:  # crosses
        a, b = u % 1 - 0.5, v % 1 - 0.5
        thread = 1 - np.minimum(np.abs(a - b), np.abs(a + b)) * 2.2
    row, column = np.floor(v).astype(np.int64), np.floor(u).astype(np.int64)
    index = np.clip(row, 0, number) * number + column
    levels = np.rint(_means(index, tone) * (len(colours) - 1)) / (len(colours) - 1)
    canvas = mixed(colours, levels)
    canvas *= np.clip(0.35 + 0.7 * thread + 0.05 * fractal(rng, side, 0.4), 0.1, 1.2)[..., None]
    return canvas


def planes(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Divide the picture by upright and level black lines, some of the fields in strong colours."""
    side = len(tone)
    canvas = np.ones((side, side, 3)) * (0.85 + 0.12 * colours[-1])
    pen = Pen(side, canvas)
    thick, crowd = rng.uniform(0.008, 0.03), rng.uniform(0.1, 0.3)
    busy = rng.uniform(0.25, 0.8)

    def divide(left: float, top: float, right: float, bottom: float) -> None:
        wide, high = right - left, bottom - top
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
        if max(wide, high) < crowd or (max(wide, high) < 0.6 and rng.random() < 0.2):
            if rng.random() < busy:
                pen.polygon(corners, colours[rng.integers(len(colours))])
            pen.line(corners[[0, 1, 2, 3, 0]], thick, np.full(3, 0.06))
        elif wide > high:
            cut = left + wide * rng.uniform(0.25, 0.75)
            divide(left, top, cut, bottom)
            divide(cut, top, right, bottom)
        else:
            cut = top + high * rng.uniform(0.25, 0.75)
            divide(left, top, right, cut)
            divide(left, cut, right, bottom)

    divide(-0.02, -0.02, 1.02, 1.02)
    return pen.canvas()


def rings(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Paint rings within rings, in squares or overlapping, or spirals from one centre."""
    side = len(tone)
    x, y = grid(side)
    if rng.random() < 0.4:
        u, v = x - rng.uniform(0.3, 0.7), y - rng.uniform(0.3, 0.7)
        arms = int(rng.integers(1, 6)) * rng.choice([-1, 1])
        turn = np.arctan2(v, u) / TURN * arms
        wind = turn + rng.uniform(3, 9) * np.log(np.hypot(u, v) + 0.03) + 0.5 * tone
        bands = int(rng.integers(2, 6))
        place = wind % 1 * bands
        canvas = colours[rng.permutation(max(bands, len(colours))) % len(colours)][
            place.astype(int)
        ]
        edge = np.minimum(place % 1, 1 - place % 1)
        lay(canvas, colours[0] * 0.6, 1 - ramp(edge, 0.02, 0.12))
        return blurred(canvas, 0.5 / side)
    pen = Pen(side, np.ones((side, side, 3)) * colours[-1])
    number = int(rng.integers(2, 7))
    places = (np.stack(np.meshgrid(np.arange(number), np.arange(number)), -1) + 0.5) / number
    wander = rng.choice([0.0, 0.4])
    for place in places.reshape(-1, 2):
        centre = place + wander * rng.normal(0, 1 / number, 2)
        half = 0.5 / number
        corners = centre + half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
        pen.polygon(corners, colours[rng.integers(len(colours))])
        for radius in np.sort(rng.uniform(0.1, 1, int(rng.integers(2, 7))))[::-1]:
            size = half * radius * (1 + wander)
            pen.disk(centre[0], centre[1], size, colours[rng.integers(len(colours))])
    return _worn(rng, pen.canvas())


def cutouts(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Cut paper with scissors: waving shapes like weed and stars on coloured sheets."""
    side = len(tone)
    pen = Pen(side, np.ones((side, side, 3)) * colours[-1])
    columns = int(rng.integers(1, 5))
    for row in range(columns):
        for column in range(columns):
            corner = np.array([column, row]) / columns
            sheet = corner + np.array([(0, 0), (1, 0), (1, 1), (0, 1)]) / columns
            pen.polygon(sheet, colours[rng.integers(len(colours))])
    turn = np.linspace(0, TURN, 90, endpoint=False)
    for _ in range(int(rng.integers(5, 30))):
        lobes, deep = int(rng.integers(2, 11)), rng.uniform(0.1, 0.6)
        reach = 1 + deep * np.sin(lobes * turn + rng.random() * TURN)
        reach += 0.15 * np.sin(2 * turn + rng.random() * TURN)
        size = rng.uniform(0.03, 0.2)
        shape = (
            size * reach[:, None] * np.stack([np.cos(turn), rng.uniform(0.4, 1) * np.sin(turn)], 1)
        )
        pen.polygon(shape + rng.random(2), colours[rng.integers(len(colours))])
    return _worn(rng, pen.canvas())


def fans(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Print rows of overlapping fans, each of several arcs: waves, scales, feathers."""
    side = len(tone)
    pen = Pen(side, np.ones((side, side, 3)) * colours[0])
    number = int(rng.integers(3, 10))
    arcs = np.linspace(1, 0.15, int(rng.integers(3, 7)))
    order = rng.permutation(len(colours))
    for row in range(-1, 2 * number + 3):
        for column in range(-1, number + 2):
            x, y = (column + 0.5 * (row % 2)) / number, row * 0.25 / number * 2
            first = int(rng.integers(len(colours))) if rng.random() < 0.15 else 0
            for place, arc in enumerate(arcs):
                pen.disk(x, y, arc * 0.56 / number, colours[order[(first + place) % len(order)]])
    return _worn(rng, pen.canvas())


def engraving(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Engrave: lines along a bent surface that swell where it is darker, crossed in the shadows."""
    side = len(tone)
    x, y = grid(side)
    canvas = np.ones((side, side, 3)) * (0.7 + 0.3 * colours[-1])
    lines, turn = rng.uniform(25, 60), rng.random() * TURN
    bend = rng.uniform(0.02, 0.12) * smooth(rng, side, 3) + 0.04 * tone
    for number in range(int(rng.integers(1, 4))):
        angle = turn + number * 1.1
        phase = lines * (x * np.cos(angle) + y * np.sin(angle) + bend)
        carrier = 2 * np.abs(phase % 1 - 0.5)
        dark = np.clip(0.95 - 1.1 * tone - 0.25 * number, 0, 0.95)
        ink = ramp(dark - carrier, -lines / side, lines / side) * (dark > 0.02)
        lay(canvas, colours[0] * 0.6, ink)
    return canvas


def halftone(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Print in dots: a screen of its own angle for each of a few inks, laid over each other."""
    side = len(tone)
    x, y = grid(side)
    canvas = np.ones((side, side, 3)) * (0.8 + 0.2 * colours[-1])
    dots = rng.uniform(18, 55)
    for number in range(int(rng.integers(1, 4))):
        angle = 0.26 + number * 0.52
        u = dots * (x * np.cos(angle) + y * np.sin(angle))
        v = dots * (y * np.cos(angle) - x * np.sin(angle))
        distance = np.hypot(u % 1 - 0.5, v % 1 - 0.5)
        dark = np.clip(1 - tone + 0.4 * number * smooth(rng, side, 2), 0, 1)
        ink = colours[(number * 2) % len(colours)]
        cover = ramp(0.72 * np.sqrt(dark) - distance, -dots / side, dots / side)
        canvas *= 1 - cover[..., None] * (1 - ink)
    return canvas


def _worn(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """Return the print with colour that did not take evenly."""
    patches = fractal(rng, len(canvas), rng.uniform(0.6, 1.6))
    return canvas * (1 + rng.uniform(0.02, 0.08) * patches)[..., None]


KINDS = (
    engraving,
    halftone,
    mosaic,
    mosaic,
    facets,
    poster,
    marbling,
    stitches,
    planes,
    rings,
    cutouts,
    fans,
)
