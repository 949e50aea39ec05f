"""An extractor learns from its teachers, resumes to the byte, and serves without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import volute
from teachers import coloured, teachers
from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.handles import Extractor
from volute.jobs import resume, train
from volute.measure.features import open_extractor
from volute.nets.extractor import load_extractor
from volute.recipes.extractor import _some
from volute.training.run import Run, read_log
from volute.visualize.network import open_network


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extractor")
    np.savez(folder / "discs.npz", x=coloured(48))
    return folder


@pytest.fixture(scope="module")
def settings(folder: Path) -> dict[str, Any]:
    return teachers(folder / "teachers")


@pytest.fixture(scope="module")
def run(folder: Path, settings: dict[str, Any]) -> Run:
    source = folder / "discs.npz"
    return train("extractor", source, size=128, kimg=0.12, out=folder / "run", settings=settings)


@pytest.fixture(scope="module")
def handle(run: Run) -> Extractor:
    handle = volute.load(run.path)
    assert isinstance(handle, Extractor)
    return handle


def test_it_comes_nearer_to_both_teachers(run: Run) -> None:
    lines = [line for line in read_log(run.path / "log.jsonl") if "global" in line]
    for name in ("features", "changes", "global"):
        assert lines[-1][name] < 0.9 * lines[0][name]


def test_torch_and_the_graphs_say_the_same(run: Run, handle: Extractor) -> None:
    network = load_extractor(run.path)
    pixels = coloured(2, seed=5)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        distance, features = network.distance(x[:1], x[1:]).item(), network(x).numpy()
    assert handle.distance(pixels[0], pixels[1]) == pytest.approx(distance, abs=1e-4)
    np.testing.assert_allclose(handle.embed(list(pixels)), features, atol=1e-3)
    np.testing.assert_allclose(open_extractor(run.path)(pixels), features, atol=1e-3)
    part = (slice(None), slice(None), slice(3, 60), slice(0, 41))
    with torch.no_grad():
        distance = network.distance(x[:1][part], x[1:][part]).item()
    small = handle.distance(pixels[0, 3:60, :41], pixels[1, 3:60, :41])
    assert small == pytest.approx(distance, abs=1e-4)


def test_stopped_and_resumed_equals_uninterrupted(
    folder: Path, settings: dict[str, Any], run: Run
) -> None:
    stops = iter([False] * 10 + [True])
    part = train(
        "extractor", folder / "discs.npz", size=128, kimg=0.12, out=folder / "part",
        settings=settings, stop=lambda: next(stops),
    )  # fmt: skip
    assert part.metrics["shown"] < 120
    resume(part.path)
    weights = "model/weights.safetensors"
    assert (part.path / weights).read_bytes() == (run.path / weights).read_bytes()


def test_the_model_names_its_teachers_and_not_where_they_lay(run: Run, folder: Path) -> None:
    for file in ("config.json", "README.md"):
        text = (run.model / file).read_text(encoding="utf-8")
        assert "vgg.safetensors" in text
        assert str(folder) not in text
    assert run.config.settings["spatial_teacher"] == str(folder / "teachers" / "vgg.safetensors")
    about = open_artefact(run.model).config.descriptor
    assert (about.kind, about.size, about.channels) == ("extractor", 128, 3)


def test_its_stages_can_be_shown(run: Run) -> None:
    network = open_network(run.path)
    assert (network.part, network.size, network.decide) == ("feature network", 128, None)
    assert len(network.maps(torch.zeros(1, 3, 128, 128))) == 5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"spatial_teacher": ""}, "needs the setting spatial_teacher"),
        ({"global_teacher": ""}, "needs the setting global_teacher"),
        ({"global_features": 7}, "gives 24 numbers a picture"),
        ({"spatial_teacher": "nowhere.safetensors"}, "there is no file .*nowhere.safetensors"),
        ({"spatial_teacher": __file__}, "does not hold this network"),
    ],
)
def test_teachers_that_cannot_teach_are_refused(
    folder: Path, settings: dict[str, Any], tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        train(
            "extractor", folder / "discs.npz", size=128, kimg=0.01, out=tmp_path / "run",
            settings=settings | change,
        )  # fmt: skip
    assert not (tmp_path / "run").exists()


@pytest.mark.long
def test_a_run_goes_on_from_another_folder(
    folder: Path, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / "teachers")
    named = settings | {"spatial_teacher": "vgg.safetensors", "global_teacher": "trunk.onnx"}
    run = train(
        "extractor", folder / "discs.npz", size=128, kimg=0.004, out=tmp_path / "run",
        settings=named,
    )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert resume(run.path, kimg=0.008).metrics["shown"] == 8


@pytest.mark.parametrize("batch", [8, 16, 30])
def test_spatial_features_are_compared_on_every_sort_of_picture(batch: int) -> None:
    before, after = _some(torch.arange(2 * batch)).chunk(2)
    assert {min(2, int(row) // (batch // 3)) for row in before} == {0, 1, 2}
    assert torch.equal(after, before + batch)


def test_grey_or_small_pictures_are_refused(
    folder: Path, settings: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="RGB pictures of 128 px or more, not from 3 channels at"):
        train("extractor", folder / "discs.npz", size=64, out=tmp_path / "a", settings=settings)
    grey = settings | {"data": {"mode": "L"}}
    with pytest.raises(UsageError, match="not from 1 channels at 128 px"):
        train("extractor", folder / "discs.npz", size=128, out=tmp_path / "b", settings=grey)
