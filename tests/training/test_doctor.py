"""The doctor: what signs mean, what is healed and how, and that looking changes nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from shapes import TINY, shapes
from volute import recipes
from volute.cli.show import event_line
from volute.data.twins import twins
from volute.events import Event, Note, Verdict
from volute.jobs import resume, train
from volute.recipes.gan import GanRecipe
from volute.training import checkpoint, loop
from volute.training import doctor as doctors
from volute.training.augment import Adaptive
from volute.training.device import choose
from volute.training.doctor import Doctor
from volute.training.feed import TWINS
from volute.training.loop import DivergedError
from volute.training.recipe import DataFacts
from volute.training.symptoms import Row, judge, unstable
from volute.training.treatment import treatment


def rows(count: int, **values: Any) -> list[Row]:
    """Return rows five seconds apart; a list gives a value for each."""
    return [
        {"shown": 30_000 + 1000 * i, "seconds": 5.0 * i}
        | {k: v[i] if isinstance(v, list) else v for k, v in values.items()}
        for i in range(count)
    ]


MOVED, STILL = "discriminator.moved", {"discriminator.moved": 0.0, "generator.moved": 0.02}


@pytest.mark.parametrize(
    ("signs", "level", "cause"),
    [
        (rows(1), "OK", ""),
        (rows(3, loss=1.0), "OK", ""),
        (
            rows(3, **{MOVED: 0.03}, told=0.85, margin=2, scatter=1.4, variety=0.6, groups=0.5),
            "OK",
            "",
        ),
        (rows(1, **{MOVED: 0.3}), "STOP", "learning rate"),
        (rows(2, **STILL), "STOP", "frozen"),
        (rows(1, **STILL), "OK", ""),
        (rows(2, **{"detector.moved": 0.01, "remaker0.moved": 0.0}), "OK", ""),
        (rows(2, **{"detector.moved": 0.0}), "STOP", "frozen"),
        (rows(2, scatter=90.0), "STOP", "penalty"),
        (rows(2, scatter=90.0, **{MOVED: [0.4, 0.01]}), "STOP", "learning rate"),
        (rows(2, scatter=[2.0, 90.0]), "OK", ""),
        (rows(2, pixels=0.001), "STOP", "collapse"),
        (rows(2, variety=0.03), "STOP", "collapse"),
        (rows(3, variety=[0.6, 0.05, 0.03], groups=0.2), "STOP", "collapse"),
        (rows(4, variety=[0.19, 0.18, 0.17, 0.16], groups=0.5), "WATCH", "collapse"),
        (rows(4, variety=[0.12, 0.14, 0.17, 0.19], groups=0.5), "OK", ""),
        (rows(4, variety=0.9, groups=[0.27, 0.28, 0.27, 0.26]), "WATCH", "collapse"),
        (rows(4, variety=0.9, groups=[0.2, 0.24, 0.27, 0.29]), "OK", ""),
        (rows(3, told=1.0, margin=12.0), "WATCH", "discriminator ahead"),
        (rows(6, told=[0.56, 0.52, 0.51, 0.59, 0.51, 0.5]), "WATCH", "discriminator behind"),
        (rows(6, told=[0.41, 0.7, 0.62, 0.6, 0.57, 0.64]), "OK", ""),
        (rows(5, told=0.5), "OK", ""),
        (rows(4, by_heart=0.9, augmented=1.0), "WATCH", "by heart"),
        (rows(4, by_heart=0.9, augmented=0.4), "OK", ""),
        (rows(2, copies=0.8), "STOP", "copies"),
        (rows(3, active=0.0), "STOP", "posterior collapse"),
        (rows(3, active=0.4), "OK", ""),
        (rows(24, loss=[1.0] * 12 + [2.0] * 12), "WATCH", "loss rises"),
        (rows(24, loss=[2.0] * 12 + [1.0] * 12), "OK", ""),
    ],
)
def test_what_signs_mean(signs: list[Row], level: str, cause: str) -> None:
    verdict = judge(signs)
    assert (verdict.level, verdict.cause) == (level, cause)
    assert verdict.reason.endswith(".")
    assert bool(verdict.advice) == (level != "OK")


def test_little_variety_at_the_beginning_is_no_collapse() -> None:
    early = [row | {"shown": 900 + i} for i, row in enumerate(rows(4, variety=0.04))]
    assert judge(early).level == "OK"


def test_advice_names_what_there_is() -> None:
    signs: dict[str, Any] = {"variety": 0.9, "groups": 0.2}
    assert "gamma" in judge(rows(4, **signs)).advice
    assert "gamma" not in judge(rows(4, **signs, active=1.0)).advice
    alike = judge(rows(4, **signs, active=1.0, pixels=0.001))
    assert "learning rate" in alike.advice
    assert "gamma" not in alike.advice


@pytest.mark.parametrize("variety", [0.03, 0.9])
def test_a_vae_that_blurs_has_not_collapsed_unless_its_pixels_are_alike(variety: float) -> None:
    signs: dict[str, Any] = {"variety": variety, "groups": 0.08, "active": 1.0}
    assert judge(rows(4, **signs)).level == "OK"
    assert judge(rows(4, **signs, pixels=0.001)).cause == "collapse"


def test_a_loss_that_ends_below_zero_may_waver() -> None:
    falling = [6000.0 - 500 * i for i in range(12)]
    wavering = [400.0, 500.0] * 6 + [700.0, 800.0] * 6
    assert judge(rows(36, loss=falling + wavering)).level == "OK"
    assert judge(rows(36, loss=falling + wavering[:12] + [9000.0] * 12)).cause == "loss rises"


def test_what_blew_up_after_a_leap_is_the_learning_rate() -> None:
    assert unstable(rows(2, **{MOVED: 0.5})).cause == "learning rate"
    assert unstable(rows(2, **{MOVED: 0.02})).cause == "not finite"


def make(kind: str, **settings: Any) -> Any:
    checked = recipes.resolve_settings(kind, "tiny", {"width": 32} | settings)
    return recipes.create(kind, checked, DataFacts(16, 1, 0, 256), choose("cpu", "float32", 1))


@pytest.mark.parametrize(
    ("kind", "settings", "cause", "change"),
    [
        ("gan", {"lr": 0.06}, "learning rate", {"lr": "auto"}),
        ("gan", {}, "learning rate", {"lr": 5e-4}),
        ("gan", {"lr": 1e-5}, "learning rate", {"lr": 2.5e-6}),
        ("gan", {"gamma": 0.0}, "penalty", {"gamma": "auto"}),
        ("gan", {}, "penalty", {"gamma": 0.8}),
        ("gan", {"lr": 0.06}, "collapse", {"lr": "auto"}),
        ("gan", {}, "collapse", {"gamma": 0.8}),
        ("gan", {}, "copies", {}),
        ("vae", {"lr": 0.1}, "not finite", {"lr": 1e-3}),
        ("vae", {}, "posterior collapse", {"free_bits": 1.0}),
    ],
)
def test_the_setting_that_is_unusual_goes_back_else_the_first_one_is_changed(
    kind: str, settings: dict[str, Any], cause: str, change: dict[str, Any]
) -> None:
    usual = recipes.resolve_settings(kind, "tiny", {})
    assert treatment(make(kind, **settings), usual, Verdict("STOP", "", "", cause)) == change


def ill(folder: Path, source: Path, **more: Any) -> tuple[Any, list[Event]]:
    events: list[Event] = []
    settings = TINY["gan"] | {"lr": 3.0}
    run = train("gan", source, kimg=0.64, out=folder, settings=settings, emit=events.append, **more)
    return run, events


def _refused(*_: Path) -> None:
    raise OSError(95, "Operation not supported")


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the doctor look after every step."""
    monkeypatch.setattr(loop, "LOG_S", 0.0)


