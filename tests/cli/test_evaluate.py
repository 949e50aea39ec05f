from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import volute
from make_artefact import make_classifier, make_extractor, make_gan
from running import Command
from shapes import TINY, shapes
from volute import zoo
from volute.jobs import train
from volute.training import fid
from volute.zoo import shipped

SHIPPED = zoo.HERE


@pytest.fixture(autouse=True)
def _eye(command: Command) -> None:
    """Put the shipped extractor into the zoo, which is empty in these tests."""
    shutil.copytree(SHIPPED / "eye", zoo.HERE / "eye")


@pytest.fixture
def folder(command: Command) -> Path:
    here = Path.cwd()
    make_gan(here / "gan")
    make_extractor(here / "own" / "trunk.onnx")
    rng = np.random.default_rng(0)
    np.savez(here / "real.npz", x_train=rng.integers(0, 256, (600, 16, 16), np.uint8))
    return here


def test_it_prints_a_table_with_floors_and_says_biased(folder: Path, command: Command) -> None:
    done = command("evaluate", "gan", "real.npz", "--extractor", "own/trunk.onnx", "-n", "200")
    assert done.code == 0, done.err
    assert "200 pictures of each  biased: under 2,048" in done.out
    assert "Frechet distance (biased)" in done.out
    for name in ("KID x 1000", "precision", "coverage", "Vendi score", "near copies"):
        assert name in done.out
    assert "features trunk, sha256" in done.out


def test_json_holds_the_hash_the_number_and_every_measure(folder: Path, command: Command) -> None:
    words = ("evaluate", "gan", "real.npz", "--extractor", "own/trunk.onnx", "-n", "250", "--json")
    found = json.loads(command(*words).out)
    assert (found["n"], found["biased"], len(found["sha256"])) == (250, True, 64)
    assert len(found["measures"]) == 8
    assert json.loads(command(*words).out) == found  # again, from the cache


def test_what_cannot_be_measured_is_refused(folder: Path, command: Command) -> None:
    make_classifier(folder / "classifier")
    extractor = ("--extractor", "own/trunk.onnx")
    refused = command("evaluate", "gan", "real.npz", *extractor, "-n", "50")
    assert refused.code == 2
    assert "At least 100 samples" in refused.err
    refused = command("evaluate", "classifier", "real.npz", *extractor)
    assert "makes no pictures: it is of kind classify" in refused.err
    refused = command("evaluate", "gan", "real.npz", "--extractor", "gan/generator.onnx")
    assert "a feature extractor is image [n, 3, S, S]" in refused.err


def test_a_page_shows_the_pictures_behind_the_numbers(folder: Path, command: Command) -> None:
    words = ("evaluate", "gan", "real.npz", "--extractor", "own/trunk.onnx", "-n", "150")
    assert command(*words, "-o", "report").code == 0
    page = Path("report/index.html").read_text(encoding="utf-8")
    for title in ("In numbers", "Nearest to a real picture", "Farthest from any real picture"):
        assert title in page
    for file in ("pictures-0.png", "pictures-1.png", "pictures-2.png"):
        assert f'src="{file}"' in page
        assert Path("report", file).exists()
    assert "report is there already" in command(*words, "-o", "report").err


def test_pictures_made_elsewhere_are_measured_too(folder: Path, command: Command) -> None:
    made = folder / "made"
    made.mkdir()
    for index, picture in enumerate(np.load("real.npz")["x_train"][:120]):
        Image.fromarray(picture).save(made / f"{index:03d}.png")
    done = command("evaluate", "made", "real.npz", "--extractor", "own/trunk.onnx", "--json")
    found = json.loads(done.out)
    assert (found["n"], found["model"]) == (120, "made")
    (copies,) = [measure for measure in found["measures"] if measure["name"] == "near copies"]
    assert copies["value"] > 0.9
    Image.fromarray(np.zeros((20, 16), np.uint8)).save(made / "other.png")
    refused = command("evaluate", "made", "real.npz", "--extractor", "own/trunk.onnx")
    assert refused.code == 4
    assert "are not squares of one size: 16x16 px (000.png), 16x20 px (other.png)" in refused.err


