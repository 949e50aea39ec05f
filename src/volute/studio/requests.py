"""What is asked of the API, as JSON. The same words as on the command line."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from volute.config import Config

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Unit = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Truncation = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Ident = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
Slider = Annotated[float, Field(ge=-10, le=10, allow_inf_nan=False)]


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


class VerifyRequest(Config):
    """A file whose origin is asked for."""

    file: Ident
    """An upload, or a result."""


class LiveStart(Config):
    """The first message of a camera, and any later one that changes how it is painted."""

    model: Name = "painter"
    styles: tuple[Share, ...] = Field(min_length=1, max_length=8)
    strength: Unit = 1.0
    keep_colour: bool = False
    fps: float = Field(30.0, gt=0, le=60)
    quality: int = Field(80, ge=30, le=95)
    """Of the JPEGs."""
