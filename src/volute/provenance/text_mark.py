"""A keyed mark in the choice of bytes: tournament sampling, and how it is found without the model.

Dathathri et al. 2024, "Scalable watermarking for identifying large language model outputs", Nature
634. A hash of key, the last 4 bytes and a candidate tosses 8 coins; in each of 8 rounds candidates
with heads beat those with tails. Averaged over keys, each byte is as likely as without a mark.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np

PUBLIC_KEY = b"volute text mark 1"
"""Marks by default, so that anyone can look for it."""
CONTEXT = 4
"""Bytes before the present one on which its coins depend."""
LAYERS = 8
"""Rounds of a tournament, and coins of a candidate: the bits of one byte."""
HISTORY = 1 << 14
"""Contexts that a writer remembers to have used: in a longer text some may mark again."""
SHORTEST = 128
"""Bytes of the shortest part of a text that is looked at by itself."""
LONGEST = 1 << 22
"""Bytes that are looked at together."""
LEAST = 1e-300
"""No p-value is given as smaller."""
_RECENT = (1 << 8 * CONTEXT) - 1
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)


@dataclass(frozen=True)
class Found:
    """What the search for a mark gave."""

    p_value: float
    """At most so likely is a text without the mark to show as much of it."""
    counted: int
    """Places that it rests on: each context of 4 bytes in a text, or in a part of it, once."""


class Mark:
    """Marks one text, byte by byte.

    Args:
        key: who knows it can find the mark; None for the public key.
        used: contexts that were used in this text before, in their order; those used now are added.
    """

    def __init__(self, key: bytes | None = None, used: dict[int, None] | None = None) -> None:
        self.used = {} if used is None else used
        self._key, self._context, self._known = words_of(key), 0, 0

    def weigh(self, likely: np.ndarray) -> np.ndarray:
        """Return how likely each byte is to win the tournament of this place.

        With p the probabilities and g the coins, a round between two is p <- p (1 + g - sum of
        p g), the vectorised form in the paper's supplement. Where the context was used before in
        this text, or is not all of it written by the model, nothing changes.

        Args:
            likely: float64 [256], not negative; what cannot be chosen is 0.
        """
        if self._known < CONTEXT or self._context in self.used:
            return likely
        self.used[self._context] = None
        if len(self.used) > HISTORY:
            del self.used[next(iter(self.used))]
        left = likely.nonzero()[0]
        if len(left) == 1:
            return likely
        grams = left.astype(np.uint64) | np.uint64(self._context << 8)
        made = np.zeros_like(likely)
        made[left] = self._won(likely[left] / likely.sum(), coins(grams, self._key))
        return made

    @staticmethod
    def _won(likely: np.ndarray, coins: np.ndarray) -> np.ndarray:
        """Return how likely each of K candidates is to win, by its coins, uint8 [K]."""
        for heads in np.unpackbits(coins[None], axis=0).astype(np.float64):
            likely = likely * (heads + (1 - float(likely @ heads)))
        return likely

    def add(self, byte: int) -> None:
        """Take the byte that was written."""
        self._context = (self._context << 8 | byte) & _RECENT
        self._known += 1


def detect(text: bytes | str, key: bytes | None = None) -> Found:
    """Look for the mark in a text, or in any part of it.

    The null hypothesis is that the text does not depend on the key: each coin is then fair and
    heads are binomial. The whole is tested, and parts of 128 bytes, 256 and so on, each half over
    the next, each with its contexts counted once. The least p-value is multiplied by the number of
    parts, and by 2, as half is reserved for the whole (Bonferroni). Of a text of more than 4 MB,
    pieces of 4 MB are each a whole.

    Args:
        text: a text, or its bytes in UTF-8.
        key: None for the public key.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    data = data.replace(b"\r\n", b"\n")
    pieces = range(0, max(1, len(data)), LONGEST)
    found = [_detect(np.frombuffer(data[at : at + LONGEST], np.uint8), key) for at in pieces]
    best = min(found, key=lambda one: one.p_value)
    return Found(min(1.0, len(pieces) * best.p_value), best.counted)


