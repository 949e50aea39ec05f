from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from make_artefact import make_classifier, make_extractor, make_gan
from running import Command


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
    assert "makes no pictures: it is a classify" in refused.err
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
