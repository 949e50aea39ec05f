"""HTML pages: small functions that escape what they are given, and the page's frame.

The page is static and whole: its own style, no scripts, nothing from elsewhere; pictures lie beside
it. Arguments called `parts`, `content`, `frames` and `sections` are HTML; all others are text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from statistics import fmean
from string import Template

from PIL import Image

from volute.paths import write_text

POINTS = 160  # of a curve: more would not be seen
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 400, 210, 34, 394, 10, 186

Row = Mapping[str, float]


def write_page(folder: Path, made: str, foot: str, sections: Iterable[str]) -> Path:
    """Write `folder/index.html` from sections of HTML; `made` and `foot` are plain text."""
    page = folder / "index.html"
    write_text(page, framed(made, foot, sections))
    return page


def framed(made: str, foot: str, sections: Iterable[str]) -> str:
    """Return the page that `write_page` writes."""
    frame = Template(files("volute.cli").joinpath("page.html").read_text(encoding="utf-8"))
    return frame.substitute(made=escape(made), foot=escape(foot), sections="\n".join(sections))


def section(title: str, text: str, *parts: str) -> str:
    """Return a section: `title` and `text` are plain, `parts` are HTML."""
    return f"<section>\n<h2>{escape(title)}</h2>\n<p>{escape(text)}</p>\n{''.join(parts)}</section>"


def heading(text: str) -> str:
    """Return the title of a part of a section."""
    return f"<h3>{escape(text)}</h3>\n"


def card(*parts: str) -> str:
    """Return a framed box around HTML."""
    return f'<div class="card">{"".join(parts)}</div>\n'


def pair(*parts: str) -> str:
    """Return HTML side by side where the screen is wide enough."""
    return f'<div class="pair">{"".join(parts)}</div>\n'


def block(text: str, *parts: str) -> str:
    """Return a paragraph with HTML below it, to stand beside a figure."""
    return f"<div><p>{escape(text)}</p>{''.join(parts)}</div>"


def image(file: Path, folder: Path, alt: str, still: Path | None = None) -> str:
    """Return an <img> for a picture under `folder`, in hard pixels when it is a small one.

    `still` stands for an animation where the reader has asked for less motion.
    """
    with Image.open(file) as opened:
        width, height = opened.size
    kind = ' class="pixels"' if width < 800 else ""
    html = (
        f'<img src="{_link(file, folder)}" alt="{escape(alt)}" width="{width}" '
        f'height="{height}"{kind} loading="lazy">'
    )
    if still is None:
        return html
    source = f'<source media="(prefers-reduced-motion: reduce)" srcset="{_link(still, folder)}">'
    return f"<picture>{source}{html}</picture>"


def figure(content: str, title: str, text: str = "") -> str:
    """Return a figure around HTML with a caption of plain text, its first words bold."""
    return (
        f"<figure>{content}<figcaption><b>{escape(title)}</b> {escape(text)}</figcaption></figure>"
    )


def facts(rows: Mapping[str, str], big: bool = False) -> str:
    """Return named values as a list of definitions."""
    items = "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>"
        for name, value in rows.items()
    )
    return f"<dl{' class=big' if big else ''}>{items}</dl>"


def chips(names: Iterable[str]) -> str:
    """Return names as a row of small labels."""
    return f'<ul class="chips">{"".join(f"<li>{escape(name)}</li>" for name in names)}</ul>'


def commands(text: str) -> str:
    """Return a block of commands."""
    return f'<pre tabindex="0"><code>{escape(text)}</code></pre>\n'


def film(frames: Sequence[str]) -> str:
    """Return figures in a row that scrolls by itself."""
    items = "".join(f"<li>{frame}</li>" for frame in frames)
    return f'<ul class="film" tabindex="0" aria-label="Progress over time">{items}</ul>\n'


def read_log(path: Path) -> list[dict[str, float]]:
    """Return the rows of a run's log.jsonl."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def curves(rows: Sequence[Row], names: Mapping[str, str], title: str, text: str) -> str:
    """Return a figure of one or two metrics over the images shown, as inline SVG.

    Args:
        rows: the log.
        names: what to call each metric, by its key in the log.
        title: of the caption.
        text: what to see in it.
    """
    series = {key: _thinned([(row["shown"], row[key]) for row in rows]) for key in names}
    values = [y for points in series.values() for _, y in points]
    low, high = min(values), max(values)
    high += (high == low) * 1.0
    end = max(row["shown"] for row in rows)

    def place(x: float, y: float) -> str:
        across = LEFT + (RIGHT - LEFT) * x / end
        return f"{across:.1f},{BOTTOM - (BOTTOM - TOP) * (y - low) / (high - low):.1f}"

    lines = "".join(
        f'<polyline class="s{i}" points="{" ".join(place(x, y) for x, y in points)}"/>'
        for i, points in enumerate(series.values())
    )
    label = escape(f"{title}: {', '.join(names.values())} over the images shown")
    chart = (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
        f"{_axes(low, high, end)}{lines}</svg>"
    )
    keys = "".join(f"{_key(i)}{escape(name)}" for i, name in enumerate(names.values()))
    caption = f"{keys}<br><b>{escape(title)}</b> {escape(text)}"
    return f"<figure>{chart}<figcaption>{caption}</figcaption></figure>"


def _axes(low: float, high: float, end: float) -> str:
    middle = (TOP + BOTTOM) / 2
    ticks = ((TOP, high), (middle, (low + high) / 2), (BOTTOM, low))
    lines = "".join(
        f'<path class="axis" d="M{LEFT} {y}H{RIGHT}"/>'
        f'<text x="{LEFT - 5}" y="{y + 3.5}" text-anchor="end">{value:.2g}</text>'
        for y, value in ticks
    )
    return (
        f'{lines}<text x="{LEFT}" y="{HEIGHT - 8}">0</text>'
        f'<text x="{RIGHT}" y="{HEIGHT - 8}" text-anchor="end">{end:,.0f} images</text>'
    )


def _key(number: int) -> str:
    line = f'<line class="s{number}" x1="0" y1="5" x2="22" y2="5"/>'
    return f'<svg class="key" viewBox="0 0 22 10" aria-hidden="true">{line}</svg>'


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the means of at most POINTS neighbouring groups."""
    size = -(-len(points) // POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [(fmean(x for x, _ in group), fmean(y for _, y in group)) for group in groups]


def _link(file: Path, folder: Path) -> str:
    return escape(file.relative_to(folder).as_posix())
