"""Pictures that are nearly the same: saved again, a frame later, brightened by a hair."""

from __future__ import annotations

import numpy as np

LOOKED_AT = 600
"""Pictures that are compared with each other."""
SIDE = 8
"""They are reduced to squares of so many px."""
NEAR = 0.05
"""Of the usual distance of two pictures: those that are nearer count as twins."""


def twins(pictures: np.ndarray) -> float:
    """Return the share of pictures [N, H, W, C] that have a twin, from an even choice of them.

    In a set of N with few different ones the choice of 600 shows it: with 100 different pictures
    nearly each has its twin among them.
    """
    chosen = np.unique(np.linspace(0, len(pictures) - 1, LOOKED_AT).round().astype(int))
    if len(chosen) < 2:
        return 0.0
    x = _small(pictures[chosen])
    squares = (x**2).sum(1)
    distance = np.sqrt((squares[:, None] + squares - 2 * x @ x.T).clip(min=0))
    usual = np.median(distance)
    np.fill_diagonal(distance, np.inf)
    return float((distance.min(1) < NEAR * usual).mean())


def _small(pictures: np.ndarray) -> np.ndarray:
    """Return means over even squares, float64 [N, SIDE * SIDE * C]."""
    edges = np.linspace(0, pictures.shape[1], SIDE + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(pictures.astype(np.float64), edges, 1), edges, 2)
    counts = np.diff(np.append(edges, pictures.shape[1]))
    return (sums / (counts[:, None, None] * counts[None, :, None])).reshape(len(pictures), -1)
