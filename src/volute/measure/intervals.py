"""How sure a measure is: bootstrap intervals (Efron 1979), by how often each row is drawn."""

from __future__ import annotations

import numpy as np

REPLICATES = 20


def multiplicities(n: int, rng: np.random.Generator, replicates: int = REPLICATES) -> np.ndarray:
    """Return how often each of n rows is drawn in each replicate: int64 [replicates, n]."""
    return rng.multinomial(n, np.full(n, 1 / n), size=replicates)


def around(value: float, replicates: np.ndarray, deviations: float = 1.96) -> tuple[float, float]:
    """Return a 95 % interval around `value` from its bootstrap replicates [B].

    Normal, with the replicates' standard deviation: their own mean is not used, because that of a
    Frechet distance is too large (a row drawn twice narrows the distribution). With few replicates
    the number of deviations is Student's.
    """
    reach = deviations * float(np.std(replicates, ddof=1))
    return value - reach, value + reach


def of_mean(rows: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Return a 95 % interval around the mean of numbers [n]."""
    drawn = multiplicities(len(rows), rng, 1000) @ rows / len(rows)
    return around(float(rows.mean()), drawn)
