"""Fidelity and diversity apart: how many samples look real, and how much of the real is reached.

Both ask whether a feature vector lies in the ball around another whose radius is the distance to
that one's k-th nearest neighbour in its own set. Distances are made in blocks of rows: memory is
O(block x n), not O(n^2).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from volute.errors import UsageError

CHUNK = 1024


@dataclass(frozen=True)
class Coverage:
    """Shares of real and generated features that lie near each other."""

    precision: float
    """Share of generated inside the real balls (k=3), Kynkaanniemi et al., arXiv:1904.06991."""
    recall: float
    """Share of real inside the generated balls (k=3)."""
    density: float
    """Mean number of real balls (k=5) a generated one lies in, over k; about 1 for equal
    distributions, unbounded above; Naeem et al., arXiv:2002.09797."""
    coverage: float
    """Share of real balls (k=5) that hold a generated one."""


def coverage(
    real: np.ndarray, generated: np.ndarray, k_recall: int = 3, k_coverage: int = 5
) -> Coverage:
    """Compare two sets of features, real [n, d] and generated [m, d].

    Raises:
        UsageError: if a set has no more rows than the neighbours asked for.
    """
    rows = coverage_rows(real, generated, k_recall, k_coverage)
    return Coverage(**{name: float(values.mean()) for name, values in rows.items()})


def coverage_rows(
    real: np.ndarray, generated: np.ndarray, k_recall: int = 3, k_coverage: int = 5
) -> dict[str, np.ndarray]:
    """Return what each row adds: arrays whose means are the fields of `Coverage`.

    `precision` and `density` have a row for each generated picture, `recall` and `coverage` one for
    each real one.
    """
    needed = max(k_recall, k_coverage) + 1
    if min(len(real), len(generated)) < needed:
        raise UsageError(f"coverage needs at least {needed} pictures in each set")
    centre = real.mean(0, dtype=np.float64)
    real, generated = real - centre, generated - centre
    real_small, real_large = _squared_radii(real, (k_recall, k_coverage))
    (generated_small,) = _squared_radii(generated, (k_recall,))

    precise, recalled = np.zeros(len(generated), bool), np.zeros(len(real), bool)
    covered, inside = np.zeros(len(real), bool), np.zeros(len(generated))
    for rows, distances in squared_distances(real, generated):
        precise |= (distances <= real_small[rows, None]).any(0)
        recalled[rows] = (distances <= generated_small).any(1)
        near = distances <= real_large[rows, None]
        covered[rows] = near.any(1)
        inside += near.sum(0)
    return {
        "precision": precise,
        "recall": recalled,
        "density": inside / k_coverage,
        "coverage": covered,
    }


def _squared_radii(x: np.ndarray, ks: tuple[int, ...]) -> list[np.ndarray]:
    """Return for each k the squared distance [n] of every row to its k-th other neighbour."""
    radii = [np.empty(len(x)) for _ in ks]
    for rows, distances in squared_distances(x, x):
        distances[np.arange(len(distances)), np.arange(rows.start, rows.stop)] = -1.0
        ordered = np.partition(distances, ks, axis=1)
        for radius, k in zip(radii, ks, strict=True):
            radius[rows] = ordered[:, k]
    return radii


def squared_distances(a: np.ndarray, b: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield blocks of rows of `a` with their squared distances [rows, m] to `b`."""
    squares = (b**2).sum(1)
    for start in range(0, len(a), CHUNK):
        block = a[start : start + CHUNK]
        distances = (block**2).sum(1)[:, None] + squares - 2 * block @ b.T
        yield slice(start, start + len(block)), distances.clip(min=0)
