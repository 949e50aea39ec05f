"""Smaller models: half the room or less, near the large one, refused where they lose too much."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from make_artefact import make_classifier, make_gan, make_upscaler
from realdata import real_data
from volute.engine.artefact import WEIGHTS, open_artefact
from volute.errors import UsageError, VoluteError
from volute.events import Event, Note, silent
from volute.exports import export_model
from volute.handles import Generator, Upscaler, load
from volute.training import trials
from volute.training.smaller import Form, smaller
from volute.zoo import resolve


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in [folder / WEIGHTS, *folder.glob("*.onnx")])


@pytest.mark.parametrize(("form", "share", "steps"), [("float16", 0.51, 1), ("int8", 0.3, 8)])
def test_a_generator_takes_less_room_and_makes_nearly_the_same(
    tmp_path: Path, form: Form, share: float, steps: float
) -> None:
    told: list[Event] = []
    export_model("garments-gan", tmp_path / "made", forms=[form], emit=told.append)
    before, after = (load(ref) for ref in ("garments-gan", tmp_path / "made"))
    assert isinstance(before, Generator)
    assert isinstance(after, Generator)
    assert _size(tmp_path / "made") < share * _size(resolve("garments-gan"))
    old, new = (model.arrays(8, seed=3).astype(float) for model in (before, after))
    assert 0 < np.sqrt(np.square(old - new).mean()) < steps
    assert (after.info.name, after.info.numbers) == (f"garments-gan-{form}", form)
    assert before._artefact.digest != after._artefact.digest
    metrics, card = after._artefact.metrics(), (tmp_path / "made" / "README.md").read_text()
    assert metrics[f"{form}_psnr"] >= 30
    assert f"| {form}_psnr | {metrics[f'{form}_psnr']:.4g} |" in card
    assert f"| weights in | {form} |" in card
    assert "volute train gan" in card  # what the large one's card tells stays
    assert any(isinstance(event, Note) and event.topic == form for event in told)
    with pytest.raises(UsageError, match="already"):
        export_model(tmp_path / "made", tmp_path / "again", forms=[form])


def test_what_loses_too_much_is_refused_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artefact = make_gan(tmp_path / "gan")
    trial = dataclasses.replace(trials.trial_of(artefact, None), bound=200.0)
    monkeypatch.setattr("volute.training.smaller.trial_of", lambda *_: trial)
    with pytest.raises(VoluteError, match="loses too much: psnr .* at least 200 dB is allowed"):
        smaller(artefact, tmp_path / "out", ["float16"], None, silent)
    assert not (tmp_path / "out").exists()


def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    make_gan(tmp_path / "gan")
    tensors = load_file(tmp_path / "gan" / WEIGHTS)
    save_file({**tensors, "linear": tensors["linear"] * 1e6}, tmp_path / "gan" / WEIGHTS)
    with pytest.raises(VoluteError, match="loses too much"):
        export_model(tmp_path / "gan", tmp_path / "out", forms=["float16"])


def test_an_upscaler_keeps_the_graph_that_runs_by_default(tmp_path: Path) -> None:
    artefact = make_upscaler(tmp_path / "made")
    rng = torch.Generator().manual_seed(0)
    smooth = torch.nn.functional.interpolate(torch.rand((8, 3, 8, 8), generator=rng), (64, 64))
    batch = 2 * smooth - 1, torch.zeros(8)
    examples = trials.Examples(batch, batch)
    smaller(artefact, tmp_path / "both", ["float16", "int8"], examples, silent)
    before, after = load(tmp_path / "made"), load(tmp_path / "both")
    assert isinstance(before, Upscaler)
    assert isinstance(after, Upscaler)
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    exact, half, whole = (
        model.upscale(picture, int8=int8).astype(int)
        for model, int8 in ((before, False), (after, False), (after, True))
    )
    assert np.abs(exact - half).max() <= 1
    assert 0 < np.abs(exact - whole).mean() < 3
    assert set(after.info.graphs) == {"upscaler", "int8"}
    assert set(after._artefact.metrics()) >= {"int8_loss_db", "float16_loss_db"}


@pytest.mark.parametrize(
    ("ref", "forms", "words"),
    [
        ("painter", ["int8"], "makes its kernels anew for each picture"),
        ("bard", ["float16"], "bard has no smaller form"),
        ("eye", ["int8"], "eye has no smaller form"),
        ("garments-classify", ["int8"], "cannot be measured without labelled pictures"),
        ("garments-gan", ["int8", "float16"], "integers or in half precision"),
    ],
)
def test_what_cannot_be_is_said(
    tmp_path: Path, ref: str, forms: Sequence[Form], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        export_model(ref, tmp_path / "out", forms=forms)
    assert not (tmp_path / "out").exists()
    with pytest.raises(UsageError, match="stays as it is"):
        export_model(ref, None, forms=forms)


def test_a_classifier_is_measured_on_labelled_pictures(tmp_path: Path) -> None:
    make_classifier(tmp_path / "day")
    with np.load(real_data("fashion_mnist.npz")) as whole:
        keys = sorted(whole.files)
        part = {key: whole[key][:600] for key in keys}
    np.savez(tmp_path / "garments.npz", **part)
    export_model(
        "garments-classify", tmp_path / "c8", forms=["int8"], data=tmp_path / "garments.npz"
    )
    metrics = json.loads((tmp_path / "c8" / "metrics.json").read_text())
    assert metrics["int8_accuracy_loss"] <= 0.5
    assert _size(tmp_path / "c8") < 0.35 * _size(resolve("garments-classify"))
    assert open_artefact(tmp_path / "c8").config.numbers == "int8"
    for name in ("a", "b"):
        (tmp_path / "f" / name).mkdir(parents=True)
        for index in range(10):
            noise = np.random.default_rng([index, ord(name)]).integers(0, 256, (16, 16), np.uint8)
            Image.fromarray(noise).save(tmp_path / "f" / name / f"{index}.png")
    with pytest.raises(UsageError, match="has other classes than tiny-classifier: a, b"):
        export_model(tmp_path / "day", tmp_path / "o", forms=["int8"], data=tmp_path / "f")
