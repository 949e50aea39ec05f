"""Interpolated modified Kneser-Ney: how well counting predicts a text, byte by byte.

Chen and Goodman 1999, "An empirical study of smoothing techniques for language modeling", section
2.7 and equations 26 to 28. An n-gram is a number: its bytes as digits, the first one the highest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

HIGHEST = 8
"""Order whose n-grams fill a 64-bit number."""
CHUNK = 1 << 20
"""Positions that are scored at once."""
BANDS = ((0.05, 0.95), (0.05, 1.95), (0.05, 2.95))
"""What a discount may be, of n-grams seen once, twice and more often."""
BYTES = 256
WHOLE, RARE = 4, 64
"""Order up to which tables keep all n-grams; how often one is seen that is always kept."""
DOWN = 1 - 2**-10
"""So that rounding never makes probabilities in half precision sum to more than 1."""


@dataclass(frozen=True)
class _Order:
    """The n-grams of one length; all arrays are sorted by their keys."""

    grams: np.ndarray
    """uint64 [G]."""
    counts: np.ndarray
    """int64 [G]: how often, or after how many other bytes each was seen."""
    pasts: np.ndarray
    """uint64 [H]: the n-grams without their last byte."""
    totals: np.ndarray
    """int64 [H]: sum of the counts after each past."""
    spared: np.ndarray
    """float64 [H]: sum of the discounts after each past."""
    discounts: np.ndarray
    """float64 [4]: of counts 0, 1, 2 and more."""


class KneserNey:
    """Predicts each byte of a text from those before it, by counts of another text.

    Args:
        text: uint8 [N] to count.
        order: length of the longest n-grams, 1 to 8.
        symbols: how many different bytes there can be: what was never seen is one in so many.
    """

    def __init__(self, text: np.ndarray, order: int, symbols: int = BYTES) -> None:
        self.order, self.symbols = min(order, len(text)), symbols
        self._orders: list[_Order] = []
        grams, counts = np.unique(_keys(text, self.order), return_counts=True)
        for length in range(self.order, 0, -1):
            self._orders.insert(0, _order(grams, counts))
            rest = grams & _low(length - 1)
            grams, counts = np.unique(rest, return_counts=True)

    def nats(self, text: np.ndarray, start: int = 0) -> np.ndarray:
        """Return -ln of the probability of each byte of a text from `start` on, float64.

        What lies before `start` counts as known.
        """
        found = [
            -np.log(self._likely(text, first, min(first + CHUNK, len(text))))
            for first in range(start, len(text), CHUNK)
        ]
        return np.concatenate(found) if found else np.zeros(0)

    def next(self, past: bytes) -> np.ndarray:
        """Return the probability of each byte after `past`, float64 [256]."""
        made = np.full(BYTES, 1 / self.symbols)
        for length, order in enumerate(self._orders, 1):
            if len(past) < length - 1:
                break
            key = int.from_bytes(past[len(past) - length + 1 :], "big")
            at = int(np.searchsorted(order.pasts, np.uint64(key)))
            if at == len(order.pasts) or int(order.pasts[at]) != key:
                break
            first = int(np.searchsorted(order.grams, np.uint64(key << 8)))
            stop = int(np.searchsorted(order.grams, np.uint64(key << 8 | 255), side="right"))
            counts = order.counts[first:stop]
            made *= order.spared[at] / order.totals[at]
            rest = counts - order.discounts[np.minimum(counts, 3)]
            made[(order.grams[first:stop] & np.uint64(255)).astype(int)] += rest / order.totals[at]
        return made

    def tables(self, most: int) -> dict[str, np.ndarray]:
        """Return what `volute.engine.counts.Counts` takes: at most about `most` n-grams.

        Of orders above `WHOLE`, n-grams that were seen once are left out, or more often until what
        is kept is few enough; what they had goes to the lower orders (Stolcke 1998 prunes by
        entropy, "Entropy-based pruning of backoff language models").
        """
        whole, rest = self._orders[:WHOLE], self._orders[WHOLE:]
        most -= sum(len(order.grams) for order in whole)
        least = 2
        while least < RARE and sum(int((order.counts >= least).sum()) for order in rest) > most:
            least += 1
        made: dict[str, np.ndarray] = {}
        for length, order in enumerate(self._orders, 1):
            kept = order.counts >= (least if length > WHOLE else 1)
            if length > WHOLE and not kept.any():
                break
            made |= {f"{length - 1}.{part}": t for part, t in _kept(order, kept).items()}
        return made

    def _likely(self, text: np.ndarray, start: int, stop: int) -> np.ndarray:
        first = max(0, start - self.order + 1)
        near, skipped = text[first:stop], start - first
        made = np.full(stop - start, 1 / self.symbols)
        for length, order in enumerate(self._orders, 1):
            keys = _keys(near, length)
            missing = max(0, length - 1 - skipped)  # the first bytes of all have no such past
            keys = keys[len(keys) - len(made) + missing :]
            known, at = _found(order.pasts, keys >> np.uint64(8))
            seen, gram = _found(order.grams, keys)
            counts = np.where(seen, order.counts[gram], 0)
            total = order.totals[at]
            rest = np.maximum(counts - order.discounts[np.minimum(counts, 3)], 0)
            mixed = (rest + order.spared[at] * made[missing:]) / total
            made[missing:] = np.where(known, mixed, made[missing:])
        return made


def _kept(order: _Order, kept: np.ndarray) -> dict[str, np.ndarray]:
    """Return some of the n-grams with their probabilities, as `Counts` takes them."""
    at = np.searchsorted(order.pasts, order.grams >> np.uint64(8))
    rest = order.counts - order.discounts[np.minimum(order.counts, 3)]
    likely = (rest / order.totals[at])[kept]
    pasts, sizes = np.unique(order.grams[kept] >> np.uint64(8), return_counts=True)
    return {
        "pasts": pasts,
        "sizes": sizes.astype(np.uint16),
        "bytes": (order.grams[kept] & np.uint64(255)).astype(np.uint8),
        "likely": (likely * DOWN).astype(np.float16),
    }


def _order(grams: np.ndarray, counts: np.ndarray) -> _Order:
    tally = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    once, twice, thrice, four = np.maximum(tally[1:5], 1e-9)
    share = once / (once + 2 * twice)
    raw = (
        1 - 2 * share * twice / once,
        2 - 3 * share * thrice / twice,
        3 - 4 * share * four / thrice,
    )
    kept = [min(max(d, low), high) for d, (low, high) in zip(raw, BANDS, strict=True)]
    discounts = np.array([0.0, *kept])
    pasts, first = np.unique(grams >> np.uint64(8), return_index=True)
    totals = np.add.reduceat(counts, first)
    spared = np.add.reduceat(discounts[np.minimum(counts, 3)], first)
    return _Order(grams, counts, pasts, totals, spared, discounts)


def _keys(text: np.ndarray, length: int) -> np.ndarray:
    """Return the n-grams of a text as numbers, in the order of their last bytes: uint64."""
    count = max(0, len(text) - length + 1)
    keys = np.zeros(count, np.uint64)
    for place in range(length):
        keys = keys << np.uint64(8) | text[place : place + count]
    return keys


def _low(length: int) -> np.uint64:
    """Return the mask of the last `length` bytes."""
    return np.uint64((1 << 8 * length) - 1)


def _found(sorted_keys: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whether each key is among the sorted ones, and where."""
    at = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return sorted_keys[at] == keys, at
