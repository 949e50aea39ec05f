"""A crew of workers in this process, which die when it is their turn."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from volute.cluster.task import Died, Said
from volute.cluster.worker import Worker

CHANCES = ("before", "after")
"""When a worker dies: before it has done what it was given, or after it, with the result untold."""


class DyingCrew:
    """See `volute.cluster.pool.Crew`.

    Args:
        worker: makes one.
        room: how many there is room for; those that ask for more wait.
        deaths: how often workers die in all.
        seed: of who does what first, and who dies.
    """

    def __init__(self, worker: Callable[[], Worker], room: int, deaths: int, seed: int) -> None:
        self._worker, self._places, self.deaths = worker, room, deaths
        self._random = random.Random(seed)
        self._numbers = itertools.count()
        self.asked: list[int] = []
        self.alive: dict[int, Worker] = {}
        self.given: dict[int, Any] = {}
        self.most_asked = 0

    def room(self) -> int:
        return self._places

    def start(self) -> int:
        self.asked.append(next(self._numbers))
        self.most_asked = max(self.most_asked, len(self.asked))
        return self.asked[-1]

    def give(self, worker: int, item: Any) -> None:
        assert worker in self.alive
        assert worker not in self.given
        assert item not in self.given.values(), "with two workers at once"
        self.given[worker] = item

    def said(self) -> Sequence[tuple[int, Said]]:
        able = self.asked[: max(0, self._places - len(self.alive))]
        speaking = [*able, *self.given]
        assert speaking, "it would wait for ever"
        number = self._random.choice(speaking)
        return [(number, self._begins(number) if number in able else self._works(number))]

    def stop(self, worker: int) -> None:
        if worker in self.asked:
            self.asked.remove(worker)
        else:
            del self.alive[worker]
        self.given.pop(worker, None)

    def _begins(self, number: int) -> Said:
        self.asked.remove(number)
        self.alive[number] = self._worker()
        return self.alive[number].ready()

    def _works(self, number: int) -> Said:
        item = self.given.pop(number)
        dies = self.deaths > 0 and self._random.random() < 0.5
        self.deaths -= dies
        when = self._random.choice(CHANCES) if dies else ""
        said = Died("shot") if when == "before" else self.alive[number].do(item)
        if dies:
            del self.alive[number]
        return Died("shot") if dies else said


def by_number(results: Iterator[tuple[int, Any]]) -> dict[int, Any]:
    """Return results by number, which must not repeat."""
    found: dict[int, Any] = {}
    for index, result in results:
        assert index not in found, "told twice"
        found[index] = result
    return found
