"""`volute upscale`: files of every family, folders, what is told, what fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_artefact import make_gan, make_upscaler
from running import Command

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    make_upscaler(tmp_path / "model", 1)
    return tmp_path / "model"


@pytest.fixture
def photo() -> Path:
    path = Path("photo.png")
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_one_picture(command: Command, model: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    Image.fromarray(pixels).save("photo.png")
    first = command("upscale", "photo.png", "--model", model)
    assert (first.code, first.out) == (0, "")
    assert "saved    photo-x2.png" in first.err
    assert Image.open("photo-x2.png").size == (80, 60)
    assert "photo-x2-2.png" in command("upscale", "photo.png", "--model", model).err
    assert command("upscale", "photo.png", "--model", model, "-o", "big.jpg").code == 0
    assert Image.open("big.jpg").format == "JPEG"
    taken = command("upscale", "photo.png", "--model", model, "-o", "big.jpg")
    assert taken.code == 1
    assert "big.jpg is there already: add --overwrite" in taken.err


def test_a_folder_has_a_ledger_and_goes_on(command: Command, model: Path) -> None:
    Path("in/sub").mkdir(parents=True)
    for name in ("a.png", "sub/a.jpg"):
        Image.new("RGB", (20, 10), "red").save(Path("in") / name)
    Path("in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    first = command("upscale", "in", "--model", model, "-o", "out")
    assert first.code == 1
    assert "failed   in/broken.png" in first.err
    assert "1 failed · 2 ok" in first.err
    assert Image.open("out/sub/a.jpg").size == (40, 20)
    assert not Path("out/broken.png").exists()
    statuses = [
        json.loads(line)["status"] for line in Path("out/ledger.jsonl").read_text().splitlines()
    ]
    assert sorted(statuses) == ["begun"] * 3 + ["failed", "ok", "ok"]
    again = command("upscale", "in", "--model", model, "-o", "out", "--json")
    found = [json.loads(line)["status"] for line in again.out.splitlines()]
    assert sorted(found) == ["failed", "skipped", "skipped"]


def test_check_and_faithful(command: Command, model: Path) -> None:
    pixels = np.random.default_rng(0).integers(90, 160, (40, 40), np.uint8)
    Image.fromarray(pixels).save("noise.png")
    rough = command("upscale", "noise.png", "--model", model, "-o", "a.png", "--check", "--json")
    exact = command(
        "upscale",
        "noise.png",
        "--model",
        model,
        "-o",
        "b.png",
        "--check",
        "--faithful",
        "--json",
        "--unmarked",
    )
    before, after = (json.loads(result.out)["about"] for result in (rough, exact))
    assert after["psnr"] > before["psnr"] + 10
    assert after["invented"] == 0 < before["invented"]
    assert Image.open("a.png.check.png").size == (40, 40)
    small = Image.open("b.png").resize((40, 40), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(small).astype(int) - pixels).max() <= 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["absent.png"], "absent.png: No such file"),
        (["photo.png", "--memory", "lots"], "--memory lots is no amount"),
        (["photo.png", "--memory", "10MB"], "10 MB is too little"),
        (["photo.png", "--strength", "0.5"], "has no strength"),
        (["photo.png", "--int8"], "has no graph in integers"),
        (["photo.png", "-s", "plane"], "is not key=value"),
        (["photo.png", "-s", "plane=axial"], "plane"),
        (["*.tiff"], "*.tiff finds no files"),
    ],
)
def test_what_cannot_be_is_one_line(
    command: Command, model: Path, arguments: list[str], words: str
) -> None:
    Image.new("RGB", (20, 10), "red").save("photo.png")
    result = command("upscale", *arguments, "--model", model)
    assert result.code in (1, 2)
    assert words in result.err
    assert "Traceback" not in result.err
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["photo.png"]


def test_only_upscalers_enlarge(command: Command, tmp_path: Path) -> None:
    make_gan(tmp_path / "gan")
    result = command("upscale", "a.png", "--model", tmp_path / "gan")
    assert result.code == 2
    assert "cannot enlarge: it is of kind gan" in result.err


SAMPLES = (
    "medical/pydicom/CT_small.dcm",
    "medical/nibabel/nibabel/tests/data/anatomical.nii",
    "satellite/rgb-byte-tenth.tif",
    "satellite/float_raster_with_nodata.tif",
)


@pytest.mark.parametrize("name", SAMPLES)
def test_every_family_comes_out_as_itself(command: Command, model: Path, name: str) -> None:
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not in the shared data")
    source = Path(shutil.copy(DATA / name, "."))
    result = command("upscale", source, "--model", model, "--json")
    assert result.code == 0, result.err
    out = Path(json.loads(result.out)["out"])
    assert out.suffix == source.suffix
    twice = command("upscale", out, "--model", model, "--json")  # it is again a file of its kind
    assert twice.code == 0, twice.err
