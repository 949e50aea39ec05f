"""Uploads: streamed to disk, named by an ID."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse

from volute.studio.bodies import LASTING, OCTETS, PICTURE, RAW
from volute.studio.context import Here
from volute.studio.made import media_type
from volute.studio.models import FileInfo
from volute.studio.preview import preview
from volute.studio.requests import Ident

router = APIRouter(prefix="/files", tags=["files"])
Side = Annotated[int, Query(ge=16, le=4096, description="Most pixels a side.")]


@router.post("", status_code=201, openapi_extra=RAW)
async def upload(
    request: Request, studio: Here, name: Annotated[str, Query(min_length=1, max_length=300)]
) -> FileInfo:
    """Upload a file: its bytes are the body."""
    return await studio.space.take(name, request.stream())


@router.get("")
def files(studio: Here) -> list[FileInfo]:
    """List uploads, the newest first."""
    found = [studio.space.about(ident) for ident in studio.space.uploads_there()]
    return sorted(found, key=lambda one: one.created, reverse=True)


@router.get("/{ident}", response_class=FileResponse, responses=OCTETS)
def file(ident: Ident, studio: Here) -> FileResponse:
    """Return an upload as it was."""
    path = studio.space.upload(ident)
    return FileResponse(path, media_type=media_type(path), filename=path.name, headers=LASTING)


@router.get("/{ident}/preview", response_class=Response, responses=PICTURE)
def picture(ident: Ident, studio: Here, side: Side = 1024) -> Response:
    """Return an upload, or a result, as a PNG that a browser shows; of a volume the middle."""
    shown = preview(studio.space.upload(ident), side)
    return Response(shown, media_type="image/png", headers=LASTING)


@router.delete("/{ident}", status_code=204)
def drop(ident: Ident, studio: Here) -> None:
    """Delete an upload."""
    studio.space.drop(ident)
