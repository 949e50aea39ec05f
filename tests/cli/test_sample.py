from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from syrupy.assertion import SnapshotAssertion

from make_artefact import make_gan, make_vae
from running import Command
from volute.handles import load


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path) -> None:
    make_gan(tmp_path / "zoo" / "tiny-gan", channels=3)
    make_gan(tmp_path / "zoo" / "tiny-classes", classes=("bag", "coat"), name="tiny-classes")
    make_vae(tmp_path / "zoo" / "tiny-vae")


def names(folder: str | Path) -> list[str]:
    return sorted(file.name for file in Path(folder).iterdir())


def parameters(file: Path) -> dict[str, object]:
    with Image.open(file) as image:
        return json.loads(image.text["volute"])


def test_help_is_recorded(command: Command, snapshot: SnapshotAssertion) -> None:
    assert str(command("sample", "--help")) == snapshot


def test_a_folder_of_pictures(command: Command) -> None:
    result = command("sample", "tiny-gan", "-n", 3, "--seed", 5, "--truncation", 0.7)
    assert str(result) == "exit 0\nsaved    tiny-gan-seed5 (3 pictures of 16 x 16 px)\n"
    assert names("tiny-gan-seed5") == ["000.png", "001.png", "002.png"]
    expected = load("tiny-gan").arrays(3, seed=5, truncation=0.7)
    with Image.open("tiny-gan-seed5/002.png") as image:
        np.testing.assert_array_equal(np.asarray(image), expected[2])
    assert parameters(Path("tiny-gan-seed5/002.png")) == {
        "model": "tiny-gan",
        "seed": 5,
        "truncation": 0.7,
        "index": 2,
        "class": None,
        "volute": "0.1.0",
    }


def test_names_sort_as_numbers(command: Command) -> None:
    command("sample", "tiny-gan", "-n", 1001, "-o", "many")
    assert names("many")[-1] == "1000.png"
    assert names("many")[0] == "0000.png"


def test_a_grid_is_one_enlarged_picture(command: Command) -> None:
    assert command("sample", "tiny-gan", "-n", 5, "--grid").code == 0
    with Image.open("tiny-gan-seed0.png") as image:
        assert image.size == (3 * 130 - 2, 2 * 130 - 2)
    assert parameters(Path("tiny-gan-seed0.png"))["n"] == 5


@pytest.mark.parametrize("name", ["x.png", "x.webp", "x.jpg", "X.PNG"])
def test_a_picture_name_means_one_picture(command: Command, name: str) -> None:
    assert command("sample", "tiny-gan", "-n", 1, "-o", name).code == 0
    with Image.open(name) as image:
        assert image.size == (16, 16)
    assert command("sample", "tiny-gan", "-n", 4, "-o", name, "--overwrite").code == 0
    with Image.open(name) as image:
        assert image.size == (258, 258)


def test_classes_take_turns(command: Command) -> None:
    command("sample", "tiny-classes", "-n", 3, "--class", "coat", "--class", 0, "-o", "out")
    made = [parameters(Path("out") / name)["class"] for name in names("out")]
    assert made == ["coat", "bag", "coat"]
    command("sample", "tiny-classes", "-n", 9, "-o", "drawn")
    made = {parameters(Path("drawn") / name)["class"] for name in names("drawn")}
    assert made == {"coat", "bag"}


def test_json_names_every_file(command: Command) -> None:
    told = json.loads(command("sample", "tiny-gan", "-n", 2, "--json").out)
    assert told["files"] == ["tiny-gan-seed0/000.png", "tiny-gan-seed0/001.png"]
    assert (told["model"], told["seed"], told["n"]) == ("tiny-gan", 0, 2)


def test_nothing_is_overwritten_unless_asked(command: Command) -> None:
    command("sample", "tiny-gan", "-n", 1)
    command("sample", "tiny-gan", "-n", 1)
    assert names(".") == ["tiny-gan-seed0", "tiny-gan-seed0-2"]
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("kept")
    refused = command("sample", "tiny-gan", "-n", 1, "-o", "mine")
    assert (refused.code, names("mine")) == (2, ["notes.txt"])
    assert command("sample", "tiny-gan", "-n", 1, "-o", "mine", "--overwrite").code == 0
    assert names("mine") == ["000.png", "notes.txt"]
    command("sample", "tiny-gan", "-n", 1, "--overwrite")
    assert names(".") == ["mine", "tiny-gan-seed0", "tiny-gan-seed0-2"]


