"""A camera over a WebSocket: the newest frame in, repainted, and out.

The client begins with a `LiveStart` as JSON text, then sends each frame as one binary message: a
JPEG or WebP, or raw, as `VRAW`, width and height (uint16, little-endian each), RGBA. Any later
text changes how it is painted. For each frame that was painted it gets a binary message: the length
of a header (uint32, little-endian), the header as JSON (`LiveFrame`), a JPEG. Frames that come
while another is painted replace each other, and nothing waits in a queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import struct
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from PIL import Image

from volute.config import Config
from volute.engine.live import Live, Shown
from volute.errors import DataError, VoluteError
from volute.handles import Stylizer
from volute.studio.context import Here, Studio
from volute.studio.models import LiveStart
from volute.studio.problems import FullError, problem_of
from volute.studio.routes_style import style_of
from volute.studio.settings import Limits

router = APIRouter(tags=["style"])
RAW = b"VRAW"
FORMS = ("JPEG", "WEBP")


class LiveFrame(Config):
    """What is told with each frame."""

    index: int
    """Which frame of the camera's it is, from 0."""
    dropped: int
    """How many before it were never painted."""
    latency_ms: float
    """From when the server had it to when it was painted."""
    fps: float
    """Painted a second."""
    side: int
    """Longer side in pixels at which it was painted."""
    width: int
    height: int


class _Camera:
    """The newest frame as it came, decoded when it is its turn."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._changed = threading.Condition()
        self._newest: bytes | None = None
        self._closed = False
        self.came = 0
        self.moments: dict[int, tuple[float, int]] = {}
        self._given = 0

    def put(self, data: bytes) -> None:
        """Take a frame; one that waits is replaced."""
        with self._changed:
            self._newest, self._moment = data, time.perf_counter()
            self.came += 1
            self._changed.notify()

    def close(self) -> None:
        """Give no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def frames(self) -> Iterator[np.ndarray]:
        """Yield the newest frame each time, as uint8 [H, W, 3]."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._closed)
                if self._closed or self._newest is None:
                    return
                data, self._newest = self._newest, None
                self.moments[self._given] = self._moment, self.came
                self._given += 1
                self.moments.pop(self._given - 64, None)
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
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"a frame is no JPEG or WebP: {error}", "Send whole pictures.") from error


def _raw(data: bytes, limits: Limits) -> np.ndarray:
    if len(data) < 8:
        raise DataError("a raw frame has no size")
    width, height = struct.unpack("<HH", data[4:8])
    if not 0 < width * height <= limits.frame_pixels or len(data) != 8 + 4 * width * height:
        raise DataError(f"a raw frame of {width} x {height} px has {len(data) - 8} bytes")
    pixels = np.frombuffer(data, np.uint8, offset=8).reshape(height, width, 4)
    return np.ascontiguousarray(pixels[..., :3])


@router.websocket("/live")
async def live(socket: WebSocket, studio: Here) -> None:
    """Paint a camera's frames as they come."""
    await socket.accept()
    if studio.cameras >= studio.settings.limits.live:
        await _refuse(socket, FullError("too many cameras", "Close the others."))
        return
    studio.cameras += 1
    try:
        await _Session(socket, studio).run()
    except (WebSocketDisconnect, RuntimeError):
        pass
    except VoluteError as error:
        await _refuse(socket, error)
    finally:
        studio.cameras -= 1


async def _refuse(socket: WebSocket, error: Exception) -> None:
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        told = problem_of(error)
        await socket.send_json({"type": "problem", "problem": told.model_dump()})
        await socket.close(1008 if told.status < 500 else 1013)


class _Session:
    """One camera: messages on the loop, painting on a thread of its own."""

    def __init__(self, socket: WebSocket, studio: Studio) -> None:
        self._socket, self._studio = socket, studio
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(1, "studio-live")
        self._camera = _Camera(studio.settings.limits)
        self._live: Live | None = None
        self._start = LiveStart.model_construct()

    async def run(self) -> None:
        """Serve until the client goes.

        Raises:
            VoluteError: for what is no start, no frame, no style.
            WebSocketDisconnect: when it has gone.
        """
        painting: asyncio.Future[None] | None = None
        try:
            while True:
                coming = asyncio.ensure_future(self._socket.receive())
                waiting = {coming} if painting is None else {coming, painting}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if painting is not None and painting.done():
                    coming.cancel()
                    painting.result()
                    return
                message = coming.result()
                if message["type"] == "websocket.disconnect":
                    return
                if message.get("text") is not None:
                    await self._set(message["text"])
                    painting = painting or self._loop.run_in_executor(self._pool, self._paint)
                elif message.get("bytes"):
                    self._camera.put(message["bytes"])
        finally:
            self._end()

    async def _set(self, text: str) -> None:
        """Paint as a message says from the next frame on."""
        try:
            self._start = LiveStart.make(_json(text))
        except RecursionError as error:
            raise DataError("the message is no JSON") from error
        await asyncio.to_thread(self._change)
        await self._socket.send_json({"type": "ready", **self._start.model_dump(mode="json")})

    def _change(self) -> None:
        start = self._start
        handle = self._studio.shelf.load(start.model, Stylizer, "stylize")
        style = style_of(self._studio, handle, start.styles)
        how = {"strength": start.strength, "keep_colour": start.keep_colour}
        before, self._live = self._live, handle.live(style=style, fps=start.fps, **how)
        if before is not None:
            before.stop()

    def _paint(self) -> None:
        """Paint until the camera is closed; a stream that was stopped goes on with the next."""
        while not self._camera._closed and self._live is not None:
            now = self._live
            for shown in now.stream(self._camera.frames()):
                self._send(shown)
            if now is self._live:
                return

    def _send(self, shown: Shown) -> None:
        """Send a frame, and wait until it has left."""
        moment, came = self._camera.moments.get(shown.index, (time.perf_counter(), 0))
        height, width = shown.frame.shape[:2]
        held = io.BytesIO()
        Image.fromarray(shown.frame).save(held, "JPEG", quality=self._start.quality)
        header = LiveFrame(
            index=came - 1,
            dropped=shown.dropped,
            latency_ms=round((time.perf_counter() - moment) * 1000, 1),
            fps=round(shown.fps, 1),
            side=shown.side,
            width=width,
            height=height,
        )
        told = header.model_dump_json().encode()
        data = struct.pack("<I", len(told)) + told + held.getvalue()
        self._studio.metrics.frames += 1
        asyncio.run_coroutine_threadsafe(self._socket.send_bytes(data), self._loop).result(10)

    def _end(self) -> None:
        self._camera.close()
        if self._live is not None:
            self._live.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _json(text: str) -> dict[str, object]:
    import json

    try:
        values = json.loads(text)
    except ValueError as error:
        raise DataError("the message is no JSON") from error
    if not isinstance(values, dict):
        raise DataError("the message is no object")
    return values
