"""Frames from a camera, processed as they come: the newest only, at a size that holds the rate."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from volute.errors import DataError, UsageError

SIDES = (128, 160, 192, 224, 256, 288, 320, 384, 448, 512, 640, 768, 960, 1280)
"""Longer sides, in pixels, that are tried: neighbours differ by up to 1.8 times in their pixels."""
MULTIPLE = 8
"""Of both sides of what is processed, in pixels."""
FEW, SOME, MANY = 5, 9, 15
"""Frames that are measured at one size: at least and at most for a fall, and for a rise."""
FULL, FIT, HOPELESS = 1.0, 0.75, 1.5
"""Shares of the time for one frame: above the first a size falls, to one that takes up to the
second; it rises to one that takes up to that; above the third, three frames are enough to fall."""
PATIENCE = (1.0, 32.0)
"""Seconds from a fall to the next rise: at first, and at most after rises that were wrong."""
TRIAL = 8
"""Such waits, in which a fall says that the rise before it was wrong."""
RECENT = 30
"""Frames of which the rate is the mean."""
GRACE = 0.5
"""Seconds that closing waits for a source that gives no frame."""
Frame = np.ndarray


@dataclass(frozen=True)
class Shown:
    """One processed frame of a stream."""

    frame: Frame
    """uint8 [H, W, 3], of the size of the source's."""
    index: int
    """Which frame of the source it is, from 0."""
    dropped: int
    """How many frames of the source before it were never processed."""
    latency_s: float
    """From when the source gave the frame."""
    side: int
    """Longer side of what was processed, in pixels."""
    fps: float
    """Frames shown per second, the mean of the last `RECENT`; 0 for the first."""


