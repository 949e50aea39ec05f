"""One picture file to one uint8 array, safely: whatever a person's folder holds, broken files too.

Pillow decodes, behind an allow-list of formats and a pixel limit that is checked before any pixel
is read. Whatever a decoder raises on broken bytes leaves here as one `PictureError` and its reason.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import re
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from volute.errors import DataError
from volute.media.magic import form_by_magic
from volute.media.modes import scale_to_uint8, to_mode

__all__ = ["FORMATS", "PIXEL_LIMIT", "Picture", "PictureError"]
__all__ += ["jpeg_quality", "picture_size", "read_picture", "to_mode"]

PIXEL_LIMIT = 50_000_000
NOT_A_PICTURE = "not a picture of a known format"
FILE_LIMIT = 256 << 20
CHECK = "Check the name."
NO_FILE = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
"""What opening a name that is no file's raises."""
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "DIB", "AVIF", "JPEG2000", "PPM", "QOI")

logging.getLogger("PIL").addHandler(logging.NullHandler())

_HUSH = threading.Lock()
_ORIENTATION = 0x0112
_COARSE = 3688
"""The sum of the table for luma in annex K of the JPEG standard: libjpeg's at quality 50."""
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PictureError(DataError):
    """A picture that cannot be read: `reason` says why, without its name."""

    def __init__(self, name: str, reason: str, hint: str = "") -> None:
        super().__init__(
            f"{name}: {reason}", hint or "Save it again as PNG or JPEG, or leave it out."
        )
        self.reason = reason


class _RefusedError(Exception):
    """A file that is not even given to the decoder; the text is the reason."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture, upright, and what its file was."""

    array: np.ndarray
    """uint8 [H, W, C]; C is 1 (grey), 2 (grey + alpha), 3 (RGB), 4 (RGBA, not premultiplied)."""
    format: str
    """Pillow's name of the format, as in `PNG`."""
    mode: str
    """Pillow's mode of the file, as in `P`, `CMYK`, `I;16`."""
    size: tuple[int, int]
    """Width and height in pixels as stored: before rotation and before any reduced decoding."""
    bits: int = 8
    """Bits per channel in the file."""
    animated: bool = False
    """The file has more frames; `array` is the first."""
    rotated: bool = False
    """The EXIF orientation was not upright and has been applied."""
    stretched: bool = False
    """Its numbers had no fixed range: they were stretched from their own minimum to maximum."""


