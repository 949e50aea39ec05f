"""Texts with labels: a CSV file, JSON lines, or a folder whose subfolders are the classes."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volute.data.classes import by_folder
from volute.data.gather import SUFFIXES as PICTURES
from volute.engine.texts import plain
from volute.errors import DataError, UsageError

TEXT, LABEL = "text", "label"
"""Names of the columns, or of the fields of JSON lines."""
TABLES, LINES = {".csv", ".tsv"}, {".jsonl", ".ndjson"}
PLAIN = ".txt"
"""Of what is read in a folder."""
DELIMITERS = ",;\t"
LARGEST = 1 << 31
"""Bytes of a file that is read."""
LONGEST = (1 << 31) - 1
"""Characters of one field of a table."""
NAME = 100
"""Characters of a label that is shown or stands in a model."""
Example = tuple[str, bytes]
"""A label and a text."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """Texts ready to learn from."""

    texts: tuple[bytes, ...]
    labels: np.ndarray
    """int64 [N], indices into `classes`."""
    classes: tuple[str, ...]
    key: str
    """Changes whenever the texts or their labels do."""
    notes: tuple[str, ...]
    """What a person should know, a line each."""


def holds_texts(source: Path) -> bool:
    """Return whether there are labelled texts and not pictures: by the names of its files."""
    if source.is_dir():
        suffixes = Counter(file.suffix.lower() for file in source.rglob("*"))
        return suffixes[PLAIN] > sum(suffixes[suffix] for suffix in PICTURES)
    return source.suffix.lower() in TABLES | LINES and source.is_file()


def open_labelled(sources: Sequence[Path]) -> Labelled:
    """Return the texts of files and folders with their labels.

    Raises:
        UsageError: if a source is not there.
        DataError: if it is not as it should be, or there are fewer than two classes.
    """
    notes: list[str] = []
    found = [example for source in sources for example in _examples(source, notes)]
    kept = [(label, text) for label, text in found if text.strip() and label]
    if left_out := len(found) - len(kept):
        notes.append(f"{left_out:,} left out: without a text or a label")
    counts = Counter(label for label, _ in kept)
    if len(counts) < 2 or max(counts.values()) < 2:
        what = f"{sources[0]} has {len(kept):,} texts of {len(counts)} classes"
        raise DataError(what, "A classifier needs two classes at least, with several texts each.")
    classes = tuple(sorted(counts))
    if single := [label for label in classes if counts[label] == 1]:
        named = f"{', '.join(single[:5])}{' ...' * (len(single) > 5)}"
        notes.append(f"only one text each, learned and never measured: {named}")
    number = {label: index for index, label in enumerate(classes)}
    labels = np.array([number[label] for label, _ in kept])
    return Labelled(tuple(text for _, text in kept), labels, classes, _key(kept), tuple(notes))


def _examples(source: Path, notes: list[str]) -> Iterator[Example]:
    if not source.exists():
        raise UsageError(f"there is no text {source}", "Check the name.")
    if source.is_dir():
        return _folder(source, notes)
    data = _content(source)
    if source.suffix.lower() in LINES:
        return _json_lines(source, data)
    return _table(source, data, notes)


def _folder(source: Path, notes: list[str]) -> Iterator[Example]:
    files = sorted(file for file in source.rglob("*") if file.suffix.lower() == PLAIN)
    found = by_folder([file.relative_to(source).as_posix() for file in files])
    if not found.order:
        hint = "Put the texts of each class into a folder of its own: texts/sport, texts/news."
        raise DataError(f"{source} has no subfolders that are classes", hint)
    notes.append("classes are the subfolders")
    for file, label in zip(files, found.labels, strict=True):
        yield label or "", _content(file)


def _json_lines(source: Path, data: bytes) -> Iterator[Example]:
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line.decode("utf-8", "surrogateescape"))
            yield label_of(entry[LABEL]), _bytes(entry[TEXT])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            what = f'{source}, line {number} is not as {{"{TEXT}": "...", "{LABEL}": "..."}}'
            raise DataError(what, "Each line is one JSON object.") from error


def _table(source: Path, data: bytes, notes: list[str]) -> Iterator[Example]:
    decoded = data.decode("utf-8", "surrogateescape")
    delimiter, columns = _columns(source, decoded, "\t" if source.suffix.lower() == ".tsv" else ",")
    rows = _rows(source, decoded, delimiter)
    if columns:
        next(rows)
    text, label = columns or (0, 1)
    read = [(number, row) for number, row in rows if row]
    for number, row in read:
        fits = len(row) > max(columns) if columns else len(row) == 2
        if not fits:
            what = f"{source}, row {number} has {len(row)} columns"
            hint = f"Begin the file with a line that names the columns: {TEXT}{delimiter}{LABEL}"
            raise DataError(what, "Put texts with a comma in quotes." if columns else hint)
    examples = [(label_of(row[label]), _bytes(row[text])) for _, row in read]
    if not columns and _is_header(examples):
        notes.append(f"the first row of {source.name} names the columns: text, then label")
        examples = examples[1:]
    yield from examples


def _columns(source: Path, decoded: str, usual: str) -> tuple[str, tuple[int, int] | None]:
    """Return what stands between columns, and which are text and label if the first line says."""
    first = decoded[:1000].partition("\n")[0]
    for delimiter in DELIMITERS:
        names = [name.strip().strip('"').lower() for name in first.split(delimiter)]
        if TEXT in names and LABEL in names:
            return delimiter, (names.index(TEXT), names.index(LABEL))
        if names[1:] and (TEXT in names or LABEL in names):
            missing = LABEL if TEXT in names else TEXT
            raise DataError(f"{source} has no column {missing}", f"It has: {', '.join(names)}")
    return usual, None


def _rows(source: Path, decoded: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    before = csv.field_size_limit(LONGEST)
    try:
        yield from enumerate(csv.reader(io.StringIO(decoded, newline=""), delimiter=delimiter), 1)
    except csv.Error as error:
        raise DataError(f"{source} is no table: {error}", "Save it as CSV, UTF-8.") from error
    finally:
        csv.field_size_limit(before)


def _is_header(examples: list[Example]) -> bool:
    """Return whether the first row alone has its label, where most rows share theirs."""
    counts = Counter(label for label, _ in examples)
    return counts[examples[0][0]] == 1 and 2 * len(counts) <= len(examples) if examples else False


def _content(file: Path) -> bytes:
    try:
        if file.stat().st_size >= LARGEST:
            raise DataError(f"{file} is larger than 2 GB", "Give a part of it.")
        return plain(file.read_bytes())
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error


def label_of(value: object) -> str:
    """Return a label as one printable line."""
    if not isinstance(value, str | int | float):
        raise TypeError
    text = str(value).encode("utf-8", "replace").decode().strip()
    return "".join(c if c.isprintable() else "\ufffd" for c in text)[:NAME]


def _bytes(text: str) -> bytes:
    """Return a text as the bytes that it was; half of a surrogate pair becomes a question mark."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _key(examples: list[Example]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for label, text in examples:
        digest.update(f"{label}\n{len(text)}\n".encode())
        digest.update(text)
    return digest.hexdigest()