class Live:
    """Processes the frames of a camera at the highest resolution that holds a frame rate.

    Args:
        process: makes a frame [h, w, 3] of uint8 of one whose sides are multiples of 8 px; must not
            write into what it is given. May give another size.
        fps: frames per second to hold, in (0, 1000].
        sides: longer sides to choose from, in pixels: ascending multiples of 8. It starts in the
            middle. A frame is not enlarged: one that is smaller than a side goes as it is.
        clock: gives seconds.

    Raises:
        UsageError: for a rate or sides that are none.
    """

    def __init__(
        self,
        process: Callable[[Frame], Frame],
        fps: float = 30.0,
        sides: Sequence[int] = SIDES,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not 0 < fps <= 1000:
            raise UsageError(f"fps = {fps} is no frame rate", "Give frames per second, up to 1000.")
        odd = any(side < MULTIPLE or side % MULTIPLE for side in sides)
        if not sides or odd or sorted(set(sides)) != list(sides):
            what = f"sides = {list(sides)} are no ascending multiples of {MULTIPLE} px"
            raise UsageError(what, "Give such as 256, 384, 512.")
        self._process, self._clock = process, clock
        self._fps, self._sides = fps, tuple(sides)

    def stream(self, frames: Iterable[Frame]) -> Iterator[Shown]:
        """Yield the newest frame, processed, as often as it is asked for one.

        A thread of its own takes the frames as fast as they come and keeps one: those that come
        while another is processed are dropped, but the last is always shown. It stops, and closes
        the iterator if that can be closed, when this generator ends or is closed; a source that
        blocks is left with its next frame. A source that never waits, such as a file, is run
        through.

        The time that the caller takes counts too, up to half of a frame's.

        Args:
            frames: uint8 [H, W, 3] each, of any size, which may change; not written to later.

        Raises:
            DataError: for a frame that is none.
            UsageError: if `process` gives no frame.
            Exception: whatever the source (after its last frame is shown) or `process` raises.
        """
        newest = _Newest(frames, self._clock)
        try:
            yield from self._processed(newest)
        finally:
            newest.close()

    def _processed(self, newest: _Newest) -> Iterator[Shown]:
        pace, clock = Pace(self._fps, self._sides), self._clock
        moments: deque[float] = deque(maxlen=RECENT + 1)
        count = 0
        while (taken := newest.take()) is not None:
            begun = clock()
            index, came, frame = taken
            if not _is_frame(frame):
                raise DataError(f"frame {index} is {_told(frame)}", "Give uint8 [H, W, 3].")
            full = frame.shape[:2]
            size = pace.size(*full)
            small = _resized(frame, size, Image.Resampling.BOX)
            start = clock()
            made = self._process(small)
            spent = clock() - start
            if not _is_frame(made):
                raise UsageError(f"process gives {_told(made)}", "It must give uint8 [h, w, 3].")
            result = _resized(made, full, Image.Resampling.BILINEAR)
            count += 1
            now = clock()
            moments.append(now)
            passed = now - moments[0]
            rate = (len(moments) - 1) / passed if passed else 0.0
            yield Shown(result, index, index + 1 - count, now - came, max(size), rate)
            done = clock()
            pace.took(spent, done - begun - spent, done, *full)


class Pace:
    """Chooses the side of the frames from the time that they took.

    The time of a size is foretold from the median time of a pixel at the present one. It falls at
    once if that is too slow and rises a step at a time if the next has time to spare. What is
    foretold of a larger size may be wrong (a cache that it no longer fits): a rise that soon has to
    be taken back doubles the wait for the next, so that the size does not swing.
    """

    def __init__(self, fps: float, sides: Sequence[int]) -> None:
        self._interval, self._sides = 1 / fps, sides
        self._index = len(sides) // 2
        self._costs: deque[float] = deque(maxlen=MANY)
        self._rests: deque[float] = deque(maxlen=MANY)
        self._rose = self._fell = -math.inf
        self._patience = PATIENCE[0]

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width, multiples of 8, at which a frame is processed."""
        return _size(height, width, self._sides[self._index])

    def took(self, seconds: float, rest: float, now: float, height: int, width: int) -> None:
        """Take note of a frame and choose the next size.

        Args:
            seconds: that processing it took.
            rest: seconds that it took beside: resizing it, and whatever is done with it.
            now: the time, in seconds.
            height: of the frame as it came, in pixels.
            width: likewise.
        """
        sizes = [_size(height, width, side) for side in self._sides]
        pixels = [rows * columns for rows, columns in sizes]
        present = pixels[self._index]
        self._costs.append(seconds / present)
        self._rests.append(rest)
        room = self._interval - min(median(self._rests), self._interval / 2)
        recent, count = list(self._costs)[-SOME:], len(self._costs)
        sure, usual = min(recent[-3:]), median(recent)
        above = next((i for i, larger in enumerate(pixels) if larger > present), None)
        if count > 1 and sure * present > HOPELESS * room:
            self._fall(pixels, room / sure, now)
        elif count >= FEW and usual * present > FULL * room:
            self._fall(pixels, room / usual, now)
        elif above is not None and count == MANY:
            self._rise(above, median(self._costs) * pixels[above] <= FIT * room, now)

    def _rise(self, index: int, fits: bool, now: float) -> None:
        if fits and now - self._fell >= self._patience:
            self._rose = now
            self._step(index)

    def _fall(self, pixels: list[int], room: float, now: float) -> None:
        """Choose the largest of the smaller sizes that fits into room for so many pixels."""
        index = max((i for i in range(self._index) if pixels[i] <= FIT * room), default=0)
        if index == self._index:
            return
        if self._rose > self._fell:
            first, last = PATIENCE
            wrong = now - self._rose <= TRIAL * self._patience
            self._patience = min(2 * self._patience, last) if wrong else first
        self._fell = now
        self._step(index)

    def _step(self, index: int) -> None:
        self._index = index
        self._costs.clear()
        self._rests.clear()


class _Newest:
    """A thread that reads frames and keeps the newest, with its index and when it came."""

    def __init__(self, frames: Iterable[Frame], clock: Callable[[], float]) -> None:
        self._changed = threading.Condition()
        self._taken: tuple[int, float, Frame] | None = None
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self._clock = clock
        name = "volute-live"
        self._thread = threading.Thread(target=self._run, args=(frames,), daemon=True, name=name)
        self._thread.start()

    def take(self) -> tuple[int, float, Frame] | None:
        """Return the newest frame that was not taken, waiting for it; None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken is not None or self._ended)
            taken, self._taken = self._taken, None
        if taken is None and self._error is not None:
            raise self._error
        return taken

    def close(self) -> None:
        """Have the thread stop, at the latest with the source's next frame."""
        with self._changed:
            self._closed = True
        self._thread.join(GRACE)

    def _run(self, frames: Iterable[Frame]) -> None:
        try:
            self._read(iter(frames))
        except BaseException as error:  # it belongs to the consumer, whatever it is
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _read(self, frames: Iterator[Frame]) -> None:
        try:
            for index, frame in enumerate(frames):
                with self._changed:
                    if self._closed:
                        return
                    self._taken = index, self._clock(), frame
                    self._changed.notify()
        finally:
            if close := getattr(frames, "close", None):
                close()


@lru_cache(64)
def _size(height: int, width: int, side: int) -> tuple[int, int]:
    share = min(side / max(height, width), 1)
    rows, columns = (
        max(min(round(length * share / MULTIPLE), length // MULTIPLE), 1) * MULTIPLE
        for length in (height, width)
    )
    return rows, columns


def _resized(frame: Frame, size: tuple[int, int], how: Image.Resampling) -> Frame:
    """Return the frame at another size, antialiased: whole factors first, which are quick."""
    if frame.shape[:2] == size:
        return frame
    return np.array(Image.fromarray(frame).resize(size[::-1], how, reducing_gap=1.0))


def _is_frame(frame: Any) -> bool:
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 3:
        return False
    return frame.shape[2] == 3 and frame.size > 0


def _told(frame: Any) -> str:
    if isinstance(frame, np.ndarray):
        return f"{frame.dtype} {list(frame.shape)}"
    return f"of type {type(frame).__name__}"
