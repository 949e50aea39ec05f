"""Pictures and films, repainted; the gallery of styles."""

from __future__ import annotations

import io
from pathlib import Path as File
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from PIL import Image

from volute.handles import Style, Stylizer
from volute.handles.styles import style_pixels
from volute.media import families
from volute.studio.bodies import ASKED, HOUR, PICTURE, RAW
from volute.studio.context import Client, Here, Studio
from volute.studio.jobs import Task
from volute.studio.made import keep
from volute.studio.models import Job, StyleInfo
from volute.studio.problems import NotFoundError
from volute.studio.requests import Share, StylizeRequest
from volute.studio.workspace import safe_name

router = APIRouter(tags=["style"])
MODEL = Annotated[str, Query(min_length=1, max_length=200)]
NAME = Annotated[str, Path(min_length=1, max_length=200)]
CELL = 128


@router.get("/styles")
def styles(studio: Here, model: MODEL = "painter") -> list[StyleInfo]:
    """List the styles of a model, and one's own where it reads any picture."""
    handle = _stylizer(studio, model)
    found = [_info(name, False, model) for name in handle.styles]
    if "encoder" in handle.info.graphs:
        found += [_info(name, True, model) for name in _own(studio) if name not in handle.styles]
    return found


@router.post("/styles", status_code=201, openapi_extra=RAW)
async def bring(
    request: Request, studio: Here, name: Annotated[str, Query(min_length=1, max_length=300)]
) -> StyleInfo:
    """Add a picture to one's own styles: its bytes are the body."""
    info = await studio.space.take(name, request.stream())
    return await run_in_threadpool(_added, studio, info.id)


def _added(studio: Studio, ident: str) -> StyleInfo:
    """Make a style of an upload, under a name that is free."""
    try:
        file = studio.space.upload(ident)
        style_pixels(file)
        own = _own(studio)
        stem = safe_name(file.stem).translate({ord(","): "-", ord(":"): "-"})
        free, number = stem, 2
        while free in own:
            free, number = f"{stem}-{number}", number + 1
        file.replace(studio.space.root / "styles" / f"{free}{file.suffix}")
    finally:
        studio.space.drop(ident)
    return _info(free, True, "painter")


@router.get("/styles/{name}/thumbnail", response_class=Response, responses=PICTURE)
def thumbnail(name: NAME, studio: Here, model: MODEL = "painter") -> Response:
    """Return a style's picture, 128 x 128 pixels."""
    handle = _stylizer(studio, model)
    held, headers = io.BytesIO(), HOUR
    if name in handle.styles:
        image = handle.thumbnail(name)
    else:
        headers = ASKED  # another picture may come by the same name
        pixels = Image.fromarray(style_pixels(_own_file(studio, name)))
        side = min(pixels.size)
        left, top = (pixels.width - side) // 2, (pixels.height - side) // 2
        image = pixels.resize((CELL, CELL), box=(left, top, left + side, top + side))
    image.save(held, "PNG")
    return Response(held.getvalue(), media_type="image/png", headers=headers)


@router.delete("/styles/{name}", status_code=204)
def drop(name: NAME, studio: Here) -> None:
    """Delete one of one's own styles."""
    _own_file(studio, name).unlink(missing_ok=True)
    studio.space.freed()


@router.post("/stylize", status_code=202)
def stylize(asked: StylizeRequest, studio: Here, client: Client) -> Job:
    """Repaint a photograph or film: a job with one result, in the format of the source."""
    source = studio.space.upload(asked.file)
    handle = _stylizer(studio, asked.model)
    chosen = style_of(studio, handle, asked.styles)
    suffix = families.of_picture(source).suffix(source)

    def work(task: Task) -> None:
        ident, path = studio.space.new_result(f"{source.stem}-{chosen.name}", suffix)
        made = handle.stylize_file(
            source,
            path,
            style=chosen,
            strength=asked.strength,
            keep_colour=asked.keep_colour,
            emit=task.emit,
        )
        about = {"style": chosen.name, "notes": [studio.space.plain(note) for note in made.notes]}
        task.result(
            keep(
                ident,
                path,
                asked,
                route="/api/v1/stylize",
                deed="stylize",
                job=task.id,
                about=about,
            )
        )

    return studio.jobs.submit(
        "stylize", asked.model_dump(mode="json"), work, client=client, lane="long"
    )


def style_of(studio: Studio, handle: Stylizer, shares: tuple[Share, ...]) -> Style:
    """Return a style, or the mix of several.

    Raises:
        NotFoundError: for a name that is neither one of the model's nor one's own.
        UsageError: for one's own where the model reads none.
    """
    parts: dict[str | File, float] = {}
    for share in shares:
        known = share.name in handle.styles
        part = share.name if known else _own_file(studio, share.name)
        parts[part] = parts.get(part, 0.0) + share.weight
    single = next(iter(parts))
    return handle.style(parts if len(parts) > 1 else single)


def _stylizer(studio: Studio, name: str) -> Stylizer:
    return studio.shelf.load(name, Stylizer, "stylize")


def _own(studio: Studio) -> dict[str, File]:
    folder = studio.space.root / "styles"
    return {file.stem: file for file in sorted(folder.iterdir()) if not file.name.startswith(".")}


def _own_file(studio: Studio, name: str) -> File:
    file = _own(studio).get(name)
    if file is None:
        raise NotFoundError(f"there is no style {name}", "Ask for the list: GET /api/v1/styles")
    return file


def _info(name: str, own: bool, model: str) -> StyleInfo:
    from urllib.parse import quote

    where = f"/api/v1/styles/{quote(name, safe='')}/thumbnail?model={quote(model, safe='')}"
    return StyleInfo(name=name, own=own, thumbnail=where)
