"""Latent vectors: drawn so that sample `i` depends on (seed, i) alone, and walked between.

A draw is seeded by `SeedSequence(seed, spawn_key=(stream, i))`, so neither the number of samples
nor the batch they are made in changes one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from volute.errors import UsageError, VoluteError

LATENTS, LABELS = 0, 1  # streams of one seed


def generator(seed: int, stream: int, index: int) -> np.random.Generator:
    """Return the random generator of sample `index` of `seed`."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(stream, index)))


def check_draw(n: int, seed: int, truncation: float) -> None:
    """Refuse settings that draw nothing.

    Raises:
        UsageError: unless n >= 1, seed >= 0 and 0 < truncation <= 1.
    """
    if n < 1:
        raise UsageError(f"n = {n}: there must be at least 1")
    if seed < 0:
        raise UsageError(f"seed = {seed}: a seed is 0 or more")
    if not 0 < truncation <= 1:
        raise UsageError(
            f"truncation = {truncation}: it lies above 0 and up to 1",
            "1 is as trained; less is more typical and less varied.",
        )


@dataclass(frozen=True)
class Density:
    """A Gaussian mixture over the first T latent dimensions, fitted after the training.

    Ghosh et al. 2020, "From variational to deterministic autoencoders", section 4 (ex-post
    density estimation). With T = 0 every dimension is standard normal.
    """

    cumulative: np.ndarray
    """[K] running sum of the components' weights, ending in 1."""
    means: np.ndarray
    """[K, T]."""
    factors: np.ndarray
    """[K, T, T] lower Cholesky factors of the covariances."""

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, np.ndarray], dimensions: int) -> Density:
        """Build from `density.weights` [K], `density.means` [K, T], `density.factors` [K, T, T].

        Raises:
            VoluteError: if the shapes disagree or the weights are no weights.
        """
        weights = tensors["density.weights"].astype(np.float64)
        means, factors = tensors["density.means"], tensors["density.factors"]
        shape = (weights.size, dimensions)
        shaped = means.shape == shape and factors.shape == (*shape, dimensions)
        if weights.ndim != 1 or not shaped or not (weights >= 0).all() or not weights.sum() > 0:
            raise VoluteError(
                f"the model's density does not fit its {dimensions} dimensions",
                "The model is damaged: export it anew.",
            )
        return cls(np.cumsum(weights) / weights.sum(), means, factors)

    def draw(self, random: np.random.Generator, latent: int, truncation: float) -> np.ndarray:
        """Return float32 [latent]: mean + truncation * factor @ e, then truncation * e."""
        component = min(int(np.searchsorted(self.cumulative, random.random())), len(self.means) - 1)
        vector = truncation * random.standard_normal(latent)
        inner = self.means.shape[1]
        vector[:inner] = self.means[component] + self.factors[component] @ vector[:inner]
        return vector.astype(np.float32)


STANDARD = Density(np.ones(1), np.zeros((1, 0)), np.zeros((1, 0, 0)))


def walk(keys_ND: np.ndarray, steps: int, loop: bool, linear: int = 0) -> np.ndarray:
    """Return latents on a path through the key points, `steps` for each leg.

    Normal latents go along the great circle, which keeps their length likely (White 2016,
    "Sampling generative networks", section 2.1); the first `linear` dimensions go straight.

    Args:
        keys_ND: [N, latent], N >= 2.
        steps: frames for each leg.
        loop: return to the first key (N * steps frames), else end on the last one
            ((N - 1) * steps + 1 frames).
        linear: how many of the first dimensions are not normal.
    """
    legs = len(keys_ND) if loop else len(keys_ND) - 1
    frames = []
    for leg in range(legs):
        here, there = keys_ND[leg], keys_ND[(leg + 1) % len(keys_ND)]
        for t in np.arange(steps) / steps:
            straight = (1 - t) * here[:linear] + t * there[:linear]
            frames.append(np.concatenate([straight, _slerp(here[linear:], there[linear:], t)]))
    if not loop:
        frames.append(keys_ND[-1])
    return np.stack(frames).astype(np.float32)


def _slerp(here: np.ndarray, there: np.ndarray, t: float) -> np.ndarray:
    lengths = np.linalg.norm(here) * np.linalg.norm(there)
    angle = np.arccos(np.clip(here @ there / lengths, -1, 1)) if lengths else 0.0
    if np.sin(angle) < 1e-6:
        return (1 - t) * here + t * there
    return (np.sin((1 - t) * angle) * here + np.sin(t * angle) * there) / np.sin(angle)
