"""The frames of a camera: only the newest waits, and it is decoded when it is its turn."""

from __future__ import annotations

import io
import struct
import threading
import time
from collections.abc import Iterator

import numpy as np
from PIL import Image

from volute.errors import DataError
from volute.studio.settings import Limits

RAW = b"VRAW"
FORMS = ("JPEG", "WEBP")
REMEMBERED = 64
"""Frames whose moment is remembered, by their place in the stream."""


class Camera:
    """Takes frames as they come, and gives them to one stream at a time."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = threading.Condition()
        self._newest: tuple[bytes, float, int] | None = None
        self._last: tuple[bytes, float, int] | None = None
        self._stream = self._came = 0
        self._painted = -1
        self._moments: dict[int, tuple[float, int]] = {}
        self.closed = False

    def put(self, data: bytes) -> None:
        """Take a frame; one that waits is replaced."""
        with self._changed:
            self._newest = data, time.perf_counter(), self._came
            self._came += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Give no more."""
        with self._changed:
            self.closed = True
            self._changed.notify_all()

    def painted(self, index: int) -> tuple[float, int]:
        """Take note that a frame was painted, `index` in this stream.

        Returns:
            When it came, in seconds, and its place among all that came.
        """
        with self._changed:
            moment, came = self._moments.get(index, (time.perf_counter(), self._came - 1))
            self._painted = came
            return moment, came

    def cut(self) -> int:
        """End the stream that takes frames; one that it took but never painted waits again."""
        with self._changed:
            self._stream += 1
            self._moments.clear()
            if self._newest is None and self._last and self._last[2] > self._painted:
                self._newest = self._last
            self._changed.notify_all()
            return self._stream

    def frames(self) -> Iterator[np.ndarray]:
        """Begin a stream: the newest frame each time, uint8 [H, W, 3], until the next is begun.

        Raises:
            DataError: later, for what is no frame.
        """
        return self._taken(self.cut())

    def _taken(self, mine: int) -> Iterator[np.ndarray]:
        given = 0
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest or self.closed or mine != self._stream)
                if self.closed or mine != self._stream or self._newest is None:
                    return
                self._last, self._newest = self._newest, None
                data, moment, came = self._last
                self._moments[given] = moment, came
                self._moments.pop(given - REMEMBERED, None)
                given += 1
            yield decoded(data, self._limits)


def decoded(data: bytes, limits: Limits) -> np.ndarray:
    """Return a frame as uint8 [H, W, 3].

    Raises:
        DataError: if it is none, or too large.
    """
    if data[:4] == RAW:
        return _raw(data, limits)
    try:
        with Image.open(io.BytesIO(data), formats=FORMS) as image:
            if image.width * image.height > limits.frame_pixels:
                raise DataError(f"a frame of {image.width} x {image.height} px is too large")
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise DataError("a frame is neither JPEG nor WebP", "Send whole pictures.") from error


def _raw(data: bytes, limits: Limits) -> np.ndarray:
    if len(data) < 8:
        raise DataError("a raw frame has no size")
    width, height = struct.unpack("<HH", data[4:8])
    if not 0 < width * height <= limits.frame_pixels or len(data) != 8 + 4 * width * height:
        raise DataError(f"a raw frame of {width} x {height} px has {len(data) - 8:,} bytes")
    pixels = np.frombuffer(data, np.uint8, offset=8).reshape(height, width, 4)
    return np.ascontiguousarray(pixels[..., :3])
