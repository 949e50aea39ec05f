"""Compiled steps: the same training, and never where it does not pay or cannot be."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from shapes import TINY
from volute.errors import UsageError, VoluteError
from volute.events import Note
from volute.jobs import resume, train
from volute.recipes.vae import VaeRecipe, VaeSettings
from volute.training import compiled
from volute.training.checkpoint import untouched
from volute.training.device import Device
from volute.training.distributed import ALONE
from volute.training.feed import Feed
from volute.training.recipe import DataFacts, Recipe
from volute.training.run import Run, RunConfig

CPU = Device(torch.device("cpu"), "float32", 1)


class Racer:
    """A recipe whose steps take as long as it is told, and say what it is told."""

    compiles, group, device, batch = True, ALONE, CPU, 4
    modules: dict[str, Any] = {}
    averages, optimisers = modules, modules

    def __init__(self, plain: float, fast: float, loss: float = 1.0) -> None:
        self.seconds, self.losses = {False: plain, True: fast}, {False: 1.0, True: loss}
        self.compiling = False
        self.steps = 0

    def step(self, *_: Any) -> dict[str, float]:
        self.steps += 1
        time.sleep(self.seconds[self.compiling])
        return {"loss": self.losses[self.compiling]}


class NoData:
    """A feed of nothing."""

    def next(self, count: int, shown: int) -> tuple[()]:
        """Return nothing."""
        return ()


def _decided(racer: Racer, **asked: Any) -> tuple[str, list[str]]:
    notes: list[str] = []
    config = RunConfig.make(
        {"kind": "vae", "source": "x", "preset": "tiny", "size": 16, "time_s": 3600.0} | asked
    )
    found = compiled.decided(
        config,
        cast(Recipe, racer),
        cast(Feed, NoData()),
        0,
        lambda event: notes.append(event.text) if isinstance(event, Note) else None,
    )
    assert racer.compiling == (found.compile == "on")
    return found.compile, notes


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "unset")  # so that it is put back


def test_the_faster_way_is_chosen_and_said() -> None:
    chosen, notes = _decided(Racer(0.02, 0.01))
    assert chosen == "on"
    assert notes[-1].startswith("on: ")
    chosen, notes = _decided(Racer(0.01, 0.02))
    assert chosen == "off"
    assert notes[-1].startswith("off: ")


def test_nothing_is_tried_where_it_cannot_pay_or_a_result_is_to_be_the_same() -> None:
    for asked in ({"time_s": 60.0}, {"time_s": 0.0, "kimg": 1e6}, {"recompute": True}):
        racer = Racer(0.0, 0.0)
        assert _decided(racer, **asked) == ("off", [])
        assert not racer.steps


def test_another_loss_is_not_trusted() -> None:
    chosen, notes = _decided(Racer(0.01, 0.001, loss=1.2))
    assert chosen == "off"
    assert "its loss is 1.2, not 1" in notes[-1]
    with pytest.raises(VoluteError, match="its loss is 1.2"):
        _decided(Racer(0.01, 0.001, loss=1.2), compile="on")


def test_what_is_learned_in_a_trial_is_forgotten() -> None:
    settings = VaeSettings(width=16, latent=4, batch=4)
    recipe = VaeRecipe(settings, DataFacts(16, 1, 0, 100), CPU, seed=0)
    rng = torch.Generator().manual_seed(0)
    batch = torch.rand(4, 1, 16, 16, generator=rng) * 2 - 1, torch.zeros(4, dtype=torch.long)
    first = recipe.step(*batch, 0.1, 0)
    second = recipe.step(*batch, 0.2, 4)
    recipe = VaeRecipe(settings, DataFacts(16, 1, 0, 100), CPU, seed=0)
    with untouched(recipe):
        recipe.step(*batch, 0.3, 0)
    assert recipe.step(*batch, 0.1, 0) == first
    with untouched(recipe):
        recipe.step(*batch, 0.3, 0)
    assert recipe.step(*batch, 0.2, 4) == second


def test_penalties_are_not_compiled(shapes_npz: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing in a step of gan can be compiled"):
        train("gan", shapes_npz, out=tmp_path / "r", settings={"compile": "on"})
    assert not (tmp_path / "r").exists()


def _trained(source: Path, out: Path, compile: str, steps: int | None = None) -> Run:
    """Train 32 steps of a small VAE, or stop after so many."""
    asked = iter(range(steps or 1000))
    settings = TINY["vae"] | {"compile": compile}
    return train(
        "vae",
        source,
        kimg=0.5,
        out=out,
        settings=settings,
        stop=lambda: next(asked, None) is None,
    )


@pytest.mark.long
def test_a_compiled_training_is_that_of_the_plain_one(shapes_npz: Path, tmp_path: Path) -> None:
    runs = [_trained(shapes_npz, tmp_path / way, way) for way in ("off", "on")]
    assert [run.config.compile for run in runs] == ["off", "on"]
    plain, fused = (run.metrics["loss"] for run in runs)
    assert fused == pytest.approx(plain, rel=1e-3)
    kept = tmp_path / "cache" / "compiled"
    assert list(kept.iterdir())
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.long
def test_a_compiled_language_model_reads_the_same(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    text.write_text("To be, or not to be, that is the question. " * 200)
    small = {"width": 8, "filters": [16, 16], "rows": [64] * 4, "part": 4, "dropout": 0.0}
    small |= {"batch": 4, "length": 64, "expert": 0, "threads": 1, "precision": "float32"}
    bits = [
        train("lm", text, kimg=8, out=tmp_path / way, settings=small | {"compile": way}).metrics
        for way in ("off", "on")
    ]
    plain, fused = (found["bits_per_byte"] for found in bits)
    assert fused == pytest.approx(plain, rel=1e-3)


@pytest.mark.long
def test_a_compiled_training_goes_on_to_the_byte(shapes_npz: Path, tmp_path: Path) -> None:
    whole = _trained(shapes_npz, tmp_path / "whole", "on")
    part = _trained(shapes_npz, tmp_path / "part", "on", steps=10)
    assert not part.model.exists()
    again = resume(part.path)
    one, other = ((run.model / "weights.safetensors").read_bytes() for run in (whole, again))
    assert one == other


def test_without_a_compiler_it_is_said(
    shapes_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch._inductor.config.cpp.cxx", ("no-such-compiler",))
    with pytest.raises(VoluteError, match="cannot be compiled here") as told:
        train("vae", shapes_npz, kimg=0.5, out=tmp_path / "r", settings={"compile": "on"})
    assert "-s compile=off" in told.value.hint
