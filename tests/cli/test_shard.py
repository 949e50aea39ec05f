"""`--shard`: parts of a batch are disjoint and complete, and together the whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dividing import made, upscale
from make_artefact import make_classifier, make_gan, make_upscaler
from running import Command


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path) -> None:
    make_gan(tmp_path / "zoo" / "tiny-gan", channels=3)
    make_upscaler(tmp_path / "up", 1)
    rng = np.random.default_rng(0)
    for folder in ("a", "b"):
        (tmp_path / "in" / folder).mkdir(parents=True)
        for index in range(5):
            pixels = rng.integers(0, 256, (12, 10, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "in" / folder / f"{index}.png")


def test_parts_of_a_folder_are_the_whole(command: Command, tmp_path: Path) -> None:
    upscale(command, tmp_path, "whole")
    counts = []
    for part in (1, 2, 3):
        done = upscale(command, tmp_path, "parts", "--shard", f"{part}/3", "--json")
        assert done.code == 0
        counts.append([json.loads(line)["status"] for line in done.out.splitlines()])
    assert sum(map(len, counts)) == 10
    assert {status for part in counts for status in part} == {"ok"}
    assert made("parts") == made("whole")
    ledgers = sorted(file.name for file in Path("parts").glob("*.jsonl"))
    assert set(ledgers) <= {f"ledger-{part}-of-3.jsonl" for part in (1, 2, 3)}


def test_what_parts_did_is_done(command: Command, tmp_path: Path) -> None:
    for part in (1, 2):
        upscale(command, tmp_path, "parts", "--shard", f"{part}/2")
    again = upscale(command, tmp_path, "parts", "--shard", "1/2")
    assert again.code == 0
    assert "saved" not in again.err
    whole = upscale(command, tmp_path, "parts")
    assert whole.code == 0
    assert "10 skipped" in whole.err
    assert "ledger" not in command("upscale", "parts", "--model", tmp_path / "up", "-o", "b").err


def test_parts_of_samples_are_the_whole(command: Command) -> None:
    command("sample", "tiny-gan", "-n", 7, "--seed", 3, "-o", "whole", "--unmarked")
    for part in (1, 2, 3):
        done = command(
            "sample", "tiny-gan", "-n", 7, "--seed", 3, "-o", "parts", "--unmarked",
            "--shard", f"{part}/3",
        )  # fmt: skip
        assert done.code == 0, done.err
    assert made("parts") == made("whole")
    assert len(made("whole")) == 7
    taken = command("sample", "tiny-gan", "-n", 7, "-o", "parts", "--shard", "1/3")
    assert (taken.code, "is there already" in taken.err) == (2, True)
    grid = command("sample", "tiny-gan", "--grid", "--shard", "1/3")
    assert (grid.code, "no meaning" in grid.err) == (2, True)


def test_parts_of_what_is_looked_at(command: Command, tmp_path: Path) -> None:
    for verb in (["verify"], ["classify", make_classifier(tmp_path / "c").path]):
        lines = []
        for part in (1, 2):
            shown = command(*verb, tmp_path / "in", "--json", "--shard", f"{part}/2")
            assert shown.code == 0, shown.err
            lines += [json.loads(line)["file"] for line in shown.out.splitlines()]
        assert sorted(lines) == sorted(map(str, (tmp_path / "in").rglob("*.png")))


def test_a_part_that_cannot_be(command: Command, tmp_path: Path) -> None:
    wrong = upscale(command, tmp_path, "out", "--shard", "3/2")
    assert (wrong.code, "is no part" in wrong.err) == (2, True)
    assert not Path("out").exists()
