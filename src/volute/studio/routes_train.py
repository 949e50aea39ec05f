"""Learning: data sets, their check, trainings and what becomes of them."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import shutil
from pathlib import Path as File
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import FileResponse
from PIL import Image

from volute.errors import UsageError
from volute.paths import atomic_file, new_output, new_run, run_name
from volute.studio.bodies import LASTING, PICTURE, RAW, SAMPLE
from volute.studio.context import Client, Here, Studio
from volute.studio.findings import DatasetInfo, RunDetail, RunInfo
from volute.studio.jobs import Task
from volute.studio.models import Job
from volute.studio.problems import InUseError, NotFoundError
from volute.studio.requests import CheckRequest, DatasetRequest, ResumeRequest, TrainRequest
from volute.studio.trainings import run_child, run_detail, run_folder, run_info
from volute.studio.workspace import FOLDERS, cut, safe_name
from volute.zoo import shipped

router = APIRouter(tags=["train"])
Run = Annotated[str, Path(min_length=1, max_length=200, pattern=r"^[\w-]+$")]
Set = Annotated[str, Path(min_length=1, max_length=80)]
ENDINGS = (".zip", ".tar", ".gz", ".tgz", ".npz", ".csv", ".jsonl", ".txt")
CELL, CELLS = 96, 48
"""Side in pixels of a picture on the contact sheet, and how many there are."""
LISTED = 500
PATHS = ("content", "texts", "styles", "spatial_teacher", "global_teacher", "vgg", "tutor")
"""Settings that name a file or a folder."""
MODELS = ("start", "teacher")
"""Those that name a shipped model, or a folder."""


@router.get("/datasets")
def datasets(studio: Here) -> list[DatasetInfo]:
    """List what can be learned from: what was uploaded, and folders and archives that lie there."""
    root = studio.space.root
    found = sorted((root / "data").iterdir())
    found += [path for path in sorted(root.iterdir()) if path.name not in FOLDERS]
    return [_info(root, path) for path in found if _usable(path)][:LISTED]


@router.post("/datasets", status_code=201)
def begin(asked: DatasetRequest, studio: Here) -> DatasetInfo:
    """Begin a data set that is uploaded file by file."""
    folder = new_output(studio.space.root / "data" / safe_name(asked.name))
    folder.mkdir()
    return _info(studio.space.root, folder)


@router.post("/datasets/{name}/files", status_code=204, openapi_extra=RAW)
async def add(
    name: Set,
    request: Request,
    studio: Here,
    path: Annotated[str, Query(min_length=1, max_length=1000)],
) -> None:
    """Add a file: its bytes are the body; a folder in `path` is its class."""
    folder = _own(studio, name)
    parts = [safe_name(part) for part in path.replace("\\", "/").split("/") if part.strip(" .")]
    if not parts:
        raise UsageError("the file has no name")
    await studio.space.take_into(folder.joinpath(*parts[-3:]), request.stream())


@router.delete("/datasets/{name}", status_code=204)
def drop(name: Set, studio: Here) -> None:
    """Delete a data set that was uploaded."""
    shutil.rmtree(_own(studio, name))
    studio.space.freed()


@router.post("/datasets/check", status_code=202)
def check(asked: CheckRequest, studio: Here, client: Client) -> Job:
    """Look at a data set: a job whose answer has `lines`, `left_out`, and the URL of a `sheet`."""
    source = studio.space.inside(asked.dataset)

    def work(task: Task) -> None:
        if asked.text:
            from volute.data.text import open_text

            task.answer(
                {"lines": [f"{len(open_text([source]).data):,} bytes"], "left_out": [], "sheet": ""}
            )
            return
        from volute.data import DataSettings, open_dataset

        dataset = open_dataset(source, DataSettings(), asked.size, task.emit)
        with atomic_file(studio.space.root / ".studio" / "sheets" / f"{task.id}.png") as part:
            _sheet(dataset.pictures).save(part, "PNG")
        report = dataset.report
        task.answer(
            {
                "lines": report.lines(),
                "left_out": report.left_out_lines()[:LISTED],
                "report": report.model_dump(mode="json", exclude={"left_out", "source"}),
                "sheet": f"/api/v1/datasets/sheets/{task.id}.png",
            }
        )

    return studio.jobs.submit(
        "check", asked.model_dump(mode="json"), work, client=client, lane="long"
    )


@router.get("/datasets/sheets/{ident}.png", response_class=FileResponse, responses=PICTURE)
def sheet(ident: Annotated[str, Path(pattern="^[0-9a-f]{16}$")], studio: Here) -> FileResponse:
    """Return the contact sheet of a check."""
    path = studio.space.root / ".studio" / "sheets" / f"{ident}.png"
    if not path.is_file():
        raise NotFoundError("there is no such contact sheet", "Check the data again.")
    return FileResponse(path, media_type="image/png", headers=LASTING)


@router.post("/train", status_code=202)
def train(asked: TrainRequest, studio: Here, client: Client) -> Job:
    """Train, in a process of its own: a job whose progress has the losses, with events `sample`."""
    source = studio.space.inside(asked.dataset)
    settings: dict[str, Any] = {"name": asked.name} if asked.name else {}
    settings |= asked.settings
    more = ["--preset", asked.preset] if asked.preset else []
    more += ["--size", str(asked.size)] if asked.size else []
    for key, value in settings.items():
        more += ["-s", _setting(studio, key, value)]
    stem = cut(run_name(File(asked.name or source.name)), 120)
    run = new_run(studio.space.root / "runs", stem)
    arguments = ["train", asked.kind, str(source), "--time", asked.time, "-o", str(run)]
    arguments += ["--seed", str(asked.seed), *more]
    return _start(studio, client, run, arguments, asked.model_dump(mode="json"))


@router.get("/runs")
def runs(studio: Here) -> list[RunInfo]:
    """List the trainings, the newest first."""
    folders = [file.parent for file in (studio.space.root / "runs").glob("*/config.toml")]
    folders.sort(key=os.path.getmtime, reverse=True)
    return [run_info(folder, _job_of(studio, folder.name)) for folder in folders[:LISTED]]


@router.get("/runs/{ident}")
def run(ident: Run, studio: Here) -> RunDetail:
    """Tell all of a training: its log, its samples over time, how it goes."""
    return run_detail(run_folder(studio.space.root, ident), _job_of(studio, ident))


@router.get("/runs/{ident}/samples/{name}", response_class=FileResponse, responses=SAMPLE)
def sample(
    ident: Run, name: Annotated[str, Path(pattern=r"^\d{1,20}\.(png|txt)$")], studio: Here
) -> FileResponse:
    """Return what it made at some moment."""
    path = run_folder(studio.space.root, ident) / "samples" / name
    if not path.is_file():
        raise NotFoundError(f"{ident} has no sample {name}")
    kind = "image/png" if path.suffix == ".png" else "text/plain; charset=utf-8"
    return FileResponse(path, media_type=kind, headers=LASTING)


@router.post("/runs/{ident}/stop")
def stop(ident: Run, studio: Here) -> Job:
    """Have a training save its state and end."""
    run_folder(studio.space.root, ident)
    job = _job_of(studio, ident)
    if not job:
        raise InUseError(f"{ident} is not running")
    return studio.jobs.cancel(job)


@router.post("/runs/{ident}/resume", status_code=202)
def resume(ident: Run, asked: ResumeRequest, studio: Here, client: Client) -> Job:
    """Go on with a training where it was stopped, or give it more time."""
    folder = run_folder(studio.space.root, ident)
    if _job_of(studio, ident):
        raise InUseError(f"{ident} is running already")
    arguments = ["resume", str(folder), *(["--time", asked.time] if asked.time else [])]
    return _start(studio, client, folder, arguments, asked.model_dump(mode="json"))


@router.post("/runs/{ident}/export", status_code=202)
def export(ident: Run, studio: Here, client: Client) -> Job:
    """Make a model of a training as it is now: use it while it goes on, or after a stop."""
    folder = run_folder(studio.space.root, ident)

    def work(task: Task) -> None:
        run_child(task, ["export", str(folder)], studio.space.root, None)
        task.answer({"run": ident, "model": ident})

    return studio.jobs.submit("export", {"run": ident}, work, client=client, lane="long")


@router.delete("/runs/{ident}", status_code=204)
def remove(ident: Run, studio: Here) -> None:
    """Delete a training and its model."""
    folder = run_folder(studio.space.root, ident)
    if _job_of(studio, ident):
        raise InUseError(f"{ident} is running", "Stop it first.")
    shutil.rmtree(folder)


def _setting(studio: Studio, key: str, value: str | int | float | bool) -> str:
    """Return a setting as the command line takes it; a path stays in the workspace."""
    if not re.fullmatch(r"[a-z][a-z0-9_.]*", key):
        raise UsageError(f"{key!r} is no setting", "Known ones: docs/training.md")
    free = key in MODELS and value in ("", *shipped())
    if key in (*PATHS, *MODELS) and value != "scenes" and not free:
        value = str(studio.space.inside(str(value)))
    return f"{key}={json.dumps(value)}"


def _start(
    studio: Studio, client: str, run: File, arguments: list[str], request: dict[str, Any]
) -> Job:
    def work(task: Task) -> None:
        task.answer({"run": run.name})
        try:
            run_child(task, arguments, studio.space.root, run)
        finally:
            with contextlib.suppress(OSError):
                run.rmdir()  # where nothing was begun
        task.answer({"run": run.name, "model": run.name})

    told = request | {"run": run.name}
    return studio.jobs.submit("train", told, work, client=client, lane="train")


def _job_of(studio: Studio, run: str) -> str:
    """Return the job that trains a run, or nothing."""
    return studio.jobs.training(run)


def _own(studio: Studio, name: str) -> File:
    folder = studio.space.root / "data" / safe_name(name)
    if not folder.is_dir():
        raise NotFoundError(f"there is no data set {name}")
    return folder


def _usable(path: File) -> bool:
    if path.name.startswith("."):
        return False
    return path.is_dir() or path.suffix.lower() in ENDINGS


def _info(root: File, path: File) -> DatasetInfo:
    files, size = 0, 0
    if path.is_dir():
        for place, _, names in os.walk(path):
            files += len(names)
            size += sum(os.lstat(os.path.join(place, name)).st_size for name in names)
    else:
        size = path.stat().st_size
    name = path.relative_to(root).as_posix()
    return DatasetInfo(name=name, own=path.parent == root / "data", files=files, bytes=size)


def _sheet(pictures: np.ndarray) -> Image.Image:
    """Return some of uint8 [N, H, W, C], spread over all, on one picture."""
    from volute.handles.pictures import grid, to_images

    which = np.linspace(0, len(pictures) - 1, min(CELLS, len(pictures))).astype(int)
    images = to_images(np.stack([pictures[index] for index in which]))
    cells = [image.resize((CELL, CELL), Image.Resampling.BICUBIC) for image in images]
    return grid(cells, columns=min(len(cells), max(1, math.ceil(math.sqrt(len(cells) * 1.5)))))
