"""Files, enlarged in their own format, and the map of what was invented."""

from __future__ import annotations

import math
from typing import Any

from fastapi import APIRouter

from volute.handles import Upscaler
from volute.handles.upscaler import Enlarged
from volute.media import families
from volute.paths import atomic_file
from volute.studio.context import Client, Here, Studio
from volute.studio.jobs import Task
from volute.studio.made import keep
from volute.studio.models import Job
from volute.studio.requests import UpscaleRequest

router = APIRouter(tags=["enlarge"])
ROUTE = "/api/v1/upscale"


@router.post("/upscale", status_code=202)
def upscale(asked: UpscaleRequest, studio: Here, client: Client) -> Job:
    """Enlarge a photograph, DICOM, NIfTI, GeoTIFF or film: a job with one result or two.

    The second, with role `map`, shows where the enlarged picture, made small again, contradicts its
    source; its measures are in `about` of the first.
    """
    source = studio.space.upload(asked.file)
    handle = studio.shelf.load(asked.model, Upscaler, "enlarge")
    suffix = families.of(source).suffix(source)
    told = asked.model_dump(mode="json")

    def work(task: Task) -> None:
        stem = f"{source.name.partition('.')[0]}-x{handle.info.descriptor.scale}"
        ident, path = studio.space.new_result(stem, suffix)
        made = handle.upscale_file(
            source,
            path,
            faithful=asked.faithful,
            strength=asked.strength,
            int8=asked.int8,
            check=asked.check and asked.options.get("plane") != "all",
            options=asked.options,
            emit=task.emit,
        )
        about = _measures(studio, made)
        task.result(
            keep(
                ident,
                path,
                asked,
                route=ROUTE,
                deed="upscale",
                job=task.id,
                role="file",
                about=about,
            )
        )
        if made.check is not None:
            ident, path = studio.space.new_result(f"{stem}-check", ".png")
            with atomic_file(path) as part:
                made.check.heat_map().save(part)
            task.result(
                keep(ident, path, asked, route=ROUTE, deed="check", job=task.id, role="map")
            )

    return studio.jobs.submit("upscale", told, work, client=client, lane="long")


def _measures(studio: Studio, made: Enlarged) -> dict[str, Any]:
    about: dict[str, Any] = {"notes": [studio.space.plain(note) for note in made.notes]}
    if made.check is not None:
        psnr = made.check.psnr
        about["psnr_db"] = round(psnr, 2) if math.isfinite(psnr) else None
        about["worst"] = round(made.check.worst, 5)
        about["invented"] = round(made.check.share, 6)
    return about
