"""Frames from a camera, processed as they come: the newest only, at a size that holds the rate."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from volute.engine.pace import MULTIPLE, SIDES, Pace
from volute.errors import DataError, UsageError

RECENT = 30
"""Frames of which the rate is the mean."""
GRACE = 0.5
"""Seconds that closing waits for a source that gives no frame."""
Pixels = np.ndarray


@dataclass(frozen=True)
class Shown:
    """One processed frame of a stream."""

    frame: Pixels
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
            write into what it is given. May give another size. None: frames stay as they are.
        fps: frames per second to hold, in (0, 1000].
        sides: longer sides to choose from, in pixels: ascending multiples of 8. It starts in the
            middle. A frame is not enlarged: one that is smaller than a side goes as it is.
        clock: gives seconds.

    Raises:
        UsageError: for a rate or sides that are none.
    """

    def __init__(
        self,
        process: Callable[[Pixels], Pixels] | None,
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
        self._sources: list[_Newest] = []
        self._stopped = False

    def stream(self, frames: Iterable[Pixels]) -> Iterator[Shown]:
        """Yield the newest frame, processed, as often as it is asked for one.

        A thread of its own takes the frames as fast as they come and keeps one: those that come
        while another is processed are dropped, but the last is always shown. It stops, and closes
        the iterator if that can be closed, when this generator ends or is closed; a source that
        blocks is left with its next frame. A source that never waits, such as a file, is run
        through.

        The time that the caller takes counts too, up to half of a frame's. A generator can be
        closed by the thread that runs it alone: from another, call `stop`.

        Args:
            frames: uint8 [H, W, 3] each, of any size, which may change; not written to later.

        Raises:
            DataError: for a frame that is none.
            UsageError: if `process` gives no frame.
            Exception: whatever the source (after its last frame is shown) or `process` raises.
        """
        newest = _Newest(frames, self._clock)
        self._sources.append(newest)
        try:
            if not self._stopped:
                yield from self._processed(newest)
        finally:
            newest.close()
            self._sources.remove(newest)

    def stop(self) -> None:
        """End the streams, now and for good; any thread may call it, more than once.

        A stream that waits for a frame ends within half a second, one that processes a frame
        after that.
        """
        self._stopped = True
        for newest in tuple(self._sources):
            newest.end()

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
            size = pace.size(*full) if self._process else full
            small = _resized(frame, size, Image.Resampling.BOX)
            start = clock()
            made = self._process(small) if self._process else small
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


class _Newest:
    """A thread that reads frames and keeps the newest, with its index and when it came."""

    def __init__(self, frames: Iterable[Pixels], clock: Callable[[], float]) -> None:
        self._changed = threading.Condition()
        self._taken: tuple[int, float, Pixels] | None = None
        self._error: BaseException | None = None
        self._ended = self._closed = False
        self._clock = clock
        name = "volute-live"
        self._thread = threading.Thread(target=self._run, args=(frames,), daemon=True, name=name)
        self._thread.start()

    def take(self) -> tuple[int, float, Pixels] | None:
        """Return the newest frame that was not taken, waiting for it; None after the last."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken is not None or self._ended or self._closed)
            taken, self._taken = self._taken, None
        if self._closed:
            return None
        if taken is None and self._error is not None:
            raise self._error
        return taken

    def end(self) -> None:
        """Have the thread stop, at the latest with the source's next frame, and give no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def close(self) -> None:
        """Do that, and wait for the thread a little."""
        self.end()
        self._thread.join(GRACE)

    def _run(self, frames: Iterable[Pixels]) -> None:
        try:
            self._read(iter(frames))
        except BaseException as error:  # it belongs to the consumer, whatever it is
            self._error = error
        with self._changed:
            self._ended = True
            self._changed.notify()

    def _read(self, frames: Iterator[Pixels]) -> None:
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


def _resized(frame: Pixels, size: tuple[int, int], how: Image.Resampling) -> Pixels:
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
