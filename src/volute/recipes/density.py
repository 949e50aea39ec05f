"""An ex-post density of the latent space: a Gaussian mixture fitted to the encoded data.

A VAE's encoder does not fill its prior; noise from the holes decodes to poor pictures.
Drawing from a mixture fitted after training closes them (Ghosh et al. 2020; Dai and Wipf 2019).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Mixture:
    """Weights [K], means [K, T] and lower Cholesky factors [K, T, T] of the covariances."""

    weights: np.ndarray
    means: np.ndarray
    factors: np.ndarray

    def sample(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Draw points [count, T]."""
        chosen = rng.choice(len(self.weights), size=count, p=self.weights)
        noise = rng.standard_normal((count, self.means.shape[1], 1))
        return self.means[chosen] + (self.factors[chosen] @ noise)[..., 0]

    def responsibilities(self, points_NT: np.ndarray) -> np.ndarray:
        """Return p(component | point), [N, K]."""
        joint_NK = self._joint(points_NT)
        share_NK = np.exp(joint_NK - joint_NK.max(1, keepdims=True))
        return share_NK / share_NK.sum(1, keepdims=True)

    def _joint(self, points_NT: np.ndarray) -> np.ndarray:
        columns = []
        for weight, mean, factor in zip(self.weights, self.means, self.factors, strict=True):
            scaled = np.linalg.solve(factor, (points_NT - mean).T)
            log_volume = np.log(np.diag(factor)).sum() + 0.5 * len(mean) * np.log(2 * np.pi)
            columns.append(np.log(weight) - 0.5 * (scaled**2).sum(0) - log_volume)
        return np.stack(columns, 1)


def fit_mixture(
    points_NT: np.ndarray, components: int = 10, steps: int = 40, seed: int = 0
) -> Mixture:
    """Fit by expectation maximisation from a random assignment to well-spread points.

    Covariances are full, with 1e-3 of the mean variance added to their diagonal.
    """
    points = points_NT.astype(np.float64)
    rng = np.random.default_rng(seed)
    floor = 1e-3 * points.var(0).mean() + 1e-8
    share = _nearest(points, _spread(points, components, rng))
    for _ in range(steps):
        mixture = _maximise(points, share, floor)
        share = mixture.responsibilities(points)
    return _maximise(points, share, floor)


def _spread(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Choose centres far from one another (k-means++, Arthur and Vassilvitskii 2007)."""
    centres = [points[rng.integers(len(points))]]
    distance = np.full(len(points), np.inf)
    for _ in range(count - 1):
        distance = np.minimum(distance, ((points - centres[-1]) ** 2).sum(1))
        centres.append(points[rng.choice(len(points), p=distance / distance.sum())])
    return np.stack(centres)


def _nearest(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    distance = (centres**2).sum(1) - 2 * points @ centres.T
    return np.eye(len(centres))[distance.argmin(1)]


def _maximise(points: np.ndarray, share_NK: np.ndarray, floor: float) -> Mixture:
    total = share_NK.sum(0) + 1e-6
    means = (share_NK.T @ points) / total[:, None]
    factors = []
    for column, mean, count in zip(share_NK.T, means, total, strict=True):
        centred = points - mean
        covariance = (centred * column[:, None]).T @ centred / count
        factors.append(np.linalg.cholesky(covariance + floor * np.eye(len(mean))))
    return Mixture(total / total.sum(), means, np.stack(factors))