def test_a_generator_that_repeats_itself_is_measured_with_its_repetitions(
    folder: Path, command: Command
) -> None:
    rng = np.random.default_rng(1)
    blocks = rng.integers(0, 256, (550, 3, 3), np.uint8)
    pictures = np.kron(blocks, np.ones((11, 11), np.uint8))  # 33 px, which cannot be trained
    several = pictures[:150]
    one = np.repeat(several[:1], 150, 0)
    one[100:] = 7  # and blank ones
    np.savez("several.npz", x=several)
    np.savez("one.npz", x=one)
    np.savez("more.npz", x=pictures[150:])
    found = {}
    for name in ("several", "one"):
        words = (f"{name}.npz", "more.npz", "--extractor", "own/trunk.onnx", "--json")
        done = command("evaluate", *words)
        assert done.code == 0, done.err
        values = json.loads(done.out)
        assert values["n"] == 150
        found[name] = {measure["name"]: measure["value"] for measure in values["measures"]}
    assert found["several"]["Vendi score"] > found["one"]["Vendi score"] + 0.2
    assert found["one"]["coverage"] < 0.2 < found["several"]["coverage"]


def test_settings_that_cannot_be_are_refused(folder: Path, command: Command) -> None:
    words = ("evaluate", "gan", "real.npz", "--extractor", "own/trunk.onnx")
    for setting in ("data=5", "typo=1", "data.modes=L"):
        assert command(*words, "-s", setting).code == 2
    for count in ("-5", "0"):
        assert "At least 100 samples" in command(*words, "-n", count).err


def test_the_shipped_extractor_is_the_default_and_names_the_distance(
    folder: Path, command: Command
) -> None:
    done = command("evaluate", "gan", "real.npz", "-n", "100")
    assert done.code == 0, done.err
    assert "FD-eye (biased)" in done.out
    assert "features eye, sha256" in done.out
    copied = folder / "copy"
    shutil.copytree(shipped()["eye"], copied)
    own = command("evaluate", "gan", "real.npz", "-n", "100", "--extractor", "copy")
    assert "Frechet distance (biased)" in own.out
    refused = command("evaluate", "gan", "real.npz", "--extractor", "gan")
    assert "is a gan, not an extractor" in refused.err


def test_fid_asks_before_it_downloads_and_says_how_else(folder: Path, command: Command) -> None:
    refused = command("evaluate", "gan", "real.npz", "--extractor", "inception-v3", "-n", "100")
    assert refused.code == 2
    for words in ("96 MB", "Apache-2.0", "b7a528bf4051", "not fetched without your agreement"):
        assert words in refused.err


