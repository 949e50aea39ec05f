"""`volute classify` on texts: files, folders, lines of standard input, and what fails."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from make_artefact import make_text_classifier
from running import Command


@pytest.fixture
def folder(command: Command) -> Path:
    here = Path.cwd()
    make_text_classifier(here / "model")
    (here / "set").mkdir()
    (here / "set" / "a.txt").write_text("an egg")
    (here / "set" / "b.txt").write_text("größe", encoding="utf-8")
    return here


def test_it_prints_a_line_a_file(folder: Path, command: Command) -> None:
    done = command("classify", "model", "set", "--top", "2", "--threshold", "0")
    assert done.code == 0
    first, second = done.out.splitlines()
    assert first.startswith("set/a.txt  ")
    assert second.startswith("set/b.txt  ")
    assert "  then " in first


def test_lines_of_standard_input(
    folder: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stdin:
        buffer = io.BytesIO(b"an egg\r\n\n\xff\x1b[2J\n")

    monkeypatch.setattr("sys.stdin", Stdin)
    records = [
        json.loads(line) for line in command("classify", "model", "-", "--json").out.splitlines()
    ]
    assert [record["text"] for record in records] == ["an egg", "", "\ufffd\x1b[2J"]
    assert not records[1]["certain"]
    alone = json.loads(command("classify", "model", "set/a.txt", "--json").out)
    assert alone["probability"] == pytest.approx(records[0]["probability"], abs=1e-5)


def test_what_is_no_text_is_named_and_the_others_are_done(folder: Path, command: Command) -> None:
    (folder / "set" / "0.png").write_bytes(b"\x89PNG\0")
    done = command("classify", "model", "set", "none.txt")
    assert done.code == 1
    assert "failed   set/0.png: set/0.png is no text" in done.err
    assert "failed   none.txt: cannot read none.txt" in done.err
    assert len(done.out.splitlines()) == 2


def test_features_of_texts_are_not_shown(folder: Path, command: Command) -> None:
    done = command("features", "model", "set/a.txt")
    assert "is a classify of texts: its features cannot be shown" in done.err
    assert "Traceback" not in done.err
