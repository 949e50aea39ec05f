"""What can be set of the watermark's training, and its presets."""

from __future__ import annotations

from pydantic import Field

from volute.config import Config


class WatermarkSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    bits: int = Field(96, ge=8, le=256)
    width: int = Field(32, ge=8, le=128)
    batch: int = Field(64, ge=4, le=1024)
    lr: float = Field(1e-3, gt=0)
    lr_end: float = Field(0.02, gt=0, le=1)
    """Share of the learning rate that is left at the end, by a cosine."""
    warmup: float = Field(0.01, gt=0, lt=1)
    """Share of the budget over which the learning rate rises."""
    psnr: float = Field(40.2, ge=28, le=50)
    """Of a marked picture, in dB, when all is learned."""
    gate: float = Field(0.92, gt=0.5, lt=1)
    """Share of bits that must be read for changes to become harsher."""
    gate_faint: float = Field(0.9, gt=0.5, lt=1)
    """Share of bits that must be read for the mark to become fainter."""
    harsher: float = Field(0.1, gt=0, le=1)
    """Share of the budget in which changes go from nothing to full strength."""
    fainter: float = Field(0.3, gt=0, le=1)
    """Share of the budget in which the mark goes from 14 dB to `psnr`."""
    held_out: float = Field(0.05, gt=0, lt=0.9)
    """Share of the pictures that is measured on and never learned from."""
    ema_kimg: float = Field(30.0, gt=0)


PRESETS: dict[str, dict[str, object]] = {
    "small": {},
    "tiny": {"width": 16, "batch": 16},
}
