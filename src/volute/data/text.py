"""Texts to learn from: files, folders, JSON lines or standard input become one string of bytes.

One plain file is mapped where it lies, whatever its size; several are put together in the cache.
"""

from __future__ import annotations

import codecs
import hashlib
import itertools
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import numpy as np

from volute.data.labelled import label_of
from volute.errors import DataError, UsageError
from volute.paths import cache_dir, explained

STDIN = Path("-")
SUFFIXES = {".txt", ".md", ".rst", ".tex", ".csv", ".html", ".xml", ".jsonl", ".ndjson"}
"""Of what is read in a folder."""
LINES = {".jsonl", ".ndjson"}
FIELD, LABEL = "text", "label"
"""Where JSON lines hold their text, and of which kind it is."""
BETWEEN = b"\n\n"
"""What stands between two texts."""
BLOCK = 1 << 20
LONGEST = 64 << 20
"""Bytes of one JSON line."""
CONTROL = 0.01
"""Share of control characters from which a file is no text."""
FEWEST = 1000
"""Bytes that there must be."""
NOTHING = np.zeros(0, np.int64)
_ALLOWED = frozenset((9, 10, 11, 12, 13, 27))
_BAD = np.array([byte < 32 and byte not in _ALLOWED or byte == 127 for byte in range(256)])


@dataclass(frozen=True, eq=False)
class Text:
    """Bytes ready to learn from."""

    path: Path
    """The file that holds them: the one that was given, or one in the cache."""
    data: np.ndarray
    """uint8 [N], mapped from disk."""
    texts: int
    """How many there are."""
    key: str
    """Changes whenever the bytes do."""
    notes: tuple[str, ...]
    """What a person should know, a line each."""
    kinds: tuple[str, ...] = ()
    """What kinds of texts there are, where JSON lines say so, by name."""
    ends: np.ndarray = field(default_factory=lambda: NOTHING)
    """int64: where each text ends, if there are kinds."""
    kind: np.ndarray = field(default_factory=lambda: NOTHING)
    """int64: of which kind each is, from 1 on; 0: it is not said."""


def open_text(sources: Sequence[Path]) -> Text:
    """Return the bytes of files, of the texts in folders, or of standard input (`-`).

    Raises:
        UsageError: if a source is not there.
        DataError: if it is no text, or there is too little.
    """
    files = [file for source in sources for file in _files(source)]
    notes: list[str] = []
    single = files[0] if len(files) == 1 and files[0] != STDIN else None
    if single is not None and single.suffix.lower() not in LINES and not _encoded(single):
        made = _Together(single)
        _check_text(single)
    else:
        made = _together(files, notes)
    path = made.path
    if path.stat().st_size < FEWEST:
        what = f"{_named(sources)} has {path.stat().st_size} bytes of text"
        raise DataError(what, f"Give at least {FEWEST}; a book has a million.")
    data = np.memmap(path, np.uint8, "r")
    if not _is_utf8(path):
        notes.append("some of it is not UTF-8: it is learned as the bytes that it is")
    kinds = tuple(sorted({label for label in made.labels if label}))
    if not kinds:
        return Text(path, data, max(1, len(made.ends)), _digest(path), tuple(notes))
    numbers = {kind: number for number, kind in enumerate(kinds, 1)}
    kind = np.array([numbers.get(label, 0) for label in made.labels])
    key = hashlib.blake2b(json.dumps([made.ends, made.labels]).encode(), digest_size=16)
    notes.append(f"{len(kinds)} kinds of texts: {', '.join(kinds[:8])}{' ...' * (len(kinds) > 8)}")
    return Text(
        path,
        data,
        len(made.ends),
        f"{_digest(path)}-{key.hexdigest()}",
        tuple(notes),
        kinds,
        np.array(made.ends),
        kind,
    )


def lasting(source: Path) -> Path:
    """Return where a text can be found again: standard input is put into the cache."""
    return _together([STDIN], []).path if source == STDIN else source.resolve()


def _files(source: Path) -> list[Path]:
    if source == STDIN or source.is_file():
        return [source]
    if not source.is_dir():
        raise UsageError(f"there is no text {source}", "Check the name.")
    found = sorted(file for file in source.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not found:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DataError(f"{source} holds no texts", f"Subfolders are looked into; read are {kinds}")
    return found


@dataclass
class _Together:
    """Where texts lie one behind another, where each ends and what is said of it."""

    path: Path
    ends: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


def _together(files: list[Path], notes: list[str]) -> _Together:
    """Write all texts into one file in the cache, named by its contents."""
    folder = cache_dir() / "text"
    digest = hashlib.blake2b(digest_size=16)
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as out:
            made = _Together(Path(out.name))
            try:
                for label, text in _texts(files, notes):
                    for block in itertools.chain([BETWEEN] if made.ends else [], text):
                        digest.update(block)
                        out.write(block)
                    made.ends.append(out.tell())
                    made.labels.append(label)
            except BaseException:
                made.path.unlink()
                raise
        made.path = made.path.replace(folder / f"{digest.hexdigest()}.txt")
        return made


def _texts(files: list[Path], notes: list[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Give each text in blocks, with what is said of it."""
    left_out = 0
    for file in files:
        if file == STDIN:
            yield "", _blocks(sys.stdin.buffer)
        elif file.suffix.lower() in LINES:
            yield from _json_lines(file)
        else:
            try:
                _check_text(file)
            except DataError:
                left_out += 1
                continue
            yield "", _decoded(file)
    if left_out:
        notes.append(f"{left_out} files left out: they are no texts")


def _json_lines(file: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    with file.open("rb") as stream:
        for number, line in enumerate(iter(lambda: stream.readline(LONGEST), b""), 1):
            if not line.strip():
                continue
            try:
                read = json.loads(line)
                label = "" if read.get(LABEL) is None else label_of(read[LABEL])
                yield label, iter([read[FIELD].encode()])
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                what = f'{file}, line {number} is not as {{"{FIELD}": "..."}}'
                raise DataError(what, "Each line is one JSON object.") from error


def _decoded(file: Path) -> Iterator[bytes]:
    """Give a file in blocks, as UTF-8 without its mark where it begins with one."""
    encoding = _encoded(file)
    if encoding is None:
        with file.open("rb") as stream:
            yield from _blocks(stream)
        return
    with file.open(encoding=encoding, errors="replace", newline="") as text:
        while block := text.read(BLOCK):
            yield block.encode()


def _encoded(file: Path) -> str | None:
    """Return what a file's byte order mark says of its encoding."""
    with file.open("rb") as stream:
        start = stream.read(3)
    if start == b"\xef\xbb\xbf":
        return "utf-8-sig"
    return "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else None


def _check_text(file: Path) -> None:
    if _encoded(file):
        return
    with file.open("rb") as stream:
        sample = np.frombuffer(stream.read(BLOCK), np.uint8)
    if len(sample) and _BAD[sample].mean() > CONTROL:
        share = _BAD[sample].mean()
        what = f"{file} is no text: {share:.0%} of it are control characters"
        raise DataError(what, "Save it as plain text, UTF-8.")


def _is_utf8(path: Path) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as stream:
            for block in _blocks(stream):
                decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(BLOCK):
        yield block


def _named(sources: Sequence[Path]) -> str:
    return ", ".join("standard input" if path == STDIN else str(path) for path in sources[:3])
