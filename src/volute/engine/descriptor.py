"""What a model says of itself before any of its graphs runs, and texts that are safe to show."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from volute.config import Config

MAX_RADIUS = 4096
"""Of a stylizer, in pixels: each tile is read with so much around it."""
STYLIZER = {"channels": 3, "size": 0, "scale": 1}
"""What the descriptor of every stylizer says."""


def _one_line(value: Any) -> Any:
    """Replace what is no text on a line: control characters, line ends, stray file name bytes."""
    bad = r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
    return re.sub(bad, "\ufffd", value)[:1000] if isinstance(value, str) else value


def _file_stem(value: Any) -> Any:
    """Replace what cannot stand in a file name on some system."""
    if not isinstance(value, str):
        return value
    return re.sub(r'[\ufffd/\\:*?"<>|]+', "-", _one_line(value))[:100].strip(" .-") or "model"


Line = Annotated[str, BeforeValidator(_one_line)]
"""A text that stays on its line; made so rather than refused."""
Stem = Annotated[str, BeforeValidator(_file_stem)]
"""A text that can be part of a file name; made so rather than refused."""
Count = Annotated[int, Field(ge=0)]
Side = Annotated[int, Field(ge=0, le=1 << 16)]


class Descriptor(Config):
    """What the engine must know before it runs a graph."""

    kind: Literal[
        "gan", "vae", "style", "upscale", "lm", "classify", "extractor", "watermark", "detector"
    ]
    channels: Annotated[int, Field(ge=1, le=4)]
    """1 grey, 3 RGB, 4 RGBA."""
    size: Side
    """Side of the square output in pixels; 0 for any."""
    scale: Annotated[int, Field(ge=1, le=64)] = 1
    size_multiple: Annotated[int, Field(ge=1, le=4096)] = 1
    radius: Count
    """Receptive radius in input pixels; of a stylizer at most `MAX_RADIUS`."""
    tiling_exact: bool
    value_range: tuple[float, float] = (-1.0, 1.0)
    parameters: Count
    macs_per_pixel: Annotated[float, Field(ge=0)]
    """Multiply-adds for each pixel of the output."""
    training_data: Line
    licence: Line

    @field_validator("channels", "size", "scale", "radius")
    @classmethod
    def _fits_a_stylizer(cls, value: int, info: ValidationInfo) -> int:
        if info.data.get("kind") != "style":
            return value
        if info.field_name == "radius":
            if value > MAX_RADIUS:
                raise ValueError(f"a stylizer sees at most {MAX_RADIUS} pixels around")
            if value % info.data.get("size_multiple", 1):
                raise ValueError("a stylizer's radius is a multiple of `size_multiple`")
        elif value != STYLIZER[info.field_name or ""]:
            raise ValueError("a stylizer has 3 channels and keeps any size")
        return value
