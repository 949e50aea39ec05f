"""`volute data check` and `volute data pack` as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from drawing import folder_of, noise, png
from volute.cli.data import register
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
