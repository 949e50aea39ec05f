"""What was made: lists, files, where they come from, how they are made again."""

from __future__ import annotations

from itertools import dropwhile, islice
from typing import Annotated

from fastapi import APIRouter, Query, Response
from fastapi.responses import FileResponse

from volute.errors import DataError
from volute.provenance import carriers
from volute.studio.bodies import LASTING, OCTETS, PICTURE
from volute.studio.context import Here
from volute.studio.findings import Again, Verdict
from volute.studio.made import SHOWN, media_type
from volute.studio.models import Result, Results
from volute.studio.preview import preview
from volute.studio.problems import NotFoundError
from volute.studio.requests import Ident, VerifyRequest
from volute.studio.verdicts import again_of, verdict_of

router = APIRouter(tags=["results"])


@router.get("/results")
def results(
    studio: Here,
    limit: Annotated[int, Query(ge=1, le=500)] = 60,
    before: Annotated[str, Query(max_length=16)] = "",
    job: Annotated[str, Query(max_length=16)] = "",
    deed: Annotated[str, Query(max_length=20)] = "",
) -> Results:
    """List what was made, the newest first."""
    found = studio.space.results.newest()
    if before:
        found = islice(dropwhile(lambda one: one.id != before, found), 1, None)
    wanted = (one for one in found if job in ("", one.job) and deed in ("", one.deed))
    chosen = list(islice(wanted, limit + 1))
    rest = chosen[limit - 1].id if len(chosen) > limit else ""
    return Results(results=tuple(chosen[:limit]), next=rest)


@router.get("/results/{ident}")
def result(ident: Ident, studio: Here) -> Result:
    """Tell what a result is."""
    found = studio.space.results.get(ident)
    if found is None:
        raise NotFoundError(f"there is no result {ident}")
    return found


@router.get("/results/{ident}/file", response_class=FileResponse, responses=OCTETS)
def file(ident: Ident, studio: Here, download: bool = False) -> FileResponse:
    """Return the file, signed; with `download`, for the browser to save."""
    found = result(ident, studio)
    path = studio.space.result(found)
    kind = media_type(path)
    shown = "attachment" if download or kind == "application/octet-stream" else "inline"
    return FileResponse(
        path, 200, LASTING, kind, filename=found.name, content_disposition_type=shown
    )


@router.get("/results/{ident}/manifest", response_class=Response, responses=OCTETS)
def sidecar(ident: Ident, studio: Here) -> Response:
    """Return the manifest that lies beside the file, where its format has no room for one."""
    found = result(ident, studio)
    beside = carriers.beside(studio.space.result(found))
    if not beside.is_file():
        raise NotFoundError(f"nothing lies beside {found.name}", "Its manifest is inside.")
    told = {"content-disposition": f'attachment; filename="{ident}.c2pa"'}
    return Response(beside.read_bytes(), media_type="application/octet-stream", headers=told)


@router.get("/results/{ident}/preview", response_class=Response, responses=PICTURE)
def shown(
    ident: Ident, studio: Here, side: Annotated[int, Query(ge=16, le=4096)] = 1024
) -> Response:
    """Return a PNG that a browser shows; of a volume the middle."""
    path = studio.space.result(result(ident, studio))
    if path.suffix in SHOWN and path.stat().st_size < 1 << 16:
        return FileResponse(path, media_type=media_type(path), headers=LASTING)
    return Response(preview(path, side), media_type="image/png", headers=LASTING)


@router.get("/results/{ident}/again")
def again(ident: Ident, studio: Here) -> Again:
    """Tell what to send, and where, to make a result again."""
    found = result(ident, studio)
    return Again(route=found.again, request=found.request)


@router.delete("/results/{ident}", status_code=204)
def drop(ident: Ident, studio: Here) -> None:
    """Delete a result and its file."""
    path = studio.space.root / "results" / result(ident, studio).name
    studio.space.results.remove(ident)
    path.unlink(missing_ok=True)
    carriers.beside(path).unlink(missing_ok=True)


@router.post("/verify", tags=["verify"])
def verify(asked: VerifyRequest, studio: Here) -> Verdict:
    """Tell what an upload, or a result, says of its origin: three findings and a history."""
    return verdict_of(studio.space.upload(asked.file))


@router.post("/again", tags=["verify"])
def recall(asked: VerifyRequest, studio: Here) -> Again:
    """Tell how a picture was made that is dropped on the page, by its manifest."""
    found = again_of(studio.space.upload(asked.file), studio.shelf.places())
    if found is None:
        what = "its manifest does not say how to make it again"
        raise DataError(what, "Drop a picture that a model here has made.")
    return found
