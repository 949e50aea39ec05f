"""An ID of 16 bits as 96, and back from what a network makes of them: each bit counts by its odds.

A fixed random linear code, its signs masked by a key. Reading compares with all 65,536 words (soft
maximum likelihood): r is the cosine between the log-odds and the nearest word. Where the odds are
isotropic, as random as a direction drawn evenly, the chance that some word is as near is at most

    65,536 * 1/2 * I_{1 - r^2}((n - 1) / 2, 1/2),

I the regularised incomplete beta function (the area of a cap of a sphere).
"""

from __future__ import annotations

import hashlib
import hmac
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from volute.errors import UsageError

BITS, LENGTH = 16, 96
"""Of an ID, and of its word."""
PUBLIC_KEY = b"volute watermark 1"
"""Marks by default, so that anyone can look for it."""
SEED = 7
"""Draws the code; its least distance is 30 bits."""
COMMON = 0.3
"""A cosine that is nothing out of the common."""


@dataclass(frozen=True)
class Nearest:
    """The ID whose word lies nearest."""

    ident: int
    cosine: float
    """Between the word and what was read, at most 1."""


def word(ident: int, key: bytes | None = None) -> np.ndarray:
    """Return the word of an ID in 0..65535 under a key: float32 [96] of -1 and 1.

    Args:
        ident: what to hide.
        key: who knows it can read; None for the public key.

    Raises:
        UsageError: if the ID is out of range.
    """
    if not 0 <= ident < 2**BITS:
        raise UsageError(f"the ID {ident} is out of range", f"Give 0 to {2**BITS - 1}.")
    bits = [bool(ident >> (BITS - 1 - place) & 1) for place in range(BITS)]
    return (np.bitwise_xor.reduce(_rows()[bits], 0).astype(np.float32) * 2 - 1) * _mask(key)


def nearest(odds_TN: np.ndarray, key: bytes | None = None) -> list[Nearest]:
    """Return the nearest ID for each of T readings, log-odds [T, 96]."""
    scores = (odds_TN * _mask(key)) @ _words().T
    best = scores.argmax(1)
    lengths = np.linalg.norm(odds_TN, axis=1) * math.sqrt(LENGTH) + 1e-30
    return [
        Nearest(int(index), float(min(1.0, row[index] / length)))
        for index, row, length in zip(best, scores, lengths, strict=True)
    ]


def cosine(odds: np.ndarray, words: np.ndarray) -> np.ndarray:
    """Return the cosine between log-odds [..., 96] and words of -1 and 1."""
    lengths = np.linalg.norm(odds, axis=-1) * math.sqrt(LENGTH) + 1e-30
    made: np.ndarray = (odds * words).sum(-1) / lengths
    return made


def p_value(cosine: float, tries: int = 1) -> float:
    """Return how likely odds without any mark are to come so near to a word in one of `tries`."""
    if cosine <= COMMON:
        return 1.0
    return min(1.0, tries * 2**BITS * cap(cosine, LENGTH))


def cap(cosine: float, n: int) -> float:
    """Return the share of directions in n dimensions within an angle of a given one.

    With m = (n - 1) / 2 and x = 1 - cosine^2 it is I_x(m, 1/2) / 2, here by the hypergeometric
    series x^m sqrt(1 - x) / (m B(m, 1/2)) * sum of (m + 1/2)_k / (m + 1)_k x^k (DLMF 8.17.8), whose
    terms are positive and fall at least as fast as x^k.

    Args:
        cosine: of the angle, 0 to 1.
        n: dimensions, at least 2.
    """
    m, x = (n - 1) / 2, max(0.0, 1 - cosine**2)
    if x == 0:
        return 0.0
    term = total = 1.0
    k = 0
    while term > 1e-17 * total:
        term *= x * (m + 0.5 + k) / (m + 1 + k)
        total += term
        k += 1
    beta = math.lgamma(m) + math.lgamma(0.5) - math.lgamma(m + 0.5)
    return 0.5 * math.exp(m * math.log(x) - beta - math.log(m)) * cosine * total


@lru_cache
def _rows() -> np.ndarray:
    """Return the word of each bit of an ID, from high to low: uint8 [16, 96] of 0 and 1."""
    return np.random.Generator(np.random.PCG64(SEED)).integers(0, 2, (BITS, LENGTH), np.uint8)


@lru_cache
def _words() -> np.ndarray:
    """Return all words without a mask, float32 [65536, 96] of -1 and 1."""
    words = np.zeros((1, LENGTH), np.uint8)
    for row in _rows():  # each doubles what there is
        words = (words[:, None] ^ np.stack([0 * row, row])).reshape(-1, LENGTH)
    return words.astype(np.float32) * 2 - 1


@lru_cache
def _mask(key: bytes | None) -> np.ndarray:
    """Return the signs of a key, float32 [96] of -1 and 1."""
    secret = PUBLIC_KEY if key is None else key
    digest = hmac.new(secret, b"signs of watermark words", hashlib.sha256).digest()
    return np.unpackbits(np.frombuffer(digest, np.uint8))[:LENGTH].astype(np.float32) * 2 - 1
