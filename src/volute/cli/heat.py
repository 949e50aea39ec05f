"""A text in which colours say how little each character or token was expected, as one HTML page."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from html import escape
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from volute.cli.page import framed, section

if TYPE_CHECKING:
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
    """Give the least pieces that are whole characters and whole tokens, with their shades."""
    text = data.decode("utf-8", "surrogateescape")
    letters = np.cumsum([len(c.encode("utf-8", "surrogateescape")) for c in text], dtype=np.int64)
    both = np.isin(letters, score.ends)
    both[-1:] = True
    stops, ends = np.flatnonzero(both) + 1, letters[both]
    sums = np.concatenate([[0.0], np.cumsum(score.nats / math.log(2))])
    bits = np.diff(sums[np.searchsorted(score.ends, ends, side="right")], prepend=0.0)
    shades = np.minimum(np.rint(bits), SHADES).astype(int)
    shown, first = _STRAY.sub("\ufffd", text), 0
    for stop, shade in zip(stops.tolist(), shades.tolist(), strict=True):
        yield shown[first:stop], shade
        first = stop
