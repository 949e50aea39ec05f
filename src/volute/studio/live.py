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
import json
import struct
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from PIL import Image

from volute.engine.live import Live, Shown
from volute.errors import DataError, VoluteError
from volute.handles import Stylizer
from volute.studio.camera import Camera
from volute.studio.context import Here, Studio
from volute.studio.models import LiveFrame
from volute.studio.problems import FullError, problem_of
from volute.studio.requests import LiveStart
from volute.studio.routes_style import style_of

router = APIRouter(tags=["style"])
SEND_S = 10.0
"""Seconds that a client may take to receive one frame."""


@router.websocket("/live")
async def live(socket: WebSocket, studio: Here) -> None:
    """Paint a camera's frames as they come."""
    await socket.accept()
    if studio.cameras >= studio.settings.limits.live:
        await _refuse(socket, FullError("too many cameras", "Close the others."))
        return
    studio.cameras += 1
    session = _Session(socket, studio)
    try:
        await session.run()
    except (WebSocketDisconnect, RuntimeError, TimeoutError):
        pass  # the client has gone
    except VoluteError as error:
        await _refuse(socket, error)
    finally:
        session.end()
        studio.cameras -= 1


async def _refuse(socket: WebSocket, error: Exception) -> None:
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):
        told = problem_of(error)
        await socket.send_json({"type": "problem", "problem": told.model_dump()})
        await socket.close(1013 if told.status == 503 else 1008)


class _Session:
    """One camera: messages on the loop, painting on a thread of its own."""

    def __init__(self, socket: WebSocket, studio: Studio) -> None:
        self._socket, self._studio = socket, studio
        self._loop = asyncio.get_running_loop()
        self._pool = ThreadPoolExecutor(1, "studio-live")
        self._camera = Camera(studio.settings.limits)
        self._live: Live | None = None
        self._quality = 80
        self._painted = 0

    async def run(self) -> None:
        """Serve until the client goes.

        Raises:
            VoluteError: for what is no start, no frame, no style.
            WebSocketDisconnect: when it has gone.
        """
        painting: asyncio.Future[None] | None = None
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
                await self._set(LiveStart.make(_object(message["text"])))
                painting = painting or self._begun()
            elif message.get("bytes") and painting is not None:
                self._camera.put(message["bytes"])

    def _begun(self) -> asyncio.Future[None]:
        """Begin to paint; what goes wrong after the client has gone is of no interest."""
        painting = self._loop.run_in_executor(self._pool, self._paint)
        painting.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        return painting

    def end(self) -> None:
        """Stop painting."""
        self._camera.close()
        if self._live is not None:
            self._live.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _set(self, start: LiveStart) -> None:
        """Paint as a message says from the next frame on."""
        before = self._live
        self._live = await asyncio.to_thread(self._made, start)
        self._quality = start.quality
        if before is not None:
            self._camera.cut()
            before.stop()
        await self._socket.send_json({"type": "ready", **start.model_dump(mode="json")})

    def _made(self, start: LiveStart) -> Live:
        handle = self._studio.shelf.load(start.model, Stylizer, "stylize")
        style = style_of(self._studio, handle, start.styles)
        how = {"strength": start.strength, "keep_colour": start.keep_colour}
        return handle.live(style=style, fps=start.fps, **how)

    def _paint(self) -> None:
        """Paint until the camera is closed; when a stream is stopped, go on as is said now."""
        while self._live is not None and not self._camera.closed:
            for shown in self._live.stream(self._camera.frames()):
                self._send(shown)

    def _send(self, shown: Shown) -> None:
        """Send a frame, and wait until it has left."""
        moment, came = self._camera.painted(shown.index)
        held = io.BytesIO()
        Image.fromarray(shown.frame).save(held, "JPEG", quality=self._quality)
        self._painted += 1
        header = LiveFrame(
            index=came,
            dropped=came + 1 - self._painted,
            latency_ms=round((time.perf_counter() - moment) * 1000, 1),
            fps=round(shown.fps, 1),
            side=shown.side,
            width=shown.frame.shape[1],
            height=shown.frame.shape[0],
        )
        told = header.model_dump_json().encode()
        data = struct.pack("<I", len(told)) + told + held.getvalue()
        sending = asyncio.run_coroutine_threadsafe(self._socket.send_bytes(data), self._loop)
        sending.result(SEND_S)
        self._studio.metrics.frame()


def _object(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError("the message is no JSON") from error
    if not isinstance(values, dict):
        raise DataError("the message is no JSON object")
    return values
