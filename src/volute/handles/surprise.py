"""A text in pieces, each with how little a model expected it."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from volute.handles.language import Score


def pieces(data: bytes, score: Score) -> Iterator[tuple[str, float]]:
    """Yield the least pieces that are whole characters and whole tokens, with their bits.

    Args:
        data: the text; bytes that are no characters come as `surrogateescape` has them.
        score: of that text, or of a longer one that begins with it.
    """
    text = data.decode("utf-8", "surrogateescape")
    letters = np.cumsum([len(c.encode("utf-8", "surrogateescape")) for c in text], dtype=np.int64)
    both = np.isin(letters, score.ends)
    both[-1:] = True
    stops, ends = np.flatnonzero(both) + 1, letters[both]
    sums = np.concatenate([[0.0], np.cumsum(score.nats / math.log(2))])
    bits = np.diff(sums[np.searchsorted(score.ends, ends, side="right")], prepend=0.0)
    first = 0
    for stop, surprise in zip(stops.tolist(), bits.tolist(), strict=True):
        yield text[first:stop], surprise
        first = stop