def _detect(text: np.ndarray, key: bytes | None) -> Found:
    grams = _grams(text)
    if not len(grams):
        return Found(1.0, 0)
    heads = np.bitwise_count(coins(grams, words_of(key)))
    before = _before(grams >> np.uint64(8))
    first = before < 0
    whole = int(heads[first].sum()), int(first.sum())
    parts = [_strongest(heads, before, length) for length in _lengths(len(grams))]
    tests = sum(many for _, _, many in parts)
    found = [(tail(whole[0], LAYERS * whole[1]), whole[1])]
    found += [(tests * tail(sum_, LAYERS * counted), counted) for sum_, counted, _ in parts]
    least, counted = min(found)
    return Found(min(1.0, max(LEAST, 2 * least if parts else least)), counted)


def coins(grams: np.ndarray, key: tuple[np.uint64, np.uint64]) -> np.ndarray:
    """Return 8 fair coins for each n-gram of a context and a byte, as the bits of uint8 [N].

    Args:
        grams: uint64 [N], their bytes as digits.
        key: two words of a hash of the key.
    """
    return _mixed(_mixed(grams + key[0]) ^ key[1]).astype(np.uint8)


def tail(heads: int, tosses: int) -> float:
    """Return how likely a fair coin is to show `heads` or more in so many tosses."""
    if 2 * heads <= tosses:
        return 1 - tail(tosses - heads + 1, tosses)
    if heads > tosses:
        return 0.0
    here = math.lgamma(tosses + 1) - math.lgamma(heads + 1) - math.lgamma(tosses - heads + 1)
    after = np.arange(heads, min(tosses, heads + 7 * math.isqrt(tosses) + 7))
    ratios = np.cumprod((tosses - after) / (after + 1))  # beyond are less than e^-98 of the first
    return math.exp(here - tosses * math.log(2) + math.log1p(float(ratios.sum())))


def _lengths(count: int) -> list[int]:
    """Return the lengths of parts that are shorter than the whole."""
    return [SHORTEST << k for k in range(64) if SHORTEST << k < count]


def _grams(text: np.ndarray) -> np.ndarray:
    """Return each context with the byte after it as a number: uint64 [N - 4]."""
    count = max(0, len(text) - CONTEXT)
    grams = np.zeros(count, np.uint64)
    for place in range(CONTEXT + 1):
        grams = grams << np.uint64(8) | text[place : place + count]
    return grams


def _before(contexts: np.ndarray) -> np.ndarray:
    """Return where each context stood the time before, or -1: int64 [N]."""
    order = np.argsort(contexts, kind="stable")
    again = contexts[order[1:]] == contexts[order[:-1]]
    before = np.full(len(contexts), -1)
    before[order[1:][again]] = order[:-1][again]
    return before


def _strongest(heads: np.ndarray, before: np.ndarray, length: int) -> tuple[int, int, int]:
    """Return the heads and the counted places of one part, and how many parts there are.

    Args:
        heads: uint8 [N].
        before: where each context stood before.
        length: of the parts; each is two halves, of which the first is the second of another.
    """
    half = length // 2
    rest = -len(heads) % half
    rows = np.pad(heads, (0, rest)).reshape(-1, half)
    past = np.pad(before, (0, rest), constant_values=len(heads)).reshape(-1, half)
    start = np.arange(len(rows))[:, None] * half

    def of_parts(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return first.sum(1)[:-1] + second.sum(1)[1:]

    as_first, as_second = past < start, past < start - half
    sums, counted = of_parts(rows * as_first, rows * as_second), of_parts(as_first, as_second)
    best = int(np.argmax((2 * sums - LAYERS * counted) / np.sqrt(counted)))
    return int(sums[best]), int(counted[best]), len(sums)


def _mixed(x: np.ndarray) -> np.ndarray:
    """Mix the bits of words: the finaliser of SplitMix64 (Steele et al. 2014; Stafford's 13th)."""
    x = (x ^ x >> _SHIFTS[0]) * _FIRST
    x = (x ^ x >> _SHIFTS[1]) * _SECOND
    return x ^ x >> _SHIFTS[2]


@lru_cache
def words_of(key: bytes | None) -> tuple[np.uint64, np.uint64]:
    """Return a key as two words; None stands for the public key."""
    digest = blake2b(PUBLIC_KEY if key is None else key, digest_size=16).digest()
    first, second = np.frombuffer(digest, "<u8").astype(np.uint64)
    return first, second