def test_an_empty_folder_may_be_filled(command: Command) -> None:
    Path("empty").mkdir()
    assert command("sample", "tiny-gan", "-n", 1, "-o", "empty").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        "sample tiny-gam",
        "sample nothing/like/it",
        "sample tiny-gan -n 0",
        "sample tiny-gan --seed -1",
        "sample tiny-gan --truncation 1.5",
        "sample tiny-gan --class bag",
        "sample tiny-classes --class boat",
        "sample tiny-gan --grid -o folder",
        "sample tiny-gan -o x.bmp",
        "sample tiny-gan -o taken.png",
        "interpolate tiny-gan -n 1",
        "interpolate tiny-gan --steps 0",
        "interpolate tiny-gan -o x.png",
        "reconstruct tiny-gan taken.png",
        "reconstruct tiny-vae a.png b.png -o x.png",
        "sample",
        "sample tiny-gan --colour red",
    ],
)
def test_refusals_are_recorded(
    command: Command, arguments: str, snapshot: SnapshotAssertion
) -> None:
    Path("taken.png").touch()
    assert str(command(*arguments.split())) == snapshot
    assert names(".") == ["taken.png"]


def test_jpeg_has_no_transparency(command: Command, tmp_path: Path) -> None:
    make_gan(tmp_path / "zoo" / "clear", channels=4, name="clear")
    assert "JPEG has no transparency" in command("sample", "clear", "-o", "x.jpg").err
    assert command("sample", "clear", "-o", "x.webp").code == 0
    assert names(".") == ["x.webp"]


@pytest.mark.parametrize(("suffix", "form"), [(".webp", "WEBP"), (".gif", "GIF")])
def test_a_walk_is_an_animation(command: Command, suffix: str, form: str) -> None:
    result = command("interpolate", "tiny-gan", "-n", 3, "--steps", 4, "-o", f"walk{suffix}")
    assert str(result) == f"exit 0\nsaved    walk{suffix} (12 frames of 16 x 16 px)\n"
    with Image.open(f"walk{suffix}") as image:
        assert (image.format, image.n_frames, image.size) == (form, 12, (128, 128))
        assert image.info["loop"] == 0


def test_a_walk_as_frames(command: Command) -> None:
    command("interpolate", "tiny-classes", "-n", 2, "--steps", 2, "--class", "bag", "-o", "frames")
    assert names("frames") == ["000.png", "001.png", "002.png", "003.png"]
    assert parameters(Path("frames/003.png"))["frame"] == 3
    with Image.open("frames/000.png") as image:
        assert image.size == (16, 16)


def test_a_walk_has_a_name_of_its_own(command: Command) -> None:
    assert "tiny-gan-walk-seed4.webp" in command("interpolate", "tiny-gan", "--seed", 4).out


def test_reconstructions(command: Command) -> None:
    for place in ("a", "b"):
        Path(place).mkdir()
        Image.new("L", (40, 30), 200).save(f"{place}/x.png")
    result = command("reconstruct", "tiny-vae", "a/x.png", "b/x.png")
    assert str(result) == "exit 0\nsaved    tiny-vae-reconstructed (2 of 2 pictures)\n"
    assert names("tiny-vae-reconstructed") == ["x-2.png", "x.png"]
    with Image.open("tiny-vae-reconstructed/x-2.png") as image:
        assert image.getcolors() == [(256, 200)]
    assert command("reconstruct", "tiny-vae", "a/x.png", "-o", "again.webp").code == 0
    assert Path("again.webp").is_file()


def test_a_failed_picture_is_named_and_the_others_are_done(command: Command) -> None:
    Image.new("RGB", (40, 30)).save("good.png")
    Path("bad.png").write_bytes(b"no picture")
    result = command("reconstruct", "tiny-vae", "bad.png", "absent.png", "good.png", "-o", "out")
    assert result.code == 1
    assert names("out") == ["good.png"]
    assert "1 of 3 pictures" in result.out
    assert [line.split(":")[0] for line in result.err.splitlines()] == [
        "failed   bad.png",
        "failed   absent.png",
    ]
    told = command("reconstruct", "tiny-vae", "bad.png", "-o", "none", "--json")
    assert told.code == 1
    assert json.loads(told.out)["failed"][0]["file"] == "bad.png"


def test_a_damaged_model_is_told_in_two_lines(command: Command, tmp_path: Path) -> None:
    graph = tmp_path / "zoo" / "tiny-gan" / "generator.onnx"
    graph.write_bytes(b"not a graph")
    result = command("sample", "tiny-gan")
    assert result.code == 1
    assert "generator.onnx is not a graph that ONNX Runtime can load" in result.err
    assert len(result.err.splitlines()) == 2
    assert names(".") == []