def test_a_training_that_blows_up_is_healed_once_and_says_so(
    often: None, shapes_npz: Path, tmp_path: Path
) -> None:
    run, events = ill(tmp_path / "run", shapes_npz)
    (said,) = [e.text for e in events if isinstance(e, Note) and e.topic == "healed"]
    assert "lr 3.0 -> auto" in said
    assert "anew" in said
    assert run.config.settings["lr"] == "auto"
    assert run.config.healed.startswith("lr 3.0 -> auto")
    assert run.metrics["shown"] == 640
    lines = [json.loads(line) for line in (run.path / "doctor.jsonl").read_text().splitlines()]
    assert "STOP" in [line["level"] for line in lines]
    assert lines[-1]["level"] == "OK"
    card = (run.model / "README.md").read_text()
    assert "lr 3.0 -> auto" in card
    assert "OK: " in card


def test_without_healing_it_stops_and_a_second_time_too(
    often: None, shapes_npz: Path, tmp_path: Path
) -> None:
    with pytest.raises(DivergedError, match="stopped at") as error:
        ill(tmp_path / "run", shapes_npz, heal=False)
    assert error.value.verdict.level == "STOP"
    assert "volute resume" in error.value.hint
    resume(tmp_path / "run")
    with pytest.raises(DivergedError):  # healed once, and no more
        resume(tmp_path / "run", kimg=1.28, settings={"lr": 3.0})


