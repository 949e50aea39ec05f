"""What the verbs that work on many files share: where results go, the ledger, what is told."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from volute.errors import UsageError, VoluteError, printable

if TYPE_CHECKING:
    from volute.engine.batch import Entry, Item
    from volute.engine.shard import Shard
    from volute.events import Emit

ShardOption = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="Only part I of N, as 2/5.")
]
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
Work = Callable[[Path, Path, "Emit"], dict[str, Any]]
"""Makes a file of another, tells its progress, and returns what to note of it."""
Told = Callable[[dict[str, Any]], str]
"""Gives the words that follow the name of a result, by what was noted of it."""


def work_on(
    inputs: Sequence[str],
    work: Work,
    *,
    how: str,
    mark: str,
    folder: str,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    shard: str | None = None,
    told: Told = lambda about: "",
) -> None:
    """Do `work` for each file, tell what became of it, and end with exit code 1 if any failed.

    Args:
        inputs: files, folders and patterns.
        work: what is done.
        how: names model and settings.
        mark: stands in the name of the result of a single file, as in NAME-mark.END.
        folder: of several results, unless `out` says.
        out: a file or folder.
        overwrite: write over what is there.
        as_json: tell each result as JSON.
        shard: as `2/5`, of all files: those of its part alone, with a ledger of its own.
        told: as its type says.
    """
    from volute.cli.show import live
    from volute.engine.batch import Ledger, gathered, run

    place, part = out or Path(folder), part_of(shard)
    items = gathered(inputs, leave=place.resolve())
    jobs, kept = _jobs(items, inputs, mark, out, place, overwrite)
    if part is not None:
        pairs = zip(items, jobs, strict=True)
        jobs = [job for item, job in pairs if part.has(item.name.as_posix())]
    signal.signal(signal.SIGTERM, _interrupt)
    with live() as emit:

        def one(source: Path, target: Path) -> dict[str, Any]:
            return work(source, target, emit)

        entries = run(jobs, one, how, Ledger(kept, part) if kept else None, overwrite)
        failed = _tell(entries, emit, as_json, len(jobs), told)
    if failed:
        raise typer.Exit(1)


def part_of(text: str | None) -> Shard | None:
    """Return the part that `2/5` names.

    Raises:
        UsageError: if it is none.
    """
    from volute.engine.shard import Shard

    return None if text is None else Shard.of(text)


def bytes_of(text: str) -> int:
    """Return the bytes of `512MB`, `1.5 GB` or a plain number."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)i?B?", text.strip(), re.IGNORECASE)
    if not found:
        raise UsageError(f"--memory {text} is no amount", "Write it as 512MB or 2GB.")
    return int(float(found[1]) * UNITS[found[2].upper()])


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C, so that nothing is left half-written."""
    raise KeyboardInterrupt


def _jobs(
    items: Sequence[Item],
    inputs: Sequence[str],
    mark: str,
    out: Path | None,
    folder: Path,
    again: bool,
) -> tuple[list[tuple[Path, Path]], Path | None]:
    """Return sources with their targets, and the folder of the ledger; None for a single file."""
    from volute.engine.batch import unique
    from volute.paths import new_output

    single = len(items) == 1 and not Path(inputs[0]).is_dir()
    if single and (out is None or (out.suffix and not out.is_dir())):
        source = items[0].source
        named = items[0].named(f"-{mark}{_suffix(source)}")
        return [(source, out or new_output(Path(named.name), again))], None
    if folder.is_file():
        raise UsageError(f"{len(items)} files do not fit into {folder}", "Name a folder.")
    targets = unique([folder / item.named(_suffix(item.source)) for item in items])
    return list(zip((item.source for item in items), targets, strict=True)), folder


def _suffix(source: Path) -> str:
    """Return the ending of the result; the source's own where that will fail anyway."""
    from volute.media import families

    try:
        return families.of(source).suffix(source)
    except VoluteError:
        return source.suffix


def _tell(entries: Iterator[Entry], emit: Emit, as_json: bool, total: int, told: Told) -> int:
    """Print a line for each entry and return how many failed."""
    from collections import Counter

    from volute.events import Note

    counts: Counter[str] = Counter()
    for entry in entries:
        counts[entry.status] += 1
        if as_json:
            typer.echo(entry.model_dump_json())
        elif entry.status == "ok":
            emit(Note("saved", _line(entry.out + told(entry.about))))
        else:
            words = (
                entry.reason if entry.source in entry.reason else f"{entry.source}: {entry.reason}"
            )
            emit(Note(entry.status, _line(words)))
        of = f"{entry.source}: " if total > 1 else ""
        for note in entry.about.get("notes", ()):
            emit(Note("note", _line(of + note)))
    if total > 1:
        emit(Note("done", " · ".join(f"{n} {status}" for status, n in sorted(counts.items()))))
    return counts["failed"]


def _line(text: str) -> str:
    """Return what is safe on a terminal, and one line: a name can hold anything."""
    return printable(text).replace("\n", "?")
