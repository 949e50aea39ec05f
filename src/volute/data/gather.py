"""Every picture of a source, decoded and cut by a few threads but in order, into scratch files.

The colour mode and the classes are known only when all pictures are seen. Until then the squares
wait on disk, one file a number of channels: memory stays small and nothing is decoded twice.
"""

from __future__ import annotations

import os
import time
import warnings
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from volute.data.cut import Cut, cut
from volute.data.entry import Entry, Source
from volute.data.report import LeftOut
from volute.data.settings import DataSettings
from volute.errors import DataError
from volute.events import Emit, Progress
from volute.media.modes import CHANNELS, Mode, to_mode
from volute.media.photo import NOT_A_PICTURE, PictureError

_BLOCK = 256
_TICK_S = 0.5
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff", ".bmp", ".avif", ".jp2")
SUFFIXES += (".heic", ".heif", ".svg", ".psd", ".tga", ".dng", ".cr2", ".nef", ".arw", ".ico")


class Scratch:
    """Squares of 1 to 4 channels, appended in any mixture, read back in the same order."""

    def __init__(self, folder: Path, size: int) -> None:
        self._size = size
        self.channels = bytearray()
        """Number of channels of each square."""
        self._streams = [(folder / f"scratch-{c}").open("wb+") for c in range(1, 5)]

    def add(self, square: np.ndarray) -> None:
        """Append uint8 [size, size, C]."""
        self.channels.append(square.shape[2])
        self._streams[square.shape[2] - 1].write(np.ascontiguousarray(square).data)

    def blocks(self, mode: Mode) -> Iterator[np.ndarray]:
        """Yield all squares in one mode: uint8 [n, size, size, C], n up to 256."""
        for stream in self._streams:
            stream.seek(0)
        for start in range(0, len(self.channels), _BLOCK):
            channels = np.frombuffer(self.channels[start : start + _BLOCK], np.uint8)
            shape = (len(channels), self._size, self._size)
            block = np.empty((*shape, CHANNELS[mode]), np.uint8)
            for c in np.unique(channels):
                rows = np.flatnonzero(channels == c)
                data = self._streams[c - 1].read(len(rows) * self._size**2 * int(c))
                squares = np.frombuffer(data, np.uint8).reshape(-1, *shape[1:], c)
                block[rows] = to_mode(squares, mode)
            yield block

    def close(self) -> None:
        """Delete the scratch files."""
        for stream in self._streams:
            stream.close()
            Path(stream.name).unlink(missing_ok=True)


@dataclass
class Found:
    """What one pass over a source brought, besides the squares."""

    names: list[str] = field(default_factory=list)
    """Of each decoded file."""
    labels: list[str | int | None] = field(default_factory=list)
    """Of each decoded file, where the source states one."""
    owners: array[int] = field(default_factory=lambda: array("q"))
    """For each square, the index of its file."""
    changes: list[tuple[str, ...]] = field(default_factory=list)
    """Of each decoded file."""
    left_out: list[LeftOut] = field(default_factory=list)
    smallest: tuple[int, int] = (0, 0)
    largest: tuple[int, int] = (0, 0)

    def images(self) -> int:
        """Return the number of pictures, broken ones included."""
        unread = sum(item.kind == "unreadable" for item in self.left_out)
        return len(self.names) + unread

    def take(self, entry: Entry, result: Cut | DataError, scratch: Scratch) -> None:
        """Note one picture, and keep its squares."""
        if isinstance(result, DataError):
            self.left_out.append(_left_out(entry, result))
            return
        if not self.names or min(result.size) < min(self.smallest):
            self.smallest = result.size
        if not self.names or result.size[0] * result.size[1] > self.largest[0] * self.largest[1]:
            self.largest = result.size
        if not result.squares:
            reason = f"{result.size[0]}x{result.size[1]} px, smaller than a tile"
            self.left_out.append(LeftOut(name=entry.name, kind="too small", reason=reason))
        for square in result.squares:
            self.owners.append(len(self.names))
            scratch.add(square)
        self.changes.append(result.changes)
        self.names.append(entry.name)
        self.labels.append(entry.label)


def gather(
    source: Source, settings: DataSettings, size: int, scratch: Scratch, emit: Emit
) -> Found:
    """Read all of `source` into `scratch`.

    Raises:
        DataError: the source as a whole is damaged.
    """
    found = Found()
    work = partial(cut, crop=settings.crop, size=size)
    start = last = time.monotonic()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\b")  # once for all threads: not thread-safe
        for done, (entry, result) in enumerate(_in_order(source.entries(), work), start=1):
            found.take(entry, result, scratch)
            now = time.monotonic()
            if now - last > _TICK_S:
                emit(_progress(done, source.total, now - start))
                last = now
    return found


def _in_order(
    entries: Iterable[Entry], work: partial[Cut | DataError]
) -> Iterator[tuple[Entry, Cut | DataError]]:
    """Work on a few entries at a time in threads (Pillow lets them run), results in order."""
    threads = min(4, os.cpu_count() or 1)
    waiting: deque[tuple[Entry, Future[Cut | DataError]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for entry in entries:
                if isinstance(entry.content, np.ndarray):  # nothing to decode: no thread
                    yield entry, work(entry.content)
                    continue
                waiting.append((entry, pool.submit(work, entry.content)))
                if len(waiting) > threads + 1:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _progress(done: int, total: int, passed_s: float) -> Progress:
    rate = done / passed_s
    left_s = max(total - done, 0) / rate
    return Progress(done, min(done / total, 1.0) if total else 0.0, rate, left_s)


def _left_out(entry: Entry, error: DataError) -> LeftOut:
    reason = error.reason if isinstance(error, PictureError) else error.what
    known = entry.name.lower().endswith(SUFFIXES)
    other = reason == NOT_A_PICTURE and not known
    return LeftOut(name=entry.name, kind="other" if other else "unreadable", reason=reason)
