"""Small sets of drawn shapes, so that a training in a test takes seconds."""

from __future__ import annotations

import numpy as np


def shapes(count: int, size: int = 16, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw discs (label 0) and bars (label 1): uint8 [count, size, size], int64 [count]."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:size, :size]
    pictures, labels = [], rng.integers(0, 2, count)
    for label in labels:
        y, x = rng.uniform(size * 0.3, size * 0.7, 2)
        radius = rng.uniform(size * 0.15, size * 0.3)
        near = (
            np.hypot(rows - y, columns - x) < radius if label == 0 else abs(rows - y) < radius / 2
        )
        pictures.append(np.where(near, rng.integers(150, 256), rng.integers(0, 60)))
    return np.stack(pictures).astype(np.uint8), labels


TINY = {
    "gan": {"width": 32, "latent": 16, "batch": 16, "threads": 1, "precision": "float32"},
    "vae": {"width": 32, "latent": 8, "batch": 16, "threads": 1, "precision": "float32"},
    "classify": {"width": 8, "cap": 32, "batch": 16, "threads": 1, "precision": "float32"},
}
