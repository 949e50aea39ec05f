"""What goes in and out of the API as JSON. The same words as on the command line."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from volute.config import Config
from volute.engine.artefact import ArtefactConfig
from volute.studio.journal import Record

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Unit = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Truncation = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Ident = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Slider = Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]

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


class Point(Config):
    """A place in a model's latent space: a sample, moved along the principal directions."""

    seed: Seed = 0
    index: int = Field(0, ge=0, lt=2**31)
    """Which sample of the seed."""
    truncation: Truncation = 1.0
    label: str = Field("", max_length=200)
    """Name of its class; empty: that of the sample."""
    sliders: tuple[Slider, ...] = Field((), max_length=64)
    """In standard deviations; those left out are 0."""


class SampleRequest(Config):
    """What `volute sample` takes."""

    model: Name
    n: int = Field(16, ge=1, le=1024)
    seed: Seed = 0
    truncation: Truncation = 1.0
    classes: tuple[Annotated[str, Field(max_length=200)], ...] = Field((), max_length=64)
    """By name; several take turns, none: any."""


class PictureRequest(SampleRequest):
    """A few samples, at once, as one picture."""

    n: int = Field(1, ge=1, le=16)


class RedrawRequest(Config):
    """What a moved slider asks for; with `toward`, a place between two."""

    model: Name
    point: Point = Point()
    toward: Point | None = None
    share: Unit = 0.0
    """0: at `point`, 1: at `toward`."""


class InterpolateRequest(Config):
    """A walk through several places, and back to the first."""

    model: Name
    points: tuple[Point, ...] = Field(min_length=2, max_length=16)
    steps: int = Field(16, ge=1, le=64)
    """Frames from one to the next."""
    form: Literal["webp", "gif"] = "webp"


class Share(Config):
    """A style and its part in a mix."""

    name: Name
    """Of one that the model knows, or of one's own."""
    weight: float = Field(1.0, gt=0, le=1000, allow_inf_nan=False)


class StyleInfo(Config):
    """A style in the gallery."""

    name: str
    own: bool
    """Whether it is a picture that was uploaded."""
    thumbnail: str
    """Where its picture is."""


class StylizeRequest(Config):
    """What `volute stylize` takes."""

    file: Ident
    """An upload, or a result."""
    model: Name = "painter"
    styles: tuple[Share, ...] = Field(min_length=1, max_length=8)
    strength: Unit = 1.0
    keep_colour: bool = False


class UpscaleRequest(Config):
    """What `volute upscale` takes."""

    file: Ident
    """An upload, or a result."""
    model: Name = "photo-x2"
    strength: Unit | None = None
    """Of repair; for models that repair."""
    faithful: bool = False
    check: bool = True
    """Also make the map of invented detail."""
    int8: bool = False
    options: dict[str, str] = {}
    """Of the format: plane=axial, coronal, sagittal or all for NIfTI; cog=true for GeoTIFF."""


class WriteRequest(Config):
    """What `volute write` takes."""

    model: Name
    prompt: str = Field("", max_length=20_000)
    tokens: int = Field(500, ge=1, le=20_000)
    temperature: float = Field(0.8, ge=0, le=100, allow_inf_nan=False)
    top_p: float = Field(1.0, gt=0, le=1)
    min_p: float = Field(0.02, ge=0, lt=1)
    stop: tuple[Annotated[str, Field(min_length=1, max_length=200)], ...] = Field((), max_length=8)
    seed: Seed | None = None
    label: str = Field("", max_length=200)


class ScoreRequest(Config):
    """A text whose surprises are asked for."""

    model: Name
    text: str = Field(max_length=50_000)


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


class Progress(Config):
    """How far a job is."""

    done: int
    fraction: float
    rate: float
    """Items a second."""
    left_s: float
    unit: str
    metrics: dict[str, float] = {}


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


