from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from make_artefact import make_gan
from running import Command
from volute import jobs, stacked_mnist

BENCH = ("bench", "stacked-mnist", "--data", "digits.npz", "-o", "out")


@pytest.fixture
def folder(command: Command, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Real digits of 8 px, doubled in size, and a protocol of a few seconds."""
    found = load_digits()
    pictures = np.kron(found.images * 15.9, np.ones((2, 2))).astype(np.uint8)
    train = {"x_train": pictures[:1500], "y_train": found.target[:1500]}
    np.savez("digits.npz", **train, x_test=pictures[1500:], y_test=found.target[1500:])
    for name, value in {"TRIPLES": 500, "SAMPLES": 400, "CLASSIFIER_KIMG": 4}.items():
        monkeypatch.setattr(stacked_mnist, name, value)
    return Path.cwd()


def test_it_trains_measures_and_does_nothing_twice(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = (*BENCH, "--time", "2s", "--seed", "3", "--device", "cpu", "--json")
    first = command(*words)
    assert first.code == 0, first.err
    found = json.loads(first.out)
    assert found["model"] == "gan-auto-cpu-2s-3"
    assert (found["samples"]["n"], found["real"]["low_confidence"]) == (400, None)
    assert 1 <= found["samples"]["modes"] <= 400
    assert found["images"] > 0
    assert found["accuracy"] > 0.6
    assert found["real_named"]["modes"] == pytest.approx(found["real"]["modes"], abs=60)
    with np.load("out/triples.npz") as triples:
        assert triples["x_train"].shape == (500, 16, 16, 3)

    def never(*given: object, **named: object) -> None:
        raise AssertionError("it is done again")

    monkeypatch.setattr(jobs, "train", never)
    monkeypatch.setattr(jobs, "resume", never)
    again = command(*words)
    assert json.loads(again.out) == found
    assert "is done" in again.err


def test_a_model_is_measured_and_shown_as_a_table(folder: Path, command: Command) -> None:
    make_gan(folder / "mine", channels=3, name="mine")
    done = command(*BENCH, "--run", "mine")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["modes", "of", "1,000", "KL", "in", "nats", "low", "confidence"]
    assert lines[1].startswith("mine, 400 samples")
    assert "real triples" in lines[2]
    assert "of x_test right" in lines[4]
    assert len(lines) == 5
    assert not Path("out/triples.npz").exists()


@pytest.mark.parametrize(
    ("channels", "classes", "reason"),
    [
        (1, (), "16 px pictures with 1 channels"),
        (3, ("a", "b"), "16 px pictures with 3 channels of 2 classes"),
    ],
)
def test_models_of_other_pictures_are_refused(
    folder: Path, command: Command, channels: int, classes: tuple[str, ...], reason: str
) -> None:
    make_gan(folder / "mine", channels, classes, name="mine")
    done = command(*BENCH, "--run", "mine")
    assert done.code == 2
    assert f"error: mine makes {reason}" in done.err.splitlines()[0]
    assert not Path("out/classifier").exists()


def test_a_folder_with_something_else_is_refused(folder: Path, command: Command) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "letter.txt").write_text("dear")
    done = command(*BENCH, "--time", "1s")
    assert (done.code, "holds something else" in done.err) == (2, True)


def test_a_folder_of_other_digits_is_refused(folder: Path, command: Command) -> None:
    (folder / "out").mkdir()
    (folder / "out" / "digits.sha256").write_text("0" * 64)
    done = command(*BENCH, "--time", "1s")
    assert (done.code, "begun with other digits" in done.err) == (4, True)


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (("--run", "mine", "--time", "1s"), 2, "--run measures what is there"),
        (("--time", "soon"), 2, "--time soon is not a time"),
        (("--preset", "huge", "--time", "1s"), 2, "huge"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(
    folder: Path, command: Command, words: tuple[str, ...], code: int, reason: str
) -> None:
    done = command(*BENCH, *words)
    assert (done.code, reason in done.err) == (code, True), done.err


def test_stopping_says_how_to_go_on(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "train", interrupted)
    done = command(*BENCH, "--time", "1s")
    assert (done.code, "the same command again" in done.err) == (130, True)


@pytest.mark.long
def test_a_run_that_was_stopped_is_gone_on_with(folder: Path, command: Command) -> None:
    stacked_mnist.StackedMnist(Path("digits.npz"), Path("out"))
    kimg, run = stacked_mnist.CLASSIFIER_KIMG, Path("out/classifier")
    jobs.train("classify", "digits.npz", kimg=kimg, out=run, stop=lambda: True)
    assert not (run / "model").exists()
    make_gan(folder / "mine", channels=3, name="mine")
    done = command(*BENCH, "--run", "mine")
    assert done.code == 0, done.err
    assert "going on at" in done.err
    assert (run / "model").exists()
