"""Principal directions of a latent space: along which a model's pictures differ most.

Haerkoenen et al. 2020, "GANSpace: discovering interpretable GAN controls", section 3.2: principal
components of what the model makes of many samples, and for each the direction of the latents that
explains it, by linear regression. Here what it makes are its pictures, reduced; the mean picture of
each class is taken out, so that directions are not those from one class to another.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from volute.handles.sampling import Sampler
from volute.paths import atomic_file, cache_dir

SAMPLES, SIDE, MOST = 768, 16, 12
"""Samples looked at, the side in pixels to which each is reduced, and directions at most."""
SEED = 20


@dataclass(frozen=True, eq=False)
class Directions:
    """Directions in a latent space, the one of most variance first."""

    vectors: np.ndarray
    """float32 [K, latent], orthonormal: latents of unit deviation move by deviations."""
    shares: np.ndarray
    """float32 [K]: of the variance of the reduced pictures."""


def directions(handle: Sampler) -> Directions:
    """Return the principal directions of a model; those found before are kept in the cache."""
    file = cache_dir() / "directions" / f"{handle.origin('sample').weights[:32]}.npz"
    found = _read(file, handle.info.latent)
    if found is None:
        found = measured(handle)
        with atomic_file(file) as part, part.open("wb") as stream:
            np.savez(stream, vectors=found.vectors, shares=found.shares)
    return found


def measured(handle: Sampler) -> Directions:
    """Return the principal directions of a model, measured anew."""
    z_ND = handle.latents(SAMPLES, seed=SEED)
    labels = handle.labels(SAMPLES, seed=SEED)
    classes = None if labels is None else labels.tolist()
    x_NP = np.stack([_reduced(image) for image in handle.decode(z_ND, classes=classes)])
    for label in np.unique(labels) if labels is not None else ():
        x_NP[labels == label] -= x_NP[labels == label].mean(0)
    x_NP -= x_NP.mean(0)
    count = min(MOST, z_ND.shape[1], x_NP.shape[1])
    _, lengths, rows_KP = np.linalg.svd(x_NP, full_matrices=False)
    along_NK = x_NP @ rows_KP[:count].T
    found_DK, *_ = np.linalg.lstsq(z_ND - z_ND.mean(0), along_NK, rcond=None)
    vectors_DK, _ = np.linalg.qr(found_DK)
    signs = np.sign((vectors_DK * found_DK).sum(0))
    shares = np.square(lengths[:count]) / max(float(np.square(lengths).sum()), 1e-30)
    return Directions((vectors_DK * signs).T.astype(np.float32), shares.astype(np.float32))


def _reduced(image: Image.Image) -> np.ndarray:
    small = image.resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float64).ravel()


def _read(file: Path, latent: int) -> Directions | None:
    try:
        with np.load(file, allow_pickle=False) as held:
            vectors, shares = held["vectors"], held["shares"]
    except (OSError, ValueError, KeyError):
        return None
    good = vectors.ndim == 2 and vectors.shape[1] == latent and len(shares) == len(vectors)
    return Directions(vectors, shares) if good else None
