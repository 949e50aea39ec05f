"""Which pictures come next: a pure function of the seed and of how many have been shown.

Nothing is stored: a run that stopped after any number of images goes on exactly where it was. The
order is drawn from raw Philox output, whose stream NumPy guarantees, not from `Generator` methods,
whose results may change between NumPy versions.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

HELD_SEED = 0x5E1D


def split(
    labels: np.ndarray, sources: np.ndarray, held_out: float
) -> tuple[np.ndarray, np.ndarray]:
    """Divide a data set into what is learned and what is held out, always in the same way.

    Args:
        labels: int64 [N].
        sources: int64 [N], the picture that each was cut from: all of one are on the same side.
        held_out: share in [0, 1) of each class's pictures that is held out, rounded, at least one
            of each if above 0 and the class has two.

    Returns:
        Sorted indices int64 of either part; together they are 0..N-1.
    """
    parts = [np.empty(0, np.int64)]
    for label in np.unique(labels) if held_out else ():
        of_class = np.unique(sources[labels == label])
        count = min(max(1, round(held_out * len(of_class))), len(of_class) - 1)
        parts.append(of_class[_permutation(len(of_class), HELD_SEED, int(label))[:count]])
    (held,) = np.nonzero(np.isin(sources, np.concatenate(parts)))
    return np.setdiff1d(np.arange(len(labels)), held), held


@dataclass(frozen=True)
class Sampler:
    """Endless epochs over `n` pictures, each epoch a fresh permutation.

    Position p (images shown before it) belongs to epoch p // n; batches may straddle epochs.
    """

    n: int
    """Number of pictures, at least 1."""
    seed: int
    """Any integer from 0."""

    def indices(self, shown: int, batch: int) -> np.ndarray:
        """Return the indices of the next pictures.

        Args:
            shown: images shown so far, at least 0.
            batch: how many to give.

        Returns:
            int64 [batch], each in 0..n-1.
        """
        parts = []
        position, end = shown, shown + batch
        while position < end:
            epoch, start = divmod(position, self.n)
            part = _permutation(self.n, self.seed, epoch)[start : start + end - position]
            parts.append(part)
            position += len(part)
        return np.concatenate(parts) if parts else np.empty(0, np.int64)


@functools.lru_cache(maxsize=4)
def _permutation(n: int, seed: int, epoch: int) -> np.ndarray:
    keys = np.random.Philox(np.random.SeedSequence([seed, epoch])).random_raw(n)
    order = np.argsort(keys, kind="stable").astype(np.int64)
    order.flags.writeable = False
    return order
