"""Training as a user calls it: what it leaves, what it refuses, what it does when it breaks."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shapes import TINY
from volute import load, recipes
from volute.errors import UsageError, VoluteError
from volute.events import Event, Note, Progress, Saved
from volute.jobs import train
from volute.training import checkpoint
from volute.training.device import choose
from volute.training.loop import DivergedError
from volute.training.recipe import DataFacts
from volute.training.run import parse_time


@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_a_run_leaves_everything_a_person_needs(
    kind: str, shapes_npz: Path, tmp_path: Path
) -> None:
    events: list[Event] = []
    run = train(
        kind, shapes_npz, kimg=0.8, out=tmp_path / "run", settings=TINY[kind], emit=events.append
    )
    for name in ("config.toml", "data.txt", "log.jsonl", "state/newest.safetensors"):
        assert (run.path / name).is_file()
    assert list((run.path / "samples").glob("*.png"))
    assert (run.model / "samples.png").is_file()
    topics = [event.topic for event in events if isinstance(event, Note)]
    assert {"data", "device", "budget"} <= set(topics)
    assert any(isinstance(event, Progress) and event.fraction == 1 for event in events)
    assert isinstance(events[-1], Saved)
    model = load(run.path)
    assert model.info.descriptor.size == 16
    assert model.sample(2, seed=1)[0].size == (16, 16)
    metrics = json.loads((run.model / "metrics.json").read_text())
    assert metrics["parity"] < 1e-4
    again = recipes.resolve_settings(kind, "tiny", model.info.settings)
    assert again.model_dump(mode="json") == model.info.settings
    (device,) = [e.text for e in events if isinstance(e, Note) and e.topic == "device"]
    assert device.partition(" · preset")[0] in (run.model / "README.md").read_text()


@pytest.mark.parametrize("kind", ["gan", "vae"])
def test_the_same_seed_gives_the_same_bytes_and_another_does_not(
    kind: str, shapes_npz: Path, tmp_path: Path
) -> None:
    weights = []
    for index, seed in enumerate((3, 3, 4)):
        out = tmp_path / str(index)
        run = train(kind, shapes_npz, kimg=0.32, out=out, seed=seed, settings=TINY[kind])
        weights.append((run.model / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1] != weights[2]


def test_a_config_is_a_valid_start_for_the_same_run(
    shapes_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from volute.cli import main

    first = train("gan", shapes_npz, kimg=0.32, out=tmp_path / "a", settings=TINY["gan"])
    config = str(first.path / "config.toml")
    command = ["volute", "train", "gan", "-c", config, "-o", str(tmp_path / "b")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in (0, None)
    same = [(tmp_path / n / "model/weights.safetensors").read_bytes() for n in "ab"]
    assert same[0] == same[1]


def test_nan_twice_stops_the_run_and_keeps_the_last_sound_state(
    shapes_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from volute.recipes.gan import GanRecipe
    from volute.training import loop

    monkeypatch.setattr(loop, "SAVE_S", 0.0)
    whole = GanRecipe.step

    def poisoned(self: GanRecipe, *arguments: Any) -> dict[str, float]:
        metrics = whole(self, *arguments)
        if arguments[-1] >= 160:
            self.generator.linear.weight.data.fill_(torch.nan)
            metrics["g_loss"] = float("nan")
        return metrics

    monkeypatch.setattr(GanRecipe, "step", poisoned)
    with pytest.raises(DivergedError, match="at 160 images") as error:
        train("gan", shapes_npz, kimg=1, out=tmp_path / "run", settings=TINY["gan"])
    assert "lr" in error.value.hint
    assert "gamma" in error.value.hint
    facts = DataFacts(16, 1, 2, 256)
    settings = {k: v for k, v in TINY["gan"].items() if k not in ("threads", "precision")}
    recipe = recipes.create(
        "gan", recipes.resolve_settings("gan", "tiny", settings), facts, choose("cpu", "float32", 1)
    )
    counters = checkpoint.load(tmp_path / "run" / "state", recipe)
    assert 0 < counters.shown < 160
    values = recipe.modules["generator"].state_dict().values()
    assert all(torch.isfinite(value).all() for value in values)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "gann"}, "gan"),
        ({"preset": "tinny"}, "tiny"),
        ({"size": 30}, "28"),
        ({"settings": {"gama": 1.0}}, "gamma"),
        ({"settings": {"lr": -1}}, "lr"),
        ({"settings": {"data": {"mod": "L"}}}, "mode"),
        ({"time": "soon"}, "--time"),
        ({"time": "1m", "kimg": 1.0}, "one of them"),
        ({"device": "cuda:7"}, "cuda:7"),
    ],
)
def test_a_wrong_setting_is_refused_with_the_nearest_right_one(
    arguments: dict[str, Any], words: str, shapes_npz: Path, tmp_path: Path
) -> None:
    values: dict[str, Any] = {"kind": "gan", "out": tmp_path / "run"} | arguments
    with pytest.raises(UsageError) as error:
        train(values.pop("kind"), shapes_npz, **values)
    assert words in str(error.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_not_overwritten(shapes_npz: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        train("gan", shapes_npz, kimg=0.1, out=tmp_path / "run")
    assert (tmp_path / "run" / "thesis.txt").read_text() == "mine"


def test_a_full_disk_is_one_clear_line_and_the_state_before_is_kept(
    shapes_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from volute.training import loop

    monkeypatch.setattr(loop, "SAVE_S", 0.0)
    whole = checkpoint.to_bytes
    calls = []

    def full(*arguments: Any, **keywords: Any) -> bytes:
        calls.append(1)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return whole(*arguments, **keywords)

    monkeypatch.setattr(checkpoint, "to_bytes", full)
    with pytest.raises(VoluteError, match="No space left") as error:
        train("gan", shapes_npz, kimg=1, out=tmp_path / "run", settings=TINY["gan"])
    assert "untouched" in error.value.hint
    assert (tmp_path / "run" / "state" / "newest.safetensors").is_file()


def test_the_gan_learns_the_shapes(tmp_path: Path) -> None:
    """After 16 kimg the samples' mean and spread are near the data's, pixel by pixel."""
    from shapes import shapes

    pictures, labels = shapes(2000)
    np.savez(tmp_path / "shapes.npz", x_train=pictures, y_train=labels)
    run = train("gan", tmp_path / "shapes.npz", kimg=16, out=tmp_path / "run", settings=TINY["gan"])
    made = np.stack([np.asarray(picture, float) for picture in load(run.path).sample(256)])
    real = pictures.astype(float)
    assert abs(made.mean() - real.mean()) < 25
    assert np.abs(made.mean(0) - real.mean(0)).mean() < 30
    assert made.std(0).mean() > 0.5 * real.std(0).mean()


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2.5h", 9000), (45, 45)]
)
def test_times(text: str | float, seconds: float) -> None:
    assert parse_time(text) == seconds


def test_tensorboard_gets_the_curves_and_the_samples(shapes_npz: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train("vae", shapes_npz, kimg=0.32, out=tmp_path / "run", settings=TINY["vae"])
    board = EventAccumulator(str(run.path / "tensorboard"))
    board.Reload()
    assert {"loss", "kl", "rmse", "rate"} <= set(board.Tags()["scalars"])
    assert board.Tags()["images"] == ["samples"]
    assert board.Scalars("loss")[-1].step == 320