@pytest.mark.parametrize("links", [True, False])
def test_it_goes_back_to_a_state_that_was_sound(
    links: bool, often: None, shapes_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_S", 0.0)
    if not links:
        monkeypatch.setattr(checkpoint.os, "link", _refused)
    whole = GanRecipe.step
    wild: list[int] = []

    def spoilt(self: GanRecipe, *arguments: Any) -> dict[str, float]:
        if arguments[-1] == 320 and not wild:
            wild.append(1)
            for group in self.optimisers["discriminator"].param_groups:
                group["lr"] = 9.0
            self._set_rate = lambda cosine: None  # type: ignore[method-assign]
        return whole(self, *arguments)

    monkeypatch.setattr(GanRecipe, "step", spoilt)
    events: list[Event] = []
    train(
        "gan", shapes_npz, kimg=0.64, out=tmp_path / "run", settings=TINY["gan"], emit=events.append
    )
    (said,) = [e.text for e in events if isinstance(e, Note) and e.topic == "healed"]
    back = int(said.partition("back at ")[2].split()[0])
    assert 0 < back < 320


def test_looking_changes_nothing(
    often: None, shapes_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctors, "FIRST_S", 0.0)
    monkeypatch.setattr(doctors, "SHARE", 1e9)
    weights = []
    for name in ("looked", "unseen"):
        run = train("gan", shapes_npz, kimg=0.16, out=tmp_path / name, settings=TINY["gan"])
        weights.append((run.model / "weights.safetensors").read_bytes())
        monkeypatch.setattr(Doctor, "look", lambda *_: Verdict("OK", "Not looked."))
    assert weights[0] == weights[1]
    signs = [json.loads(line)["signs"] for line in (tmp_path / "looked/doctor.jsonl").open()][-2]
    assert {"variety", "groups", "told", "by_heart", "generator.moved"} <= set(signs)


def test_one_class_copies_and_bad_settings_are_said_before_the_training(tmp_path: Path) -> None:
    pictures, _ = shapes(30)
    rng = np.random.default_rng(0)
    many = pictures[rng.integers(0, 30, 600)].astype(int) + rng.integers(-1, 2, (600, 16, 16))
    np.savez(tmp_path / "a.npz", x=many.clip(0, 255).astype(np.uint8), y=np.full(600, 7))
    events: list[Event] = []
    settings = TINY["gan"] | {"gamma": 0.0, "batch": 2}
    train(
        "gan", tmp_path / "a.npz", kimg=0.01, out=tmp_path / "r", settings=settings,
        emit=events.append,
    )  # fmt: skip
    said = {event.cause: event for event in events if isinstance(event, Verdict)}
    assert {"one class", "duplicates", "penalty", "batch"} <= set(said)
    assert "7" in said["one class"].reason
    assert event_line(said["batch"]).startswith("WATCH    Batches of 2")


def test_a_frozen_network_is_named(
    often: None, shapes_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = GanRecipe.step

    def spoilt(self: GanRecipe, *arguments: Any) -> dict[str, float]:
        before = {k: v.clone() for k, v in self.discriminator.state_dict().items()}
        metrics = whole(self, *arguments)
        self.discriminator.load_state_dict(before)
        return metrics

    monkeypatch.setattr(GanRecipe, "step", spoilt)
    with pytest.raises(DivergedError, match="discriminator do not move"):
        train("gan", shapes_npz, kimg=0.64, out=tmp_path / "run", settings=TINY["gan"])


def test_twins_are_found_and_different_pictures_are_not() -> None:
    pictures, _ = shapes(600, seed=1)
    assert twins(pictures[..., None]) < TWINS / 2
    again = np.random.default_rng(0).permutation(np.repeat(pictures[:60], 10, 0))
    assert twins(again[..., None]) > 0.9
    assert twins(pictures[:1, :, :, None]) == 0


def test_augmentation_follows_what_is_known_by_heart() -> None:
    adaptive = Adaptive(pictures=200)
    for _ in range(20):
        adaptive.follow(gap=1.0, margin=2.0, scatter=1.0, shown=1000)
    assert adaptive.share == 1
    for _ in range(40):
        adaptive.follow(gap=0.0, margin=2.0, scatter=1.0, shown=1000)
    assert adaptive.share == 0


def test_chance_is_not_what_is_known_by_heart() -> None:
    adaptive, chance = Adaptive(pictures=60_000), np.random.default_rng(0).normal(0, 0.36, 400)
    highest = 0.0
    for gap in chance:
        adaptive.follow(gap=gap, margin=0.01, scatter=2.0, shown=2048)
        highest = max(highest, adaptive.share.item())
    assert highest < 0.3


def test_the_share_is_part_of_the_state() -> None:
    recipe = make("gan")
    assert recipe.augmented == 0
    recipe.augment.share.fill_(0.5)
    pictures = torch.rand(16, 1, 16, 16) * 2 - 1
    metrics = recipe.step(pictures, torch.zeros(16, dtype=torch.long), 0.5, 0)
    assert metrics["augmented"] == 0.5
    assert make("gan", augment=False).augmented == 0
