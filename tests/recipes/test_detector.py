"""The detector learns from pairs that went the same way, and is exported as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import volute.recipes.detector as recipe_module
from drawing import noise
from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.jobs import train
from volute.nets.detector import Detector, folded, residuals
from volute.nets.remaker import FAMILIES, Plan, Remaker, drawn, enlarged
from volute.provenance import detector
from volute.recipes import create, resolve_settings
from volute.recipes.detector import DetectorRecipe
from volute.recipes.detector_settings import DetectorSettings
from volute.recipes.known import auc, by_source
from volute.training import alike
from volute.training.device import Device
from volute.training.recipe import DataFacts

CPU = Device(torch.device("cpu"), "float32", 1)


def made(**over: object) -> DetectorRecipe:
    settings = resolve_settings("detector", "tiny", over)
    recipe = create("detector", settings, DataFacts(256, 3, 0, 16), CPU)
    assert isinstance(recipe, DetectorRecipe)
    return recipe


def pixels(seed: int, side: int = 256) -> np.ndarray:
    """Return a smooth picture with edges and grain."""
    rng = np.random.default_rng(seed)
    edges = np.where(noise(seed + 1000, side, side)[..., :1] > 128, 40, 0)
    grain = rng.normal(0, 6, (side, side, 3))
    return np.clip(noise(seed, side, side) * 0.7 + edges + grain, 0, 255).astype(np.uint8)


def batch(count: int) -> torch.Tensor:
    stacked = np.stack([pixels(seed) for seed in range(count)])
    return torch.from_numpy(stacked).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_it_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe_module, "SIDES", (64,))
    recipe = made(lr=4e-3, warmup=0.001, ema_kimg=0.05)
    pictures, shown = batch(8), 0
    for step in range(45):
        recipe.step(pictures, torch.zeros(8), 0.0 if step < 5 else 0.3, shown)
        shown += 8
    found = recipe.evaluate(lambda: iter([(batch(40)[8:], torch.zeros(32))]))
    assert found["auc"] > 0.75


def test_a_step_is_a_function_of_its_state() -> None:
    first, second = made(batch=4), made(batch=4)
    for recipe in (first, second):
        recipe.step(batch(4), torch.zeros(4), 0.3, 40)
    for name in first.modules:
        states = (recipe.modules[name].state_dict() for recipe in (first, second))
        for a, b in zip(*(state.values() for state in states), strict=True):
            assert torch.equal(a, b)


def test_residuals_are_those_of_all_four_grids() -> None:
    """x - up2(down2(x)) from any corner of any grid is a value, or minus one, that is there."""
    x = batch(1)[:, :, :20, :20]
    seen = torch.pixel_shuffle(residuals(x), 2)
    for top, left in ((0, 0), (0, 1), (1, 0), (1, 1)):
        part = x[:, :, top : top + 16, left : left + 16]
        kept = part[:, :, ::2, ::2].repeat_interleave(2, 2).repeat_interleave(2, 3)
        bent = torch.tanh(127.5 / 10 * (part - kept))
        inner = seen[:, :, top : top + 16, left : left + 16]
        right, below, across = inner[:, 0:3], inner[:, 3:6], inner[:, 6:9]
        assert torch.allclose(bent[:, :, ::2, 1::2], -right[:, :, ::2, ::2], atol=1e-6)
        assert torch.allclose(bent[:, :, 1::2, ::2], -below[:, :, ::2, ::2], atol=1e-6)
        assert torch.allclose(bent[:, :, 1::2, 1::2], -across[:, :, ::2, ::2], atol=1e-6)


def test_the_residual_does_not_see_brightness() -> None:
    x = 0.5 * batch(1)
    assert torch.allclose(residuals(x), residuals(x + 0.3), atol=1e-5)


def test_folding_changes_nothing() -> None:
    network = Detector((8, 12))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 2)
            torch.nn.init.normal_(module.running_mean)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    network.eval()
    small = folded(network)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in small.modules())
    x = batch(2)[:, :, :64, :96]
    with torch.no_grad():
        assert torch.allclose(network(x), small(x), atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("factor", [2, 4, 8])
def test_remakers_of_all_kinds_keep_the_size(family: str, factor: int) -> None:
    rng = torch.Generator().manual_seed(0)
    x = batch(2)[:, :, :48, :64]
    for bare, reduced in ((True, False), (False, True)):
        plan = Plan(family, factor, 8, 1, 5, "silu", bare, reduced, grain=reduced)
        assert Remaker(plan)(x, rng).shape == x.shape
    assert enlarged(x, family, np.random.default_rng(0)).shape == x.shape


def test_a_remaker_learns() -> None:
    torch.manual_seed(0)
    remaker = Remaker(Plan("transposed", 2, 12, 1, 3, "relu", False, False, False))
    optimiser = torch.optim.AdamW(remaker.parameters(), 3e-3)
    rng, x = torch.Generator(), batch(4)[:, :, :64, :64]
    errors = [recipe_module.learn(remaker, optimiser, x, rng) for _ in range(60)]
    assert errors[-1] < 0.4 * errors[0]


def test_plans_differ_and_keep_to_their_families() -> None:
    draw = np.random.default_rng(0)
    plans = {drawn(draw, ("nearest", "shuffle")) for _ in range(50)}
    assert len(plans) > 45
    assert {plan.family for plan in plans} == {"nearest", "shuffle"}
    left = made(left_out="transposed", remakers=8)
    assert "transposed" not in {remaker.plan.family for remaker in left.remakers} | {*left.families}
    with pytest.raises(UsageError, match="no family"):
        made(left_out="cubic")


def test_both_of_a_pair_go_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(alike.OFTEN, "softened", 0.0)
    for seed in range(20):
        x = pixels(seed, 90)
        first, second = alike.sent(x, x.copy(), 64, np.random.default_rng(seed))
        assert first.shape == (64, 64, 3)
        assert np.array_equal(first, second)


def test_auc_counts_ties_as_half() -> None:
    assert auc(np.array([0.0, 1, 2]), np.array([3.0, 4])) == 1
    assert auc(np.array([0.0, 1]), np.array([1.0])) == 0.75
    assert auc(np.zeros(3), np.zeros(2)) == 0.5


def test_small_sources_are_one() -> None:
    few = {(size, k): [0.0] * 50 for size in ("large", "small") for k in (0, 1)}
    many = {place: 2 * scores for place, scores in few.items()}
    assert set(by_source(few)["large.sources"]) == {0}
    assert set(by_source(many)["small.sources"]) == {0, 1}


def test_grey_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="RGB"):
        create("detector", DetectorSettings(), DataFacts(256, 1, 0, 16), CPU)


def test_the_export_is_what_is_used(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for seed in range(16):
        Image.fromarray(pixels(seed)).save(tmp_path / "data" / f"{seed}.png")
    run = train(
        "detector",
        tmp_path / "data",
        preset="tiny",
        kimg=0.016,
        out=tmp_path / "run",
        settings={"threads": 1, "precision": "float32", "held_out": 0.3},
        device="cpu",
    )
    found = detector.Detector(open_artefact(run.model), 1)
    told = found.look(pixels(1, 200))
    assert told.answer in ("no evidence", "unsure")  # of ten real pictures none is rarer than 0.1
    assert "among 10 scores of real pictures" in told.basis
    assert found.logits(pixels(2, 300)).shape == (4,)
