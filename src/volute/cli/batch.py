"""What the verbs that work on many files share: where results go, the ledger, what is told."""

from __future__ import annotations

import contextlib
import re
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from volute.errors import UsageError, VoluteError, printable

if TYPE_CHECKING:
    from volute.cluster.batch import FileTask
    from volute.cluster.task import Task
    from volute.engine.batch import Entry, Ledger
    from volute.engine.inputs import Item
    from volute.engine.shard import Shard
    from volute.engine.sources import Source
    from volute.events import Emit

Inputs = Annotated[
    list[str],
    typer.Argument(metavar="INPUT", help="Files, folders, globs, tars; here or by URL."),
]
ShardOption = Annotated[
    str | None, typer.Option("--shard", metavar="I/N", help="Only part I of N, as 2/5.")
]
ClusterOption = Annotated[
    str | None, typer.Option("--cluster", metavar="ray", help="Let a Ray cluster do it.")
]
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
Told = Callable[[dict[str, Any]], str]
"""Gives the words that follow the name of a result, by what was noted of it."""


def work_on(
    inputs: Sequence[str],
    task: FileTask,
    tool: Any,
    *,
    takes: tuple[str, ...],
    mark: str,
    folder: str,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    shard: str | None = None,
    cluster: str | None = None,
    told: Told = lambda about: "",
) -> None:
    """Do a task for each file, tell what became of it, and end with exit code 1 if any failed.

    Args:
        inputs: as for `engine.inputs.gathered`.
        task: what is done.
        tool: what `task.opened` returned.
        takes: as for `engine.inputs.gathered`.
        mark: stands in the name of the result of a single file, as in NAME-mark.END.
        folder: of several results, unless `out` says.
        out: a file or folder.
        overwrite: write over what is there.
        as_json: tell each result as JSON.
        shard: as `2/5`, of all files: those of its part alone, with a ledger of its own.
        cluster: `ray` to have it done there.
        told: as its type says.
    """
    from volute.cli.show import live, tell
    from volute.engine.batch import Ledger
    from volute.engine.inputs import gathered

    check_cluster(cluster)
    place, part = out or Path(folder), part_of(shard)
    items = gathered(inputs, place.resolve(), takes, tell)
    jobs, kept = _jobs(items, mark, out, place, overwrite)
    if part is not None:
        pairs = zip(items, jobs, strict=True)
        jobs = [job for item, job in pairs if part.has(item.name.as_posix())]
    signal.signal(signal.SIGTERM, _interrupt)
    with live() as emit:
        ledger = Ledger(kept, part) if kept else None
        made = _done(cluster, jobs, task, tool, ledger, overwrite, emit)
        with contextlib.closing(made) as entries:
            failed = _tell(entries, emit, as_json, len(jobs), told)
    if failed:
        raise typer.Exit(1)


def _done(
    cluster: str | None,
    jobs: Sequence[tuple[Source, Path]],
    task: FileTask,
    tool: Any,
    ledger: Ledger | None,
    overwrite: bool,
    emit: Emit,
) -> Generator[Entry, None, None]:
    """Do the jobs here or on a cluster, and yield what became of each."""
    how = task.how(tool)
    if cluster is None:
        from volute.engine.batch import run

        return run(jobs, partial(task.work, tool, emit=emit), how, ledger, overwrite)
    from volute.cluster import batch

    return batch.run(jobs, task, how, ledger, overwrite, emit)


def each(
    task: Task, items: Iterable[Any], cluster: str | None, unit: str, tool: Any = None
) -> Iterator[tuple[Any, Any]]:
    """Do a task for each item, one after another or on a cluster, and yield both, in order.

    Args:
        task: what is done.
        items: what is worked on.
        cluster: `ray` to have it done there.
        unit: what items are.
        tool: what `task.opened` returned, if it is opened already.
    """
    from volute.cli.show import live, tell

    check_cluster(cluster)
    tool = tool or task.opened()
    if cluster is None:
        yield from ((item, task.do(tool, item, tell)) for item in items)
        return
    from volute.cluster.spread import in_order

    every = list(items)
    signal.signal(signal.SIGTERM, _interrupt)
    how = task.how(tool)
    with live() as emit, contextlib.closing(in_order(task, how, every, emit, unit)) as found:
        yield from zip(every, found, strict=True)


def check_cluster(name: str | None) -> None:
    """Raise if there is no such cluster.

    Raises:
        UsageError: for another name than `ray`.
    """
    if name not in (None, "ray"):
        raise UsageError(f"--cluster {name} is not known", "Write: --cluster ray")


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
    items: Sequence[Item], mark: str, out: Path | None, folder: Path, again: bool
) -> tuple[list[tuple[Source, Path]], Path | None]:
    """Return sources with their targets, and the folder of the ledger; None for a single file."""
    from volute.engine.batch import unique
    from volute.paths import new_output

    single = len(items) == 1 and not items[0].inside
    if single and (out is None or (out.suffix and not out.is_dir())):
        source = items[0].source
        named = items[0].named(f"-{mark}{_suffix(source)}")
        return [(source, out or new_output(Path(named.name), again))], None
    if folder.is_file():
        raise UsageError(f"{len(items)} files do not fit into {folder}", "Name a folder.")
    targets = unique([folder / item.named(_suffix(item.source)) for item in items])
    return list(zip((item.source for item in items), targets, strict=True)), folder


def _suffix(source: Source) -> str:
    """Return the ending of the result; the source's own where that will fail anyway.

    What lies elsewhere is not fetched for it: its name says what it is.
    """
    from volute.engine.sources import Local
    from volute.media import families

    if not isinstance(source, Local):
        return families.ending_of(str(source))
    try:
        return families.of(source.path).suffix(source.path)
    except VoluteError:
        return source.path.suffix


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
