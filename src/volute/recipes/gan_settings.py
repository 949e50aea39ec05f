"""What can be set of a GAN's training, and its presets."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from volute.config import Config
from volute.nets.gan import Resampling
from volute.recipes.files import Start

FEWEST = 8
"""Pictures of a batch under which a training is doubtful."""


class GanSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    latent: int = Field(64, ge=1, le=1024)
    width: int = Field(128, ge=16, le=1024)
    """Channels at 8 px, in both networks."""
    blocks: Annotated[int, Field(ge=0, le=8)] | Literal["auto"] = "auto"
    """Residual blocks at each inner resolution; `auto` is none to 32 px and one above."""
    resampling: Resampling | Literal["auto"] = "auto"
    """`auto` is bilinear, but transposed above 32 px where there are no residual blocks."""
    networks: Literal["modern", "classic"] = "modern"
    loss: Literal["relativistic", "nonsaturating"] = "relativistic"
    batch: int = Field(32, ge=2, le=4096)
    lr: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """`auto` is 2e-3 to 32 px and 5e-4 above."""
    lr_end: float = Field(0.25, gt=0, le=1)
    """Share of the learning rate that is left at the end, by a cosine."""
    beta1: float = Field(0.0, ge=0, lt=1)
    beta2: float = Field(0.99, ge=0, lt=1)
    gamma: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Literal["auto"] = "auto"
    """Weight of R1 and R2 at the start; `auto` is 0.2 to 32 px and 0.05 above."""
    gamma_end: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """Share of it that is left at the end, by a cosine; `auto` is 0.25 to 32 px and 1 above."""
    penalty_share: float = Field(0.25, gt=0, le=1)
    """Share of the batch on which the penalties are taken, every step."""
    ema_kimg: float = Field(5.0, gt=0)
    augment: bool | Literal["auto"] = "auto"
    """DiffAugment; `auto` is as much as keeps the discriminator from learning by heart."""
    flip: bool = False
    """Mirror pictures at random: only if the data allow it."""
    teacher: Start = ""
    """A wider model of the same pictures, latent and blocks: the generator begins with its most
    important channels and also learns what it makes (`volute shrink`)."""


PRESETS: dict[str, dict[str, object]] = {
    "tiny": {},
    "small": {"width": 192, "blocks": 1, "lr": 1e-3},
    "base": {"width": 256, "blocks": 2, "batch": 64, "lr": 1e-3, "ema_kimg": 20.0},
    "large": {"width": 512, "blocks": 2, "batch": 256, "lr": 1e-3, "ema_kimg": 50.0},
    "classic": {
        "networks": "classic",
        "loss": "nonsaturating",
        "batch": 64,
        "lr": 2e-4,
        "lr_end": 1.0,
        "beta1": 0.5,
        "beta2": 0.999,
        "augment": False,
    },
}
