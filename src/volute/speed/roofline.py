"""The measures as a picture: operations a second over operations for each byte, under the roofs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from volute.errors import UsageError
from volute.paths import atomic_file, write_text
from volute.speed.limits import Limits
from volute.speed.measured import Row

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 1120, 600, 70, 40, 380, 55
LIST, LINE = 240, 17
"""Place of the list of names, from the right, and the height of its lines."""
X = 1.0, 1000.0
"""Operations for each byte, from left to right; the sides are logarithmic."""
COLOURS = {"float32": "#2563eb", "bf16": "#059669", "int8": "#d97706"}


def checked(file: Path) -> str:
    """Return the ending of a file that can be written.

    Raises:
        UsageError: for another one.
    """
    if (kind := file.suffix.lower()) not in (".svg", ".png"):
        raise UsageError(f"{file} is no name for a plot", "End it in .svg or .png.")
    return kind


def svg_or_png(file: Path, limits: Limits, rows: Sequence[Row]) -> None:
    """Write the picture, as the file's ending says.

    Raises:
        UsageError: for another ending.
        VoluteError: if it cannot be written.
    """
    text = svg(limits, rows)
    if checked(file) == ".svg":
        write_text(file, text)
        return
    import pyvips

    with atomic_file(file) as part:
        picture = pyvips.Image.svgload_buffer(text.encode(), scale=2)
        part.write_bytes(picture.flatten(background=[255, 255, 255]).pngsave_buffer())


def svg(limits: Limits, rows: Sequence[Row]) -> str:
    """Return the picture as SVG."""
    shown = [row for row in rows if row.macs and row.bytes]
    top = 2 * max(limits.rate(kind) for kind in COLOURS)
    low = min([row.rate for row in shown] + [limits.float32]) / 2
    plane = _Plane(low, top)
    parts = [*plane.axes(), *_roofs(plane, limits), *_points(plane, shown)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="sans-serif" font-size="12">'
        '<rect width="100%" height="100%" fill="#fff"/>' + "".join(parts) + "</svg>\n"
    )


class _Plane:
    """Where things lie, both sides logarithmic."""

    def __init__(self, low: float, top: float) -> None:
        self.low, self.top = low, top

    def x(self, intensity: float) -> float:
        share = math.log(min(max(intensity, X[0]), X[1]) / X[0]) / math.log(X[1] / X[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, rate: float) -> float:
        share = math.log(max(rate, self.low) / self.low) / math.log(self.top / self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self) -> Iterator[str]:
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        for power in range(4):
            x = self.x(10**power)
            yield f'<path d="M{x:.1f} {TOP}V{bottom}" stroke="#eee"/>'
            yield _text(x, bottom + 18, f"{10**power}", "middle")
        for power in range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.top)) + 1):
            y = self.y(10.0**power)
            yield f'<path d="M{LEFT} {y:.1f}H{right}" stroke="#eee"/>'
            yield _text(LEFT - 6, y + 4, f"{10.0**power / 1e9:g}", "end")
        yield _text((LEFT + right) / 2, HEIGHT - 12, "operations for each byte moved", "middle")
        yield _text(LEFT, TOP - 22, "billions of operations a second", "start")


def _roofs(plane: _Plane, limits: Limits) -> Iterator[str]:
    for kind, colour in COLOURS.items():
        if kind == "bf16" and limits.bf16 is None:
            continue
        rate = limits.rate(kind)
        corner = rate / limits.bandwidth
        y, left = plane.y(rate), plane.x(X[0])
        slope = f"M{left:.1f} {plane.y(X[0] * limits.bandwidth):.1f}L{plane.x(corner):.1f} {y:.1f}"
        yield f'<path d="{slope}H{WIDTH - RIGHT}" fill="none" stroke="{colour}"/>'
        name = f"{kind} products, {rate / 1e9:.0f}"
        yield _text(WIDTH - RIGHT + 6, y + 4, name, "start", colour)


def _points(plane: _Plane, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a numbered dot for each row, and the list of what the numbers mean."""
    line = min(LINE, (HEIGHT - TOP) / max(len(rows), 1))
    for number, row in enumerate(sorted(rows, key=lambda one: -one.rate), 1):
        x, y, colour = plane.x(row.intensity), plane.y(row.rate), COLOURS[row.precision]
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="8" fill="{colour}" fill-opacity="0.75"/>'
        yield _text(x, y + 4, str(number), "middle", "#fff")
        told = f"{number}  {row.model} {row.role}, {row.rate / 1e9:.0f}"
        yield _text(WIDTH - LIST, TOP + line * (number - 1), told, "start", colour)


def _text(x: float, y: float, text: str, anchor: str, colour: str = "#444") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(text)}</text>"
    )
