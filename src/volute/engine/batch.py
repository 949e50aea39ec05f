"""Many files, one after another: what was done is written down, so that a second run goes on.

The ledger is a file of JSON lines in the folder of the results. A file that is listed as done, and
has not changed since, is skipped.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from volute.config import Config
from volute.engine.inputs import LEDGERS
from volute.engine.shard import Shard
from volute.engine.sources import Local, Source
from volute.errors import UsageError, VoluteError
from volute.paths import explained, numbered
from volute.remote import is_url

LEDGER = "ledger.jsonl"


class Entry(Config):
    """One line of the ledger."""

    source: str
    out: str
    status: Literal["begun", "ok", "skipped", "failed"]
    reason: str = ""
    seen: tuple[int, int] = (0, 0)
    """What `sources.Source.seen` told of the source."""
    how: str = ""
    """What was done to it: another model or setting is other work."""
    about: dict[str, Any] = {}


class Ledger:
    """The ledger of a folder, read and appended to.

    Args:
        folder: of the results.
        shard: writes to a ledger of its own; those of the whole and of other parts are read too.
    """

    def __init__(self, folder: Path, shard: Shard | None = None) -> None:
        self.path = folder / (LEDGER if shard is None else f"ledger-{shard}.jsonl")
        files = sorted(folder.glob("ledger*.jsonl")) if folder.is_dir() else []
        others = [file for file in files if LEDGERS.fullmatch(file.name) and file != self.path]
        entries = (entry for file in (*others, self.path) for entry in _read(file))
        self._known = {(entry.source, entry.out): entry for entry in entries}

    def has(self, source: Source, out: Path, how: str) -> bool:
        """Tell whether `source` as it is now was already made into `out`."""
        entry = self._known.get((_lasting(str(source)), _lasting(str(out))))
        return (
            entry is not None
            and (entry.status, entry.how, entry.seen) == ("ok", how, source.seen())
            and out.exists()
        )

    def begun(self, source: Source, out: Path) -> bool:
        """Tell whether work on `source` was begun but not written down as done: `out` is ours."""
        entry = self._known.get((_lasting(str(source)), _lasting(str(out))))
        return entry is not None and entry.status == "begun"

    def add(self, entry: Entry) -> None:
        """Append a line."""
        paths = {name: _lasting(getattr(entry, name)) for name in ("source", "out")}
        line = json.dumps(entry.model_dump() | paths, ensure_ascii=True)
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as stream:
                stream.write(b"\n" * self._torn() + line.encode() + b"\n")

    def _torn(self) -> bool:
        """Tell whether the last line has no end: the run that wrote it was killed."""
        with self.path.open("rb") as stream:
            return bool(stream.seek(0, 2)) and (stream.seek(-1, 2), stream.read())[1] != b"\n"


def run(
    jobs: Sequence[tuple[Source, Path]],
    work: Callable[[Path, Path], dict[str, Any]],
    how: str,
    ledger: Ledger | None,
    overwrite: bool,
) -> Generator[Entry, None, None]:
    """Do `work(file, out)` for each pair and yield what became of it, failures too.

    Args:
        jobs: sources and where the result goes.
        work: is given the source's file at hand, and returns what to note; a VoluteError, or too
            little memory, fails this one alone.
        how: names model and settings.
        ledger: where to look for what is done and to write down what was; None for a single file.
        overwrite: do again what is done, over what is there.
    """
    for source, out in jobs:
        entry = settled(source, out, how, ledger, overwrite)
        if entry is None:
            begun = begin(source, out, how, ledger)
            entry = tried(source, begun, work)
        if ledger is not None and entry.status != "skipped":
            ledger.add(entry)
        yield entry


def settled(
    source: Source, out: Path, how: str, ledger: Ledger | None, overwrite: bool
) -> Entry | None:
    """Return what becomes of a pair without any work: it is done, or cannot be; else None.

    Args:
        source: what is worked on.
        out: where the result goes.
        how: as for `run`.
        ledger: as for `run`.
        overwrite: as for `run`.
    """
    entry = Entry(source=str(source), out=str(out), status="failed", seen=source.seen(), how=how)
    if ledger is not None and not overwrite and ledger.has(source, out, how):
        return entry.model_copy(update={"status": "skipped", "reason": "done before"})
    ours = overwrite or (ledger is not None and ledger.begun(source, out))
    if isinstance(source, Local) and _same(source.path, out):
        reason = f"{out} is the source: choose another -o"
    elif out.exists() and not ours:
        reason = f"{out} is there already: add --overwrite, or choose another -o"
    else:
        return None
    return entry.model_copy(update={"reason": reason})


def begin(source: Source, out: Path, how: str, ledger: Ledger | None) -> Entry:
    """Return what says that work on a pair begins, and write it down."""
    entry = Entry(source=str(source), out=str(out), status="begun", seen=source.seen(), how=how)
    if ledger is not None:
        ledger.add(entry)
    return entry


def tried(source: Source, begun: Entry, work: Callable[[Path, Path], dict[str, Any]]) -> Entry:
    """Return what became of a pair: what `work` notes of it, or why it failed."""
    try:
        with source.at_hand() as file:
            noted = work(file, Path(begun.out))
        return begun.model_copy(update={"status": "ok", "about": noted})
    except VoluteError as error:
        reason = ". ".join(text.rstrip(".") for text in (error.what, error.hint) if text)
    except MemoryError:
        reason = f"{begun.source}: not enough memory; give less with --memory"
    except Exception as error:  # a defect of ours must not end the batch
        reason = f"{begun.source}: internal error, please report it: {error!r}"
    return begun.model_copy(update={"status": "failed", "reason": " ".join(reason.split())})


def _read(ledger: Path) -> Iterator[Entry]:
    if not ledger.exists():
        return
    if not ledger.is_file():
        raise UsageError(f"{ledger} is no file", "Move it away, or choose another -o.")
    with explained(ledger):
        lines = ledger.read_text(encoding="utf-8", errors="replace").splitlines()
    for line in lines:
        with contextlib.suppress(ValidationError):  # torn by a kill, or a stranger's
            yield Entry.model_validate_json(line)


def _lasting(name: str) -> str:
    """Return a name by which a file is found from any folder."""
    return name if is_url(name) else str(Path(name).resolve())


def _same(source: Path, out: Path) -> bool:
    return out.exists() and source.exists() and out.samefile(source)


def unique(outs: Sequence[Path]) -> list[Path]:
    """Return the paths, those that repeat with a number before the ending."""
    taken: dict[Path, None] = {}
    for out in outs:
        free, number = out, 2
        while free in taken:
            free, number = numbered(out, number), number + 1
        taken[free] = None
    return list(taken)
