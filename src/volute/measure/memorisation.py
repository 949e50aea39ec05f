"""Whether samples are copies: nearest training pictures, against what is normal for unseen ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volute.errors import UsageError
from volute.measure.coverage import squared_distances

NORMAL = 0.01


@dataclass(frozen=True)
class Memorisation:
    """Samples that lie nearer to a training picture than unseen real pictures do."""

    near: np.ndarray
    """bool [m]: nearer than 99 of 100 held-out real pictures are."""
    neighbour: np.ndarray
    """int64 [m]: row of the nearest training picture."""
    distance: np.ndarray
    """Distance to it, float64 [m]."""
    threshold: float
    """The distance under which a sample counts as near."""

    @property
    def share(self) -> float:
        """Share of near samples; about 0.01 if samples are like unseen real pictures."""
        return float(self.near.mean())


def memorisation(train: np.ndarray, held: np.ndarray, samples: np.ndarray) -> Memorisation:
    """Compare features of training, held-out and generated pictures: [n, d], [h, d], [m, d].

    Raises:
        UsageError: with under 100 held-out rows, on which one in a hundred cannot be told.
    """
    if len(held) < round(1 / NORMAL):
        reason = f"{len(held)} held-out pictures are too few to tell copies"
        raise UsageError(reason, f"At least {round(1 / NORMAL)} are needed.")
    _, usual = _nearest(held, train)
    neighbour, distance = _nearest(samples, train)
    threshold = float(np.quantile(usual, NORMAL))
    return Memorisation(distance < threshold, neighbour, distance, threshold)


def _nearest(rows: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row the index of the nearest of `among`, and the distance."""
    centre = among.mean(0, dtype=np.float64)
    index, distance = np.empty(len(rows), np.int64), np.empty(len(rows))
    for part, squares in squared_distances(rows - centre, among - centre):
        index[part] = squares.argmin(1)
        distance[part] = np.sqrt(squares.min(1))
    return index, distance
