"""Many files, one after another: what was done is written down, so that a second run goes on.

The ledger is a file of JSON lines in the folder of the results. A file that is listed as done, and
has not changed since, is skipped.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from volute.errors import UsageError, VoluteError
from volute.paths import explained

LEDGER = "ledger.jsonl"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger."""

    source: str
    out: str
    status: Literal["ok", "skipped", "failed"]
    reason: str = ""
    seen: tuple[int, int] = (0, 0)
    """Size and time of change, in ns, of the source."""
    how: str = ""
    """What was done to it: another model or setting is other work."""
    about: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """A file to be worked on, and its name under the folder of the results."""

    source: Path
    name: Path

    def named(self, suffix: str) -> Path:
        """Return the name with another ending."""
        stem = self.name.name.removesuffix(".gz")
        return self.name.with_name(Path(stem).stem + suffix)


def gathered(inputs: Sequence[str], leave: Path | None = None) -> list[Item]:
    """Return the files named, those that a pattern finds, and all in the folders named.

    What lies in a folder keeps its place under it; hidden files, ledgers and what lies in `leave`
    are left out.

    Raises:
        UsageError: for a pattern or folder without files; a file that is not there is an item.
    """
    found: list[Item] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            inside = [f for f in sorted(path.rglob("*")) if _wanted(f, path, leave)]
            found += [Item(file, file.relative_to(path)) for file in inside]
        elif path.exists() or not glob.has_magic(text):
            found.append(Item(path, Path(path.name)))
            continue
        else:
            inside = [Path(name) for name in sorted(glob.glob(text, recursive=True))]
            inside = [file for file in inside if file.is_file()]
            found += [Item(file, Path(file.name)) for file in inside]
        if not inside:
            raise UsageError(f"{text} finds no files", "Check the name.")
    return found


class Ledger:
    """The ledger of a folder, read and appended to."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / LEDGER
        self._done = {entry["source"]: entry for entry in self._read() if entry["status"] == "ok"}

    def has(self, source: Path, out: Path, how: str) -> bool:
        """Tell whether `source` as it is now was already made into `out`."""
        entry = self._done.get(str(source))
        return (
            entry is not None
            and (entry["out"], entry["how"]) == (str(out), how)
            and tuple(entry["seen"]) == seen(source)
            and out.exists()
        )

    def add(self, entry: Entry) -> None:
        """Append a line."""
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(asdict(entry), ensure_ascii=True) + "\n")

    def _read(self) -> Iterator[dict[str, Any]]:
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                entry = json.loads(line)
            except ValueError:  # the last line of a run that was killed
                continue
            if isinstance(entry, dict) and {"source", "out", "status", "seen", "how"} <= set(entry):
                yield entry


def run(
    jobs: Sequence[tuple[Path, Path]],
    work: Callable[[Path, Path], dict[str, Any]],
    how: str,
    ledger: Ledger | None,
    overwrite: bool,
) -> Iterator[Entry]:
    """Do `work(source, out)` for each pair and yield what became of it, failures too.

    Args:
        jobs: sources and where the result goes.
        work: returns what to note of it; a VoluteError, or too little memory, fails this one alone.
        how: names model and settings.
        ledger: where to look for what is done and to write down what was; None for a single file.
        overwrite: do again what is done, over what is there.
    """
    for source, out in jobs:
        if ledger is not None and not overwrite and ledger.has(source, out, how):
            yield Entry(str(source), str(out), "skipped", "done before", seen(source), how)
            continue
        if out.exists() and not overwrite:
            reason = f"{out} is there already: add --overwrite, or choose another -o"
            entry = Entry(str(source), str(out), "failed", reason, seen(source), how)
        else:
            entry = _worked(source, out, work, how)
        if ledger is not None:
            ledger.add(entry)
        yield entry


def seen(source: Path) -> tuple[int, int]:
    """Return size and time of change of a file; zeros if it is not there."""
    try:
        about = source.stat()
    except OSError:
        return 0, 0
    return about.st_size, about.st_mtime_ns


def _worked(
    source: Path, out: Path, work: Callable[[Path, Path], dict[str, Any]], how: str
) -> Entry:
    before = seen(source)
    try:
        about = work(source, out)
    except VoluteError as error:
        reason = " ".join(error.what.split())
        return Entry(str(source), str(out), "failed", reason, before, how)
    except MemoryError:
        reason = f"{source}: not enough memory; give less with --memory"
        return Entry(str(source), str(out), "failed", reason, before, how)
    return Entry(str(source), str(out), "ok", "", before, how, about)


def _wanted(file: Path, folder: Path, leave: Path | None) -> bool:
    inside = file.relative_to(folder)
    if not file.is_file() or any(part.startswith(".") for part in inside.parts):
        return False
    return file.name != LEDGER and (leave is None or leave not in file.parents)


def unique(outs: Sequence[Path]) -> list[Path]:
    """Return the paths, those that repeat with a number before the ending."""
    taken: dict[Path, None] = {}
    for out in outs:
        free, number = out, 2
        while free in taken:
            free, number = out.with_name(f"{out.stem}-{number}{out.suffix}"), number + 1
        taken[free] = None
    return list(taken)
