"""A text in which each character's colour says how little it was expected, as one HTML page."""

from __future__ import annotations

import math
from html import escape
from itertools import groupby

import numpy as np

from volute.cli.page import framed, section

MOST = 200_000
"""Bytes that are shown."""
SHADES = 8
"""Steps of surprise; the last one is 8 bits and more."""


def heat_map(name: str, data: np.ndarray, nats: np.ndarray, model: str) -> str:
    """Return the page of a text, uint8 [N], with the surprise of each byte in nats."""
    bits = nats / math.log(2)
    mean = f"{bits.mean():.3f} bits per byte" if len(bits) else "no bytes"
    shown = _characters(data[:MOST].tobytes(), bits[:MOST])
    parts = []
    for shade, run in groupby(shown, key=lambda pair: pair[1]):
        text = escape("".join(character for character, _ in run))
        colour = f"rgba(220, 70, 30, {shade / SHADES:.3f})"
        parts.append(f'<span style="background: {colour}">{text}</span>' if shade else text)
    rest = f" The first {MOST:,} bytes are shown." if len(data) > MOST else ""
    told = f"{mean}, by {model}. The redder, the less it was expected.{rest}"
    text = f'<pre style="white-space: pre-wrap">{"".join(parts)}</pre>\n'
    return framed(f"Made by volute score with {model}", "", [section(name, told, text)])


def _characters(data: bytes, bits: np.ndarray) -> list[tuple[str, int]]:
    """Return each character with its shade: the bits of its bytes together."""
    text = data.decode("utf-8", "replace")
    ends = np.cumsum([len(c.encode()) if c != "\ufffd" else 1 for c in text], dtype=np.int64)
    sums = np.concatenate([[0.0], np.cumsum(bits)])
    ends = np.minimum(np.concatenate([[0], ends]), len(bits))
    each = sums[ends[1:]] - sums[ends[:-1]]
    shades = np.minimum(np.rint(each), SHADES).astype(int)
    return list(zip(text, shades.tolist(), strict=True))
