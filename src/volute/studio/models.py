"""What the API answers, as JSON."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from volute.config import Config
from volute.engine.artefact import ArtefactConfig
from volute.studio.journal import Record

State = Literal["waiting", "running", "done", "failed", "cancelled", "interrupted"]
Kind = Literal["sample", "interpolate", "stylize", "upscale", "write", "check", "train", "export"]
Role = Literal["picture", "animation", "text", "file", "map"]


class Problem(Config):
    """An error, as RFC 9457 has it: `application/problem+json`."""

    type: str = "about:blank"
    title: str
    """What kind of error, such as `Not found`."""
    status: int
    detail: str
    """What is wrong, and with what."""
    hint: str = ""
    """What to do."""


class Health(Config):
    """That the server answers."""

    status: Literal["ok"] = "ok"
    version: str


class Ready(Config):
    """That the server takes work, and how much there is."""

    ready: bool
    waiting: int
    """Jobs in the queue."""
    running: int
    limit: int
    """Jobs that the queue holds."""


class About(Config):
    """What this server is and can do."""

    version: str
    folder: str
    """Name of the workspace."""
    can: dict[str, bool]
    """Which extras are installed: train, medical, geo, video, bpe."""
    limits: dict[str, float]


class ModelInfo(Config):
    """A model in a list."""

    name: str
    kind: str
    origin: Literal["shipped", "imported", "run"]
    size: int
    """Side of its pictures in px; 0: any."""
    scale: int
    channels: int
    classes: tuple[str, ...]
    styles: tuple[str, ...]
    own_styles: bool
    """Whether it reads a style from any picture."""
    strength: bool
    """Whether an upscaler repairs, by a strength."""
    int8: bool
    parameters: int
    bytes: int
    """Of its folder."""
    trained_on: str
    licence: str
    created: str


class ModelCard(ModelInfo):
    """All that a model says of itself."""

    config: ArtefactConfig
    facts: dict[str, str]
    metrics: dict[str, float]
    card: str
    """Its README, Markdown."""


class Directions(Config):
    """The principal directions of a model: what its pictures differ by most, as sliders."""

    model: str
    count: int
    shares: tuple[float, ...]
    """Of the variance of its pictures that each slider is, from most to least."""
    reach: float
    """A slider goes from -reach to reach, in standard deviations."""


class StyleInfo(Config):
    """A style in the gallery."""

    name: str
    own: bool
    """Whether it is a picture that was uploaded."""
    thumbnail: str
    """Where its picture is."""


class Piece(Config):
    """Some characters and how little they were expected."""

    text: str
    bits: float
    """Sum over their bytes."""


class Pieces(Config):
    """What was written since the last time."""

    pieces: tuple[Piece, ...]


class Scored(Config):
    """How well a model predicts a text."""

    bits_per_byte: float
    pieces: tuple[Piece, ...]


class FileInfo(Config):
    """An upload."""

    id: str
    name: str
    bytes: int
    kind: Literal["photo", "dicom", "nifti", "geotiff", "video", "text", "other"]
    created: str
    preview: str
    """Where a picture of it is; empty: there is none."""


class Result(Record):
    """What a job made, signed, in the workspace."""

    job: str
    deed: str
    """What was done, such as `sample`."""
    role: Role
    name: str
    """Of the file."""
    bytes: int
    media_type: str
    width: int = 0
    height: int = 0
    created: str
    model: str
    request: dict[str, Any]
    """What to send to make it again, to `again`."""
    again: str
    """The route to send it to."""
    about: dict[str, Any] = {}
    """What is to be known of it: index, class, notes, the measures of a check."""
    file: str
    """Where it is."""
    preview: str = ""
    """Where a picture of it is; empty: there is none."""


class Results(Config):
    """A page of results, the newest first."""

    results: tuple[Result, ...]
    next: str = ""
    """What to give as `before` for those that follow; empty: these were the last."""


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0


Finite = Annotated[float, AfterValidator(_finite)]
"""JSON has no other numbers."""


class Progress(Config):
    """How far a job is."""

    done: int
    fraction: Finite
    rate: Finite
    """Items a second."""
    left_s: Finite
    unit: str
    metrics: dict[str, Finite] = {}


class Note(Config):
    """A line of plain fact."""

    topic: str
    text: str


class Job(Record):
    """A piece of work."""

    kind: Kind
    state: State
    request: dict[str, Any]
    created: str
    started: str = ""
    ended: str = ""
    place: int = 0
    """How many jobs are before it in the queue."""
    progress: Progress | None = None
    notes: tuple[Note, ...] = ()
    results: tuple[str, ...] = ()
    """IDs."""
    answer: dict[str, Any] = {}
    """What it found, for jobs that make no file."""
    problem: Problem | None = None
    """Why it failed."""


class Event(Config):
    """What happened to a job: one line of the stream of events."""

    type: Literal["job", "progress", "note", "result", "text", "sample", "lagged"]
    job: str
    data: dict[str, Any]
    """`job`: a Job; `progress`, `note`, `result`: one of these; `text`: Pieces; `sample`: a
    Sample; `lagged`: nothing, some events were lost, ask for the jobs anew."""


class LiveFrame(Config):
    """What is told with each frame that was painted."""

    index: int
    """Which frame of the camera's it is, from 0."""
    dropped: int
    """How many were never painted so far."""
    latency_ms: float
    """From when the server had it to when it was sent."""
    fps: float
    """Painted a second."""
    side: int
    """Longer side in pixels at which it was painted."""
    width: int
    height: int
