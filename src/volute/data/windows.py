"""Pictures of shards in an order that follows from a position alone, a window in memory at a time.

The endless sequence of pictures is dealt to lanes like cards: position x is the card x // lanes of
lane x % lanes. A lane reads one shard at a time, forward, a window of pictures after the other, and
shuffles within the window; so the pictures of a batch come from as many shards as there are lanes.
In each pass the lanes share out all shards in an order of its own. A shard that holds more than its
windows take goes on there in the next pass; one with fewer repeats some.

Processes that train together take every n-th position, so each has lanes of its own and reads no
others. The next window is read by threads while this one is used.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from volute.data.cut import Crop, cut
from volute.data.members import Sample, Shard, ShardError
from volute.data.pack import near_empty
from volute.data.sampler import Sampler
from volute.data.shards import check_failing
from volute.errors import DataError, UsageError
from volute.media.modes import CHANNELS, Mode, to_mode
from volute.media.photo import PictureError

Result = TypeVar("Result")
Labelled = tuple[np.ndarray, np.ndarray]
"""Squares uint8 [n, side, side, C] and their labels int64 [n]."""
LANES, WINDOW, WINDOW_BYTES = 16, 2048, 128 << 20
"""Shards that are mixed at once, and pictures of a window of all lanes, in number and bytes."""
TILES = 16
"""Tiles of one picture in a window, at most."""
THREADS = 4


@dataclass(frozen=True)
class Plan:
    """How positions are dealt out."""

    shards: int
    lanes: int
    size: int
    """Squares in a lane's window."""
    pictures: int
    """Pictures that are read for it."""
    parts: int
    """Windows that a lane takes of a shard before it goes on to another."""
    held: int
    """Pictures at the beginning of the last shard that are never among them."""
    seed: int

    def source(self, lane: int, number: int) -> tuple[int, int]:
        """Return from which shard a lane's window comes, and how many of it came before."""
        turn, part = divmod(number, self.parts)
        place = turn * self.lanes + lane
        shard = int(Sampler(self.shards, self.seed).indices(place, 1)[0])
        return shard, (place // self.shards * self.parts + part) * self.pictures


def planned(
    shards: int, each: float, tiles: float, square: int, held: int, processes: int, seed: int
) -> Plan:
    """Return the plan for a set.

    For 1, 2, 4, 8 or 16 processes it is the same, and so is what they learn.

    Args:
        shards: how many there are.
        each: pictures in one, about.
        tiles: squares of a picture, about.
        square: bytes of a square.
        held: pictures of the last shard that are held out.
        processes: how many share it.
        seed: of the order.

    Raises:
        UsageError: if there are fewer shards than processes.
    """
    if processes > shards:
        what = f"{processes} processes need as many shards to learn from, and there are {shards}"
        raise UsageError(what, "Write more, smaller ones, or take fewer processes.")
    lanes = min(LANES, 1 << (shards.bit_length() - 1))
    if lanes % processes:
        lanes = processes * max(1, lanes // processes)
    tiles = min(max(tiles, 1.0), float(TILES))
    size = min(WINDOW, WINDOW_BYTES // square) // lanes
    size = max(1, min(size, int(each * tiles)))
    pictures = max(1, round(size / tiles))
    parts = max(1, round(each / pictures))
    return Plan(shards, lanes, size, pictures, parts, held, seed)


@dataclass(frozen=True)
class Form:
    """What becomes of a picture."""

    size: int
    """Side in px."""
    mode: Mode
    crop: Crop
    classes: tuple[str, ...]
    """Names of the labels; without any, all are 0."""
    numbered: bool
    """Whether labels that are numbers count the classes from 0."""

    def label(self, stated: str | int | None) -> int | None:
        """Return the class of a picture, None if it has none of them."""
        if not self.classes:
            return 0
        if self.numbered and isinstance(stated, int):
            return stated if 0 <= stated < len(self.classes) else None
        word = str(stated)
        return self.classes.index(word) if word in self.classes else None

    def squares(self, sample: Sample, seed: int) -> np.ndarray | str:
        """Return uint8 [n, size, size, C], n up to 16 chosen by the seed; or what is wrong."""
        if self.label(sample.label) is None:
            stated = "states no class" if sample.label is None else f"class {sample.label}"
            return f"{stated}, where the first pictures have others: name all with data.classes"
        found = cut(sample.content, self.crop, self.size)
        if isinstance(found, DataError):
            return found.reason if isinstance(found, PictureError) else found.what
        if not found.squares:
            return "smaller than a tile"
        count = min(TILES, len(found.squares))
        chosen = Sampler(len(found.squares), seed + sample.number).indices(0, count)
        block = np.stack([to_mode(found.squares[i], self.mode) for i in chosen])
        return block[~near_empty(block)]


@dataclass(frozen=True, eq=False)
class _Window:
    squares: np.ndarray
    """uint8 [lanes, size, side, side, C]."""
    labels: np.ndarray
    """int64 [lanes, size]."""


class Windows:
    """The pictures at positions; of two windows, this one and the next, all are in memory.

    Args:
        shards: the set, in its order.
        plan: how positions are dealt out.
        form: what becomes of a picture.
        tell: gets a line for what is skipped; called by the thread that calls `at`.
    """

    def __init__(
        self, shards: list[Shard], plan: Plan, form: Form, tell: Callable[[str], None]
    ) -> None:
        self.plan, self._form, self._shards, self._tell = plan, form, shards, tell
        self._lanes = range(0)
        self._ready: dict[int, Future[_Window]] = {}
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._failed: dict[str, str] = {}
        self._skipped: set[tuple[str, int]] = set()
        self._said = 0
        shape = (0, form.size, form.size, CHANNELS[form.mode])
        self._nothing = np.empty(shape, np.uint8)

    def at(self, positions: np.ndarray, step: int) -> Labelled:
        """Return what lies at positions, `step` apart: uint8 [n, side, side, C], int64 [n].

        Raises:
            DataError: if more than a tenth of the shards cannot be read.
        """
        lanes = range(int(positions[0]) % step, self.plan.lanes, step)
        if lanes != self._lanes:
            self._lanes, self._ready = lanes, {}
        lane = (positions % self.plan.lanes - lanes[0]) // step
        numbers, places = np.divmod(positions // self.plan.lanes, self.plan.size)
        form = self._form
        squares = np.empty((len(positions), form.size, form.size, CHANNELS[form.mode]), np.uint8)
        labels = np.empty(len(positions), np.int64)
        for number in np.unique(numbers):
            window, rows = self._window(int(number)), numbers == number
            squares[rows] = window.squares[lane[rows], places[rows]]
            labels[rows] = window.labels[lane[rows], places[rows]]
        return squares, labels

    def held(self) -> Labelled:
        """Return what is held out, likewise; a shard that cannot be read is an error."""
        shard = self._shards[-1]
        found = [self._taken(shard, sample, 0) for sample in shard.run(0, self.plan.held)]
        self._say()
        if not any(len(labels) for _, labels in found):
            what = f"the first {self.plan.held:,} pictures of {shard.name}"
            raise DataError(f"{what} are held out, and none can be used", "Replace them.")
        return _joined(found)

    def _window(self, number: int) -> _Window:
        for old in [known for known in self._ready if known not in (number, number + 1)]:
            del self._ready[old]
        for wanted in (number, number + 1):
            if wanted not in self._ready:
                self._ready[wanted] = _begun(lambda n=wanted: self._read(n))
        window = self._ready[number].result()
        self._say()
        return window

    def _read(self, number: int) -> _Window:
        """Read a window of each own lane; one without pictures takes those of another."""
        shape = (len(self._lanes), self.plan.size)
        squares = np.empty((*shape, *self._nothing.shape[1:]), np.uint8)
        window = _Window(squares, np.empty(shape, np.int64))
        read = [lambda row=row: self._lane(number, row, window) for row in range(shape[0])]
        filled = _in_threads(read)
        with self._lock:
            check_failing(self._failed, len(self._shards))
        full = np.flatnonzero(filled)
        if not len(full):
            names = {self._shards[self.plan.source(i, number)[0]].name for i in self._lanes}
            what = f"no picture of these shards can be used: {', '.join(sorted(names))}"
            raise DataError(what, "Look at them: volute data check SHARD")
        for row in np.flatnonzero(~np.array(filled)):
            other = full[row % len(full)]
            window.squares[row], window.labels[row] = squares[other], window.labels[other]
        return window

    def _lane(self, number: int, row: int, window: _Window) -> bool:
        """Read into a row of a window; return whether there was something to read."""
        plan, lane = self.plan, self._lanes[row]
        index, first = plan.source(lane, number)
        shard = self._shards[index]
        seed = int(np.random.SeedSequence([plan.seed, lane, number]).generate_state(1)[0])
        found: list[Labelled] = []
        try:
            for sample in shard.run(first, plan.pictures, plan.held * (index == plan.shards - 1)):
                found.append(self._taken(shard, sample, seed))
        except ShardError as error:
            self._note_failed(error)
        if not any(len(labels) for _, labels in found):
            return False
        squares, labels = _joined(found)
        order = Sampler(len(squares), seed).indices(0, plan.size)
        window.squares[row], window.labels[row] = squares[order], labels[order]
        return True

    def _taken(self, shard: Shard, sample: Sample, seed: int) -> Labelled:
        """Return the squares of a picture; one that cannot be used is counted as skipped."""
        label, found = self._form.label(sample.label), self._form.squares(sample, seed)
        if label is not None and not isinstance(found, str):
            return found, np.full(len(found), label, np.int64)
        with self._lock:
            self._skipped.add((shard.name, sample.number))  # once, however often it comes
            count = len(self._skipped)
            if count >= max(1, 2 * self._said):
                self._said = count
                some = "1 picture" if count == 1 else f"{count:,} pictures"
                last = f"{shard.name}/{sample.name}: {found}"
                self._lines.put(f"{some} skipped so far, the last: {last}")
        return self._nothing, np.empty(0, np.int64)

    def _note_failed(self, error: ShardError) -> None:
        with self._lock:
            if error.shard not in self._failed:
                self._lines.put(f"{error.what}; skipped")
            self._failed[error.shard] = error.reason

    def _say(self) -> None:
        while not self._lines.empty():
            self._tell(self._lines.get())


def _joined(parts: list[Labelled]) -> Labelled:
    return np.concatenate([part[0] for part in parts]), np.concatenate([p[1] for p in parts])


def _begun(work: Callable[[], Result]) -> Future[Result]:
    """Start work in a thread that does not keep the process from ending."""
    future: Future[Result] = Future()

    def do() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # it is raised where the result is asked for
            future.set_exception(error)

    threading.Thread(target=do, daemon=True).start()
    return future


def _in_threads(jobs: Iterable[Callable[[], Result]]) -> list[Result]:
    """Do all jobs in a few threads; return their results in order."""
    todo = list(enumerate(jobs))[::-1]
    done: dict[int, Result] = {}

    def work() -> None:
        while todo:
            try:
                index, job = todo.pop()
            except IndexError:
                return
            done[index] = job()

    count = len(todo)
    for worker in [_begun(work) for _ in range(min(THREADS, os.cpu_count() or 1, count))]:
        worker.result()
    return [done[index] for index in range(count)]
