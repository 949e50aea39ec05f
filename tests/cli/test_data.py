"""`volute data check` and `volute data pack` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from drawing import folder_of, noise, png
from volute.cli.data import register
from volute.data.members import Shard
from volute.data.shards import expanded
from volute.errors import DataError, UsageError

APP = typer.Typer()
register(APP)


def run(*words: str | Path):
    return CliRunner().invoke(APP, ["data", *map(str, words)])


def test_check_prints_the_report_and_caps_the_list(tmp_path):
    folder = folder_of(tmp_path)
    for number in range(25):
        (folder / f"x{number:02}.png").write_bytes(b"")
    result = run("check", folder, "--size", "16")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "41 images · 16 usable · 25 unreadable"
    assert lines[2] == "left out:"
    assert lines[3] == "  x00.png: the file is empty (0 bytes)"
    assert lines[-1] == "  and 5 more: --json lists all"
    assert len(lines) == 24


def test_check_json_is_the_whole_report(tmp_path):
    folder = folder_of(tmp_path)
    for number in range(25):
        (folder / f"x{number:02}.png").write_bytes(png(noise(3)))
    report = json.loads(run("check", folder, "--json", "-s", "data.mode=L").stdout)
    assert report["mode"] == "L"
    assert report["usable"] == 16
    assert len(report["left_out"]) == 25


def test_pack_says_where(tmp_path):
    result = run("pack", folder_of(tmp_path), "--size", 16)
    assert result.exit_code == 0
    place = Path(result.stdout.splitlines()[-1].partition(" MB in ")[2])
    assert (place / "pictures.npy").is_file()


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (["--size", "100"], UsageError, "size 100 cannot be trained"),
        (["-s", "data.mod=L"], UsageError, "unknown setting data.mod\n  Did you mean mode?"),
        (["-s", "data.mode=CMYK"], UsageError, "setting data.mode = 'CMYK'"),
        ([], DataError, "has 3 usable pictures"),
    ],
)
def test_refusals_reach_the_top(tmp_path, words, error, text):
    result = run("check", folder_of(tmp_path, 3), *words)
    assert isinstance(result.exception, error)
    assert text in str(result.exception)


def test_shards_keep_pictures_and_classes(tmp_path):
    for number, kind in enumerate(["cat", "dog", "eel"]):
        folder_of(tmp_path / "set" / kind, 10, start=10 * number)
    (tmp_path / "set" / "cat" / "notes.txt").write_text("no picture")
    (tmp_path / "set" / "stray.png").write_bytes(png(noise(99)))
    out = tmp_path / "shards"
    result = run("pack", tmp_path / "set", "-o", out, "--shards", 12)
    lines = result.stdout.splitlines()
    assert lines[0] == "30 pictures, 3 classes"
    assert lines[1] == "left out: cat/notes.txt: not a picture of a known format"
    assert lines[2] == "left out: stray.png: without class"
    pattern = str(out / "set-{000000..000002}.tar")
    assert lines[3] == f"volute train gan '{pattern}'"
    assert [path.name for path in sorted(out.iterdir())] == expanded("set-{000000..000002}.tar")
    samples = [s for path in sorted(out.iterdir()) for s in Shard(str(path), path.name).samples()]
    assert len(samples) == 30
    for sample in samples:
        (where,) = [
            p for p in (tmp_path / "set").rglob("*.png") if p.read_bytes() == sample.content
        ]
        assert sample.label == where.parent.name
    first = [sample.label for sample in samples[:12]]
    assert set(first) == {"cat", "dog", "eel"}
    assert first != sorted(first)
    report = json.loads(run("check", pattern, "--size", "16", "--json").stdout)
    assert report["classes"] == {"cat": 10, "dog": 10, "eel": 10}
    again = tmp_path / "again"
    run("pack", tmp_path / "set", "-o", again, "--shards", 12)
    for path in out.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes()
    assert isinstance(run("pack", tmp_path / "set", "-o", out).exception, UsageError)
    assert isinstance(run("pack", out / "set-000000.tar", "-o", again / "x").exception, DataError)
