from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_artefact import make_classifier, make_gan
from running import Command


@pytest.fixture
def folder(command: Command) -> Path:
    here = Path.cwd()
    make_classifier(here / "model")
    for name, value in (("dark", 10), ("light", 240)):
        Image.fromarray(np.full((20, 30), value, np.uint8)).save(here / f"{name}.png")
    return here


def test_it_prints_a_line_a_picture(folder: Path, command: Command) -> None:
    done = command("classify", "model", "dark.png", "light.png", "--top", "2")
    assert done.code == 0
    dark, light = done.out.splitlines()
    assert dark.startswith("dark.png  night  ")
    assert light.startswith("light.png  day  ")
    assert " then night " in light


def test_json_holds_the_ranking(folder: Path, command: Command) -> None:
    record = json.loads(command("classify", "model", "light.png", "--json").out)
    assert (record["file"], record["label"], record["certain"]) == ("light.png", "day", True)
    assert [label for label, _ in record["ranking"]] == ["day", "night"]


def test_it_says_unsure_under_the_threshold(folder: Path, command: Command) -> None:
    done = command("classify", "model", "light.png", "--threshold", "1")
    assert "unsure (day?)" in done.out


def test_a_broken_picture_is_named_and_the_others_are_done(folder: Path, command: Command) -> None:
    (folder / "set").mkdir()
    (folder / "set" / "a.png").write_bytes(b"\x89PNG broken")
    (folder / "light.png").rename(folder / "set" / "b.png")
    done = command("classify", "model", "set")
    assert done.code == 1
    assert "failed   set/a.png: broken PNG" in done.err
    assert "b.png  day" in done.out


def test_what_cannot_be_is_refused(folder: Path, command: Command) -> None:
    make_gan(folder / "gan")
    (folder / "none").mkdir()
    assert "cannot classify: it is of kind gan" in command("classify", "gan", "dark.png").err
    assert "none finds no files" in command("classify", "model", "none").err
    assert "top = 0" in command("classify", "model", "dark.png", "--top", "0").err
    assert "makes no pictures: it is of kind classify" in command("sample", "model").err