class DatasetInfo(Config):
    """Something to learn from, in the workspace."""

    name: str
    """Its path in the workspace: `data/cats`."""
    own: bool
    """Whether it was uploaded, and may be deleted."""
    files: int
    """0: a single file."""
    bytes: int


class DatasetRequest(Config):
    """A data set to be uploaded, file by file."""

    name: str = Field(min_length=1, max_length=80)


class CheckRequest(Config):
    """What `volute data check` takes."""

    dataset: str = Field(min_length=1, max_length=1000)
    size: int | None = Field(None, ge=1, le=4096)
    text: bool = False
    """Whether it is learned from as a text."""


class TrainRequest(Config):
    """What `volute train` takes."""

    kind: Literal["gan", "vae", "classify", "extractor", "upscale", "style", "lm"]
    dataset: str = Field(min_length=1, max_length=1000)
    preset: str = Field("", max_length=20)
    size: int | None = Field(None, ge=1, le=4096)
    time: str = Field("10m", pattern=r"^(\d+(\.\d+)?[smhd])+$", max_length=20)
    seed: int = Field(0, ge=0, lt=2**31)
    name: str = Field("", max_length=80)
    """Of the model; by default of the data."""
    settings: dict[str, str | int | float | bool] = {}
    """As `-s key=value`."""


class ResumeRequest(Config):
    """How a run goes on."""

    time: str = Field("", pattern=r"^((\d+(\.\d+)?[smhd])+)?$", max_length=20)
    """A new budget from the run's beginning; empty: as it was."""


class Sample(Config):
    """What a network made while it learned."""

    shown: int
    url: str
    text: bool = False


class RunInfo(Config):
    """A training."""

    id: str
    kind: str
    source: str
    preset: str
    size: int
    state: Literal["running", "stopped", "done"]
    job: str = ""
    """Of the training that runs."""
    shown: int
    seconds: float
    budget_s: float
    """0: by images shown."""
    model: str = ""
    """Its name among the models; empty: it has none yet."""
    resumable: bool


class Doctor(Config):
    """How a training goes, in words."""

    verdict: Literal["OK", "WATCH", "STOP"]
    words: str
    try_next: str = ""
    """One thing to do."""


class RunDetail(RunInfo):
    """All of a training."""

    log: tuple[dict[str, float], ...]
    """Thinned to 1,000 lines at most."""
    samples: tuple[Sample, ...]
    doctor: Doctor
    data: str
    """The report on its data."""


class VerifyRequest(Config):
    """A file whose origin is asked for."""

    file: Ident
    """An upload, or a result."""


class ManifestStep(Config):
    """A file in a history, and what it was made from."""

    role: str
    state: Literal["absent", "intact", "trusted", "broken"]
    reasons: tuple[str, ...] = ()
    manifest: str = ""
    generator: str = ""
    signer: str = ""
    time: str = ""
    actions: tuple[dict[str, str], ...] = ()
    deed: str = ""
    generation: dict[str, str | int | float | bool | None] | None = None
    watermark: str = ""
    inputs: tuple[ManifestStep, ...] = ()


class Finding(Config):
    """One of the three findings."""

    state: str
    """Manifest: absent, intact, trusted or broken; the others: found, none or not-looked."""
    words: str
    values: dict[str, Any] = {}


class Verdict(Config):
    """What `volute verify` finds."""

    name: str
    manifest: Finding
    watermark: Finding
    detector: Finding
    history: ManifestStep | None = None
    known: dict[str, Any] | None = None
    """What this computer's ledger knows of it: `by`, and the record."""


class Again(Config):
    """How a result is made again."""

    route: str
    request: dict[str, Any]


class LiveStart(Config):
    """The first message of a camera, and any later one that changes how it is painted."""

    model: Name = "painter"
    styles: tuple[Share, ...] = Field(min_length=1, max_length=8)
    strength: Unit = 1.0
    keep_colour: bool = False
    fps: float = Field(30.0, gt=0, le=60)
    quality: int = Field(80, ge=30, le=95)
    """Of the JPEGs."""


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
