"""A text in which colours say how little each character or token was expected, as one HTML page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

from volute.cli.page import framed, section

if TYPE_CHECKING:
    import numpy as np

    from volute.handles import Score

MOST = 200_000
"""Bytes that are shown."""
SHADES = 8
"""Steps of surprise; the last one is 8 bits and more."""
_STRAY = re.compile("[\udc80-\udcff]")
"""Bytes that are no characters, as `surrogateescape` has them."""


def heat_map(name: str, data: np.ndarray, score: Score, model: str) -> str:
    """Return the page of a text, uint8 [N], with how surprising each of its bytes or tokens was."""
    mean = f"{score.bits_per_byte:.3f} bits per byte" if len(data) else "no bytes"
    parts = []
    for shade, run in groupby(_pieces(data[:MOST].tobytes(), score), key=lambda pair: pair[1]):
        text = escape("".join(piece for piece, _ in run))
        colour = f"rgba(220, 70, 30, {shade / SHADES:.3f})"
        parts.append(f'<span style="background: {colour}">{text}</span>' if shade else text)
    rest = f" The first {MOST:,} bytes are shown." if len(data) > MOST else ""
    told = f"{mean}, by {model}. The redder, the less it was expected.{rest}"
    text = f'<pre style="white-space: pre-wrap">{"".join(parts)}</pre>\n'
    return framed(f"Made by volute score with {model}", "", [section(name, told, text)])


def _pieces(data: bytes, score: Score) -> Iterator[tuple[str, int]]:
    """Give the pieces of a text with their shades."""
    from volute.handles.surprise import pieces

    for text, bits in pieces(data, score):
        yield _STRAY.sub("\ufffd", text), min(SHADES, round(bits))
