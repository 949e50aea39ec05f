"""How many of the modes of Stacked-MNIST a set of samples reaches, and how evenly.

A sample is three digits, one in each colour channel, so that there are 1,000 modes, known and
equally likely (Srivastava et al. 2017, VEEGAN, arXiv:1705.07761; protocol as in Lin et al. 2018,
PacGAN, arXiv:1712.04086).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MODES = 1000
SURE = 0.9
"""Confidence below which a digit counts as unclear."""


@dataclass(frozen=True)
class Modes:
    """What was counted in `n` samples."""

    n: int
    modes: int
    """Distinct triples seen, of 1,000."""
    kl: float
    """Divergence from the uniform distribution in nats, over the modes that are seen: sum
    p ln(1000 p). It is 0 for equal counts and ln 1000 = 6.91 for a single mode; n independent
    draws from the uniform distribution give about 999 / 2n."""
    low_confidence: float | None
    """Share of samples with a digit whose confidence is below 0.9; None for true labels."""


def count_modes(digits: np.ndarray, confidence: np.ndarray | None = None) -> Modes:
    """Count the modes of samples by the digit in each of their channels.

    Args:
        digits: integers 0 to 9, [n, 3], n at least 1.
        confidence: of the classifier in each digit, in [0, 1], [n, 3]; None for true labels.
    """
    modes = digits.astype(np.int64) @ np.array([100, 10, 1])
    share = np.bincount(modes, minlength=MODES) / len(modes)
    seen = share[share > 0]
    unclear = None if confidence is None else float((confidence < SURE).any(1).mean())
    return Modes(len(modes), len(seen), float((seen * np.log(MODES * seen)).sum()), unclear)
