"""What can be set of a style network, and its presets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from volute.config import Config
from volute.recipes.files import Start, Teacher
from volute.training.styles import paintings


class StyleSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    styles: tuple[Teacher, ...] = ()
    """The paintings; a folder stands for the pictures in it."""
    encoder: bool = False
    """Learn to read any style, not only that of the paintings."""
    start: Start = ""
    """A model to start from, of the same width, blocks, bank and code."""
    teacher: Start = ""
    """A wider model of the same blocks, bank, code and encoder: the network begins with its most
    important channels, keeps its styles, and learns to paint as it does (`volute shrink`)."""
    width: int = Field(32, ge=8, le=128)
    """Channels at a quarter of the resolution; twice as many at an eighth."""
    blocks: int = Field(4, ge=1, le=16)
    bank: int = Field(3, ge=1, le=16)
    """Kernels that a style mixes, for each convolution."""
    code: int = Field(64, ge=4, le=512)
    """Length of a style's code."""
    batch: int = Field(4, ge=1, le=256)
    groups: int = Field(4, ge=1, le=256)
    """Styles in a batch."""
    patch: int = Field(128, ge=32, le=1024)
    """Side of what is judged while learning, in px."""
    lr: float = Field(1e-3, gt=0)
    lr_end: float = Field(0.01, gt=0, le=1)
    warmup: float = Field(0.01, gt=0, lt=1)
    """Share of the budget over which the learning rate rises."""
    style: float = Field(7.0, ge=0)
    """Weight of the style beside the content."""
    steady: float = Field(25.0, ge=0)
    """Weight of the difference between what is painted, moved, and what is moved, painted."""
    vgg: Teacher = ""
    """VGG16 up to relu3_3, as safetensors with torchvision's names: a second opinion."""
    tutor: Teacher = ""
    """A folder with MicroAST's checkpoints: paint what it paints, in place of the content."""
    views: int = Field(200, ge=0)
    """Views beside the paintings that an encoder learns from."""
    whole: float = Field(0.75, ge=0, le=1)
    """Share of whole paintings among the styles of a batch."""
    held_out: float = Field(0.05, gt=0, lt=0.9)
    """Share of the pictures that is measured on and never learned from."""
    ema_kimg: float = Field(4.0, gt=0)

    @field_validator("styles", mode="before")
    @classmethod
    def _within(cls, given: Any) -> Any:
        """Put the pictures of a folder in its place."""
        if isinstance(given, str):
            given = [given]
        return [file for path in given for file in paintings(Path(path))]


PRESETS: dict[str, dict[str, object]] = {
    "own": {"views": 0, "start": "painter"},
    "any": {"encoder": True},
    "large": {"encoder": True, "width": 48, "blocks": 6, "batch": 32, "groups": 16},
}
