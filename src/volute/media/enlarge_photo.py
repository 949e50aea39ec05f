"""Enlarge a photograph: PNG, JPEG, WebP, TIFF, AVIF at their own depth, with their metadata.

GIF gives its first picture; BMP, PPM, JPEG 2000 and QOI go through Pillow, at 8 bits. Pixels stay
on disk, in the temporary folder, so that memory does not grow with the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

from volute.errors import DataError, UsageError
from volute.media import tiff_tags
from volute.media.photo import PictureError, read_picture
from volute.media.photo_file import TYPES, Photo, described, encode, format_of, opened
from volute.media.raster import Block, Levels, Work
from volute.media.scratch import Scratch

SAMPLES = 1_000_000
HUGE = 2_000_000_000


@dataclass(frozen=True)
class Kind:
    """A format that is written."""

    suffixes: tuple[str, ...]
    saver: str
    longest: int
    """Most pixels a side."""
    depths: tuple[str, ...]
    """libvips' names of the numbers that it holds."""
    alpha: bool
    options: Callable[[Scratch, Photo | None], dict[str, Any]]


KINDS = {
    "PNG": Kind(
        (".png",),
        "pngsave",
        10_000_000,
        ("uchar", "ushort"),
        True,
        lambda made, photo: {"compression": 2, "filter": "paeth"},
    ),
    "JPEG": Kind(
        (".jpg", ".jpeg", ".jpe", ".jfif"),
        "jpegsave",
        65_500,
        ("uchar",),
        False,
        lambda made, photo: {"Q": 95, "subsample_mode": "off"},
    ),
    "WebP": Kind(
        (".webp",),
        "webpsave",
        16_383,
        ("uchar",),
        True,
        lambda made, photo: (
            {"lossless": True, "exact": True} if photo and photo.lossless else {"Q": 95}
        ),
    ),
    "TIFF": Kind(
        (".tif", ".tiff"),
        "tiffsave",
        10_000_000,
        ("uchar", "char", "ushort", "short", "uint", "int", "float"),
        True,
        lambda made, photo: {
            "compression": "deflate",
            "predictor": "float" if made.dtype.kind == "f" else "horizontal",
            "bigtiff": made.height * made.row_bytes > HUGE,
        },
    ),
    "AVIF": Kind(
        (".avif",),
        "heifsave",
        16_384,
        ("uchar",),
        True,
        lambda made, photo: {
            "compression": "av1",
            "Q": 90,
            "bitdepth": photo.bits if photo and photo.format == "AVIF" else 8,
            "subsample_mode": "off",
        },
    ),
}


def suffix(source: Path) -> str:
    """Return the ending of the file that `source` becomes: its own where that fits its format.

    Raises:
        DataError: the file cannot be read.
    """
    kind = KINDS.get(format_of(source) or "")
    if kind is None:
        return ".png"
    return source.suffix if source.suffix.lower() in kind.suffixes else kind.suffixes[0]


def enlarge(source: Path, target: Path, work: Work) -> list[str]:
    """Enlarge the picture in `source` and write it in the format that the ending of `target` names.

    Returns:
        Notes of one line each: what is not as it was.

    Raises:
        DataError: the source is damaged, too large, or of a kind that is not read.
        UsageError: the format of `target` cannot hold the picture, or an unknown option.
        VoluteError: the temporary folder is full.
        OSError: `target` cannot be written.
    """
    for name in work.options:
        raise UsageError(f"{source}: photographs have no option {name!r}", "They have none at all.")
    form = format_of(source)
    eight_bit_lab = False
    if form:
        try:
            with opened(source, form) as photo:
                return _enlarge_photo(photo, target, work)
        except DataError as error:
            eight_bit_lab = "bad labq format" in error.what
            if not eight_bit_lab:
                raise
    return _enlarge_picture(source, target, work, ["CIE colours became sRGB"] * eight_bit_lab)


def _enlarge_photo(photo: Photo, target: Path, work: Work) -> list[str]:
    image: Any = photo.image
    _check(photo.source, photo, target, image, work.scale)
    with ExitStack() as stack:
        scratch = stack.enter_context(Scratch(image.height, image.width, image.bands, photo.dtype))
        photo.decode(scratch)
        levels = _levels(scratch, photo.alpha, photo.source)
        made = stack.enter_context(_empty(scratch, work.scale))
        work.run(_Raster(scratch, levels, photo.rgb, photo.alpha), _Canvas(made))
        scratch.close()
        raw = described(_raw(made, image.interpretation), photo, work.model)
        _save(raw, made, target, photo, work.model)
    return photo.notes


def _enlarge_picture(source: Path, target: Path, work: Work, notes: list[str]) -> list[str]:
    try:
        picture = read_picture(source)
    except PictureError as error:
        raise DataError(f"{source}: {error.reason}", error.hint) from error
    height, width, bands = picture.array.shape
    whole = slice(0, height), slice(0, width)
    with ExitStack() as stack:
        scratch = stack.enter_context(Scratch(height, width, bands, np.dtype(np.uint8)))
        scratch.write(*whole, picture.array.transpose(2, 0, 1))
        colours = "srgb" if bands >= 3 else "b-w"
        _check(source, None, target, _raw(scratch, colours), work.scale)
        levels = Levels.fixed(np.dtype(np.uint8), 0, 255)
        made = stack.enter_context(_empty(scratch, work.scale))
        work.run(_Raster(scratch, levels, bands >= 3, bands in (2, 4)), _Canvas(made))
        _save(_raw(made, colours), made, target, None, work.model)
    if picture.bits > 8:
        notes = [*notes, f"{picture.bits} bits became 8"]
    return notes


