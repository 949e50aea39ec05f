"""Work on a photograph: PNG, JPEG, WebP, TIFF, AVIF at their own depth, with their metadata.

GIF gives its first picture; BMP, PPM, JPEG 2000 and QOI go through Pillow, at 8 bits. Pixels stay
on disk, in the temporary folder, so that memory does not grow with the picture. The work sees them
the way up that they are shown; the new file stores them as the old one does.
"""

from __future__ import annotations

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
from volute.media.photo_raster import ScratchCanvas, ScratchRaster, photo_levels
from volute.media.raster import Levels, Work
from volute.media.scratch import Scratch
from volute.media.turned import TurnedCanvas, TurnedRaster, orientation_of

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
    """Do `work` to the picture in `source`; the ending of `target` names the format of the new.

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
        levels = photo_levels(scratch, photo.alpha, photo.source)
        made = stack.enter_context(_empty(scratch, work.scale))
        raster = ScratchRaster(scratch, levels, photo.rgb, photo.alpha)
        turn = orientation_of(image)
        canvas = TurnedCanvas(ScratchCanvas(made), turn, made.height, made.width)
        work.run(TurnedRaster(raster, turn), canvas)
        scratch.close()
        raw = _raw(made, image.interpretation)
        raw = described(raw, photo, work.model, thumbnail=work.scale > 1)
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
        work.run(ScratchRaster(scratch, levels, bands >= 3, bands in (2, 4)), ScratchCanvas(made))
        _save(_raw(made, colours), made, target, None, work.model)
    if picture.bits > 8:
        notes = [*notes, f"{picture.bits} bits became 8"]
    return notes


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
