"""A narrower stylizer keeps the channels that count and its styles, and learns from the wide."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import volute
from volute.cli import app
from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.events import Event, Note
from volute.handles import Stylizer
from volute.jobs import resume, train
from volute.nets.narrow import narrow_painter
from volute.nets.painter import Painter
from volute.nets.stylizer import measure
from volute.shrinking import shrink
from volute.training.run import Run

WIDE: dict[str, Any] = {
    **{"width": 16, "blocks": 1, "bank": 2, "code": 8, "batch": 4, "groups": 2, "patch": 32},
    **{"views": 3, "start": "", "threads": 1, "precision": "float32"},
}
HOW: dict[str, Any] = {"threads": 1, "precision": "float32"}


def awake(width: int) -> Painter:
    torch.manual_seed(0)
    network = Painter(code=8, width=width, blocks=2, bank=2)
    with torch.no_grad():
        for kernels in network.kernels:
            kernels.normal_(std=0.3)
        network.mix.weight.normal_(std=0.3)
    return network


def painted(network: Painter, codes: torch.Tensor) -> torch.Tensor:
    x = torch.rand(2, 3, 48, 32, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return measure(x, network(codes))[0].detach()


def test_at_its_own_width_nothing_changes() -> None:
    large, small, codes = awake(16), Painter(8, 16, 2, 2), torch.randn(2, 8)
    narrow_painter(small, large, codes)
    assert torch.equal(painted(small, codes), painted(large, codes))


def test_channels_that_nobody_sees_are_the_ones_that_go() -> None:
    large, codes = awake(16), torch.randn(2, 8)
    idle, idle_within = torch.arange(16) % 3 == 1, torch.arange(32) % 3 == 1
    down, *blocks, up, touch, _, _, last = list(large.kernels)[1:]
    with torch.no_grad():
        for seen in (down, touch):
            seen[:, :, idle] = 0
        last[:, idle] = 0
        for seen in (*blocks, up):
            seen[:, :, idle_within] = 0
    small = Painter(8, 11, 2, 2)
    narrow_painter(small, large, codes)
    torch.testing.assert_close(painted(small, codes), painted(large, codes), rtol=1e-4, atol=1e-4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shrink")
    (path / "paintings").mkdir()
    for name, colour, wide in (("red", (200, 30, 30), 4), ("blue", (20, 40, 220), 8)):
        stripes = np.full((96, 128, 3), 255, np.uint8)
        stripes[:, np.arange(128) // wide % 2 == 0] = colour
        Image.fromarray(stripes).save(path / "paintings" / f"{name}.png")
    small = np.random.default_rng(0).integers(0, 256, (18, 32, 32, 3), dtype=np.uint8)
    np.savez(path / "content.npz", x=small.repeat(8, 1).repeat(8, 2))
    return path


def wide(folder: Path, preset: str) -> Run:
    settings = {**WIDE, "content": str(folder / "content.npz")}
    return train(
        "style", folder / "paintings", preset=preset, size=64, kimg=0.12, out=folder / preset,
        settings=settings,
    )  # fmt: skip


@pytest.fixture(scope="module")
def reader(folder: Path) -> Run:
    """A run whose model reads any style."""
    return wide(folder, "any")


@pytest.fixture(scope="module")
def shrunken(reader: Run, folder: Path) -> Run:
    return shrink(reader.path, to=0.5, kimg=0.12, out=folder / "small", settings=HOW)


def codes(model: Path) -> np.ndarray:
    return open_artefact(model).tensors(["styles.codes"])["styles.codes"]


def test_a_run_is_shrunk_by_what_it_learned_from(reader: Run, shrunken: Run) -> None:
    before, after = (open_artefact(run.model) for run in (reader, shrunken))
    share = after.config.descriptor.macs_per_pixel / before.config.descriptor.macs_per_pixel
    assert 0.3 < share < 0.6
    assert after.config.styles == before.config.styles == ("blue", "red")
    np.testing.assert_allclose(codes(shrunken.model), codes(reader.model), atol=2e-3)
    told = after.config.descriptor.training_data
    assert "painted on content.npz" in told
    macs = f"{before.config.descriptor.macs_per_pixel:,.0f}"
    assert f"taught by a wider stylizer, any ({macs} multiply-adds a pixel)" in told
    assert after.config.settings["teacher"] == "any"
    card = (shrunken.model / "README.md").read_text()
    assert "volute shrink any content.npz -s width=8" in card
    assert str(reader.path.parent) not in card + (shrunken.model / "config.json").read_text()


def test_it_paints_what_the_wide_one_paints(reader: Run, shrunken: Run, folder: Path) -> None:
    large, small = volute.load(reader.model), volute.load(shrunken.model)
    assert isinstance(large, Stylizer)
    assert isinstance(small, Stylizer)
    picture = np.load(folder / "content.npz")["x"][0]
    for style in ("blue", "red", folder / "paintings" / "red.png"):
        wanted, made = (m.stylize(picture, style=style).astype(float) for m in (large, small))
        assert np.abs(made - wanted).mean() < 0.5 * np.abs(picture - wanted).mean()
    assert small.thumbnail("red").size == (128, 128)
    metrics = open_artefact(shrunken.model).metrics()
    assert metrics["psnr_from_teacher"] > 18
    assert metrics["style_from_teacher"] < 0.5
    assert metrics["content_lost"] < 0.2


@pytest.mark.long
def test_stopped_and_resumed_equals_uninterrupted(reader: Run, shrunken: Run, folder: Path) -> None:
    steps = iter(range(100))
    part = shrink(
        reader.path, to=0.5, kimg=0.12, out=folder / "part", settings=HOW,
        stop=lambda: next(steps) == 11,
    )  # fmt: skip
    assert not (part.model / "config.json").exists()
    resume(part.path)
    one, two = ((run.model / "weights.safetensors").read_bytes() for run in (shrunken, part))
    assert one == two


def test_a_model_that_knows_styles_by_name_alone_keeps_them(folder: Path) -> None:
    large, content = wide(folder, "own"), folder / "content.npz"
    events: list[Event] = []
    made = shrink(
        large.model, content, to=0.5, kimg=0.02, out=folder / "named", settings=HOW,
        emit=events.append,
    )  # fmt: skip
    assert open_artefact(made.model).config.styles == ("blue", "red")
    assert np.array_equal(codes(made.model), codes(large.model))
    (width,) = (note.text for note in events if isinstance(note, Note) and note.topic == "width")
    assert width.startswith("16 -> 8 channels, 0.4")
    Image.new("RGB", (64, 64), (90, 90, 20)).save(folder / "olive.png")
    paintings = {**HOW, "styles": [str(folder / "paintings/red.png"), str(folder / "olive.png")]}
    with pytest.raises(UsageError, match="no style encoder: it cannot read olive"):
        shrink(large.model, content, out=folder / "unread", settings=paintings)
    with pytest.raises(UsageError, match="is no wider stylizer"):
        resume(made.path, settings={"teacher": str(made.model)})


def test_paintings_join_the_styles_that_an_encoder_reads(reader: Run, folder: Path) -> None:
    Image.new("RGB", (64, 64), (20, 160, 60)).save(folder / "green.png")
    settings = {**HOW, "styles": str(folder / "green.png")}
    content = folder / "content.npz"
    made = shrink(reader.model, content, kimg=0.01, out=folder / "more", settings=settings)
    assert open_artefact(made.model).config.styles == ("blue", "red", "green")


def test_no_file_that_a_model_names_is_opened(
    reader: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    for file in reader.model.iterdir():
        (hostile / file.name).write_bytes(file.read_bytes())
    config = json.loads((hostile / "config.json").read_text())
    config["settings"] |= dict.fromkeys(("vgg", "tutor", "start"), "/etc/passwd")
    config["settings"]["styles"] = ["/etc"]
    (hostile / "config.json").write_text(json.dumps(config))
    given: dict[str, Any] = {}
    monkeypatch.setattr("volute.jobs.train", lambda *_, **how: given.update(how))
    shrink(hostile, "photos/")
    assert "/etc" not in str(given)


def test_a_shipped_name_is_shrunk(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("volute.jobs.train", lambda *_, **how: given.update(how))
    shrink("painter", "photos/", settings={"styles": "paintings/"})
    settings = given["settings"]
    assert (settings["width"], settings["styles"], settings["vgg"]) == (20, "paintings/", "")
    with pytest.raises(UsageError, match="does not hold what it learned from"):
        shrink("painter")
    with pytest.raises(UsageError, match=r"no network of 0.01x: the narrowest has 0.11x"):
        shrink("painter", "photos/", to=0.01)


@pytest.mark.parametrize("to", ["0", "1x", "-0.5x", "nan", "inf", "0.5xx", "half", "1e-9x", ""])
def test_shares_that_cannot_be_are_refused_in_words(to: str) -> None:
    result = CliRunner().invoke(app, ["shrink", "painter", "photos/", f"--to={to}"])
    assert result.exit_code == 2 or isinstance(result.exception, UsageError)
