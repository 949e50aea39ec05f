"""Whether the server is well, what it can do, what happens."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

from fastapi import APIRouter, Response, WebSocket, WebSocketDisconnect

import volute
from volute.studio.context import Here
from volute.studio.models import About, Health, Ready

router = APIRouter(tags=["system"])
EXTRAS = {
    "train": "torch",
    "medical": "pydicom",
    "geo": "rasterio",
    "video": "av",
    "bpe": "tokenizers",
}


@router.get("/health")
def health() -> Health:
    """Say that the server answers."""
    return Health(version=volute.__version__)


@router.get("/ready", responses={503: {"description": "The queue is full"}})
def ready(studio: Here, response: Response) -> Ready:
    """Say whether work is taken, and how much there is."""
    limit, waiting = studio.settings.limits.waiting, studio.jobs.waiting()
    response.status_code = 200 if waiting < limit else 503
    running = studio.jobs.running()
    return Ready(ready=waiting < limit, waiting=waiting, running=running, limit=limit)


@router.get("/about")
def about(studio: Here) -> About:
    """Say what this server is, and what it can do."""
    can = {name: find_spec(module) is not None for name, module in EXTRAS.items()}
    limits = studio.settings.limits.model_dump()
    folder = studio.space.root.name
    return About(version=volute.__version__, folder=folder, can=can, limits=limits)


@router.websocket("/events")
async def events(socket: WebSocket, studio: Here) -> None:
    """Tell all that happens to jobs, from now on: one `Event` as JSON a message."""
    await socket.accept()
    with studio.hub.follow() as (_, line):
        gone = asyncio.ensure_future(_until_gone(socket))
        try:
            while not gone.done():
                coming = asyncio.ensure_future(line.get())
                await asyncio.wait({gone, coming}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    return
                await socket.send_text(coming.result().event.model_dump_json())
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            gone.cancel()


async def _until_gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


def metrics(studio: Here) -> Response:
    """Return the counts of the server, for Prometheus."""
    gauges: dict[str, float] = {
        "jobs_waiting": studio.jobs.waiting(),
        "jobs_running": studio.jobs.running(),
        "cameras": studio.cameras,
    }
    text = studio.metrics.text(gauges, studio.jobs.finished)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
