"""What can be set of the detector's training, and its presets."""

from __future__ import annotations

from pydantic import Field

from volute.config import Config


class DetectorSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    widths: tuple[int, ...] = (32, 64, 96)
    """Channels at a half, a quarter and so on of the resolution."""
    remakers: int = Field(20, ge=1, le=256)
    """Networks that make pictures anew."""
    taught: int = Field(3, ge=1, le=64)
    """Of these that learn in each step."""
    left_out: str = ""
    """A family of up-samplers that is not learned from, to see whether it is found all the same."""
    batch: int = Field(16, ge=4, le=1024)
    lr: float = Field(2e-3, gt=0)
    lr_end: float = Field(0.01, gt=0, le=1)
    """Share of the learning rate that is left at the end, by a cosine."""
    lr_remakers: float = Field(3e-3, gt=0)
    warmup: float = Field(0.05, gt=0, lt=1)
    """Share of the budget over which the learning rate rises."""
    weight_decay: float = Field(0.02, ge=0)
    held_out: float = Field(0.2, gt=0, lt=0.9)
    """Share of the pictures that real ones are known by, and that are never learned from."""
    ema_kimg: float = Field(2.0, gt=0)


PRESETS: dict[str, dict[str, object]] = {
    "small": {},
    "tiny": {"widths": (16, 24), "remakers": 4, "batch": 8},
}
