"""An n-gram model as it is used beside a network: probabilities of what was counted often enough.

The tables hold, for each order, the pasts (n-grams without their last byte, as numbers whose digits
are bytes), how many bytes follow each, which, and how likely. What is left to 1 goes to the next
lower order, as in interpolated smoothing: `volute.measure.ngram` counts and discounts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

BYTES = 256
PARTS = ("pasts", "sizes", "bytes", "likely")


class _Order:
    """The n-grams of one length.

    Args:
        pasts: uint64 [H], sorted.
        sizes: uint16 [H]: how many bytes follow each.
        after: uint8 [G]: these bytes, past by past.
        likely: float16 [G]: how likely each is by this order alone.
    """

    def __init__(
        self, pasts: np.ndarray, sizes: np.ndarray, after: np.ndarray, likely: np.ndarray
    ) -> None:
        self.pasts, self.after = pasts, after.astype(np.int64)
        self.starts = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
        self.likely = likely.astype(np.float32)
        self.left = 1 - np.add.reduceat(self.likely, self.starts[:-1])

    @cached_property
    def places(self) -> dict[int, tuple[int, int, float]]:
        """For each past where its bytes begin and end, and what is left to lower orders."""
        spans = zip(
            self.starts.tolist(), self.starts[1:].tolist(), self.left.tolist(), strict=False
        )
        return dict(zip(self.pasts.tolist(), spans, strict=True))

    def add(self, made_N256: np.ndarray, pasts_N: np.ndarray) -> np.ndarray:
        """Refine the predictions of the lower orders; return which pasts are known, bool [N]."""
        at = np.minimum(np.searchsorted(self.pasts, pasts_N), len(self.pasts) - 1)
        known: np.ndarray = self.pasts[at] == pasts_N
        rows, at = np.flatnonzero(known), at[known]
        made_N256[rows] *= self.left[at, None]
        sizes = self.starts[at + 1] - self.starts[at]
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        which = np.repeat(self.starts[at], sizes) + within
        made_N256[np.repeat(rows, sizes), self.after[which]] += self.likely[which]
        return known


class Counts:
    """Predicts the next byte from the few before it.

    Args:
        tensors: "0.pasts" and so on: `PARTS` of each order from 1 on, and "trust".
    """

    def __init__(self, tensors: Mapping[str, np.ndarray]) -> None:
        self.trust = tensors["trust"]
        """float32 [orders + 1]: its share beside the network, by the longest known order."""
        self._orders = [
            _Order(*(tensors[f"{index}.{part}"] for part in PARTS))
            for index in range(len(self.trust) - 1)
        ]

    @staticmethod
    def names(orders: int) -> list[str]:
        """Return what the tensors are called."""
        return [*(f"{index}.{part}" for index in range(orders) for part in PARTS), "trust"]

    @property
    def context(self) -> int:
        """Bytes that it looks at."""
        return len(self._orders) - 1

    def predict(self, seen_BT: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the probabilities after each of the last `count` bytes, float32 [B * count, 256].

        And the longest order that knows the bytes before, int64 [B * count].

        Args:
            seen_BT: uint8, with at least `context` bytes before these.
            count: how many.
        """
        length = seen_BT.shape[1]
        pasts = np.zeros((len(seen_BT), count), np.uint64)
        made = np.full((pasts.size, BYTES), 1 / BYTES, np.float32)
        known = np.zeros(pasts.size, np.int64)
        for index, order in enumerate(self._orders):
            if index:
                first = length - count - index + 1
                digit = seen_BT[:, first : first + count].astype(np.uint64)
                pasts |= digit << np.uint64(8 * (index - 1))
            known[order.add(made, pasts.ravel())] = index + 1
        return made, known

    def mixed(self, logits: np.ndarray, seen_BT: np.ndarray) -> np.ndarray:
        """Return logarithms of the mixture of both, of the shape of the logits [B, T, 256]."""
        made, known = self.predict(seen_BT, logits.shape[1])
        trust = self.trust[known].reshape(*logits.shape[:2], 1)
        return _log_mixture(logits, made.reshape(logits.shape), trust)

    def mixed_single(self, logits: np.ndarray, seen: Sequence[int]) -> np.ndarray:
        """Do the same for one byte [256]; `seen` ends with it."""
        made = np.full(BYTES, 1 / BYTES, np.float32)
        past, longest = 0, 0
        for index, order in enumerate(self._orders):
            if index:
                past |= seen[-index] << 8 * (index - 1)
            place = order.places.get(past)
            if place is not None:
                first, last, left = place
                made *= left
                made[order.after[first:last]] += order.likely[first:last]
                longest = index + 1
        return _log_mixture(logits, made, float(self.trust[longest]))


def _log_mixture(logits: np.ndarray, counted: np.ndarray, trust: np.ndarray | float) -> np.ndarray:
    likely = np.exp(logits - logits.max(-1, keepdims=True))
    likely *= (1 - trust) / likely.sum(-1, keepdims=True)
    likely += trust * counted
    return np.log(likely, out=likely)


def fitted(counted: np.ndarray, other: np.ndarray, known: np.ndarray, orders: int) -> np.ndarray:
    """Return the shares that predict best, float32 [orders + 1], by expectation maximisation.

    Args:
        counted: probability that the counts gave to each byte of a text, [N].
        other: that the network gave.
        known: the longest order that knew what stood before, [N].
        orders: how many there are.
    """
    trust = np.full(orders + 1, START)
    sizes = np.bincount(known, minlength=orders + 1)
    for _ in range(STEPS):
        share = trust[known] * counted
        share /= share + (1 - trust[known]) * other
        trust = (np.bincount(known, share, orders + 1) + PRIOR * START) / (sizes + PRIOR)
    return trust.astype(np.float32)


START, PRIOR, STEPS = 0.35, 20.0, 50
"""Share before anything is known, worth how many bytes; steps of the maximisation."""
