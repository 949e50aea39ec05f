"""Each recipe learns what it is given, from a step that is a pure function of its arguments."""

from __future__ import annotations

import math
from unittest import mock

import numpy as np
import pytest
import torch

from shapes import TINY, shapes
from volute import recipes
from volute.nets.blocks import Residual
from volute.nets.vae import Posterior
from volute.recipes.density import fit_mixture
from volute.recipes.vae import VaeRecipe
from volute.training.augment import augment, flip
from volute.training.device import choose
from volute.training.recipe import DataFacts, Recipe, seeded


def make(kind: str, preset: str = "tiny", **over: object) -> Recipe:
    settings = {k: v for k, v in TINY[kind].items() if k not in ("threads", "precision")}
    resolved = recipes.resolve_settings(kind, preset, settings | over)
    facts = DataFacts(size=16, channels=1, classes=2, pictures=256, counts=(128, 128))
    return recipes.create(kind, resolved, facts, choose("cpu", "float32", 1), seed=0)


def batch(count: int = 16) -> tuple[torch.Tensor, torch.Tensor]:
    pictures, labels = shapes(count)
    return torch.from_numpy(pictures).float()[:, None] / 127.5 - 1, torch.from_numpy(labels)


@pytest.mark.parametrize("kind", ["gan", "vae", "classify"])
@pytest.mark.parametrize("preset", ["tiny", "small", "base"])
def test_a_step_is_a_pure_function(kind: str, preset: str) -> None:
    pictures, labels = batch()
    metrics = []
    for noise in (1, 2):
        torch.manual_seed(noise)
        recipe = make(kind, preset)
        recipe.step(pictures, labels, 0.0, 0)
        metrics.append(recipe.step(pictures, labels, 0.5, 16))
    assert metrics[0] == metrics[1]


def test_the_vae_learns_one_batch_by_heart() -> None:
    recipe = make("vae")
    pictures, labels = batch()
    errors = [recipe.step(pictures, labels, 0.0, 16 * k)["rmse"] for k in range(150)]
    assert errors[-1] < 0.25 * errors[0]


def test_the_ladder_learns_too_and_uses_its_rungs() -> None:
    recipe = make("vae", "base", blocks=1)
    pictures, labels = batch()
    errors = [recipe.step(pictures, labels, 0.0, 16 * k)["rmse"] for k in range(60)]
    assert errors[-1] < 0.5 * errors[0]


@pytest.mark.parametrize("preset", ["tiny", "base"])
def test_a_vae_is_judged_by_codes_that_lie_where_those_of_pictures_do(preset: str) -> None:
    recipe = make("vae", preset)
    assert isinstance(recipe, VaeRecipe)
    seen, drawn = batch(64), list[torch.Tensor]()
    recipe.pair.decoder.register_forward_pre_hook(lambda _, given: drawn.append(given[0]))
    away = Posterior(torch.full((64, recipe.settings.latent), 5.0), torch.tensor(-2.0))
    features = recipe.pair.encoder(seen[0])[1]
    with mock.patch.object(recipe.pair.encoder, "forward", return_value=(away, features)):
        assert recipe.made(seen, 0).shape == seen[0].shape
    (codes,) = drawn
    top, rest = codes[:, : recipe.settings.latent], codes[:, recipe.settings.latent :]
    assert top.mean().item() == pytest.approx(5, abs=0.05)
    assert top.std().item() == pytest.approx(math.exp(-2), rel=0.15)
    assert bool(rest.numel()) == (preset == "base")


def test_the_discriminator_tells_real_from_noise_and_penalties_hold_its_slope() -> None:
    recipe = make("gan")
    pictures, labels = batch()
    gaps = []
    for k in range(40):
        metrics = recipe.step(pictures, labels, 0.0, 16 * k)
        gaps.append(metrics["real_logit"] - metrics["fake_logit"])
    assert max(gaps) > 0.5
    strict = make("gan", gamma=1000.0)
    for k in range(40):
        held = strict.step(pictures, labels, 0.0, 16 * k)
    assert held["penalty"] < 0.05 * metrics["penalty"]


def test_the_exact_relativistic_loss_is_symmetric_at_the_start() -> None:
    """With equal logits both sides lose log 2."""
    recipe = make("gan")
    last = recipe.modules["discriminator"].head[-1]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    metrics = recipe.step(*batch(), 0.0, 0)
    assert metrics["d_loss"] == pytest.approx(np.log(2), abs=1e-6)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_augmentation_is_differentiable_seeded_and_leaves_alpha_colours_alone(
    channels: int,
) -> None:
    x_BCHW = torch.rand(8, channels, 16, 16) * 2 - 1
    x_BCHW.requires_grad_(True)
    one = augment(x_BCHW, 1.0, seeded(torch.device("cpu"), 1))
    same = augment(x_BCHW, 1.0, seeded(torch.device("cpu"), 1))
    other = augment(x_BCHW, 1.0, seeded(torch.device("cpu"), 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    one.sum().backward()
    assert x_BCHW.grad is not None
    assert x_BCHW.grad.abs().sum() > 0
    if channels == 4:
        assert one[:, 3].max() <= 1


def test_augmentation_changes_the_share_that_is_asked_for() -> None:
    x_BCHW = torch.rand(2000, 1, 16, 16) * 2 - 1
    for share in (0.0, 0.3, 1.0):
        changed = augment(x_BCHW, share, seeded(torch.device("cpu"), 1)) != x_BCHW
        found = changed.flatten(1).any(1).float().mean().item()
        assert found == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize(("size", "blocks", "rate"), [(32, 0, 2e-3), (40, 2, 5e-4)])
def test_above_32_px_residual_blocks_learn_more_slowly(size: int, blocks: int, rate: float) -> None:
    resolved = recipes.resolve_settings("gan", "tiny", {"width": 32})
    facts = DataFacts(size=size, channels=1, classes=0, pictures=256)
    recipe = recipes.create("gan", resolved, facts, choose("cpu", "float32", 1))
    found = [m for m in recipe.modules["generator"].modules() if isinstance(m, Residual)]
    assert (len(found), recipe.lr) == (blocks, rate)


def test_mirroring_turns_half_of_the_pictures() -> None:
    x_BCHW = torch.rand(1000, 3, 4, 4)
    turned = flip(x_BCHW, seeded(torch.device("cpu"), 1))
    same = (turned == x_BCHW).flatten(1).all(1)
    assert torch.equal(turned[~same], x_BCHW[~same].flip(3))
    assert same.float().mean().item() == pytest.approx(0.5, abs=0.06)


def test_the_mixture_finds_clusters_and_samples_them() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0]])
    points = centres[rng.integers(0, 3, 3000)] + rng.normal(0, 0.3, (3000, 2))
    mixture = fit_mixture(points, components=3)
    found = mixture.means[np.lexsort(np.round(mixture.means).T)]
    np.testing.assert_allclose(found, [[0, 0], [6, 0], [0, 6]], atol=0.1)
    np.testing.assert_allclose(mixture.weights, 1 / 3, atol=0.05)
    drawn = mixture.sample(2000, rng)
    nearest = np.abs(drawn[:, None] - centres).sum(2).min(1)
    assert np.quantile(nearest, 0.99) < 1.5


def test_one_gaussian_of_the_mixture_is_the_data_s_own() -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(2, 3, (5000, 4))
    mixture = fit_mixture(points, components=1)
    np.testing.assert_allclose(mixture.means[0], points.mean(0), atol=1e-3)
    covariance = mixture.factors[0] @ mixture.factors[0].T
    np.testing.assert_allclose(covariance, np.cov(points.T), atol=0.05)
