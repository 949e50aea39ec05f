"""A small picture of any file that holds one: photograph, DICOM, NIfTI, GeoTIFF."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from volute.errors import DataError
from volute.handles.pictures import to_images
from volute.media import families
from volute.media.photo import PictureError, read_picture
from volute.media.raster import Canvas, Raster, Work

PIXELS = 100_000_000
"""Most of a photograph that is read for its preview."""
SAVED: dict[str, dict[str, Any]] = {"PNG": {"compress_level": 1}, "WEBP": {"quality": 80}}


class _EnoughError(Exception):
    """The part that is shown has been seen."""


def preview(path: Path, side: int, form: Literal["PNG", "WEBP"] = "PNG") -> bytes:
    """Return a picture of at most `side` px a side; of a volume the middle slice.

    Raises:
        DataError: if the file cannot be read or holds no picture.
        MissingExtraError: if its format needs an extra that is not installed.
    """
    family = families.of(path)
    if family.__name__.endswith("enlarge_photo"):  # type: ignore[attr-defined]
        try:
            pixels = read_picture(path, side, reduce=True, limit=PIXELS).array
        except PictureError as error:
            raise DataError(f"{path}: {error.reason}", "Give another file.") from error
    else:
        pixels = _middle(family, path, side)
    image = to_images(pixels[None])[0]
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    held = io.BytesIO()
    image.save(held, form, **SAVED[form])
    return held.getvalue()


def _middle(family: families.Family, path: Path, side: int) -> np.ndarray:
    """Return the middle part of a file as uint8 [H, W, 1 or 3], reduced by a whole step."""
    seen: list[np.ndarray] = []

    def run(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
        if part == parts // 2:
            seen.append(_shown(raster, side))
            raise _EnoughError

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / f"seen{family.suffix(path)}"
        try:
            family.enlarge(path, target, Work(1, run, "volute"))
        except _EnoughError:
            return seen[0]
    raise DataError(f"{path}: there is no picture in it")


def _shown(raster: Raster, side: int) -> np.ndarray:
    step = max(1, min(raster.height, raster.width) // side)
    bands = 3 if raster.rgb else 1
    rows = []
    for top in range(0, raster.height, step):
        block = raster.read(slice(top, top + 1), slice(0, raster.width))
        unit = raster.levels.unit(block.numbers)[:bands, :, ::step]
        if block.valid is not None:
            valid = np.broadcast_to(block.valid, block.numbers.shape)[:bands, :, ::step]
            unit = np.where(valid, unit, 0)
        rows.append(unit)
    whole = np.nan_to_num(np.concatenate(rows, 1).transpose(1, 2, 0))
    return np.rint(np.clip(whole, 0, 1) * 255).astype(np.uint8)
