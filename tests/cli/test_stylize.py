"""`volute stylize`: pictures, films, folders, what is told, what fails."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from filming import Recipe, content, film
from make_artefact import make_upscaler
from make_stylizer import shared_stylizer
from running import Command
from volute import zoo

SHIPPED = zoo.HERE


@pytest.fixture
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shared_stylizer(tmp_path_factory.getbasetemp())


def save(path: str, height: int = 30, width: int = 40) -> np.ndarray:
    array = np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(array).save(path)
    return array


def test_one_picture_by_name_picture_and_mix(command: Command, model: Path) -> None:
    save("photo.png")
    save("my art.png", 50)
    first = command("stylize", "photo.png", "--style", "wave", "--model", model)
    assert (first.code, first.out) == (0, "")
    assert "saved    photo-wave.png" in first.err
    assert Image.open("photo-wave.png").size == (40, 30)
    again = command("stylize", "photo.png", "--style", "wave", "--model", model)
    assert "photo-wave-2.png" in again.err
    own = command("stylize", "photo.png", "--style", "my art.png", "--model", model)
    assert "saved    photo-my art.png" in own.err
    mix = command("stylize", "photo.png", "--style", "wave:7,monet:3", "--model", model)
    assert "saved    photo-wave70-monet30.png" in mix.err
    made = [np.asarray(Image.open(f"photo-{n}.png")) for n in ("wave", "wave-2", "my art")]
    assert np.array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])
    taken = command("stylize", "photo.png", "--style", "wave", "--model", model, "-o", "my art.png")
    assert taken.code == 1
    assert "add --overwrite" in taken.err


def test_strength_colour_and_mask(command: Command, model: Path) -> None:
    array = save("photo.png")
    mask = np.zeros((30, 40), np.uint8)
    mask[:, 20:] = 255
    Image.fromarray(mask).save("m.png")
    made = {}
    for name, flags in {
        "none": ["--strength", "0"],
        "half": ["--strength", "0.5"],
        "all": [],
        "colour": ["--keep-colour"],
        "mask": ["--mask", "m.png"],
    }.items():
        arguments = ["photo.png", "--style", "wave", "--model", model, "-o", f"{name}.png", *flags]
        result = command("stylize", *arguments)
        assert result.code == 0, result
        made[name] = np.asarray(Image.open(f"{name}.png")).astype(int)
    assert np.array_equal(made["none"], array)
    assert np.array_equal(made["mask"][:, :20], array[:, :20])
    assert np.array_equal(made["mask"][:, 20:], made["all"][:, 20:])
    assert len({array.tobytes() for array in made.values()}) == 5


def test_a_folder_has_a_ledger_and_goes_on(command: Command, model: Path) -> None:
    Path("in/sub").mkdir(parents=True)
    save("in/a.png")
    save("in/sub/b.jpg")
    Path("in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    film(Path("in/c.mp4"), Recipe(pts=range(0, 2048, 512)))
    how = ["--style", "wave", "--model", model, "-o", "out"]
    first = command("stylize", "in", *how)
    assert first.code == 1
    assert "failed   in/broken.png" in first.err
    assert "1 failed · 3 ok" in first.err
    assert Image.open("out/sub/b.jpg").size == (40, 30)
    assert len(content(Path("out/c.mp4")).pictures) == 4
    assert not Path("out/broken.png").exists()
    again = command("stylize", "in", *how, "--json")
    found = [json.loads(line)["status"] for line in again.out.splitlines()]
    assert sorted(found) == ["failed", "skipped", "skipped", "skipped"]
    other = command("stylize", "in", *how, "--strength", "0.5", "--overwrite", "--json")
    found = [json.loads(line)["status"] for line in other.out.splitlines()]
    assert sorted(found) == ["failed", "ok", "ok", "ok"]


def test_another_style_of_the_same_name_is_other_work(command: Command, model: Path) -> None:
    Path("in").mkdir()
    save("in/a.png")
    save("art.png", 50)
    how = ["stylize", "in", "--style", "art.png", "--model", model, "-o", "out", "--json"]
    assert json.loads(command(*how).out)["status"] == "ok"
    assert json.loads(command(*how).out)["status"] == "skipped"
    save("art.png", 60)
    changed = json.loads(command(*how).out)
    assert (changed["status"], "there already" in changed["reason"]) == ("failed", True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.png", "--style", "wave"], "absent.png: No such file"),
        (["photo.png", "--style", "wav"], "Did you mean wave"),
        (["photo.png", "--style", "wave:-1"], "weights -1"),
        (["photo.png", "--style", "wave", "--strength", "1.5"], "not between 0 and 1"),
        (["photo.png", "--style", "wave", "--strength", "-0.1"], "not between 0 and 1"),
        (["photo.png", "--style", "wave", "--memory", "lots"], "--memory lots is no amount"),
        (["photo.png", "--style", "wave", "--memory", "10MB"], "10 MB is too little"),
        (["photo.png", "--style", "wave", "--mask", "no.png"], "no.png: No such file"),
        (["photo.png", "--style", "wave", "--mask", "tiny.png"], "mask has 1 x 1 pixels"),
        (["photo.png", "--style", "tiny.png"], "1 x 1 pixels: too few to show a style"),
        (["photo.png", "--style", "wave", "-o", "out.xyz"], "not written as .xyz"),
        (["*.tiff", "--style", "wave"], "*.tiff finds no files"),
        (["photo.png"], "--style"),
    ],
)
def test_what_cannot_be_is_one_line(
    command: Command, model: Path, arguments: list[str], words: str
) -> None:
    save("photo.png")
    save("tiny.png", 1, 1)
    result = command("stylize", *arguments, "--model", model)
    assert result.code in (1, 2, 4)
    assert words in result.err
    assert "Traceback" not in result.err
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["photo.png", "tiny.png"]


def test_only_stylizers_stylize(command: Command, tmp_path: Path) -> None:
    make_upscaler(tmp_path / "up", 1)
    result = command("stylize", "a.png", "--style", "wave", "--model", tmp_path / "up")
    assert result.code == 2
    assert "cannot stylize: it is of kind upscale" in result.err


def test_info_lists_the_styles(command: Command, model: Path) -> None:
    result = command("info", model)
    assert result.code == 0
    assert "styles         wave, monet" in result.out


def test_the_slow_way_takes_a_file_and_settings(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(zoo, "HERE", SHIPPED)
    save("photo.png", 40)
    save("art.png", 48)
    slow = ("stylize", "photo.png", "--style", "art.png", "--method", "optimise")
    made = command(*slow, "-s", "side=64", "-s", "steps=6")
    assert made.code == 0, made
    assert Image.open("photo-art.png").size == (40, 40)
    assert command(*slow, "-s", "size=64").code == 2
    assert (
        "there is no method" in command("stylize", "photo.png", "--style", "a", "--method", "x").err
    )
    assert "is no file" in command(*slow[:3], "wave", *slow[4:]).err
    assert "Add: --method optimise" in command(*slow[:4], "-s", "side=64").err
