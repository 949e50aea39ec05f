"""Labelled texts: tables, JSON lines and folders are read; what is none is refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from volute.data.labelled import Labelled, holds_texts, open_labelled
from volute.errors import DataError, UsageError

PAIRS = [('a "quoted", one\nof two lines', "x"), ("größe 🐑", "y"), ("plain", "x"), ("last", "y")]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def pairs(found: Labelled) -> list[tuple[str, str]]:
    labels = [found.classes[label] for label in found.labels]
    return list(zip([text.decode() for text in found.texts], labels, strict=True))


def quoted(*cells: str, between: str = ",") -> str:
    return between.join('"' + cell.replace('"', '""') + '"' for cell in cells)


@pytest.mark.parametrize("between", [",", ";", "\t"])
def test_a_table_with_names(tmp_path: Path, between: str) -> None:
    lines = [between.join(["Label", "id", "Text"])]
    lines += [quoted(label, "7", text, between=between) for text, label in PAIRS]
    file = write(tmp_path / "a.csv", b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert holds_texts(file)
    assert pairs(open_labelled([file])) == PAIRS


def test_two_columns_and_a_header_of_other_names(tmp_path: Path) -> None:
    rows = [quoted(*pair) for pair in PAIRS]
    assert pairs(open_labelled([write(tmp_path / "a.csv", "\n".join(rows))])) == PAIRS
    named = open_labelled([write(tmp_path / "b.csv", "\n".join(["question,kind", *rows * 2]))])
    assert pairs(named) == PAIRS * 2
    assert "the first row of b.csv" in named.notes[0]


def test_json_lines_and_folders_say_the_same(tmp_path: Path) -> None:
    lines = [json.dumps({"text": text, "label": label, "more": 1}) for text, label in PAIRS]
    several = [write(tmp_path / f"{i}.jsonl", "\n\n".join(lines)) for i in (1, 2)]
    assert pairs(open_labelled(several)) == PAIRS * 2
    for number, (text, label) in enumerate(PAIRS * 2):
        write(tmp_path / "set" / label / f"{number}.txt", text)
    write(tmp_path / "set" / "x" / "icon.png", b"\x89PNG")
    assert holds_texts(tmp_path / "set")
    assert sorted(pairs(open_labelled([tmp_path / "set"]))) == sorted(PAIRS * 2)


def test_a_folder_of_pictures_holds_no_texts(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/3.jpg", "b/readme.txt"):
        write(tmp_path / name, b"-")
    assert not holds_texts(tmp_path)
    assert not holds_texts(tmp_path / "missing.csv")


def test_the_key_changes_with_a_label_and_with_where_texts_end(tmp_path: Path) -> None:
    contents = ["a,x\na,x\nb,y\n", "a,x\na,y\nb,y\n", "aa,x\n a,x\nb,y\n"]
    file = tmp_path / "a.csv"
    assert len({open_labelled([write(file, content)]).key for content in contents}) == 3


def test_hostile_texts_are_learned_as_the_bytes_that_they_are(tmp_path: Path) -> None:
    long = b"z" * (10 << 20)
    rows = [b"text,label", b"na\xefve \xff\xfe,x", b"nul \0 here,y", long + b",x", b"lone,y"]
    found = open_labelled([write(tmp_path / "a.csv", b"\n".join(rows))])
    assert found.texts == (b"na\xefve \xff\xfe", b"nul \0 here", long, b"lone")
    line = b'{"text": "half \\ud83d", "label": 3}\n{"text": "b", "label": "a\\u001b[2J\\n"}'
    line += b'\n{"text": "c", "label": "3"}'
    odd = open_labelled([write(tmp_path / "a.jsonl", line)])
    assert odd.texts == (b"half ?", b"b", b"c")
    assert odd.classes == ("3", "a\ufffd[2J")


def test_what_is_left_out_or_single_is_said(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "text,label\n  ,x\na,x\nb,x\nc,y\nd,\n")
    found = open_labelled([file])
    assert (len(found.texts), found.classes) == (3, ("x", "y"))
    assert found.notes == (
        "2 left out: without a text or a label",
        "only one text each, learned and never measured: y",
    )


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.csv", "", "has 0 texts of 0 classes"),
        ("one.csv", "text,label\na,x\nb,x\n", "has 2 texts of 1 classes"),
        ("single.csv", "text,label\na,x\nb,y\n", "has 2 texts of 2 classes"),
        ("unnamed.csv", "text,subject\na,x\nb,y\n", "has no column label"),
        ("wide.csv", "a,b,c\nd,e,f\n", "row 1 has 3 columns"),
        ("short.csv", "id,text,label\n1,a,x\n2,b\n", "row 3 has 2 columns"),
        ("bad.jsonl", '{"text": "a", "label": "x"}\n{"text": "b"}', "line 2"),
        ("list.jsonl", '{"text": "a", "label": ["x"]}', "line 1"),
        ("number.jsonl", '{"text": 1, "label": "x"}', "line 1"),
        ("deep.jsonl", "[" * 100_000, "line 1"),
    ],
)
def test_what_cannot_be_used_is_refused(tmp_path: Path, name: str, content: str, said: str) -> None:
    with pytest.raises(DataError, match=said) as error:
        open_labelled([write(tmp_path / name, content)])
    assert "\n" not in error.value.what


def test_what_is_not_there_or_has_no_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no text"):
        open_labelled([tmp_path / "none.csv"])
    write(tmp_path / "set" / "a.txt", "a")
    with pytest.raises(DataError, match="no subfolders that are classes"):
        open_labelled([tmp_path / "set"])
