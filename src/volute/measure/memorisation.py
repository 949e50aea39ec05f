"""Whether samples are copies: how near they lie to training pictures, against what is normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volute.errors import UsageError
from volute.measure.coverage import squared_distances

NORMAL = 0.01
FEWEST = 100


@dataclass(frozen=True)
class Memorisation:
    """Samples that lie nearer to a training picture than training pictures lie to each other."""

    near: np.ndarray
    """bool [m]: as near as one training picture in a hundred is to its nearest other one."""
    neighbour: np.ndarray
    """int64 [m]: row of the nearest training picture."""
    distance: np.ndarray
    """Distance to it, float64 [m]."""
    threshold: float
    """The distance up to which a sample counts as near."""

    @property
    def share(self) -> float:
        """Share of near samples; about 0.01 if samples are like unseen real pictures."""
        return float(self.near.mean())


def memorisation(train: np.ndarray, samples: np.ndarray) -> Memorisation:
    """Compare features of training pictures [n, d] and generated ones [m, d].

    Each training picture, held out in its turn, tells how near an unseen one lies to the others.
    Copies within the training set (a distance of 0) do not count for that.

    Raises:
        UsageError: with under 100 training pictures, on which one in a hundred cannot be told.
    """
    _, usual = _nearest(train, train, others=True)
    usual = usual[usual > 1e-5 * np.sqrt(train.var(0).sum())]
    if len(usual) < FEWEST:
        reason = f"{len(usual)} different training pictures are too few to tell copies"
        raise UsageError(reason, f"At least {FEWEST} are needed.")
    neighbour, distance = _nearest(samples, train)
    threshold = float(np.quantile(usual, NORMAL))
    return Memorisation(distance <= threshold, neighbour, distance, threshold)


def _nearest(
    rows: np.ndarray, among: np.ndarray, others: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row the index of the nearest of `among`, and the distance.

    With `others`, `rows` are `among` itself, and a row is not its own neighbour.
    """
    centre = among.mean(0, dtype=np.float64)
    index, distance = np.empty(len(rows), np.int64), np.empty(len(rows))
    for part, squares in squared_distances(rows - centre, among - centre):
        if others:
            squares[np.arange(len(squares)), np.arange(part.start, part.stop)] = np.inf
        index[part] = squares.argmin(1)
        distance[part] = np.sqrt(squares.min(1))
    return index, distance