def test_only_on_inception_is_it_an_fid(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = make_extractor(folder / "fid" / "inception-v3.onnx")
    monkeypatch.setattr(fid, "fid_graph", lambda agree: graph)
    done = command("evaluate", "gan", "real.npz", "--extractor", "inception-v3", "-n", "100")
    assert "FID (biased)" in done.out
    assert f"features inception-v3, sha256 {fid.INCEPTION.sha256[:16]}" in done.out
    done = command("evaluate", "gan", "real.npz", "--extractor", "fid/inception-v3.onnx")
    assert "FID" not in done.out
    assert "Frechet distance (biased)" in done.out


def test_a_vae_has_bits_per_dimension(command: Command, tmp_path: Path) -> None:
    pictures, _ = shapes(300)
    np.savez("shapes.npz", x_train=pictures)
    train("vae", "shapes.npz", kimg=0.5, out="vae", settings=TINY["vae"])
    make_extractor(tmp_path / "trunk.onnx")
    words = (
        "evaluate",
        "vae",
        "shapes.npz",
        "-n",
        "100",
        "--extractor",
        str(tmp_path / "trunk.onnx"),
    )
    done = command(*words, "--json")
    assert done.code == 0, done.err
    bits = json.loads(done.out)["measures"][-1]
    assert bits["name"] == "bits per dimension"
    assert 0 < bits["low"] <= bits["value"] <= bits["high"] < 20
    assert bits["floor"] is None
    assert " -  " in command(*words).out


@pytest.fixture
def pairs(command: Command) -> Path:
    here = Path.cwd()
    rng = np.random.default_rng(0)
    for name, side in (("a", 180), ("b", 40)):
        picture = rng.integers(0, 256, (side, side, 3), np.uint8)
        for folder, noise in (("originals", 0), ("restored", 9)):
            (here / folder).mkdir(exist_ok=True)
            noisy = (picture + rng.normal(0, noise, picture.shape)).clip(0, 255)
            Image.fromarray(noisy.astype(np.uint8)).save(here / folder / f"{name}.png")
    return here


def test_pairs_get_four_measures_each_and_their_mean(pairs: Path, command: Command) -> None:
    done = command("evaluate", "restored", "originals", "--pairs")
    assert done.code == 0, done.err
    header, first, second, mean = done.out.splitlines()
    for word in ("PSNR dB", "SSIM", "MS-SSIM", "perceptual distance"):
        assert word in header
    assert first.split()[0] == "a"
    assert second.split()[3] == "-"  # 40 px have no fifth scale
    assert mean.startswith("mean of 2")
    lines = command("evaluate", "restored", "originals", "--pairs", "--json").out.splitlines()
    values = json.loads(lines[0])
    assert values["psnr"] == pytest.approx(29, abs=1)
    assert 0 < values["perceptual"] < 1
    same = command("evaluate", "originals/a.png", "originals/a.png", "--pairs", "--json")
    assert json.loads(same.out) == {
        "picture": "a.png", "psnr": None, "ssim": 1.0, "ms_ssim": 1.0, "perceptual": 0.0,
    }  # fmt: skip


def test_a_pair_that_cannot_be_compared_is_named_and_the_others_are_done(
    pairs: Path, command: Command
) -> None:
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save("restored/b.png")
    done = command("evaluate", "restored", "originals", "--pairs")
    assert done.code == 1
    assert "failed   b: cannot compare pictures of" in done.err
    assert "a  " in done.out
    Path("restored/c.png").write_bytes(b"not a picture")
    refused = command("evaluate", "restored", "originals", "--pairs")
    assert refused.code == 2
    assert "originals has no picture named as restored/c.png" in refused.err
    refused = command("evaluate", "restored/a.png", "originals", "--pairs")
    assert "restored/a.png is not a folder" in refused.err
    refused = command("evaluate", "restored", "originals", "--pairs", "-o", "page")
    assert "--pairs takes neither -o nor -s" in refused.err
    refused = command("evaluate", "restored", "originals", "--pairs", "--extractor", "x.onnx")
    assert "x.onnx gives no perceptual distance" in refused.err


def test_pairs_lie_in_subfolders_beside_other_files(pairs: Path, command: Command) -> None:
    for folder in ("restored", "originals"):
        (pairs / folder / "more").mkdir()
        shutil.copy(pairs / folder / "a.png", pairs / folder / "more" / "a.png")
    for name in (".DS_Store", "notes.txt", ".hidden.png"):
        Path("restored", name).write_bytes(b"")
    done = command("evaluate", "restored", "originals", "--pairs", "--json")
    assert done.code == 0, done.err
    names = [json.loads(line)["picture"] for line in done.out.splitlines()]
    assert names == ["a", "b", "more/a"]
    shutil.copy("restored/a.png", "restored/a.jpg")
    refused = command("evaluate", "restored", "originals", "--pairs")
    assert "restored/a.jpg and restored/a.png have the same name" in refused.err


def test_from_python_it_is_the_same(folder: Path) -> None:
    found = volute.evaluate("gan", "real.npz", extractor="own/trunk.onnx", n=120)
    assert found.n == 120
    assert found.measures[0].name == "Frechet distance"
    again = volute.evaluate("gan", "real.npz", extractor="own/trunk.onnx", n=120)
    assert again == found
    one = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    assert volute.compare(one, one).perceptual == 0
    assert volute.compare(one, 255 - one).perceptual > 0.1
