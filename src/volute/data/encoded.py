"""A text as tokens: encoded once, in parts, and then mapped from the cache."""

from __future__ import annotations

import hashlib

import numpy as np

from volute.engine.tokens import Tokens
from volute.paths import atomic_file, cache_dir

BLOCK = 1 << 20
"""Tokens that are looked at together."""


def encoded(text: np.ndarray, key: str, tokens: Tokens) -> np.ndarray:
    """Return the tokens of a text, uint16 [T], mapped from disk.

    Args:
        text: uint8 [N], which may be mapped too.
        key: says which text it is a part of.
        tokens: what it is cut into.
    """
    digest = hashlib.blake2b(f"{key} {len(text)}".encode(), digest_size=16)
    digest.update(tokens.pairs.astype("<i4").tobytes())
    path = cache_dir() / "text" / f"{digest.hexdigest()}.u16"
    if not path.exists():
        with atomic_file(path) as part, part.open("wb") as out:
            for found in tokens.parts(text):
                out.write(found.tobytes())
    return np.memmap(path, np.uint16, "r")


def reached(symbols: np.ndarray, tokens: Tokens, ends: np.ndarray) -> np.ndarray:
    """Return how many tokens of a text end at or before each of some bytes, int64 like `ends`."""
    count, done = np.zeros_like(ends), 0
    for first in range(0, len(symbols), BLOCK):
        up_to = done + tokens.lengths[symbols[first : first + BLOCK]].cumsum()
        count += np.searchsorted(up_to, ends, side="right")
        done = up_to[-1]
    return count