def read_picture(
    source: Path | bytes, near: int = 0, *, reduce: bool = False, limit: int = PIXEL_LIMIT
) -> Picture:
    """Decode the first frame of a file, upright, to 8 bits per channel.

    Palettes become RGB or RGBA; CMYK and LAB become RGB, through the file's ICC profile where it
    has one. 16-bit grey is divided by 257; float grey in [0, 1] is multiplied by 255; 32-bit
    integers and floats of any other range are stretched from their minimum to their maximum.

    Args:
        source: a path, or the bytes of the file.
        near: if above 0, a JPEG may be decoded at 1/2, 1/4 or 1/8 of its size, as long as its
            shorter side stays at least this many pixels. Much faster for what is to be reduced.
        reduce: any format is then reduced so, by means over squares, before its colours are
            converted: less memory for what is large.
        limit: the most pixels.

    Raises:
        PictureError: not a picture of a known format, over the pixel limit, or broken.
    """
    with _opened(source, limit) as image:
        mode, size, bits = image.mode, image.size, _bits(image)
        animated = bool(getattr(image, "is_animated", False))
        orientation = _orientation(image)
        if near and min(size) >= 2 * near:
            shrink = min(size) // near
            image.draft(None, (size[0] // shrink, size[1] // shrink))
        with hushed() if image.format == "TIFF" else contextlib.nullcontext():
            image.load()
        upright = _upright(_reduced(image, near) if reduce else image)
        pixels, ranged = _pixels(upright, image.format or "", bits)
    return Picture(
        array=pixels[:, :, None] if pixels.ndim == 2 else pixels,
        format=image.format or "",
        mode=mode,
        size=size,
        bits=bits,
        animated=animated and image.format != "MPO",
        rotated=orientation in _TRANSPOSE,
        stretched=not ranged,
    )


def picture_size(source: Path | bytes, limit: int = PIXEL_LIMIT) -> tuple[int, int]:
    """Return width and height in pixels, as stored, without decoding.

    Args:
        source: a file or its bytes.
        limit: the most pixels.

    Raises:
        PictureError: as for `read_picture`.
    """
    with _opened(source, limit) as image:
        return image.size


def jpeg_quality(source: Path | bytes) -> int | None:
    """Return the quality that a JPEG was saved with, 1 to 100, or None for another format.

    Nearly, and on the scale of libjpeg: by how coarse its luma is beside that of quality 50.

    Raises:
        PictureError: as for `read_picture`.
    """
    with _opened(source) as image:
        table = getattr(image, "quantization", {}).get(0)
    if not table:
        return None
    scale = sum(table) / _COARSE
    quality = 50 / scale if scale > 1 else 100 - 50 * scale
    return max(1, min(100, round(quality)))


@contextlib.contextmanager
def _opened(source: Path | bytes, limit: int = PIXEL_LIMIT) -> Iterator[Image.Image]:
    """Give the opened, size-checked image; whatever Pillow raises in the block is PictureError."""
    name = source.name if isinstance(source, Path) else "picture"
    form = ""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\b")
            with _stream(source) as stream, Image.open(stream, formats=FORMATS) as image:
                if image.width * image.height > limit:
                    raise _RefusedError(_too_large(image.width * image.height, limit))
                form = image.format or ""
                yield image
    except UnidentifiedImageError as error:
        raise PictureError(name, _unknown(source)) from error
    except Image.DecompressionBombError as error:
        found = re.search(r"\d+", str(error))
        raise PictureError(name, _too_large(int(found.group()) if found else 0, limit)) from error
    except _RefusedError as error:
        raise PictureError(name, str(error)) from error
    except Exception as error:  # decoders raise anything on broken bytes
        hint = CHECK if isinstance(error, NO_FILE) else ""
        raise PictureError(name, _reason(error, form or form_by_magic(source)), hint) from error


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Keep libtiff, which writes its complaints to file descriptor 2, off the screen."""
    with _HUSH, open(os.devnull, "wb") as nowhere:
        try:
            screen = os.dup(2)
        except OSError:  # no stderr at all
            yield
            return
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(screen, 2)
            os.close(screen)


def _stream(source: Path | bytes) -> IO[bytes]:
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if size == 0:
        raise _RefusedError("the file is empty (0 bytes)")
    if size > FILE_LIMIT:
        raise _RefusedError(f"the file has {size >> 20} MiB; at most {FILE_LIMIT >> 20}")
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source)


def _too_large(pixels: int, limit: int) -> str:
    return f"{pixels / 1e6:.1f} megapixels, over the limit of {limit // 10**6}"


def _reduced(image: Image.Image, near: int) -> Image.Image:
    """Reduce by the largest whole factor that leaves the shorter side at `near`, if by any."""
    factor = min(image.size) // near
    if factor < 2 or image.mode not in ("L", "LA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"):
        return image
    return image.reduce(factor)


def _bits(image: Image.Image) -> int:
    if image.mode == "1":
        return 1
    found = re.search(r";(12|16|32)", str(getattr(image, "tile", "")))
    if found:
        return int(found.group(1))
    return 16 if image.mode.startswith("I;16") else 32 if image.mode in ("I", "F") else 8


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; broken EXIF counts as upright, for the pixels may be good."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # as above: the EXIF parser raises anything
        return 1


def _upright(image: Image.Image) -> Image.Image:
    turn = _TRANSPOSE.get(_orientation(image))  # again: a TIFF turns itself when it is loaded
    return image if turn is None else image.transpose(turn)


def _pixels(image: Image.Image, form: str, bits: int) -> tuple[np.ndarray, bool]:
    """Return uint8 [H, W] or [H, W, C], and whether the file's numbers had a fixed range."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        fixed = image.mode.startswith("I;16") or form == "PPM"
        top = (1 << bits) - 1 if bits < 16 else 65535
        return scale_to_uint8(np.asarray(image), top if fixed else None)
    if image.mode in ("CMYK", "LAB"):
        return np.asarray(_printed(image)), True
    return np.asarray(image.convert(_plain_mode(image))), True


def _plain_mode(image: Image.Image) -> str:
    clear = "transparency" in image.info
    if image.mode in ("1", "L"):
        return "LA" if clear else "L"
    if image.mode in ("LA", "La"):
        return "LA"
    return "RGBA" if clear or image.mode in ("RGBA", "RGBa", "PA") else "RGB"


def _printed(image: Image.Image) -> Image.Image:
    """Convert CMYK or LAB to sRGB through the embedded profile; CMYK without one by its formula."""
    profile = image.info.get("icc_profile")
    try:
        if image.mode == "LAB":
            source = ImageCms.createProfile("LAB")
        elif profile:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        else:
            return image.convert("RGB")
        target = ImageCms.createProfile("sRGB")
        turned = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        if image.mode == "LAB":
            raise
        return image.convert("RGB")
    return turned or image.convert("RGB")


def _unknown(source: Path | bytes) -> str:
    form = form_by_magic(source)
    if form == "HEIC":
        return "HEIC and MP4 files are not read: save it as JPEG or PNG"
    if form == "TIFF":
        return "TIFF of a kind that is not read, or damaged"
    return f"broken {form}: damaged header" if form else NOT_A_PICTURE


def _reason(error: Exception, form: str) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split())[:160]
    spoken = text and isinstance(error, (OSError, ValueError, SyntaxError))
    return f"broken {form or 'file'}: {text}" if spoken else f"broken {form or 'file'}"
