"""Who does which item: given to one worker at a time, and to another if that one dies."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from volute.cluster.task import Died, Done, Lost, Ready, Refused, Said
from volute.errors import VoluteError
from volute.events import Emit, Note

TRIES = 3
"""How many workers may die of an item; or before one has begun."""
PATIENCE = 12
"""How many may die in a row before they begin, if others did; waits before that is told."""


class Crew(Protocol):
    """Where workers come from, told apart by numbers."""

    def room(self) -> int:
        """Return how many workers the machines hold at present."""
        ...

    def start(self) -> int:
        """Ask for one more; it says `Ready` when there was room for it."""
        ...

    def give(self, worker: int, item: Any) -> None:
        """Hand an item to a worker that has none."""
        ...

    def said(self) -> Sequence[tuple[int, Said]]:
        """Wait a while for what workers say, and return it; nothing of those that were stopped."""
        ...

    def stop(self, worker: int) -> None:
        """Let one go, whatever it does."""
        ...


class Pool:
    """Has items done by as many workers as there is room for, from one on.

    Each item is with one worker at most, and its result is told once, whatever dies in between.

    Args:
        crew: where workers come from.
        count: of items.
        take: gives an item by its number; called each time when it is handed to a worker.
        emit: is told the workers' notes.
    """

    def __init__(self, crew: Crew, count: int, take: Callable[[int], Any], emit: Emit) -> None:
        self._crew, self._take, self._emit = crew, take, emit
        self._waiting = deque(range(count))
        self._tries: Counter[int] = Counter()
        self._at_work: dict[int, int] = {}
        self._starting: list[int] = []
        self._in_vain, self._patience, self._idle = 0, TRIES, 0

    def results(self) -> Iterator[tuple[int, Any]]:
        """Yield the number of each item with its result, or `Lost`, as they come.

        Raises:
            VoluteError: if workers cannot begin, or say that the task cannot be done.
        """
        while self._waiting or self._at_work:
            self._staff()
            heard = self._crew.said()
            for worker, said in heard:
                yield from self._heard(worker, said)
            if not (heard or self._at_work):
                self._wait()
        for worker in self._starting:
            self._crew.stop(worker)

    def _wait(self) -> None:
        """Say once that there is no room for any worker, when that has lasted."""
        self._idle += 1
        if self._idle == PATIENCE:
            words = f"no worker has begun yet: the cluster has {self._crew.room()} cores in all"
            self._emit(Note("waiting", words))

    def _staff(self) -> None:
        """Ask for workers: all there is room for, then as many again, so that a cluster can grow.

        Those that nothing is left for are let go.
        """
        busy = len(self._at_work)
        wanted = min(len(self._waiting), max(1, self._crew.room() - busy, busy))
        while len(self._starting) < wanted:
            self._starting.append(self._crew.start())
        while len(self._starting) > wanted:
            self._crew.stop(self._starting.pop())

    def _heard(self, worker: int, said: Said) -> Iterator[tuple[int, Any]]:
        if isinstance(said, Refused):
            raise said.error()
        if worker in self._starting:
            self._begun(worker, said)
        elif worker in self._at_work:
            index = self._at_work.pop(worker)
            if isinstance(said, Done):
                self._hand_on(worker)
                for note in said.notes:
                    self._emit(note)
                yield index, said.result
            elif isinstance(said, Died):
                yield from self._lost(index, said)

    def _begun(self, worker: int, said: Said) -> None:
        self._starting.remove(worker)
        if isinstance(said, Ready):
            self._in_vain, self._patience = 0, PATIENCE
            self._hand_on(worker)
        elif isinstance(said, Died):
            self._in_vain += 1
            if self._in_vain == self._patience:
                what = f"{self._in_vain} workers died before they had begun: {said.reason}"
                raise VoluteError(what, "Run it without --cluster to see whether it works here.")

    def _hand_on(self, worker: int) -> None:
        if not self._waiting:
            self._crew.stop(worker)
            return
        index = self._waiting.popleft()
        self._at_work[worker] = index
        self._crew.give(worker, self._take(index))

    def _lost(self, index: int, said: Died) -> Iterator[tuple[int, Any]]:
        self._tries[index] += 1
        if self._tries[index] < TRIES:
            self._waiting.append(index)  # last: what killed this worker may not be the item
        else:
            yield index, Lost(f"{TRIES} workers died while they did it: {said.reason}")
