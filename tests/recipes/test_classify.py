"""The classifier learns, holds out what it says it does, and its probabilities are calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import volute
from shapes import TINY, shapes
from volute.errors import DataError, UsageError
from volute.handles import Classifier
from volute.jobs import resume, train
from volute.recipes.calibration import calibrate, calibration_error, softmax


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    folder = tmp_path_factory.mktemp("classify")
    pictures, labels = shapes(400)
    np.savez(folder / "shapes.npz", x_train=pictures, y_train=labels)
    settings = TINY["classify"] | {"data": {"classes": ["disc", "bar"]}, "magnitude": 0.2}
    run = train("classify", folder / "shapes.npz", kimg=6.4, out=folder / "run", settings=settings)
    handle = volute.load(run.path)
    assert isinstance(handle, Classifier)
    return handle


def test_it_tells_discs_from_bars_that_it_has_never_seen(model: Classifier) -> None:
    pictures, labels = shapes(200, seed=1)
    found = model.classify(pictures[..., None])
    assert isinstance(found, list)
    right = np.array([prediction.index for prediction in found]) == labels
    assert right.mean() > 0.95
    assert {prediction.label for prediction in found} == {"disc", "bar"}


def test_one_picture_gives_one_answer_and_several_a_list(model: Classifier, tmp_path: Path) -> None:
    from PIL import Image

    pictures, _ = shapes(3, seed=2)
    one = model.classify(pictures[0], top=2)
    assert not isinstance(one, list)
    assert [label for label, _ in one.ranking][0] == one.label
    assert sum(chance for _, chance in one.ranking) == pytest.approx(1, abs=1e-5)
    Image.fromarray(pictures[0]).save(tmp_path / "one.png")
    assert model.classify(tmp_path / "one.png", top=2) == one
    assert model.classify([pictures[0]], top=2) == [one]


def test_the_card_tells_what_was_measured_on_the_held_out_pictures(model: Classifier) -> None:
    folder = model._artefact.path
    card = (folder / "README.md").read_text(encoding="utf-8")
    for name in ("held_out_accuracy", "calibration_error", "answered", "held_out_pictures | 40"):
        assert name in card


def test_one_class_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    pictures, _ = shapes(20)
    np.savez(tmp_path / "one.npz", x_train=pictures)
    with pytest.raises(DataError, match="at least two classes"):
        train("classify", tmp_path / "one.npz", kimg=0.1, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_temperature_that_spoiled_the_logits_is_found() -> None:
    rng = np.random.default_rng(0)
    true = rng.normal(0, 2, (20_000, 5))
    labels = np.array([rng.choice(5, p=chances) for chances in softmax(true)])
    found = calibrate(3.0 * true, labels, trust=0.9)
    assert found.temperature == pytest.approx(3.0, rel=0.05)
    assert found.metrics["calibration_error"] < 0.02 < found.metrics["calibration_error_before"]
    assert found.metrics["answered_accuracy"] >= 0.9


def test_calibration_error_of_known_answers() -> None:
    """Ten answers at 0.8 of which five are right are off by 0.3."""
    chances = np.tile([0.8, 0.2], (10, 1))
    labels = np.array([0] * 5 + [1] * 5)
    assert calibration_error(chances, labels) == pytest.approx(0.3)


def test_a_few_right_answers_do_not_make_a_model_certain() -> None:
    found = calibrate(np.array([[1.0, 0.0], [0.0, 1.0]] * 5), np.array([0, 1] * 5), trust=0.98)
    assert found.temperature > 0.2
    assert found.metrics["answered"] == 1


def test_equal_confidences_are_answered_together_or_not_at_all() -> None:
    found = calibrate(np.tile([2.0, 0.0], (4, 1)), np.array([0, 0, 1, 1]), trust=0.98)
    assert found.metrics["answered"] == 0


def test_what_is_held_out_stays_held_out(tmp_path: Path) -> None:
    pictures, labels = shapes(60)
    np.savez(tmp_path / "s.npz", x_train=pictures, y_train=labels)
    run = train(
        "classify", tmp_path / "s.npz", kimg=0.16, out=tmp_path / "run", settings=TINY["classify"]
    )
    with pytest.raises(UsageError, match="held_out cannot change"):
        resume(run.path, kimg=0.32, settings={"held_out": 0.3})


def test_a_trust_that_cannot_be_reached_abstains_always() -> None:
    found = calibrate(np.array([[1.0, 0.0], [2.0, 0.0]]), np.array([1, 1]), trust=0.9)
    assert found.threshold == 1.0
    assert found.metrics["answered"] == 0
