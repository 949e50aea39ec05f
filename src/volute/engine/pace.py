"""The size at which frames are processed, so that a frame rate holds."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from functools import lru_cache
from statistics import median

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


@lru_cache(64)
def _size(height: int, width: int, side: int) -> tuple[int, int]:
    share = min(side / max(height, width), 1)
    rows, columns = (
        max(min(round(length * share / MULTIPLE), length // MULTIPLE), 1) * MULTIPLE
        for length in (height, width)
    )
    return rows, columns
