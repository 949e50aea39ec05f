"""Bits per dimension of a VAE: how long a code it gives to 8-bit pictures it has not seen.

The importance-weighted bound (Burda, Grosse and Salakhutdinov 2016, arXiv:1509.00519, equation 8)
on the likelihood of the 8-bit picture. The decoder gives the means of Gaussians that share one
deviation, which no model stores: it is the root mean square error of sampled reconstructions
(Rybkin, Daniilidis and Levine 2021, arXiv:2006.13202), taken on the first half of the pictures.
The bound is taken on the second half.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from volute.engine.artefact import Artefact, open_artefact
from volute.errors import UsageError
from volute.measure.intervals import of_mean
from volute.nets.vae import Posterior
from volute.recipes.rebuild import pair_of
from volute.recipes.vae import Pair
from volute.training.recipe import seeded
from volute.zoo import resolve

HALF_BIN = 1 / 255
LEAST_LOG_DEVIATION = -6.0
"""As in training: under this, a pixel's whole mass lies in its bin."""
FEWEST = 20
VALUES = 1 << 18
"""Pixel values that are decoded at a time."""


def bits_per_dimension(
    model: Artefact | str | Path, pictures: np.ndarray, seed: int = 0, importance: int = 100
) -> tuple[float, float, float]:
    """Return an upper bound on a VAE's bits per dimension, and its 95 % bootstrap interval.

    Args:
        model: an artefact of kind `vae`, or a reference to one.
        pictures: uint8 [n, H, W, C] of the model's size and channels, n at least 20, in no
            particular order; the interval is over the second half of them.
        seed: of the latents that are drawn, and of the bootstrap.
        importance: latents for each picture; the bound rises to the likelihood with them.

    Raises:
        UsageError: if the model is no VAE, or the pictures are too few or do not fit it.
        VoluteError: if the model's weights do not fit its settings.
    """
    artefact = model if isinstance(model, Artefact) else open_artefact(resolve(model))
    _check(artefact, pictures)
    return pair_bits(pair_of(artefact), pictures, seed, importance)


def pair_bits(
    pair: Pair, pictures: np.ndarray, seed: int = 0, importance: int = 100
) -> tuple[float, float, float]:
    """Return what `bits_per_dimension` does, of an encoder and a decoder."""
    pixels = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
    half = len(pixels) // 2
    deviation = fitted_deviation(pair, pixels[:half], seed)
    bound = importance_bound(pair, pixels[half:], deviation, importance, seed)
    bits = -bound.numpy() / (pixels[0].numel() * math.log(2))
    return float(bits.mean()), *of_mean(bits, np.random.default_rng(seed))


@torch.no_grad()
def fitted_deviation(pair: Pair, pixels_BCHW: torch.Tensor, seed: int = 0) -> float:
    """Return the root mean square error of sampled reconstructions of uint8 pictures.

    In units of [-1, 1], and at least e^-6.
    """
    total = 0.0
    for batch, rng in _batches(pixels_BCHW, seed, 0):
        x_BCHW = _scaled(batch)
        top, features = pair.encoder(x_BCHW)
        made, _ = _drawn(pair, top, features, rng)
        total += (made - x_BCHW).square().sum(dtype=torch.float64).item()
    return max(math.sqrt(total / pixels_BCHW.numel()), math.exp(LEAST_LOG_DEVIATION))


@torch.no_grad()
def importance_bound(
    pair: Pair, pixels_BCHW: torch.Tensor, deviation: float, importance: int, seed: int = 0
) -> torch.Tensor:
    """Return the bound on the log-likelihood of each uint8 picture, in nats: float64 [B].

    log 1/k sum p(x, z_i) / q(z_i | x) over k = `importance` latents z_i drawn from q.
    """
    bounds = []
    for batch, rng in _batches(pixels_BCHW, seed, 1):
        top, features = pair.encoder(_scaled(batch))
        weights = []
        for _ in range(importance):
            made, log_ratio = _drawn(pair, top, features, rng)
            fit = log_mass(batch, made, deviation).flatten(1).sum(1, dtype=torch.float64)
            weights.append(fit + log_ratio)
        bounds.append(torch.stack(weights).logsumexp(0) - math.log(importance))
    return torch.cat(bounds)


def log_mass(pixels: torch.Tensor, mean: torch.Tensor, deviation: float) -> torch.Tensor:
    """Return the log-probability of 8-bit values under a Gaussian in [-1, 1], in nats.

    A value has the Gaussian's mass in its bin of width 2/255; the bins of 0 and 255 are open
    outwards, so that the 256 probabilities sum to 1. Computed on the side of the mean where the
    distribution function is small, so that it is finite however far the mean is.

    Args:
        pixels: uint8, any shape.
        mean: of that shape, in units of [-1, 1], which it may leave.
        deviation: in the same units.
    """
    gap = _scaled(pixels) - mean
    low = ((gap - HALF_BIN) / deviation).masked_fill(pixels == 0, -math.inf)
    high = ((gap + HALF_BIN) / deviation).masked_fill(pixels == 255, math.inf)
    above = gap > 0
    far, near = torch.where(above, -high, low), torch.where(above, -low, high)
    log_far, log_near = torch.special.log_ndtr(far), torch.special.log_ndtr(near)
    return log_near + (-torch.expm1(log_far - log_near)).log()


def _drawn(
    pair: Pair, top: Posterior, features: dict[int, torch.Tensor], rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw latents from q: the pictures they decode to, and log p(z) - log q(z|x) [B]."""
    noise_BZ = torch.randn(top.mean.shape, generator=rng)
    noise = {
        side: torch.randn((len(noise_BZ), *shape), generator=rng)
        for side, shape in pair.decoder.rung_shapes.items()
    }
    z_BZ = top.sample(noise_BZ)
    made, standards, posteriors = pair.decoder.descend(z_BZ, noise, features)
    groups = zip([z_BZ, *standards], [noise_BZ, *noise.values()], [top, *posteriors], strict=True)
    ratios = [
        (0.5 * (drawn.square() - value.square()) + posterior.log_deviation).flatten(1).sum(1)
        for value, drawn, posterior in groups
    ]
    return made, torch.stack(ratios).sum(0, dtype=torch.float64)


def _batches(
    pixels_BCHW: torch.Tensor, seed: int, purpose: int
) -> Iterator[tuple[torch.Tensor, torch.Generator]]:
    """Give the pictures in batches that bound the memory, each with its own generator."""
    size = max(1, VALUES // pixels_BCHW[0].numel())
    for start in range(0, len(pixels_BCHW), size):
        rng = seeded(torch.device("cpu"), seed, purpose, start)
        yield pixels_BCHW[start : start + size], rng


def _scaled(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.float().div_(127.5).sub_(1)


def _check(artefact: Artefact, pictures: np.ndarray) -> None:
    about = artefact.config.descriptor
    name = artefact.config.name
    if about.kind != "vae":
        raise UsageError(f"{name} is a {about.kind}: only a vae has bits per dimension")
    shape = (about.size, about.size, about.channels)
    if pictures.dtype != np.uint8 or pictures.shape[1:] != shape:
        given = f"{pictures.dtype} {list(pictures.shape)}"
        raise UsageError(
            f"the pictures do not fit {name}: they are {given}",
            f"Give uint8 [n, {', '.join(map(str, shape))}].",
        )
    if len(pictures) < FEWEST:
        few = f"bits per dimension need {FEWEST} pictures, these are {len(pictures)}"
        raise UsageError(few, "Half of them fit the deviation, the others are measured.")
