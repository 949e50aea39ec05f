"""Jobs: what there is, what happens to them, and how they are ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from volute.studio.bodies import EVENTS, FRESH
from volute.studio.context import Here, Studio
from volute.studio.hub import Numbered
from volute.studio.models import Job
from volute.studio.requests import Ident

router = APIRouter(prefix="/jobs", tags=["jobs"])
ENDED = ("done", "failed", "cancelled", "interrupted")
QUIET_S = 15.0
"""Seconds of silence after which a comment keeps the connection open."""


@router.get("")
def jobs(studio: Here, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[Job]:
    """List jobs, the newest first."""
    return studio.jobs.newest(limit)


@router.get("/{ident}")
def job(ident: Ident, studio: Here) -> Job:
    """Tell how a job is."""
    return studio.jobs.get(ident)


@router.post("/{ident}/cancel")
def cancel(ident: Ident, studio: Here) -> Job:
    """End a job; a training saves its state and can be resumed."""
    return studio.jobs.cancel(ident)


@router.get("/{ident}/events", response_class=StreamingResponse, responses=EVENTS)
async def follow(
    ident: Ident, studio: Here, last_event_id: Annotated[str, Header(max_length=20)] = ""
) -> StreamingResponse:
    """Tell all that happens to a job as server-sent events, from its beginning to `end`."""
    studio.jobs.get(ident)
    after = int(last_event_id) if last_event_id.isdecimal() else 0
    return StreamingResponse(
        _lines(studio, ident, after), media_type="text/event-stream", headers=FRESH
    )


async def _lines(studio: Studio, ident: str, after: int) -> AsyncIterator[str]:
    with studio.hub.follow(ident, after) as (before, line):
        for told in before:
            yield _line(told)
        job = studio.jobs.get(ident)
        over = job.state in ENDED
        if over and not before:  # of a server before, or long ago
            yield f"event: job\ndata: {job.model_dump_json()}\n\n"
        while not over or not line.empty():
            try:
                told = await asyncio.wait_for(line.get(), QUIET_S)
            except TimeoutError:
                yield ": still there\n\n"
                continue
            if told.number and before and told.number <= before[-1].number:
                continue
            yield _line(told)
            over = over or told.event.data.get("state") in ENDED
    yield "event: end\ndata: {}\n\n"


def _line(told: Numbered) -> str:
    number = f"id: {told.number}\n" if told.number else ""
    return f"{number}event: {told.event.type}\ndata: {told.event.model_dump_json()}\n\n"
