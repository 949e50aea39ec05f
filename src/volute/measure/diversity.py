"""How many different pictures a set amounts to."""

from __future__ import annotations

import numpy as np

from volute.errors import UsageError


def vendi(features: np.ndarray) -> float:
    """Return the Vendi score: the effective number of distinct rows, from 1 to min(n, d).

    The exponential of the entropy of the eigenvalues of the rows' cosine similarities over n
    (Friedman and Dieng 2023, arXiv:2210.02410, equation 3).

    Args:
        features: real [n, d], n >= 1, no row all zero.

    Raises:
        UsageError: for an empty set, a zero row or values that are not finite.
    """
    x = np.asarray(features, np.float64)
    length = np.sqrt((x**2).sum(1, keepdims=True))
    if not len(x) or not np.isfinite(x).all() or not length.all():
        raise UsageError("a Vendi score needs feature vectors that are finite and not zero")
    x = x / length
    small = x.T @ x if x.shape[1] < len(x) else x @ x.T  # the same eigenvalues but for zeros
    values = np.linalg.eigvalsh(small / len(x)).clip(min=0)
    values = values[values > 0]
    return float(np.exp(-(values * np.log(values)).sum()))
