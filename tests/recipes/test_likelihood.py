"""Bits per dimension against sums, integrals and graphs whose values are known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from make_artefact import make_gan, make_vae
from shapes import TINY, shapes
from volute.engine.artefact import open_artefact
from volute.engine.session import Session
from volute.errors import UsageError, VoluteError
from volute.jobs import train
from volute.nets.vae import CodeOf, Posterior, Rung
from volute.recipes.likelihood import (
    bits_per_dimension,
    fitted_deviation,
    importance_bound,
    log_mass,
)
from volute.recipes.rebuild import filled, pair_of, recipe_of
from volute.training.run import Run

DEVIATION = 0.3


@pytest.mark.parametrize("deviation", [math.exp(-6), 0.01, 0.1, 0.5, 3.0])
@pytest.mark.parametrize("mean", [-40.0, -1.1, -1.0, -0.301, 0.0, 0.5 / 255, 0.77, 1.0, 1.3, 40.0])
def test_the_masses_of_all_256_values_sum_to_1(mean: float, deviation: float) -> None:
    values = torch.arange(256, dtype=torch.uint8)
    masses = log_mass(values, torch.full((256,), mean), deviation)
    assert masses.isfinite().all()
    assert masses.double().exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_a_mass_is_that_of_its_bin() -> None:
    values = torch.tensor([0, 1, 128, 254, 255], dtype=torch.uint8)
    mean = torch.full((5,), 0.2)
    edges = torch.arange(257, dtype=torch.float64) / 127.5 - 1 - 1 / 255
    edges[0], edges[256] = -math.inf, math.inf
    below = torch.special.ndtr((edges - 0.2) / 0.4)
    expected = (below[1:] - below[:-1])[values.long()]
    made = log_mass(values, mean, 0.4).double().exp()
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=0)


class Toy(nn.Module):
    """A VAE of 2 x 2 pixels with one or two latent numbers, so that integrals can be summed."""

    def __init__(self, ladder: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.rung_shapes = {"1": (1, 1, 1)} if ladder else {}
        self.rung = Rung(1, 1)
        nn.init.normal_(self.rung.prior[-1].weight, 0, 0.3)
        self.loadings = torch.tensor([[[0.4, -0.3], [0.2, 0.25]]])
        self.decoder = self

    def encoder(self, x_BCHW: torch.Tensor) -> tuple[Posterior, dict[int, torch.Tensor]]:
        mean = (x_BCHW * self.loadings).sum((1, 2, 3))[:, None]
        return Posterior(mean, torch.full_like(mean, -0.2)), {1: mean[:, :, None, None]}

    def descend(
        self, z_BZ: torch.Tensor, noise: dict[str, torch.Tensor], features: dict[int, torch.Tensor]
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[Posterior | None]]:
        x_BCHW, standards, posteriors = z_BZ[:, :, None, None], [], []
        if self.rung_shapes:
            x_BCHW, standard, posterior = self.rung(x_BCHW, noise["1"], features.get(1))
            standards, posteriors = [standard], [posterior]
        return x_BCHW * self.loadings, standards, posteriors


GRID = torch.linspace(-6, 6, 241)


def _points(toy: Toy) -> tuple[torch.Tensor, torch.Tensor]:
    """Return a grid of standard normal values of all latents [N, 1 or 2] and its log weights."""
    axes = [GRID] * (1 + len(toy.rung_shapes))
    points = torch.cartesian_prod(*axes).reshape(-1, len(axes))
    logs = -0.5 * points.double().square().sum(1)
    return points, logs - logs.logsumexp(0)


def _noise(points: torch.Tensor, toy: Toy) -> dict[str, torch.Tensor]:
    return {side: points[:, 1].reshape(-1, *shape) for side, shape in toy.rung_shapes.items()}


def _fit(toy: Toy, pixels: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    return log_mass(pixels.expand(len(made), -1, -1, -1), made, DEVIATION).double().sum((1, 2, 3))


@torch.no_grad()
def exact(toy: Toy, pixels: torch.Tensor) -> float:
    """Return log p(x): the integral over the prior, on the grid."""
    points, weights = _points(toy)
    made, _, _ = toy.descend(points[:, :1], _noise(points, toy), {})
    return (_fit(toy, pixels, made) + weights).logsumexp(0).item()


@torch.no_grad()
def evidence_bound(toy: Toy, pixels: torch.Tensor) -> float:
    """Return E_q log p(x|z) - KL(q || p), on the grid."""
    points, weights = _points(toy)
    x_BCHW = (pixels.float() / 127.5 - 1).expand(len(points), -1, -1, -1)
    top, features = toy.encoder(x_BCHW)
    made, _, lower = toy.descend(top.sample(points[:, :1]), _noise(points, toy), features)
    zero = torch.zeros(())
    divergence = sum(q.divergence(zero, zero).flatten(1).sum(1) for q in [top, *lower])
    return (weights.exp() * (_fit(toy, pixels, made) - divergence)).sum().item()


@pytest.mark.parametrize("ladder", [False, True], ids=["flat", "ladder"])
def test_the_bound_rises_from_the_evidence_bound_to_the_exact_likelihood(ladder: bool) -> None:
    """Within 4 standard errors of 4000 repeats at k = 1; 0.01 nats from exact at k = 300."""
    toy = Toy(ladder)
    pixels = torch.tensor([[[[230, 60], [20, 200]]]], dtype=torch.uint8)
    truth, lower = exact(toy, pixels), evidence_bound(toy, pixels)
    assert truth - lower > 0.05
    means, errors = [], []
    for importance in (1, 5, 30, 300):
        repeats = pixels.expand(4000, -1, -1, -1)
        bounds = importance_bound(toy, repeats, DEVIATION, importance, seed=1)
        means.append(bounds.mean().item())
        errors.append(bounds.std().item() / math.sqrt(len(bounds)))
    assert means[0] == pytest.approx(lower, abs=4 * errors[0])
    assert means == sorted(means)
    assert truth - 0.01 < means[-1] < truth + 4 * errors[-1]


def test_the_deviation_is_the_error_of_reconstructions_and_never_nothing() -> None:
    toy = Toy(ladder=False)
    toy.loadings = torch.zeros(1, 2, 2)
    grey = torch.randint(256, (400, 1, 2, 2), generator=torch.Generator().manual_seed(0))
    expected = (grey / 127.5 - 1).square().mean().sqrt().item()
    assert fitted_deviation(toy, grey.to(torch.uint8)) == pytest.approx(expected, rel=1e-5)
    toy.descend = lambda *_: (torch.full((20, 1, 2, 2), 1.0), [], [])
    white = torch.full((20, 1, 2, 2), 255, dtype=torch.uint8)
    assert fitted_deviation(toy, white) == math.exp(-6)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("likelihood")
    pictures, labels = shapes(200)
    np.savez(folder / "shapes.npz", x_train=pictures, y_train=labels)
    return {
        name: train(
            "vae",
            folder / "shapes.npz",
            kimg=1.6,
            out=folder / name,
            settings=TINY["vae"] | {"rungs": rungs},
        )
        for name, rungs in (("flat", 0), ("ladder", 2))
    }


@pytest.mark.parametrize("name", ["flat", "ladder"])
def test_the_rebuilt_networks_are_the_exported_ones(name: str, runs: dict[str, Run]) -> None:
    artefact = open_artefact(runs[name].model)
    pair = pair_of(artefact)
    rng = np.random.default_rng(0)
    code = rng.standard_normal((5, artefact.config.latent)).astype(np.float32)
    pictures = rng.uniform(-1, 1, (5, 1, 16, 16)).astype(np.float32)
    with torch.no_grad():
        made = pair.decoder(torch.from_numpy(code)).numpy()
        found = CodeOf(pair.encoder, pair.decoder)(torch.from_numpy(pictures)).numpy()
    expected = Session(artefact.graph("decoder")).run({"latent": code})
    np.testing.assert_allclose(made, expected, atol=1e-4)
    expected = Session(artefact.graph("encoder")).run({"picture": pictures})
    np.testing.assert_allclose(found, expected, atol=1e-4 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", ["flat", "ladder"])
def test_pictures_of_its_kind_cost_fewer_bits_than_noise(name: str, runs: dict[str, Run]) -> None:
    known = shapes(80, seed=1)[0][..., None]
    noise = np.random.default_rng(0).integers(0, 256, known.shape, np.uint8)
    value, low, high = bits_per_dimension(runs[name].path, known, importance=5)
    assert bits_per_dimension(open_artefact(runs[name].model), known, 0, 5) == (value, low, high)
    assert 0 < low < value < high < 8
    worse, _, _ = bits_per_dimension(runs[name].path, noise, importance=5)
    assert math.isfinite(worse)
    assert worse > high
    one, _, _ = bits_per_dimension(runs[name].path, known, importance=1)
    assert value < one + 0.01


def test_what_cannot_be_measured_is_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    known = shapes(20)[0][..., None]
    with pytest.raises(UsageError, match="only a vae"):
        bits_per_dimension(make_gan(tmp_path / "gan"), known)
    wrong = [known[..., 0], known[:, :8], np.repeat(known, 3, 3), known.astype(np.float32)]
    for pictures in wrong:
        with pytest.raises(UsageError, match="do not fit"):
            bits_per_dimension(runs["flat"].path, pictures)
    with pytest.raises(UsageError, match="need 20 pictures, these are 19"):
        bits_per_dimension(runs["flat"].path, known[:19])
    with pytest.raises(UsageError, match="does not say how its network was built"):
        bits_per_dimension(make_vae(tmp_path / "vae"), known)


def test_weights_of_another_network_are_refused(runs: dict[str, Run]) -> None:
    artefact = open_artefact(runs["flat"].model)
    pair = recipe_of(artefact).modules["vae"]
    with pytest.raises(VoluteError, match="do not fit its settings"):
        filled(pair, artefact, "encoder.decoder.")
