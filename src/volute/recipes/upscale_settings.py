"""What can be set of an upscaler's training, and its presets."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from volute.config import Config
from volute.recipes.files import Start


class UpscaleSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    scale: Literal[2, 3, 4] = 2
    width: int = Field(32, ge=8, le=256)
    blocks: int = Field(5, ge=0, le=64)
    """Residual blocks of two convolutions."""
    batch: int = Field(16, ge=1, le=1024)
    patch: int = Field(40, ge=8, le=256)
    """Side of what the network sees while it learns, in low-resolution pixels."""
    lr: float = Field(1.5e-3, gt=0)
    lr_end: float = Field(1e-3, gt=0, le=1)
    """Share of the learning rate that is left at the end, by a cosine."""
    warmup: float = Field(0.01, gt=0, lt=1)
    """Share of the budget over which the learning rate rises."""
    shrink: float = Field(0.5, gt=0, le=1)
    """Each batch is first reduced by a random factor from this to 1: several scales of a picture,
    and fewer traces of its compression."""
    spectrum: float = Field(0.05, ge=0)
    """Weight of the loss on the Fourier transform beside that on pixels."""
    robust: bool = False
    """Learn to repair as well, with the strength as a second input."""
    perceptual: float = Field(0.0, ge=0)
    """Weight of the distance in the features of `eye`."""
    adversarial: float = Field(0.0, ge=0)
    """Weight of a discriminator's verdict."""
    gamma: float = Field(1.0, ge=0)
    """Weight of the discriminator's penalties R1 and R2."""
    start: Start = ""
    """A model of the same width and colours, and at most as many blocks, to start from; its scale
    may differ."""
    teacher: Start = ""
    """A wider model of the same scale, colours and blocks: the network begins with its most
    important channels and also learns what it makes (`volute shrink`)."""
    held_out: float = Field(0.05, gt=0, lt=0.9)
    """Share of the pictures that is measured on and never learned from."""
    ema_kimg: float = Field(20.0, gt=0)


PRESETS: dict[str, dict[str, object]] = {
    "fast": {"blocks": 2},
    "fine": {},
    "robust": {"robust": True},
    "large": {"width": 64, "blocks": 10, "batch": 64},
}
