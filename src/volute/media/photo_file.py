"""Photographs as they are on disk: any depth, any size, with all that the file says about itself.

libvips decodes and encodes, a few rows at a time. Only the loader of the format that the first
bytes tell is ever called, on a file that stays open here.
"""

from __future__ import annotations

import contextlib
import errno
import io
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyvips
from PIL import Image

from volute.errors import DataError
from volute.media import tiff_tags
from volute.media.scratch import Scratch
from volute.media.tiff_layout import directories

PIXEL_LIMIT = 1_000_000_000
BROKEN = "Save it again as PNG, JPEG or TIFF, or leave it out."
TYPES = {
    "uchar": np.uint8,
    "char": np.int8,
    "ushort": np.uint16,
    "short": np.int16,
    "uint": np.uint32,
    "int": np.int32,
    "float": np.float32,
}
CARRIED = ("exif-", "xmp-data", "iptc-data", "icc-profile-data", "png-comment-", "photoshop-data")
CARRIED += ("orientation", "resolution-unit")
EXTRA_SAMPLES = 338
_HEAD = 1 << 16
_MINOR = r"Corrupt JPEG data|Warning:|bad seek|set_get_field_type"
_SIZES = re.compile(
    rb"((?:tiff:Image|exif:Pixel)(?:X|Y)?(?:Width|Length|Dimension)(?:\s*=\s*[\"']|>)\s*)\d+"
)
_LOADERS = {"PNG": "png", "JPEG": "jpeg", "WebP": "webp", "TIFF": "tiff", "AVIF": "heif"}
_LOADERS |= {"GIF": "gif"}

pyvips.cache_set_max(0)  # it would keep files open and show old pixels of a file that has changed
logging.getLogger("pyvips").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class Photo:
    """A photograph whose header has been read; pixels are decoded once, from top to bottom."""

    source: Path
    format: str
    """Such as `PNG`."""
    image: Any
    """As it goes to the network: grey or RGB, with or without alpha, or bands of other meaning."""
    dtype: np.dtype
    rgb: bool
    alpha: bool
    lossless: bool
    bits: int
    """Bits per number in the file; 10 or 12 are stretched to 16 in `image`."""
    notes: list[str]

    def decode(self, scratch: Scratch) -> None:
        """Put all pixels into `scratch`.

        Raises:
            DataError: the file is damaged or cut off.
            VoluteError: no room for `scratch`.
        """
        with _reading(self.source, self.format):
            pyvips.Error("")  # forgets complaints about other files
            region = pyvips.Region.new(self.image)
        for rows in scratch.strips():
            with _reading(self.source, self.format):
                data = region.fetch(0, rows.start, scratch.width, rows.stop - rows.start)
            strip_HWC = np.frombuffer(data, self.dtype).reshape(-1, scratch.width, scratch.bands)
            scratch.write(rows, slice(0, scratch.width), strip_HWC.transpose(2, 0, 1))
        complaints = pyvips.Error("").detail
        if re.search(r"Corrupt JPEG data: (?!\d+ extraneous)", complaints):
            raise DataError(f"{self.source}: damaged JPEG", BROKEN)


def format_of(source: Path) -> str | None:
    """Name the format by the first bytes; None: not one that is read here.

    Raises:
        DataError: the file cannot be read.
    """
    with _opened(source) as stream:
        return _format(stream.read(_HEAD))


@contextlib.contextmanager
def opened(source: Path, form: str) -> Iterator[Photo]:
    """Read the header of a file of the format `form`; what is not grey or RGB is converted.

    Raises:
        DataError: damaged, too large, or of a kind that is not read.
    """
    with _opened(source) as stream:
        head = stream.read(_HEAD)
        stream.seek(0)
        with _reading(source, form):
            loader = f"{_LOADERS[form]}load_source"
            file = pyvips.Source.new_from_descriptor(stream.fileno())
            image: Any = pyvips.Operation.call(loader, file, access="sequential", fail_on="error")
        pixels = image.width * image.height
        if pixels > PIXEL_LIMIT:
            raise DataError(
                f"{source}: {pixels / 1e6:,.0f} megapixels, over the limit of "
                f"{PIXEL_LIMIT // 10**6:,}",
                "Cut it into parts.",
            )
        if image.format not in TYPES:
            raise DataError(f"{source}: complex or 64-bit numbers are not read", BROKEN)
        notes = _notes(image, form, head)
        with _reading(source, form):
            plain = _plain(image, notes)
        yield Photo(
            source=source,
            format=form,
            image=plain,
            dtype=np.dtype(TYPES[plain.format]),
            rgb=plain.interpretation in ("srgb", "rgb16", "scrgb") and plain.bands >= 3,
            alpha=bool(plain.hasalpha()) and (form != "TIFF" or _opacity(source)),
            lossless=form == "WebP" and _lossless(stream),
            bits=image.get("bits-per-sample") if image.get_typeof("bits-per-sample") else 8,
            notes=notes,
        )


def _opacity(source: Path) -> bool:
    """Return whether a TIFF says that its extra band is opacity, not just one more."""
    first = next(directories(source), None)
    return first is not None and bool(np.isin(first.numbers(EXTRA_SAMPLES), (1, 2)).any())


