"""A batch of files with a ledger, on a cluster: `engine.batch.run` by many workers."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from volute.cluster.spread import spread
from volute.cluster.task import Lost
from volute.engine.batch import Entry, Ledger, begin, settled, tried
from volute.engine.sources import Source
from volute.events import Emit
from volute.paths import remove_parts


class FileTask(Protocol):
    """A task whose items are files: see `cluster.task.Task`."""

    def opened(self) -> Any:
        """Return what does the work."""
        ...

    def how(self, tool: Any) -> str:
        """Name model and settings."""
        ...

    def work(self, tool: Any, source: Path, target: Path, emit: Emit) -> dict[str, Any]:
        """Make a file of another and return what to note of it."""
        ...


@dataclass(frozen=True)
class OneFile:
    """Does what the ledger says is begun, and returns what the ledger will say.

    A file that lies elsewhere is brought to whoever does it.
    """

    task: FileTask

    def opened(self) -> Any:
        """See `Task`."""
        return self.task.opened()

    def how(self, tool: Any) -> str:
        """See `Task`."""
        return self.task.how(tool)

    def do(self, tool: Any, item: tuple[Source, Entry], emit: Emit) -> Entry:
        """See `Task`; what fails is noted as such."""
        return tried(*item, partial(self.task.work, tool, emit=emit))


def run(
    jobs: Sequence[tuple[Source, Path]],
    task: FileTask,
    how: str,
    ledger: Ledger | None,
    overwrite: bool,
    emit: Emit,
) -> Generator[Entry, None, None]:
    """Do a task for each pair and yield what became of it, failures too, as they come.

    This process alone writes the ledger: `begun` when an item is handed to a worker, again if that
    one died, and once what became of it.

    Args:
        jobs: as for `engine.batch.run`.
        task: what is done.
        how: as for `engine.batch.run`.
        ledger: as for `engine.batch.run`.
        overwrite: as for `engine.batch.run`.
        emit: is told the progress.

    Raises:
        MissingExtraError: if Ray is not installed.
        VoluteError: if no worker can do the task.
    """
    due: list[tuple[Source, Path]] = []
    for source, out in jobs:
        entry = settled(source, out, how, ledger, overwrite)
        if entry is None:
            due.append((source, out))
            continue
        if ledger is not None and entry.status != "skipped":
            ledger.add(entry)
        yield entry

    handed = set[int]()

    def take(index: int) -> tuple[Source, Entry]:
        if index in handed:
            remove_parts(due[index][1])
        handed.add(index)
        return due[index][0], begin(*due[index], how, ledger)

    with contextlib.closing(spread(OneFile(task), how, len(due), take, emit)) as results:
        for index, made in results:
            entry = _lost(*due[index], how, made.reason) if isinstance(made, Lost) else made
            if ledger is not None:
                ledger.add(entry)
            yield entry


def _lost(source: Source, out: Path, how: str, reason: str) -> Entry:
    remove_parts(out)
    told = {"status": "failed", "reason": f"{source}: {reason}"}
    return begin(source, out, how, None).model_copy(update=told)
