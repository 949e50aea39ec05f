"""What a watermark adds to a picture of any size: a map of at most 512 px a side, brought to it.

A picture is first made small enough to be looked at as a whole. There the map is made, under the
mask of what is just noticeable; the picture itself is then changed window by window, so that its
size costs no memory and tiles, strips and the whole give the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from volute.errors import UsageError

SMALLEST = 64
"""Pixels a side from which there is room for a mark."""
LARGEST = 512
"""Pixels a side of a map; a larger picture is looked at from so far."""
LONG = 2
"""From this aspect on, several squares stand side by side, each with the whole mark."""
PART = 256
"""Pixels a side of what is changed at a time."""
BAND = 64
"""Numbers along an axis that are made at a time: each needs but its neighbours."""


@dataclass(frozen=True)
class Added:
    """What is added to a picture of `height` x `width`."""

    height: int
    width: int
    map: np.ndarray
    """float32 [C, h, w], white as 1; C is 1 or 3."""

    def window(self, rows: slice, columns: slice) -> np.ndarray:
        """Return what is added to a part, float32 [C, rows, columns], white as 1."""
        if self.map.shape[1:] == (self.height, self.width):
            return self.map[:, rows, columns]
        return resized(self.map, (self.height, self.width), (rows, columns))

    def to(self, part: np.ndarray, rows: slice, columns: slice) -> np.ndarray:
        """Return a part of the picture, [rows, columns] or [rows, columns, C], marked.

        Channels beyond grey or RGB, as opacity, stay as they are.
        """
        added = self.window(rows, columns)
        if part.ndim == 2:
            return _summed(part, added.mean(0))
        bands = colours(part)
        if bands == 1:
            added = added.mean(0, keepdims=True)
        made = part.copy()
        made[..., :bands] = _summed(part[..., :bands], added.transpose(1, 2, 0))
        return made

    def whole(self, picture: np.ndarray) -> np.ndarray:
        """Return the picture marked, part by part."""
        made = np.empty_like(picture)
        for rows in _spans(self.height, PART):
            for columns in _spans(self.width, PART):
                made[rows, columns] = self.to(picture[rows, columns], rows, columns)
        return made


def preview(picture: np.ndarray) -> np.ndarray:
    """Return a picture as it is looked at: uint8 [h, w, 1 or 3], at most 512 px a side of a square.

    Args:
        picture: [H, W] or [H, W, C], grey, RGB, and with opacity, which is left out; uint8, uint16,
            or floats from 0 to 1.

    Raises:
        UsageError: if it is another array, or a side is under 64 px.
    """
    height, width = picture.shape[:2]
    if min(height, width) < SMALLEST:
        raise UsageError(
            f"{width} x {height} px is too small for a watermark", f"It needs {SMALLEST} px a side."
        )
    share = min(1.0, LARGEST * squares(height, width) / max(height, width))
    size = round(share * width), round(share * height)
    planes = _bytes(picture) if share > 1 / 4 else _thinned(picture, int(0.5 / share))
    if size == (width, height):
        return planes
    image = Image.fromarray(planes[..., 0] if planes.shape[2] == 1 else planes)
    small = np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    return small.reshape(size[1], size[0], -1)


def laid_under(
    seen: np.ndarray, noticeable: np.ndarray, residuals: np.ndarray, psnr: np.ndarray
) -> np.ndarray:
    """Return the map of a picture, float32 [C, h, w] with white as 1.

    Each square's residual is masked by what is just noticeable and brought to the strength that
    gives its PSNR; what would be beyond black and white does not count.

    Args:
        seen: a picture from `preview`, uint8 [h, w, C].
        noticeable: of it, [h, w].
        residuals: what the encoder gave for each of its squares, float32 [n, 3, S, S].
        psnr: of each square, in dB [n].
    """
    if seen.shape[2] == 1:
        residuals = residuals.mean(1, keepdims=True)
    made = np.empty((seen.shape[2], *seen.shape[:2]), np.float32)
    parts = zip(cut(seen), residuals, psnr, strict=True)
    for (rows, columns), residual, decibels in parts:
        part = resized(residual, (rows.stop - rows.start, columns.stop - columns.start))
        part *= noticeable[rows, columns]
        made[:, rows, columns] = _at(10 ** (-decibels / 20), part, seen[rows, columns])
    return made


def _at(deviation: float, part_CHW: np.ndarray, seen_HWC: np.ndarray) -> np.ndarray:
    """Return a part so strong that it changes the pixels by a root of the mean square.

    How much is lost beyond black and white is taken from every fourth pixel.
    """
    wanted = deviation / _deviation(part_CHW)
    some = part_CHW[:, ::2, ::2].copy()
    old = np.multiply(seen_HWC[::2, ::2].transpose(2, 0, 1), np.float32(1 / 255), order="C")
    strength = wanted
    for _ in range(2):
        changed = some * np.float32(strength)
        changed += old
        np.clip(changed, 0, 1, out=changed)
        changed -= old
        strength *= wanted * _deviation(some) / _deviation(changed)
    part_CHW *= np.float32(strength)
    return part_CHW


def _deviation(x: np.ndarray) -> float:
    return float(np.sqrt(np.square(x).mean() + 1e-20))


def squares(height: int, width: int) -> int:
    """Return how many squares stand side by side: one up to an aspect of 2."""
    aspect = max(height, width) / min(height, width)
    return round(aspect) if aspect > LONG else 1


def cut(picture: np.ndarray) -> list[tuple[slice, slice]]:
    """Return the rows and columns of each square, from the top or the left."""
    height, width = picture.shape[:2]
    count = squares(height, width)
    ends = [round(k * max(height, width) / count) for k in range(count + 1)]
    spans = [slice(a, b) for a, b in zip(ends, ends[1:], strict=False)]
    if height > width:
        return [(span, slice(0, width)) for span in spans]
    return [(slice(0, height), span) for span in spans]


def colours(picture: np.ndarray) -> int:
    """Return how many of the channels are colours, 1 or 3; the rest is opacity and the like."""
    return 3 if picture.ndim == 3 and picture.shape[2] >= 3 else 1


def resized(
    planes_CHW: np.ndarray, size: tuple[int, int], part: tuple[slice, slice] | None = None
) -> np.ndarray:
    """Return planes brought to a size, or a part of that, float32 [C, rows, columns].

    Linear interpolation, antialiased where it makes small.
    """
    rows, columns = part or (slice(0, size[0]), slice(0, size[1]))
    tall = _stretched(planes_CHW.transpose(0, 2, 1), size[0], rows).transpose(0, 2, 1)
    return _stretched(tall, size[1], columns)


def _stretched(planes_CHW: np.ndarray, after: int, place: slice) -> np.ndarray:
    """Return numbers of the last axis resized to `after`."""
    made = np.empty((*planes_CHW.shape[:2], place.stop - place.start), np.float32)
    for start in range(place.start, place.stop, BAND):
        stop = min(start + BAND, place.stop)
        taken, weights = _resampling(planes_CHW.shape[2], after, start, stop)
        band = slice(start - place.start, stop - place.start)
        np.matmul(planes_CHW[..., taken], weights, out=made[..., band])
    return made


@lru_cache(maxsize=256)
def _resampling(before: int, after: int, start: int, stop: int) -> tuple[slice, np.ndarray]:
    """Return which numbers of an axis make numbers `start` to `stop` of it, resized, and how."""
    scale = before / after
    wide = max(1.0, scale)
    centres = (np.arange(start, stop) + 0.5) * scale
    first = max(0, int(centres[0] - wide - 0.5))
    last = min(before, int(centres[-1] + wide + 0.5) + 1)
    away = (np.arange(first, last)[:, None] + 0.5 - centres) / wide
    weights = np.maximum(0, 1 - np.abs(away))
    made = (weights / weights.sum(0)).astype(np.float32)
    made.flags.writeable = False
    return slice(first, last), made


def _spans(length: int, step: int) -> list[slice]:
    return [slice(start, min(start + step, length)) for start in range(0, length, step)]


def _thinned(picture: np.ndarray, factor: int) -> np.ndarray:
    """Return the means of squares of `factor` px as `_bytes`, read strip by strip."""
    height, width = (side // factor for side in picture.shape[:2])
    made = []
    for rows in _spans(height, max(1, PART // factor)):
        part = picture[rows.start * factor : rows.stop * factor, : width * factor]
        part = _bytes(part)
        part = part.reshape(-1, factor, width, factor, part.shape[2])
        made.append(np.rint(part.mean((1, 3), dtype=np.float32)).astype(np.uint8))
    return np.concatenate(made)


def _bytes(picture: np.ndarray) -> np.ndarray:
    """Return colours as uint8 [h, w, 1 or 3]."""
    planes = picture.reshape(*picture.shape[:2], -1)[..., : colours(picture)]
    if picture.dtype == np.uint8:
        return planes
    white = white_of(picture.dtype)
    return np.rint(np.clip(planes / np.float32(white), 0, 1) * 255).astype(np.uint8)


def white_of(dtype: np.dtype) -> float:
    """Return what is white in a type of pixels.

    Raises:
        UsageError: if there are no such pictures.
    """
    if dtype.kind == "f":
        return 1.0
    if dtype in (np.uint8, np.uint16):
        return float(np.iinfo(dtype).max)
    raise UsageError(f"pixels of {dtype} cannot be marked", "Give uint8, uint16 or floats.")


def _summed(part: np.ndarray, added: np.ndarray) -> np.ndarray:
    white = white_of(part.dtype)
    if part.dtype.kind == "f":
        return (part + added).astype(part.dtype)
    made = np.rint(added * np.float32(white))
    made += part
    return np.clip(made, 0, white, out=made).astype(part.dtype)
