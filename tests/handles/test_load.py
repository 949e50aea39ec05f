from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import volute
from make_artefact import make_gan, make_vae
from volute import zoo
from volute.errors import UsageError, VoluteError
from volute.handles import Autoencoder, Generator


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A zoo with one model."""
    folder = tmp_path / "zoo"
    make_gan(folder / "tiny-gan")
    (folder / "__pycache__").mkdir()
    monkeypatch.setattr(zoo, "HERE", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def test_what_ships_is_listed(shelf: Path) -> None:
    assert zoo.shipped() == {"tiny-gan": shelf / "tiny-gan"}
    assert volute.models() == ["tiny-gan"]


def test_references(shelf: Path, tmp_path: Path) -> None:
    make_vae(tmp_path / "runs" / "photos-1" / "model")
    assert isinstance(volute.load("tiny-gan"), Generator)
    assert isinstance(volute.load("runs/photos-1"), Autoencoder)
    assert isinstance(volute.load(tmp_path / "runs" / "photos-1" / "model"), Autoencoder)
    assert volute.load("tiny-gan").info.name == "tiny-gan"
    assert len(volute.sample("tiny-gan", 3, seed=1)) == 3


def test_a_shipped_name_goes_before_a_folder(shelf: Path, tmp_path: Path) -> None:
    make_vae(tmp_path / "tiny-gan")
    assert zoo.resolve("tiny-gan") == shelf / "tiny-gan"
    assert zoo.resolve("./tiny-gan") == Path("tiny-gan")


def test_near_names_are_offered(shelf: Path) -> None:
    with pytest.raises(UsageError) as caught:
        volute.load("tiny-gam")
    assert caught.value.hint == "Did you mean tiny-gan?"
    with pytest.raises(UsageError) as caught:
        volute.load("something else")
    assert caught.value.hint == "The shipped models are listed by: volute models"


def test_a_run_without_a_model_says_what_to_do(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").touch()
    with pytest.raises(UsageError, match="has no model yet") as caught:
        volute.load("run")
    assert "volute export run" in caught.value.hint
    assert "volute resume run" in caught.value.hint


def test_what_is_no_model(shelf: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "model.onnx").touch()
    for ref in ("photos", "model.onnx", ""):
        with pytest.raises(UsageError, match="is not a model"):
            volute.load(ref)


def test_a_vae_without_an_encoder(tmp_path: Path) -> None:
    made = make_vae(tmp_path / "m")
    config_file = made.path / "config.json"
    config_file.write_text(config_file.read_text().replace('"encoder":', '"decoder2":'))
    with pytest.raises(VoluteError, match="has no encoder graph"):
        volute.load(made.path)


def test_a_model_works_wherever_its_folder_goes(tmp_path: Path) -> None:
    made = make_gan(tmp_path / "here")
    before = volute.load(made.path).sample(2)
    shutil.move(made.path, tmp_path / "übersee 2")
    after = volute.load(tmp_path / "übersee 2").sample(2)
    assert [a.tobytes() for a in before] == [b.tobytes() for b in after]
