"""The handle of a text classifier: the objects of the classifier of pictures, for any bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import volute
from make_artefact import make_classifier, make_text_classifier
from volute.errors import DataError, UsageError, VoluteError
from volute.handles import Prediction, TextClassifier


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> TextClassifier:
    handle = volute.load(make_text_classifier(tmp_path_factory.mktemp("texts") / "tiny").path)
    assert isinstance(handle, TextClassifier)
    return handle


def test_one_text_gives_one_answer_and_several_a_list(model: TextClassifier) -> None:
    one = model.classify("Größe 3, 🐑", top=2)
    assert isinstance(one, Prediction)
    assert one.label == model.classes[one.index]
    assert sum(chance for _, chance in one.ranking) == pytest.approx(1, abs=1e-5)
    assert model.classify(["Größe 3, 🐑".encode()], top=2) == [one]
    assert model.classify([]) == []
    assert volute.classify(model._artefact.path, ["a", "b"]) == model.classify(["a", "b"])


def test_files_are_read_as_far_as_the_model_reads(model: TextClassifier, tmp_path: Path) -> None:
    text = "An egg, größer 🐑. " * 600_000
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "a.txt").write_text(text, encoding=encoding)
        assert model.classify(tmp_path / "a.txt") == model.classify(text)
    assert model.classify(text) == model.classify(text[:90])


@pytest.mark.parametrize(
    "text", [b"", b" \n", b"\0\0", b"\xff\xfe\xfd", b"\xed\xa0\x80" * 99, "\udcff", "a" * 10**7]
)
def test_any_bytes_have_a_class(model: TextClassifier, text: str | bytes) -> None:
    found = model.classify(text)
    assert 0.5 <= found.probability <= 1
    empty = isinstance(text, bytes) and not text.strip()
    assert not (empty and found.certain)


def test_features_are_of_the_text_alone(model: TextClassifier) -> None:
    together = model.features(["one", "two and three and more than that", ""])
    assert together.shape == (3, 48)
    np.testing.assert_allclose(together[0], model.features("one")[0], atol=1e-5)


def test_what_cannot_be_is_refused(model: TextClassifier, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="top = 0"):
        model.classify("a", top=0)
    with pytest.raises(UsageError, match="threshold = 2"):
        model.classify("a", threshold=2)
    with pytest.raises(DataError, match="cannot read"):
        model.classify(tmp_path / "none.txt")
    (tmp_path / "a.png").write_bytes(b"\x89PNG\0\0")
    with pytest.raises(DataError, match="is no text"):
        model.classify(tmp_path / "a.png")


def test_damaged_models_say_so(tmp_path: Path) -> None:
    path = make_text_classifier(tmp_path / "a", settings={"length": "x"}).path
    with pytest.raises(VoluteError, match="does not say what it reads"):
        volute.load(path)
    path = make_text_classifier(tmp_path / "b", settings={"length": 9, "members": 3}).path
    model = volute.load(path)
    assert isinstance(model, TextClassifier)
    with pytest.raises(VoluteError, match=r"members\.2"):
        model.classify("a")


def test_a_classifier_of_pictures_without_a_size_is_refused(tmp_path: Path) -> None:
    path = make_classifier(tmp_path / "a").path
    text = (path / "config.json").read_text().replace('"size": 16', '"size": 0')
    (path / "config.json").write_text(text)
    with pytest.raises(VoluteError, match="needs a size"):
        volute.load(path)