def described(raw: Any, photo: Photo, model: str, thumbnail: bool) -> Any:
    """Return `raw` with all that the file of `photo` says, and its own size where that is told.

    Args:
        raw: the new picture.
        photo: the old one.
        model: what made it.
        thumbnail: whether the small copy of the old picture in its EXIF shows the new one too.
    """
    raw = raw.copy(xres=photo.image.xres, yres=photo.image.yres)
    if photo.format == "TIFF" and (exif := tiff_tags.exif_of(photo.source)):
        small = io.BytesIO()
        Image.new("L", (1, 1)).save(small, "PNG", exif=exif)
        told: Any = pyvips.Image.pngload_buffer(small.getvalue())
        _carry(told, raw, ("exif-data", "exif-ifd"))
    _carry(photo.image, raw, CARRIED)
    for name in () if thumbnail else raw.get_fields():
        if name.startswith(("exif-ifd1-", "jpeg-thumbnail-data")):
            raw.remove(name)
    if raw.get_typeof("xmp-data"):
        sizes = {b"Width": raw.width, b"Length": raw.height, b"X": raw.width, b"Y": raw.height}

        def sized(found: re.Match[bytes]) -> bytes:
            name = re.search(rb"Width|Length|X(?=Dim)|Y(?=Dim)", found[1])
            return found[0] if name is None else found[1] + str(sizes[name[0]]).encode()

        xmp = _SIZES.sub(sized, raw.get("xmp-data"))
        raw.set_type(pyvips.GValue.blob_type, "xmp-data", xmp)
    for name, size in (("ImageWidth", raw.width), ("ImageLength", raw.height)):
        if raw.get_typeof(f"exif-ifd0-{name}"):
            raw.set_type(pyvips.GValue.gstr_type, f"exif-ifd0-{name}", str(size))
    if not raw.get_typeof("exif-ifd0-Software"):
        raw.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Software", model)
    return raw


def encode(image: Any, target: Path, saver: str, options: dict[str, Any]) -> None:
    """Write `image` with one of libvips' savers.

    Raises:
        OSError: the file cannot be written, with the number of the reason where there is one.
    """
    with target.open("w+b") as stream:
        try:
            out = pyvips.Target.new_to_descriptor(stream.fileno())
            pyvips.Operation.call(f"{saver}_target", image, out, **options)
        except pyvips.Error as error:
            for number in errno.errorcode:
                if f"system error: {os.strerror(number)}\n" in error.detail:
                    raise OSError(number, os.strerror(number), str(target)) from error
            raise OSError(f"the encoder failed: {_reason(error)}") from error


def _carry(told: Any, raw: Any, names: tuple[str, ...]) -> None:
    for name in told.get_fields():
        if name.startswith(names):
            raw.set_type(told.get_typeof(name), name, told.get(name))


@contextlib.contextmanager
def _opened(source: Path) -> Iterator[BinaryIO]:
    try:
        stream = source.open("rb")
    except OSError as error:
        raise DataError(f"{source}: {error.strerror}", "Check the name.") from error
    with stream:
        yield stream


@contextlib.contextmanager
def _reading(source: Path, form: str) -> Iterator[None]:
    """Turn what libvips says about the file into one plain line."""
    try:
        yield
    except pyvips.Error as error:
        raise DataError(f"{source}: damaged or unusual {form}: {_reason(error)}", BROKEN) from (
            error
        )


def _reason(error: pyvips.Error) -> str:
    lines = [line.strip() for line in error.detail.splitlines() if line.strip()]
    serious = [line for line in lines if not re.search(_MINOR, line)] or lines
    text = serious[0].split(": ", 1)[-1] if serious else "it cannot be decoded"
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:160]


def _format(head: bytes) -> str | None:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    if head[4:8] == b"ftyp":
        brands = head[8 : min(64, int.from_bytes(head[:4], "big"))]
        return "AVIF" if b"avif" in brands or b"avis" in brands else None
    magics = {b"\x89PNG": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF"}
    magics |= dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "TIFF")
    return next((form for magic, form in magics.items() if head.startswith(magic)), None)


def _notes(image: Any, form: str, head: bytes) -> list[str]:
    pages = image.get("n-pages") if image.get_typeof("n-pages") else 1
    if pages > 1:
        return [f"only the first of {pages} pictures in the file is kept"]
    if form == "PNG" and b"acTL" in head.split(b"IDAT", 1)[0]:
        return ["only the first picture of the animation is kept"]
    return []


def _plain(image: Any, notes: list[str]) -> Any:
    """Convert inks and CIE colours to sRGB."""
    kind = image.interpretation
    if kind == "cmyk":
        depth = 16 if image.format == "ushort" else 8
        how = "its colour profile" if image.get_typeof("icc-profile-data") else "a usual profile"
        notes.append(f"CMYK became sRGB by {how}")
        return image.icc_transform("srgb", embedded=True, input_profile="cmyk", depth=depth)
    if kind in ("lab", "labs", "xyz"):
        notes.append("CIE colours became sRGB, 16 bit")
        plain = image.colourspace("rgb16").copy()
        profile = pyvips.Image.profile_load("srgb")
        plain.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
        return plain
    return image


def _lossless(stream: BinaryIO) -> bool:
    """Return whether the first picture of a WebP file is lossless."""
    stream.seek(12)
    while len(chunk := stream.read(8)) == 8:
        if chunk[:4] in (b"VP8 ", b"VP8L"):
            return chunk[:4] == b"VP8L"
        size = int.from_bytes(chunk[4:], "little")
        stream.seek(16 if chunk[:4] == b"ANMF" else size + size % 2, 1)
    return False
