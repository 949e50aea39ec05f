"""How far the features of two sets of pictures lie apart: Frechet distance and kernel distance.

Both compare distributions, not pictures. Neither is an FID: that name belongs to one Inception
network; a report says which extractor made the features: "Frechet distance (MobileNetV2)".
"""

from __future__ import annotations

import numpy as np

from volute.errors import UsageError

CHUNK = 1024


def frechet_distance(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Return the squared Frechet distance of Gaussians fitted to two feature sets, at least 0.

    |m_a - m_b|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2), Dowson and Landau 1982; used on features of
    pictures by Heusel et al., arXiv:1706.08500. It has a positive bias that falls as 1/n: compare
    only at equal n.

    Args:
        features_a: real [n, d], n >= 2.
        features_b: real [m, d], m >= 2.

    Raises:
        UsageError: if a set has fewer than two rows, or values that are not finite.
    """
    a, b = _checked(features_a), _checked(features_b)
    return gaussian_distance(a.mean(0), _covariance(a), b.mean(0), _covariance(b))


def gaussian_distance(
    mean_a: np.ndarray, cov_a: np.ndarray, mean_b: np.ndarray, cov_b: np.ndarray
) -> float:
    """Return the squared Frechet distance of two Gaussians: means [d], covariances [d, d].

    The trace of the square root is the sum of the singular values of A^1/2 B^1/2, which loses less
    to rounding than the eigenvalues of the product and takes singular covariances as they are.
    """
    product = _root(cov_a).T @ _root(cov_b)
    cross = np.linalg.svd(product, compute_uv=False).sum()
    shift = mean_a - mean_b
    return max(0.0, float(shift @ shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross))


def kid(features_a: np.ndarray, features_b: np.ndarray) -> float:
    """Return the unbiased squared MMD with the kernel (x.y/d + 1)^3; it can fall below 0.

    Kernel distance, Binkowski et al., arXiv:1801.01401, eq. 4, over all pairs instead of random
    subsets: deterministic, and of lower variance. Often quoted times 1000.

    Args:
        features_a: real [n, d], n >= 2.
        features_b: real [m, d], m >= 2.

    Raises:
        UsageError: if a set has fewer than two rows, or values that are not finite.
    """
    a, b = _checked(features_a), _checked(features_b)
    across = _kernel_sum(a, b) / (len(a) * len(b))
    return float(_mean_off_diagonal(a) + _mean_off_diagonal(b) - 2 * across)


def frechet_replicates(features: np.ndarray, real: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the Frechet distance to `real` [m, d] for each draw [B, n] of rows of `features`."""
    x, real = _checked(features), _checked(real)
    mean, covariance = real.mean(0), _covariance(real)
    found = []
    for counts in drawn:
        rows = counts > 0
        spread = np.atleast_2d(np.cov(x[rows], rowvar=False, fweights=counts[rows]))
        centre = np.average(x[rows], 0, counts[rows])
        found.append(gaussian_distance(centre, spread, mean, covariance))
    return np.array(found)


def kid_replicates(features: np.ndarray, real: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Return the kernel distance to `real` [m, d] for each draw [B, n] of rows of `features`.

    A row drawn twice is never paired with itself.
    """
    x, real = _checked(features), _checked(real)
    weights = drawn.astype(np.float64)
    within, across = np.zeros(len(drawn)), np.zeros(len(drawn))
    for start in range(0, len(x), CHUNK):
        block, share = x[start : start + CHUNK], weights[:, start : start + CHUNK]
        own = (block @ x.T / x.shape[1] + 1) ** 3
        own[np.arange(len(block)), np.arange(start, start + len(block))] = 0
        within += ((share @ own) * weights).sum(1)
        across += share @ ((block @ real.T / x.shape[1] + 1) ** 3).sum(1)
    n = len(x)
    pairs = n**2 - (weights**2).sum(1)
    return within / pairs + _mean_off_diagonal(real) - 2 * across / (n * len(real))


def _checked(features: np.ndarray) -> np.ndarray:
    if len(features) < 2:
        hint = "A distance between distributions needs many; 1,000 or more to mean something."
        raise UsageError(f"{len(features)} pictures are too few to measure a distance", hint)
    if not np.isfinite(features).all():
        raise UsageError("the features hold values that are not finite (NaN or infinity)")
    return features.astype(np.float64)


def _covariance(features: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(features, rowvar=False))


def _root(covariance: np.ndarray) -> np.ndarray:
    """Return R [d, d] with R R^T = covariance; negative eigenvalues are rounding, taken as 0."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(values.clip(min=0))


def _mean_off_diagonal(x: np.ndarray) -> float:
    diagonal = ((x**2).sum(1) / x.shape[1] + 1) ** 3
    return (_kernel_sum(x, x) - diagonal.sum()) / (len(x) * (len(x) - 1))


def _kernel_sum(a: np.ndarray, b: np.ndarray) -> float:
    rows = range(0, len(a), CHUNK)
    return sum(float(((a[i : i + CHUNK] @ b.T / a.shape[1] + 1) ** 3).sum()) for i in rows)