class _Raster:
    def __init__(self, scratch: Scratch, levels: Levels, rgb: bool, alpha: bool) -> None:
        self.scratch, self.levels, self.rgb, self.alpha = scratch, levels, rgb, alpha
        self.bands, self.height, self.width = scratch.bands, scratch.height, scratch.width
        self.masked = scratch.dtype.kind == "f"

    def read(self, rows: slice, columns: slice) -> Block:
        numbers = self.scratch.read(rows, columns)
        if not self.masked or (valid := np.isfinite(numbers)).all():
            return Block(numbers)
        return Block(numbers, valid)


class _Canvas:
    def __init__(self, scratch: Scratch) -> None:
        self.scratch = scratch

    def write(self, rows: slice, columns: slice, block: Block) -> None:
        numbers = block.numbers
        if block.valid is not None:
            numbers = np.where(block.valid, numbers, np.array(np.nan, numbers.dtype))
        self.scratch.write(rows, columns, numbers)


def _empty(scratch: Scratch, scale: int) -> Scratch:
    return Scratch(scratch.height * scale, scratch.width * scale, scratch.bands, scratch.dtype)


def _check(source: Path, photo: Photo | None, target: Path, image: Any, scale: int) -> None:
    """Raise UsageError if the format of `target` cannot hold `image`, `scale` times as large."""
    form = _target_form(target)
    kind = KINDS[form]
    known = "Choose another ending, such as .png or .tif."
    longest = scale * max(image.width, image.height)
    if longest > kind.longest:
        raise UsageError(f"{source}: {form} holds {kind.longest:,} pixels a side, not {longest:,}")
    if image.format not in kind.depths and not (
        form == "AVIF" and photo and photo.bits in (10, 12)
    ):
        raise UsageError(f"{source}: {form} cannot hold its depth ({_depth(image)})", known)
    if image.hasalpha() and not kind.alpha:
        raise UsageError(f"{source}: {form} has no transparency", known)
    if form != "TIFF" and image.bands - image.hasalpha() not in (1, 3):
        raise UsageError(f"{source}: {form} cannot hold {image.bands} bands", "Choose .tif.")


def _depth(image: Any) -> str:
    bits = {"char": 8, "uchar": 8, "ushort": 16, "short": 16}.get(image.format, 32)
    return f"{bits}-bit {'floating point' if image.format == 'float' else 'integers'}"


def _target_form(target: Path) -> str:
    for form, kind in KINDS.items():
        if target.suffix.lower() in kind.suffixes:
            return form
    endings = ", ".join(ending for kind in KINDS.values() for ending in kind.suffixes)
    raise UsageError(f"photographs are not written as {target.suffix or 'that'}", f"Use {endings}.")


def _levels(scratch: Scratch, alpha: bool, source: Path) -> Levels:
    """Return black and white: of the type for 8 and 16 bits, 0 and 1 for floats that lie there."""
    dtype = scratch.dtype
    if dtype in (np.uint8, np.uint16):
        return Levels.fixed(dtype, 0, np.iinfo(dtype).max)
    step = max(1, math.isqrt(scratch.height * scratch.width // SAMPLES))
    low, high, samples = np.inf, -np.inf, []
    for rows in scratch.strips():
        strip = scratch.read(rows, slice(0, scratch.width))
        kept = np.where(np.isfinite(strip), strip, np.nan) if dtype.kind == "f" else strip
        colour = kept[: scratch.bands - alpha]
        if np.isfinite(colour).any():
            low, high = min(low, np.nanmin(colour)), max(high, np.nanmax(colour))
        samples.append(kept[:, -rows.start % step :: step, ::step].reshape(scratch.bands, -1))
    if low > high:
        raise DataError(f"{source}: it holds no finite number")
    if dtype.kind == "f" and low >= 0 and high <= 1:
        return Levels.fixed(dtype, 0, 1)
    sampled = np.concatenate(samples, 1)
    empty = ~np.isfinite(sampled).any(1, keepdims=True)
    levels = Levels.measured(dtype, np.where(empty, low, sampled).astype(dtype))
    if alpha:
        levels.black[-1], levels.white[-1] = 0, 1 if dtype.kind == "f" else np.iinfo(dtype).max
    return levels


def _raw(scratch: Scratch, interpretation: str) -> Any:
    """Return an image that reads `scratch`.

    It is joined from pieces, for libvips maps all that it opens into memory, and lets a piece go
    when it has passed it.
    """
    pieces = [
        pyvips.Operation.call(
            "rawload",
            piece.path,
            scratch.width,
            piece.height,
            scratch.bands,
            offset=piece.offset,
            format=next(name for name, dtype in TYPES.items() if dtype == scratch.dtype),
            interpretation=interpretation,
            access="sequential",
        )
        for piece in scratch.pieces()
    ]
    joined = pyvips.Image.arrayjoin(pieces, across=1)
    return joined.crop(0, 0, scratch.width, scratch.height)


def _save(raw: Any, made: Scratch, target: Path, photo: Photo | None, model: str) -> None:
    form = _target_form(target)
    kind = KINDS[form]
    encode(raw, target, kind.saver, kind.options(made, photo))
    if form == "TIFF":
        exif = raw.get("exif-data") if raw.get_typeof("exif-data") else b""
        tiff_tags.describe(target, exif, made.width, made.height, model)
