"""Pictures in and out: PIL, arrays and files become what a network takes, and come back.

The networks are trained on 8-bit pictures, so 16-bit and float ones pass through 8 bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from volute.errors import UsageError
from volute.media.modes import CHANNELS, to_mode
from volute.media.photo import read_picture

Picture = str | Path | Image.Image
Pictures = Picture | np.ndarray | Sequence[Picture | np.ndarray]
Restore = Callable[[np.ndarray], Any]

SMALL = 64
SHOWN = 128
GAP = 2
MODES = {channels: mode for mode, channels in CHANNELS.items()}


def to_bytes(values_NCHW: np.ndarray) -> np.ndarray:
    """Return uint8 [n, H, W, C] for floats [n, C, H, W], clipped to [-1, 1] and rounded."""
    scaled = np.rint(np.clip(values_NCHW, -1, 1) * 127.5 + 127.5)
    return np.ascontiguousarray(scaled.astype(np.uint8).transpose(0, 2, 3, 1))


def to_floats(pixels_NHWC: np.ndarray) -> np.ndarray:
    """Return float32 [n, C, H, W] in [-1, 1] for uint8 [n, H, W, C]."""
    scaled = pixels_NHWC.astype(np.float32) / np.float32(127.5) - np.float32(1)
    return np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))


def to_images(pixels_NHWC: np.ndarray) -> list[Image.Image]:
    """Return PIL pictures (L, LA, RGB or RGBA) for uint8 [n, H, W, C]."""
    return [_image(pixels) for pixels in pixels_NHWC]


def grid(images: Sequence[Image.Image], columns: int | None = None) -> Image.Image:
    """Return equal-sized pictures on one, row by row; as square as can be unless `columns` says."""
    columns = columns or math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    width, height = images[0].width + GAP, images[0].height + GAP
    background = (255, 255, 255, 0) if images[0].mode == "RGBA" else "white"
    sheet = Image.new(images[0].mode, (columns * width - GAP, rows * height - GAP), background)
    for index, image in enumerate(images):
        sheet.paste(image, (index % columns * width, index // columns * height))
    return sheet


def enlarged(image: Image.Image) -> Image.Image:
    """Return a picture of less than 64 px repeated to at least 128 px; a larger one as it is."""
    side = min(image.size)
    return image if side >= SMALL else _repeated(image, math.ceil(SHOWN / side))


def squared(pixels_HWC: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Return the centre square of uint8 [H, W, C] as uint8 [size, size, channels]."""
    image = _image(to_mode(pixels_HWC, MODES[channels]))
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    resized = image.resize((size, size), Image.Resampling.LANCZOS, box)
    return np.asarray(resized).reshape(size, size, channels)


def opened(pictures: Pictures) -> tuple[list[np.ndarray], Restore]:
    """Return the pictures as uint8 [H, W, C] each, and how results become their kind again.

    Args:
        pictures: a path, a PIL picture, an array ([H, W], [H, W, C] or [n, H, W, C]; uint8, uint16,
            or float in [0, 1] or [-1, 1]), or a list of such single pictures.

    Returns:
        The pixels, and a function from uint8 [n, S, S, C] to what was given: a PIL picture for a
        path or a PIL picture, an array of the same dtype, range and number of dimensions for an
        array, a list for a list.

    Raises:
        UsageError: for anything else.
        DataError: if a file cannot be read.
    """
    if isinstance(pictures, str | Path):
        return [read_picture(Path(pictures)).array], lambda made: to_images(made)[0]
    if isinstance(pictures, Image.Image):
        return _open_image(pictures)
    if isinstance(pictures, np.ndarray):
        return _open_array(pictures)
    if not isinstance(pictures, list | tuple) or not pictures:
        raise UsageError(
            f"{type(pictures).__name__} is no picture, or an empty list of them",
            "Give a path, a PIL picture, an array, or a list of these.",
        )
    parts = [opened(picture) for picture in pictures]
    if any(len(pixels) != 1 for pixels, _ in parts):
        raise UsageError("a list holds single pictures, this one has an array of several")
    restores = [restore for _, restore in parts]
    return [pixels[0] for pixels, _ in parts], lambda made: [
        restore(made[i : i + 1]) for i, restore in enumerate(restores)
    ]


def several(pictures: Pictures) -> bool:
    """Tell whether `pictures` is a list, or an array [n, H, W, C], rather than one picture."""
    return (
        pictures.ndim == 4
        if isinstance(pictures, np.ndarray)
        else isinstance(pictures, list | tuple)
    )


def _open_image(image: Image.Image) -> tuple[list[np.ndarray], Restore]:
    if image.mode == "I;16":
        pixels, restore = _open_array(np.asarray(image))
        return pixels, lambda made: Image.fromarray(restore(made))
    if image.mode in ("I", "F"):
        raise UsageError(
            f"a PIL picture of mode {image.mode} has no known range", "Give an array in [0, 1]."
        )
    plain = {"1": "L", "L": "L", "LA": "LA", "RGBA": "RGBA"}.get(image.mode, "RGB")
    if image.mode == "P" and image.has_transparency_data:
        plain = "RGBA"
    pixels = np.asarray(image.convert(plain))
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    mode = image.mode if image.mode in ("CMYK", "YCbCr", "HSV") else plain
    return [pixels], lambda made: _image(_with_channels(made, pixels.shape[-1])[0]).convert(mode)


def _open_array(array: np.ndarray) -> tuple[list[np.ndarray], Restore]:
    flat = array.ndim == 2
    shaped = array[..., None] if flat else array
    if shaped.ndim not in (3, 4) or not 1 <= shaped.shape[-1] <= 4 or not array.size:
        raise UsageError(
            f"an array of shape {list(array.shape)} is no picture",
            "Give [H, W], [H, W, C] or [n, H, W, C] with 1 to 4 channels last.",
        )
    low, high = _range(array)
    scaled = (shaped.astype(np.float64) - low) * (255 / (high - low))
    pixels = np.rint(scaled).astype(np.uint8)

    def restore(made: np.ndarray) -> np.ndarray:
        values = _with_channels(made, shaped.shape[-1]) * ((high - low) / 255) + low
        result = values.astype(array.dtype)
        result = result if array.ndim == 4 else result[0]
        return result[..., 0] if flat else result

    return list(pixels) if array.ndim == 4 else [pixels], restore


def _range(array: np.ndarray) -> tuple[float, float]:
    """Return the numbers for black and white of an array's type."""
    if array.dtype in (np.uint8, np.uint16):
        return 0, np.iinfo(array.dtype).max
    if array.dtype.kind != "f":
        raise UsageError(f"an array of {array.dtype} is no picture", "Give uint8, uint16 or float.")
    low = -1 if array.min() < 0 else 0
    if not (array.min() >= low and array.max() <= 1):
        raise UsageError("a float picture leaves its range", "It must lie in [0, 1] or [-1, 1].")
    return low, 1


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return uint8 [..., C] with 1 to 4 channels; grey + alpha is the one that no mode makes."""
    if channels != 2:
        return to_mode(pixels, MODES[channels])
    rgba = to_mode(pixels, "RGBA")
    return np.concatenate([to_mode(rgba[..., :3], "L"), rgba[..., 3:]], axis=-1)


def _image(pixels_HWC: np.ndarray) -> Image.Image:
    grey = pixels_HWC.shape[-1] == 1
    return Image.fromarray(pixels_HWC[..., 0] if grey else np.ascontiguousarray(pixels_HWC))


def _repeated(image: Image.Image, factor: int) -> Image.Image:
    size = (image.width * factor, image.height * factor)
    return image.resize(size, Image.Resampling.NEAREST)
