"""Models: which there are, what they are, how they come and go."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import FileResponse
from pydantic import Field
from starlette.background import BackgroundTask

from volute.config import Config
from volute.errors import UsageError
from volute.studio.bodies import CARD, HOUR, ZIP
from volute.studio.context import Here
from volute.studio.models import Directions, ModelCard, ModelInfo
from volute.studio.places import known
from volute.studio.preview import preview
from volute.studio.problems import NotFoundError
from volute.studio.requests import Ident

router = APIRouter(prefix="/models", tags=["models"])
Name = Annotated[str, Path(min_length=1, max_length=200)]
REACH = 3.0


class ImportRequest(Config):
    """A zip of a model, uploaded before."""

    file: Ident
    name: str = Field("", max_length=80)
    """By default that of the file."""


@router.get("")
def models(studio: Here) -> list[ModelInfo]:
    """List the models."""
    return studio.shelf.list()


@router.post("", status_code=201)
def bring(asked: ImportRequest, studio: Here) -> ModelInfo:
    """Import a model from a zip that was uploaded to `/files`."""
    file = studio.space.upload(asked.file)
    name = re.sub(r"[^\w.-]+", "-", asked.name or file.stem).strip("-.")
    if not name:
        raise UsageError("a model needs a name", "Letters, digits, dots and hyphens.")
    return studio.shelf.bring(file, name)


@router.get("/{name}")
def card(name: Name, studio: Here) -> ModelCard:
    """Tell all that a model says of itself."""
    return studio.shelf.card(name)


@router.get("/{name}/samples.png", response_class=Response, responses=CARD)
def samples(
    name: Name, studio: Here, side: Annotated[int | None, Query(ge=16, le=4096)] = None
) -> Response:
    """Return the picture of its card; with `side` a WebP of at most so many px a side."""
    path = studio.shelf.place(name) / "samples.png"
    if not path.is_file():
        raise NotFoundError(f"{name} has no samples.png")
    if side is None:
        return FileResponse(path, media_type="image/png", headers=HOUR)
    return Response(preview(path, side, "WEBP"), media_type="image/webp", headers=HOUR)


@router.get("/{name}/export", response_class=FileResponse, responses=ZIP)
def export(name: Name, studio: Here) -> FileResponse:
    """Return a model as a zip, which another studio imports."""
    path = studio.space.passing(".zip")
    try:
        studio.shelf.export(name, path)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    sent = BackgroundTask(path.unlink, missing_ok=True)
    return FileResponse(path, media_type="application/zip", filename=f"{name}.zip", background=sent)


@router.get("/{name}/directions")
def sliders(name: Name, studio: Here) -> Directions:
    """Tell the principal directions of a model: measured the first time, which takes seconds."""
    found = known(studio.shelf.sampler(name))
    shares = tuple(round(float(share), 4) for share in found.shares)
    return Directions(model=name, count=len(shares), shares=shares, reach=REACH)


@router.delete("/{name}", status_code=204)
def remove(name: Name, studio: Here) -> None:
    """Delete a model that was imported."""
    studio.shelf.remove(name)
