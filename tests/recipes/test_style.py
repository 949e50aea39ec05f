"""Style networks: they take on the style, go on bit for bit, and know styles by name afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import volute
from volute import jobs, recipes
from volute.errors import DataError, UsageError
from volute.handles import Stylizer
from volute.recipes.style import StyleRecipe
from volute.training.device import Device
from volute.training.run import Run, read_log
from volute.training.styles import names

TINY: dict[str, Any] = {
    "width": 8,
    "blocks": 1,
    "bank": 2,
    "code": 8,
    "batch": 4,
    "patch": 32,
    "lr": 2e-3,
    "threads": 1,
    "precision": "float32",
}
ANY = {**TINY, "groups": 2, "views": 3}


def stripes(colour: tuple[int, int, int], width: int) -> Image.Image:
    pixels = np.full((96, 128, 3), 255, np.uint8)
    pixels[:, np.arange(128) // width % 2 == 0] = colour
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("style")
    (path / "paintings").mkdir()
    stripes((200, 30, 30), 4).save(path / "paintings" / "red.png")
    stripes((20, 40, 220), 8).save(path / "paintings" / "blue.png")
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
    np.savez(path / "content.npz", x=small.repeat(8, 1).repeat(8, 2))
    return path


def train(folder: Path, name: str, kimg: float, settings: dict[str, Any], **how: Any) -> Run:
    over = {"content": str(folder / "content.npz"), **settings}
    paintings = how.pop("paintings", folder / "paintings")
    return jobs.train(
        "style", paintings, size=64, kimg=kimg, out=folder / name, settings=over, **how
    )


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    return train(folder, "any", 2.4, ANY, preset="any")


def test_it_learns_the_style(run: Run) -> None:
    lines = read_log(run.path / "log.jsonl")
    assert lines[-1]["held_style"] < 0.7 * lines[0]["style"]
    picture = np.full((40, 56, 3), 128, np.uint8)
    model = volute.load(run.model)
    assert isinstance(model, Stylizer)
    assert model.styles == ("blue", "red")
    blue, red = (model.stylize(picture, style=name).mean((0, 1)) for name in model.styles)
    assert blue[2] - blue[0] > red[2] - red[0] + 10


def test_a_style_that_was_stored_is_the_one_that_is_read(run: Run, folder: Path) -> None:
    model = volute.load(run.model)
    assert isinstance(model, Stylizer)
    read = model.style(folder / "paintings" / "red.png").code
    stored = model.style("red").code
    assert np.abs(read - stored).max() < 0.02 * np.abs(stored).max() + 1e-3
    assert model.thumbnail("red").size == (128, 128)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(folder: Path) -> None:
    settings = {**ANY, "views": 2}
    whole = train(folder, "whole", 0.08, settings, preset="any")
    counted = iter(range(100))
    half = train(folder, "part", 0.08, settings, preset="any", stop=lambda: next(counted) == 7)
    assert not (half.model / "config.json").exists()
    jobs.resume(half.path)
    one, two = ((r.model / "weights.safetensors").read_bytes() for r in (whole, half))
    assert one == two


def test_a_painting_of_ones_own_starts_from_a_model_for_any(run: Run, folder: Path) -> None:
    stripes((20, 160, 60), 6).save(folder / "green.png")
    own = {**TINY, "start": str(run.model), "groups": 1}
    made = train(folder, "own", 0.2, own, preset="own", paintings=[folder / "green.png"])
    model = volute.load(made.model)
    assert isinstance(model, Stylizer)
    assert model.styles == ("green",)
    picture = np.full((16, 24, 3), 128, np.uint8)
    assert model.stylize(picture, style="green").shape == picture.shape
    assert str(folder) not in (made.model / "config.json").read_text()
    again = {**own, "start": str(made.path)}
    child = train(folder, "child", 0.02, again, preset="own", paintings=[folder / "green.png"])
    assert child.config.settings["start"] == str(made.path)
    other = {**own, "code": 16}
    with pytest.raises(UsageError, match=r"has code 8, the new network 16"):
        train(folder, "unlike", 0.1, other, preset="own", paintings=[folder / "green.png"])
    with pytest.raises(UsageError, match="is of kind upscale, not style"):
        train(folder, "kind", 0.1, {**own, "start": "photo-x2"}, preset="own")


def test_the_model_says_nothing_of_where_it_was_made(run: Run, folder: Path) -> None:
    for file in ("config.json", "README.md"):
        assert str(folder) not in (run.model / file).read_text()
    assert json.loads((run.model / "config.json").read_text())["settings"]["styles"] == [
        "blue.png",
        "red.png",
    ]


def test_what_cannot_be_learned_is_refused(folder: Path) -> None:
    (folder / "empty").mkdir(exist_ok=True)
    with pytest.raises(UsageError, match="no painting"):
        train(folder, "none", 0.1, ANY, preset="any", paintings=folder / "empty")
    with pytest.raises(UsageError, match="64 px are too small"):
        train(folder, "small", 0.1, {**ANY, "patch": 128}, preset="any")
    with pytest.raises(UsageError, match="learns from colours"):
        train(folder, "grey", 0.1, {**ANY, "data": {"mode": "L"}}, preset="any")
    assert torch.is_grad_enabled()


def test_a_run_goes_on_with_the_paintings_it_began_with(folder: Path) -> None:
    paintings = folder / "changing"
    paintings.mkdir()
    stripes((10, 10, 10), 4).save(paintings / "art.png")
    steps = iter(range(9))
    made = train(
        folder, "bound", 0.04, TINY | {"start": ""}, preset="own", paintings=paintings,
        stop=lambda: next(steps) == 2,
    )  # fmt: skip
    stripes((250, 10, 10), 4).save(paintings / "art.png")
    with pytest.raises(DataError, match="have changed"):
        jobs.resume(made.path)


def test_what_learns_from_one_picture_alone_is_not_measured(folder: Path) -> None:
    (folder / "one").mkdir()
    noise = np.random.default_rng(1).integers(0, 256, (320, 320, 3), np.uint8)
    Image.fromarray(noise).save(folder / "one" / "a.png")
    settings = {**TINY, "start": "", "content": str(folder / "one"), "steady": 0}
    made = train(folder, "alone", 0.01, settings, preset="own")
    assert "held_style" not in made.metrics
    assert (made.model / "config.json").exists()


def test_batches_of_any_size_are_shared_by_styles(folder: Path) -> None:
    settings = {**ANY, "batch": 6, "groups": 4, "steady": 0}
    made = train(folder, "shared", 0.02, settings, preset="any")
    assert read_log(made.path / "log.jsonl")[-1]["shown"] >= 20


def test_plain_parts_of_pictures_do_no_harm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = np.repeat(np.arange(24, dtype=np.uint8) * 10, 96 * 96 * 3).reshape(24, 96, 96, 3)
    levels[:, :, :6] = np.random.default_rng(2).integers(0, 256, (24, 96, 6, 3))
    np.savez(folder / "plain.npz", x=levels)
    told, step = [], StyleRecipe.step

    def noted(self: StyleRecipe, *given: Any) -> dict[str, float]:
        told.append(step(self, *given))
        return told[-1]

    monkeypatch.setattr(StyleRecipe, "step", noted)
    over = {**ANY, "content": str(folder / "plain.npz")}
    how: dict[str, Any] = {"size": 96, "kimg": 0.04, "preset": "any", "settings": over}
    jobs.train("style", folder / "paintings", out=folder / "plain", **how)
    assert max(one["steady"] for one in told) < 1


def test_names_are_of_files_and_never_twice() -> None:
    assert names(["a-4.png", "a.png", "a-b.png", "z/a.png", "a-4.jpg", "x:y,z.png"]) == (
        "a-4", "a", "a-b", "a-2", "a-4-2", "x-y-z",
    )  # fmt: skip


def test_a_style_of_ones_own_is_the_preset_everywhere() -> None:
    gpu = Device(torch.device("cuda"), "bfloat16", 1)
    assert recipes.default_preset("style", gpu, 256) == "own"
