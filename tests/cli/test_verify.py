"""`volute verify`: what is found, what is not, what is no text."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import volute
from make_artefact import make_lm
from running import Command


@pytest.fixture
def marked(command: Command, tmp_path: Path) -> Path:
    model = make_lm(tmp_path / "tiny-lm").path
    made = command("write", model, "--tokens", 600, "--seed", 1)
    assert made.err == "marked   volute verify finds it (--unmarked leaves it out)\n"
    Path("marked.txt").write_text(made.out, encoding="utf-8")
    return Path("marked.txt")


def test_a_marked_text_is_found(command: Command, marked: Path) -> None:
    made = command("verify", marked)
    assert made.code == 0
    assert made.out.startswith("watermark   p = ")
    assert made.out.endswith(
        " places: written, at least in part, by a volute model with the public key\n"
    )
    told = json.loads(command("verify", marked, "--json").out)
    mark = volute.verify(marked).watermark
    found = {"found": True, "p_value": mark.p_value, "counted": mark.counted}
    assert told == {"file": "marked.txt", "watermark": found}


@pytest.mark.parametrize(
    "how", [("--unmarked",), ("--tokens", 199), ("--temperature", 0, "--tokens", 200)]
)
def test_what_is_not_marked_says_nothing(command: Command, tmp_path: Path, how: tuple) -> None:
    model = make_lm(tmp_path / "tiny-lm").path
    made = command("write", model, "--seed", 1, *how)
    assert made.err == ""
    Path("a.txt").write_text(made.out, encoding="utf-8")
    assert command("verify", "a.txt").out.startswith("watermark   no evidence (p = ")
    told = json.loads(command("write", model, *how, "--json").out)
    assert [entry["marked"] for entry in told] == [False]


def test_the_others_are_done(command: Command, marked: Path) -> None:
    Path("a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    Path("short.txt").write_text("abc")
    made = command("verify", "a.png", "none.txt", "short.txt", marked)
    assert made.code == 1
    assert made.err.splitlines() == [
        "failed   a.png: only texts in UTF-8 are verified as yet",
        "failed   none.txt: No such file or directory",
    ]
    lines = made.out.splitlines()
    assert lines[:2] == ["short.txt", "watermark   no evidence (the text is too short)"]
    assert lines[2] == "marked.txt"
    assert command("verify").code == 2
