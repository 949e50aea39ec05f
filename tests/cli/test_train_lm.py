"""`volute train lm` as typed: files, standard input, another text with the same settings."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from running import Command
from volute.training.run import Run

TEXT = "".join(f"The {i % 7}th of {i % 11} sheep said: 'Größe {i % 5} 🐑!'\n" for i in range(200))
FAST = ["--preset", "tiny", "--kimg", 0.512, "-s", "width=8", "-s", "filters=[5,9]"]
FAST += ["-s", "rows=[32,32,32,32]", "-s", "part=4", "-s", "batch=4", "-s", "length=32"]


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_book_is_learned_written_and_scored(command: Command) -> None:
    Path("book.txt").write_text(TEXT)
    made = command("train", "lm", "book.txt", *FAST)
    assert made.code == 0, made
    assert "held out" in made.err
    assert "volute write runs/book-1" in made.err
    assert command("write", "runs/book-1", "--prompt", "The", "--tokens", 20).out.startswith("The")
    assert "bits per byte" in command("score", "runs/book-1", "book.txt").out


def test_another_text_is_learned_with_the_settings_of_a_run(command: Command) -> None:
    Path("one.txt").write_text(TEXT)
    Path("two.txt").write_text(TEXT.upper())
    assert command("train", "lm", "one.txt", *FAST, "-o", "one").code == 0
    made = command("train", "lm", "two.txt", "-c", "one/config.toml", "-o", "two")
    assert made.code == 0, made
    told = Run.open(Path("two")).config.settings
    assert [Path(text).name for text in told["texts"]] == ["two.txt"]
    assert told["width"] == 8


def test_standard_input_is_learned(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.TextIOWrapper(io.BytesIO(TEXT.encode()))
    monkeypatch.setattr(sys, "stdin", given)
    made = command("train", "lm", "-", *FAST, "-o", "run")
    assert made.code == 0, made
    assert command("resume", "run", "--kimg", 1.024).code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "0 bytes of text"),
        (b"a", "1 bytes of text"),
        (bytes(range(256)) * 20, "control characters"),
    ],
)
def test_what_is_no_text_is_refused(command: Command, content: bytes, said: str) -> None:
    Path("bad.txt").write_bytes(content)
    made = command("train", "lm", "bad.txt", *FAST)
    assert made.code == 4
    assert said in made.err
    assert not Path("runs").exists()
