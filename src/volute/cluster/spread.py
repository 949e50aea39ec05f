"""Any items on a cluster: what `--cluster ray` of the verbs does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

from volute.cluster.pool import Pool
from volute.cluster.task import Task
from volute.cluster.with_ray import crew
from volute.cluster.worker import Site
from volute.events import Emit, Progress


def spread(
    task: Task,
    how: str,
    count: int,
    take: Callable[[int], Any],
    emit: Emit,
    unit: str = "files",
) -> Generator[tuple[int, Any], None, None]:
    """Have items done by Ray actors, and yield the number of each with its result, as they come.

    Args:
        task: what is done.
        how: what it is called here.
        count: of items.
        take: gives an item by its number; called each time when it is handed to a worker.
        emit: is told the progress.
        unit: what items are.

    Yields:
        What `task.do` returned, or `Lost` after three workers died of an item.

    Raises:
        MissingExtraError: if Ray is not installed.
        VoluteError: if no worker can do the task.
    """
    if not count:
        return
    with crew(task, Site.here(how), emit) as workers:
        start = time.monotonic()
        results = Pool(workers, count, take, emit).results()
        for done, result in enumerate(results, 1):
            rate = done / (time.monotonic() - start)
            yield result
            emit(Progress(done, done / count, rate, (count - done) / rate, unit=unit))


def in_order(
    task: Task, how: str, items: Sequence[Any], emit: Emit, unit: str = "files"
) -> Generator[Any, None, None]:
    """Yield the results of `spread`, or `Lost`, in the order of the items."""
    held: dict[int, Any] = {}
    following = 0
    every = spread(task, how, len(items), items.__getitem__, emit, unit)
    with contextlib.closing(every) as results:
        for index, result in results:
            held[index] = result
            while following in held:
                yield held.pop(following)
                following += 1
