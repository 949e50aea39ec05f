"""Events of jobs, from the threads that work to everybody who watches."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from volute.studio.models import Event

KEPT_JOBS, KEPT_EVENTS = 32, 2000
"""Jobs whose events can be read again, and how many of each."""
ROOM = 2000
"""Events that wait for one who reads slowly; then those are lost, and that is told."""


@dataclass(frozen=True)
class Numbered:
    """An event with its place among those of its job, from 1; 0: one that is not kept."""

    number: int
    event: Event


Line = asyncio.Queue[Numbered]


class Hub:
    """Takes events from any thread; hands them to who follows, on the server's own loop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._lines: dict[Line, str] = {}
        self._kept: OrderedDict[str, list[Numbered]] = OrderedDict()

    def open(self) -> None:
        """Begin: called on the loop on which events are read."""
        self._loop = asyncio.get_running_loop()

    def publish(self, event: Event, keep: bool = True) -> None:
        """Hand an event on; one that is kept is read also by who follows later."""
        with self._lock:
            told = Numbered(0, event)
            if keep:
                told = self._keep(event)
            lines = [line for line, job in self._lines.items() if job in ("", event.job)]
        if lines and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the server has ended
                self._loop.call_soon_threadsafe(_spread, lines, told)

    @contextlib.contextmanager
    def follow(self, job: str = "", after: int = 0) -> Iterator[tuple[list[Numbered], Line]]:
        """Give what has happened so far, and where what follows comes.

        Args:
            job: whose events; empty: those of all that are still to come.
            after: the number of the last event that is known already.
        """
        line: Line = asyncio.Queue(ROOM)
        with self._lock:
            self._lines[line] = job
            before = [one for one in self._kept.get(job, ()) if one.number > after]
        try:
            yield before, line
        finally:
            with self._lock:
                del self._lines[line]

    def _keep(self, event: Event) -> Numbered:
        kept = self._kept.setdefault(event.job, [])
        self._kept.move_to_end(event.job)
        while len(self._kept) > KEPT_JOBS:
            self._kept.popitem(last=False)
        told = Numbered(len(kept) + 1, event)
        if len(kept) < KEPT_EVENTS:
            kept.append(told)
        return told


def _spread(lines: list[Line], told: Numbered) -> None:
    for line in lines:
        if line.full():
            while not line.empty():
                line.get_nowait()
            line.put_nowait(Numbered(0, Event(type="lagged", job="", data={})))
        line.put_nowait(told)
