"""Procedural pictures in the manner of drawings and paintings: styles for a network to learn.

Each kind takes `rng`, the tones of a motif [side, side] in 0..1 and a palette [n, 3], dark to
light, and returns a canvas (see `volute.data.draw`).
"""

from __future__ import annotations

import numpy as np

from volute.data import ornaments
from volute.data.draw import (
    TURN,
    Pen,
    as_image,
    blurred,
    ellipse,
    fractal,
    grid,
    lay,
    mixed,
    palette,
    ramp,
    smooth,
)
from volute.data.scenery import foliage, landscape, street
from volute.data.stills import dead_leaves, table

_MOTIFS = (landscape, street, foliage, table, dead_leaves)


def texture(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return a procedural picture in one of 18 manners, as a style: uint8 [side, side, 3]."""
    draw = _KINDS[rng.integers(len(_KINDS))]
    colours = palette(rng, int(rng.integers(3, 9)))
    canvas = draw(rng, motif(rng, side), colours)
    return np.asarray(as_image(_aged(rng, canvas)))


def motif(rng: np.random.Generator, side: int) -> np.ndarray:
    """Return tones [side, side], spread over 0..1: of a scene, or of nothing in particular."""
    if rng.random() < 0.65:
        canvas = _MOTIFS[rng.integers(len(_MOTIFS))](rng, side)
        tone = blurred(canvas, 0.006).mean(2)
    else:
        tone = smooth(rng, side, int(rng.integers(2, 5))) + 0.15 * fractal(rng, side, 1.6)
    low, high = np.percentile(tone, (3, 97))
    return np.clip((tone - low) / (high - low + 1e-9), 0, 1)


def tinted(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Return the tones in colours that also change from place to place: a canvas."""
    return mixed(colours, tone + rng.uniform(0, 0.35) * smooth(rng, len(tone), 3))


def _aged(rng: np.random.Generator, canvas: np.ndarray) -> np.ndarray:
    """Return the canvas on paper or linen, unevenly lit and a little yellowed."""
    side = len(canvas)
    x, y = grid(side)
    if rng.random() < 0.3:
        threads = TURN * side / rng.uniform(3, 6)
        grain = np.sin(threads * x) + np.sin(threads * y) + 0.5 * fractal(rng, side, 0.3)
    else:
        grain = fractal(rng, side, 0.4)
    canvas = canvas * (1 + rng.uniform(0.005, 0.04) * grain)[..., None]
    yellow = 1 - rng.uniform(0, 0.12) * np.array([0, 0.25, 1.0])
    return canvas * yellow * (1 + 0.06 * smooth(rng, side, 1))[..., None]


def _flow(rng: np.random.Generator, tone: np.ndarray) -> np.ndarray:
    """Return the angle of the brush [side, side]: along contours, in whirls, or by a slow field."""
    side = len(tone)
    x, y = grid(side)
    kind = rng.integers(3)
    if kind == 0:
        down, across = np.gradient(blurred(tone, 0.02))
        return np.arctan2(across, -down) + 0.3 * smooth(rng, side, 3)
    slow = rng.random() * TURN + rng.uniform(0.3, 2.0) * smooth(rng, side, 2)
    if kind == 1:
        return slow
    flow = np.exp(1j * slow)
    for centre_x, centre_y, hand in rng.random((int(rng.integers(2, 7)), 3)):
        u, v = x - centre_x, y - centre_y
        reach = np.exp(-(u * u + v * v) / rng.uniform(0.01, 0.06))
        flow += 6 * reach * np.exp(1j * (np.arctan2(v, u) + np.sign(hand - 0.5) * TURN / 4))
    return np.asarray(np.angle(flow))


def _trace(flow: np.ndarray, start: np.ndarray, length: float, steps: int) -> np.ndarray:
    """Return paths [n, steps, 2] from `start` [n, 2] along the flow."""
    place, path = start, [start]
    for _ in range(steps - 1):
        angle = _at(flow, place)
        place = place + length / (steps - 1) * np.stack([np.cos(angle), np.sin(angle)], 1)
        path.append(place)
    return np.stack(path, 1)


def _at(field: np.ndarray, places: np.ndarray) -> np.ndarray:
    pixel = np.clip((places * len(field)).astype(np.int64), 0, len(field) - 1)
    return np.asarray(field[pixel[:, 1], pixel[:, 0]])


def brush(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Paint in oil: layers of ever finer strokes along a flow, with the relief of the bristles."""
    side = len(tone)
    flow, picture = _flow(rng, tone), tinted(rng, tone, colours)
    pen, relief = Pen(side, blurred(picture, 0.02)), Pen(side)
    width, finest = rng.uniform(0.03, 0.08), rng.uniform(0.008, 0.025)
    longer, jitter = rng.uniform(3, 9), rng.uniform(0.02, 0.09)
    while width > finest:
        count = min(int(1.6 / (width * width * longer)), 1500)
        start = rng.uniform(-0.05, 1.05, (count, 2))
        paths = _trace(flow, start, width * longer, 5)
        dabs = _at(picture, paths[:, 2]) + rng.normal(0, jitter, (count, 1))
        dabs += rng.normal(0, jitter * 0.4, (count, 3))
        for path, dab, height in zip(paths, dabs, rng.uniform(0.2, 1, count), strict=True):
            pen.line(path, width, dab)
            relief.line(path, width, height)
        width *= 0.55
    height = relief.canvas() + 0.25 * _bristles(rng, flow)
    return pen.canvas() * _lit(height, rng.uniform(0.04, 0.16))


def _bristles(rng: np.random.Generator, flow: np.ndarray) -> np.ndarray:
    """Return noise smeared along the flow: line integral convolution (Cabral, Leedom 1993)."""
    side = len(flow)
    noise = rng.standard_normal((side, side))
    row, column = np.mgrid[:side, :side].astype(np.float64)
    total = noise.copy()
    for _ in range(7):
        r, c = np.int64(row) % side, np.int64(column) % side
        row, column = row + 1.3 * np.sin(flow[r, c]), column + 1.3 * np.cos(flow[r, c])
        total += noise[np.int64(row) % side, np.int64(column) % side]
    return np.asarray(total / np.sqrt(8))


def _lit(height: np.ndarray, strength: float) -> np.ndarray:
    """Return the light on a relief from the upper left, a factor [side, side, 1]."""
    slope = height - np.roll(height, (1, 1), (0, 1))
    return np.clip(1 + strength * slope / (slope.std() + 1e-9), 0.5, 1.6)[..., None]


def pastel(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Draw with chalk: broad strokes that the tooth of a coloured paper breaks up."""
    side = len(tone)
    picture = tinted(rng, tone, colours)
    canvas = np.empty_like(picture)
    canvas[:] = colours[rng.integers(len(colours))]
    tooth = fractal(rng, side, rng.uniform(0.2, 0.6))
    width = rng.uniform(0.012, 0.035)
    for angle in rng.random(3) * TURN + rng.normal(0, 0.1, 3):
        count = min(int(0.25 / width**2), 700)
        paths = _trace(angle + 0.3 * smooth(rng, side, 2), rng.random((count, 2)), width * 7, 4)
        pen, cover = Pen(side, canvas), Pen(side)
        for path, dab in zip(paths, _at(picture, paths[:, 1]), strict=True):
            pen.line(path, width, dab)
            cover.line(path, width, rng.uniform(0.5, 1))
        lay(canvas, pen.canvas(), cover.canvas() * ramp(tooth, -0.7, 0.5))
    return canvas


def hatching(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Draw with a pen: sheaves of short strokes, more directions where it is darker."""
    side = len(tone)
    paper = np.ones((side, side, 3)) * (0.75 + 0.25 * colours[-1])
    pen = Pen(side, paper)
    inks = colours[: int(rng.integers(1, 4))] * rng.uniform(0.3, 0.9)
    gap, turn, spread = rng.uniform(0.008, 0.016), rng.random() * TURN, rng.uniform(0.4, 1.2)
    curve = rng.uniform(0, 0.8) * smooth(rng, side, 3)
    for number, darkest in enumerate((0.85, 0.6, 0.4, 0.2)):
        count = int(0.11 / gap**2)
        start = rng.random((count, 2))
        start = start[_at(tone, start) < darkest]
        paths = _trace(turn + number * spread + curve, start, gap * rng.uniform(4, 9), 3)
        for path, shift in zip(paths, rng.normal(0, 0.0015, (len(paths), 2)), strict=True):
            pen.line(path + shift, 0.004, inks[number % len(inks)])
    return pen.canvas()


def stipple(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Paint in points: dots of the colour of the place, some of its neighbours' or its opposite."""
    side = len(tone)
    picture = tinted(rng, tone, colours)
    pen = Pen(side, blurred(picture, 0.02) * 0.5 + 0.5 * colours[-1])
    gap, jitter = rng.uniform(0.012, 0.028), rng.uniform(0.03, 0.12)
    number = int(1.1 / gap)
    for size in (0.62, 0.5):
        places = np.stack(np.meshgrid(np.arange(number), np.arange(number)), -1).reshape(-1, 2)
        places = (places + rng.uniform(0, 1, places.shape)) / number
        places = places[rng.permutation(len(places))]
        dots = _at(picture, places) + rng.normal(0, jitter, (len(places), 3))
        strange = rng.random(len(places)) < 0.12
        dots[strange] = colours[rng.integers(len(colours), size=strange.sum())]
        radii = gap * size * rng.uniform(0.7, 1.1, len(places))
        for (x, y), radius, dot in zip(places, radii, dots, strict=True):
            pen.disk(x, y, radius, dot)
    return pen.canvas()


def watercolour(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Paint in washes that darken what lies under them, with dark rims and grains of pigment."""
    side = len(tone)
    canvas = np.ones((side, side, 3)) * (0.93 + 0.05 * colours[-1])
    grain = fractal(rng, side, 0.5)
    for number in range(int(rng.integers(5, 12))):
        bleed = 0.1 * fractal(rng, side, 1.5)
        wash = 1 - tone - rng.uniform(0.1, 0.8) + bleed
        if number % 2:
            x, y = grid(side)
            u, v, reach = *rng.random(2), rng.uniform(0.1, 0.35)
            wash = reach - np.hypot(x - u, y - v) + bleed
        soft = rng.choice([0.02, 0.04, 0.25])
        inside = ramp(wash, 0, soft)
        rim = inside * np.exp(-np.maximum(wash, 0) / 0.025) * (soft < 0.1)
        alpha = inside * rng.uniform(0.15, 0.5) * (1 + 0.25 * smooth(rng, side, 4)) + 0.25 * rim
        alpha *= 1 + 0.12 * grain
        canvas *= 1 - alpha[..., None] * (1 - colours[rng.integers(len(colours))])
    return canvas


def ink(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Paint in ink: mountains that fade into mist, dry strokes, a red seal."""
    side = len(tone)
    x, y = grid(side)
    canvas = np.ones((side, side, 3)) * np.array([0.95, 0.92, 0.84])
    black = 0.12 + 0.1 * colours[0]
    fibre = fractal(rng, side, 0.5)
    for share in np.linspace(0.15, 0.85, int(rng.integers(2, 6))):
        line = share + 0.12 * fractal(rng, side, 1.6)[0] + 0.25 * (1 - tone).mean(0) - 0.12
        below = y - line
        mist = np.exp(-np.maximum(below, 0) / rng.uniform(0.05, 0.25))
        alpha = (
            ramp(below, 0, 0.01) * mist * (0.25 + 0.6 * share) * (1 + 0.3 * smooth(rng, side, 6))
        )
        lay(canvas, black, np.clip(alpha * (1 + 0.1 * fibre), 0, 1))
    lay(canvas, black, 0.35 * ramp(0.35 - tone, 0, 0.3) * ramp(fibre, -1, 1))
    for _ in range(int(rng.integers(1, 7))):
        cover = Pen(side)
        path = _trace(_flow(rng, tone), rng.random((1, 2)), rng.uniform(0.2, 0.6), 60)[0]
        for place, width in zip(
            path, np.linspace(1, 0.2, 60) * rng.uniform(0.008, 0.03), strict=True
        ):
            cover.disk(place[0], place[1], width)
        lay(canvas, black, cover.canvas() * ramp(fibre, -2.0, rng.uniform(-1.5, 1)))
    pen = Pen(side, canvas)
    seal = rng.uniform(0.05, 0.9, 2) + np.array([[0, 0], [0.06, 0], [0.06, 0.06], [0, 0.06]])
    pen.polygon(seal, np.array([0.75, 0.16, 0.12]))
    return pen.canvas()


def drip(rng: np.random.Generator, tone: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Fling paint: looping threads that swell and thin out, and drops."""
    side = len(tone)
    pen = Pen(side, tinted(rng, 0.5 + 0.2 * tone, colours[-2:]))
    for _ in range(int(rng.integers(20, 80))):
        colour = colours[rng.integers(len(colours))]
        speed = rng.normal(0, 0.02, (50, 2))
        for step in range(1, 50):
            speed[step] += 0.88 * speed[step - 1]
        path = rng.random(2) + np.cumsum(speed, 0)
        width = rng.uniform(0.003, 0.014)
        for step in range(0, 48, 3):
            pen.line(path[step : step + 4], width * rng.uniform(0.5, 1.6), colour)
        for x, y in path[:: int(rng.integers(3, 12))] + rng.normal(0, 0.02, (1, 2)):
            pen.polygon(ellipse(x, y, width * rng.uniform(0.3, 1.6), width, rng.random()), colour)
    return pen.canvas()


_KINDS = (
    brush,
    brush,
    brush,
    brush,
    brush,
    pastel,
    hatching,
    stipple,
    watercolour,
    watercolour,
    ink,
    drip,
    *ornaments.KINDS,
)
