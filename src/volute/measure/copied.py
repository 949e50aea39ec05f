"""What a model that writes has learned by heart: how long the spans are that it copies."""

from __future__ import annotations

import numpy as np

SPANS = (32, 64, 128)
"""Lengths in bytes for which it is said how much lies in copied spans of at least that."""
PART, PARTS = 4 << 20, 64
"""Bytes of the text that are looked through at once, and how many times at most."""
BASE = 0x9E3779B97F4A7C15
"""Odd, so that it can be divided by modulo 2^64."""


def copied(written: bytes, text: np.ndarray) -> dict[str, float]:
    """Return the length of the longest span that is copied, and shares in long ones.

    Args:
        written: what was written.
        text: uint8 [N], what was learned from, which may be mapped from disk: it is looked through
            in parts, spread evenly where it has more than `PARTS`. If it has more than one, copies
            under `SPANS[0]` are sought in the first.

    Returns:
        `longest_copy` in bytes, and `copied_32` and so on: the share of bytes that lie in copied
        spans of at least that length.
    """
    made = np.frombuffer(written, np.uint8)
    powers = _powers(BASE, PART + 2 * len(made) + 1)
    inverse = _powers(pow(BASE, -1, 1 << 64), len(powers))

    def keys(data: np.ndarray, length: int) -> np.ndarray:
        sums = _sums(data, powers)
        if length > len(data):
            return np.zeros(0, np.uint64)
        return (sums[length:] - sums[:-length]) * inverse[: len(sums) - length]

    def found(parts: list[np.ndarray], length: int) -> np.ndarray:
        """Say of each span of that length whether it stands in one of the parts."""
        wanted = keys(made, length)
        ordered, there = np.sort(wanted), np.zeros(len(wanted), bool)
        if not len(wanted):
            return there
        for part in parts:
            sought = keys(part, length)
            at = np.searchsorted(ordered, sought) % len(ordered)
            there |= np.isin(wanted, sought[ordered[at] == sought])
        return there

    firsts = range(0, max(1, len(text)), PART)
    firsts = firsts[:: -(-len(firsts) // PARTS)]
    parts = [text[first : first + PART + len(made)] for first in firsts]
    parts_with = [part for part in parts if found([part], SPANS[0]).any()]
    shares = {
        f"copied_{span}": _covered(found(parts_with, span), span, len(made)) for span in SPANS
    }
    longest = 0
    for part in parts_with or parts[:1]:
        low, high = longest, min(len(made), len(text)) + 1
        middle = low + 1
        while high - low > 1:
            low, high = (middle, high) if found([part], middle).any() else (low, middle)
            middle = (low + high) // 2 if low > longest else low + 1
        longest = low
    return {"longest_copy": float(longest)} | shares


def _powers(base: int, count: int) -> np.ndarray:
    """Return powers of a number modulo 2^64, from 0 on."""
    made = np.full(count, base, np.uint64)
    made[0] = 1
    return np.multiply.accumulate(made)


def _sums(data: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Return the hash of each beginning, uint64 [N + 1]."""
    terms = (data.astype(np.uint64) + np.uint64(1)) * powers[: len(data)]
    return np.concatenate([np.zeros(1, np.uint64), np.add.accumulate(terms)])


def _covered(starts: np.ndarray, span: int, count: int) -> float:
    marks = np.zeros(count + 1, np.int64)
    (places,) = np.nonzero(starts)
    marks[places] += 1
    marks[places + span] -= 1
    return float((marks.cumsum()[:-1] > 0).mean()) if count else 0.0
