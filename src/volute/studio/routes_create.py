"""Pictures out of a model: samples, sliders, walks."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool
from PIL import Image

from volute.handles.latents import walk
from volute.handles.pictures import enlarged, grid
from volute.handles.sampling import Sampler
from volute.handles.saved import picture_bytes, save_animation, save_picture
from volute.studio.bodies import FRESH, PICTURE
from volute.studio.context import Client, Here, Studio
from volute.studio.jobs import Task
from volute.studio.made import keep
from volute.studio.models import Job, Result
from volute.studio.places import Place, between, place
from volute.studio.requests import (
    InterpolateRequest,
    PictureRequest,
    Point,
    RedrawRequest,
    SampleRequest,
)

router = APIRouter(tags=["create"])
KEEP, WALK = "/api/v1/keep", "/api/v1/interpolate"


@router.post("/sample", status_code=202)
def sample(asked: SampleRequest, studio: Here, client: Client) -> Job:
    """Make pictures: a job, with a result for each as it comes."""
    handle = studio.shelf.sampler(asked.model)
    handle.labels(1, classes=asked.classes or None)

    def work(task: Task) -> None:
        made = handle.stream(
            asked.n,
            seed=asked.seed,
            truncation=asked.truncation,
            classes=asked.classes or None,
        )
        for index, (image, label) in enumerate(made):
            task.check()
            point = Point(
                seed=asked.seed, index=index, truncation=asked.truncation, label=label or ""
            )
            again = RedrawRequest(model=asked.model, point=point)
            about = {"index": index, "class": label or "", "of": asked.n}
            task.result(_kept(studio, handle, image, again, about, task.id))

    return studio.jobs.submit("sample", asked.model_dump(mode="json"), work, client=client)


@router.post("/sample/picture", response_class=Response, responses=PICTURE)
async def picture(asked: PictureRequest, studio: Here) -> Response:
    """Make a few pictures at once and return them as one signed PNG, which is not kept."""
    handle = studio.shelf.sampler(asked.model)
    classes = asked.classes or None
    latents = handle.latents(asked.n, seed=asked.seed, truncation=asked.truncation)
    labels = handle.labels(asked.n, seed=asked.seed, classes=classes)
    made = await studio.batcher.made(
        handle, latents, labels, lambda images: _signed(handle, images, asked)
    )
    return Response(made, media_type="image/png", headers=FRESH)


@router.post("/redraw", response_class=Response, responses=PICTURE)
async def redraw(asked: RedrawRequest, studio: Here) -> Response:
    """Return the picture at a place, unsigned: what is looked at while sliders move."""
    handle = studio.shelf.sampler(asked.model)
    there = await run_in_threadpool(_place, handle, asked)
    shown = await studio.batcher.made(handle, there.latent[None], there.label, _plain)
    return Response(shown, media_type="image/png", headers=FRESH)


@router.post("/keep", status_code=201)
def kept(asked: RedrawRequest, studio: Here) -> Result:
    """Make the picture at a place, sign it, and keep it among the results."""
    handle = studio.shelf.sampler(asked.model)
    there = _place(handle, asked)
    classes = None if there.label is None else there.label.tolist()
    image = handle.decode(there.latent[None], classes=classes)[0]
    result = _kept(studio, handle, image, asked, {"index": asked.point.index}, "")
    studio.jobs.keep(result)
    return result


@router.post("/interpolate", status_code=202)
def interpolate(asked: InterpolateRequest, studio: Here, client: Client) -> Job:
    """Walk through several places: a job with one animation, which goes round."""
    handle = studio.shelf.sampler(asked.model)
    places = [place(handle, point) for point in asked.points]

    def work(task: Task) -> None:
        frames = _walked(task, handle, places, asked.steps)
        ident, path = studio.space.new_result(f"{asked.model}-walk", f".{asked.form}")
        how = {"n": len(places), "steps": asked.steps}
        origin = handle.origin("interpolate", how, seed=asked.points[0].seed)
        save_animation([enlarged(frame) for frame in frames], path, origin, task.emit)
        about = {"frames": len(frames)}
        task.result(
            keep(
                ident,
                path,
                asked,
                route=WALK,
                deed="interpolate",
                role="animation",
                job=task.id,
                about=about,
            )
        )

    return studio.jobs.submit("interpolate", asked.model_dump(mode="json"), work, client=client)


def _walked(task: Task, handle: Sampler, places: list[Place], steps: int) -> list[Image.Image]:
    path = walk(np.stack([one.latent for one in places]), steps, True, handle.info.density)
    frames: list[Image.Image] = []
    for start in range(0, len(path), 16):
        task.check()
        nearest = [
            places[round(frame / steps) % len(places)].label
            for frame in range(start, min(start + 16, len(path)))
        ]
        labels = [int(label[0]) for label in nearest if label is not None]
        frames += handle.decode(path[start : start + 16], classes=labels or None)
    return frames


def _plain(images: list[Image.Image]) -> bytes:
    held = io.BytesIO()
    images[0].save(held, "PNG", compress_level=1)
    return held.getvalue()


def _place(handle: Sampler, asked: RedrawRequest) -> Place:
    here = place(handle, asked.point)
    if asked.toward is None:
        return here
    return between(handle, here, place(handle, asked.toward), asked.share)


def _kept(
    studio: Studio,
    handle: Sampler,
    image: Image.Image,
    asked: RedrawRequest,
    about: dict[str, Any],
    job: str,
) -> Result:
    """Write a picture, signed, and return its record."""
    point = asked.point
    stem = f"{asked.model}-seed{point.seed}-{point.index:03}"
    ident, path = studio.space.new_result(stem, ".png")
    told = {"index": point.index, "truncation": point.truncation, "class": point.label or None}
    told |= {"sliders": " ".join(f"{one:g}" for one in point.sliders) or None}
    deed = "sample" if asked.toward is None else "interpolate"
    origin = handle.origin(deed, told, seed=point.seed)
    save_picture(image, path, {"model": handle.info.name, "seed": point.seed, **told}, origin)
    return keep(ident, path, asked, route=KEEP, deed=deed, job=job, about=about)


def _signed(handle: Sampler, images: list[Image.Image], asked: PictureRequest) -> bytes:
    """Return pictures as one PNG with its manifest."""
    shown = images[0] if len(images) == 1 else grid([enlarged(image) for image in images])
    told = {"n": asked.n, "truncation": asked.truncation}
    origin = handle.origin("sample", told, seed=asked.seed)
    about = {"model": handle.info.name, "seed": asked.seed, **told}
    return picture_bytes(shown, about, origin, f"{asked.model}-seed{asked.seed}.png")
