"""Texts: any files become one string of bytes, and what is none is refused in one line."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from volute.data.text import STDIN, open_text
from volute.errors import DataError, UsageError

LINE = "It was a dark and stormy night; \u05e9\u05dc\u05d5\u05dd \U0001f319 \r\n" * 40


def write(path: Path, text: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_one_file_is_itself(tmp_path: Path) -> None:
    text = open_text([write(tmp_path / "book.txt", LINE)])
    assert text.data.tobytes() == LINE.encode()
    assert (text.texts, text.notes) == (1, ())
    other = open_text([write(tmp_path / "same.txt", LINE)])
    assert other.key == text.key
    assert open_text([write(tmp_path / "book.txt", LINE + ".")]).key != text.key


def test_folders_and_json_lines_are_put_together(tmp_path: Path) -> None:
    write(tmp_path / "a/one.txt", LINE)
    lines = [json.dumps({"text": text, "id": 1}) for text in ("caf\u00e9", LINE)]
    write(tmp_path / "a/b/two.jsonl", "\n\n".join(lines))
    write(tmp_path / "a/picture.png", b"\x89PNG\0\0")
    write(tmp_path / "a/zeros.txt", bytes(3000))
    text = open_text([tmp_path / "a"])
    assert text.data.tobytes() == "\n\n".join(["caf\u00e9", LINE, LINE]).encode()
    assert text.texts == 3
    assert "1 files left out" in text.notes[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_marks_of_byte_order_are_understood(tmp_path: Path, encoding: str) -> None:
    text = open_text([write(tmp_path / "windows.txt", LINE.encode(encoding))])
    assert text.data.tobytes() == LINE.encode()


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(LINE.encode())

    monkeypatch.setattr("sys.stdin", Stdin)
    assert open_text([STDIN]).data.tobytes() == LINE.encode()


def test_broken_utf8_nuls_and_a_line_without_end_are_learned(tmp_path: Path) -> None:
    raw = (b"na\xefve \xff\xfe" + bytes(1) + b"x" * 500) * 20
    text = open_text([write(tmp_path / "latin.txt", raw)])
    assert text.data.tobytes() == raw
    assert "not UTF-8" in text.notes[0]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.txt", b"", "has 0 bytes"),
        ("one.txt", b"x", "has 1 bytes"),
        ("program.txt", bytes(range(256)) * 20, "is no text"),
        ("bad.jsonl", b'{"text": "a"}\n{"texts": 1}', "line 2"),
        ("worse.jsonl", b"[" * 100_000, "line 1"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    with pytest.raises(DataError, match=said):
        open_text([write(tmp_path / name, content)])


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no text"):
        open_text([tmp_path / "none.txt"])
    with pytest.raises(DataError, match="holds no texts"):
        open_text([tmp_path])


def test_labels_are_kinds_of_one_printable_line(tmp_path: Path) -> None:
    lines = tmp_path / "said.jsonl"
    rows = [{"text": "x" * 400, "label": label} for label in ("a\nb", 3, None, "")]
    lines.write_text("\n".join(json.dumps(row) for row in rows))
    found = open_text([lines])
    assert found.kinds == ("3", "a\ufffdb")
    assert found.kind.tolist() == [2, 1, 0, 0]
    lines.write_text(json.dumps({"text": "x" * 2000, "label": {}}))
    with pytest.raises(DataError, match="line 1"):
        open_text([lines])
