"""Frames of one shot held together: what stands still does not flicker, what moves is not held.

The blend is a recursive filter with a gate on the change of the source (Dubois and Sabri 1984,
"Noise reduction in image sequences using motion-compensated temporal filtering", without the
motion compensation). The change is counted from what is *shown*, not from the frame before: a slow
fade adds up until the gate opens.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

from volute.errors import UsageError

HOLD = np.float32(0.9)
"""Share of the previous output where nothing changed: it is gone after some twenty frames."""
FIRM = 0.3
"""Share of the threshold up to which a change is taken for noise."""
FIRMLY = np.float32(0.4), np.float32(0.5)
"""Mean of the open gate in a cell: more than noise does, and from where on something moves."""
CELL, REACH = 4, 6
"""Side of a cell, in numbers of the gate (each 2 x 2 pixels), and how many cells around one in
which something moves are opened too: 48 pixels or more."""
FINE = np.float32(1 / 3)
"""Weight of a change from pixel to pixel against one of their means."""
ROWS = 32
"""How many rows are blended at a time: few enough to stay in the cache."""
THUMB = 64
"""Longest side, in pixels, of the pictures that are compared for a cut."""
BINS = 64
JUMP, STEP, ALIKE = 0.2, 15.0, 0.7
"""At a cut: least change of the histogram (share of the pixels), least mean difference (levels),
and what the correlation stays below."""


class Steady:
    """Blends what is made of each frame with what was shown before where the source stands still.

    At the default, what is shown lags behind a fade by at most 3 levels of 255 (5 in a single
    colour: colour differences count half); at most 2 are left where an object was, 4 where it was
    a line of one pixel, 7 where a point; an edge of less than 8 levels may come a frame late. That
    is for a network that keeps contrasts: what it makes larger is larger here. A shot cut or
    another size starts anew. Not for use by several threads at once.

    A network also changes what is beside an object that moves, as far as it sees. 48 pixels around
    are refreshed with it; further out old paint goes in some twenty frames. Beside a square that
    moves 6 pixels a frame, of a random network of radius 88 and levels far apart, what is shown is
    off by 0.1 levels in the mean up to 48 pixels away (55 if only what moves itself is refreshed)
    and by 2 from there to 88 (6), single pixels by any number.

    Args:
        threshold: levels of 255, of means over 4 x 4 pixels: changes from here on are shown at
            once, those below 0.3 of it are noise. 3 suits noise of a deviation up to 2 levels a
            pixel, 6 a dim camera; what lags and what is left grow with it.

    Raises:
        UsageError: for a threshold that is not a number above 0.
    """

    def __init__(self, threshold: float = 3.0) -> None:
        if not 0 < threshold < np.inf:
            what = f"threshold = {threshold} is no number above 0"
            raise UsageError(what, "Give levels of 255, such as 3.")
        self._threshold = threshold
        self._shapes: tuple[tuple[int, ...], ...] = ()
        self._thumb = np.empty(0, np.float32)
        self._luma = Image.new("L", (1, 1))
        self._seen = np.empty(0, np.float32)
        self._shown = np.empty((0, 0), np.float32)

    def __call__(self, source: np.ndarray, made: np.ndarray) -> np.ndarray:
        """Return `made`, blended with what was returned before.

        Args:
            source: the frame, [H, W, 3] or [H, W, 1]; uint8, or floats in [0, 1].
            made: what a network made of it, [k * H, k * W, C] for a whole number k; uint8 or float.

        Returns:
            A new array of the shape and dtype of `made`.

        Raises:
            UsageError: for another shape of the source, or one of `made` that does not fit it.
        """
        picture, times = _picture(source), _times(source, made)
        luma, seen = picture.convert("L"), _planes(picture.reduce(2))
        shapes, thumb = (source.shape, made.shape), _thumb(luma)
        if shapes != self._shapes or _differ(self._thumb, thumb):
            self._shapes, self._seen, result = shapes, seen, made.copy()
            self._shown = made.reshape(len(made), -1).astype(np.float32)
        else:
            hold = self._gate(seen, luma)
            self._seen -= seen
            self._seen *= hold
            self._seen += seen
            result = self._blend(made, hold, 2 * times)
        self._luma, self._thumb = luma, thumb
        return result

    def _gate(self, seen: np.ndarray, luma: Image.Image) -> np.ndarray:
        """Return the share of the past, float32 [h, w] in [0, HOLD], one for 2 x 2 pixels.

        Means of pixels have little noise, but do not see a line that moves inside them: so the
        pixels of the frame before count too, with less weight.
        """
        moved = _moved(self._seen - seen)
        fine = np.asarray(ImageChops.difference(self._luma, luma).reduce(2), np.float32)
        np.maximum(moved, fine * FINE, out=moved)
        firm = self._threshold * FIRM
        moved -= np.float32(firm)
        moved *= np.float32(1 / (self._threshold - firm))
        np.clip(moved, 0, 1, out=moved)
        moved *= moved * (3 - 2 * moved)
        return HOLD * (1 - np.maximum(moved, _around(moved)))

    def _blend(self, made: np.ndarray, hold: np.ndarray, side: int) -> np.ndarray:
        height, width, bands = made.shape
        flat, result = made.reshape(height, -1), np.empty((height, width * bands), made.dtype)
        across = np.repeat(hold, side * bands, axis=1)[:, : width * bands]
        half = np.float32(0.5 if made.dtype.kind == "u" else 0)
        step = max(ROWS // side, 1)
        for first in range(0, len(hold), step):
            part = slice(first * side, (first + step) * side)
            shown, new = self._shown[part], flat[part]
            shown -= new
            shown *= np.repeat(across[first : first + step], side, axis=0)[: len(shown)]
            shown += new
            np.add(shown, half, out=result[part], casting="unsafe")
        return result.reshape(made.shape)


def cut(previous: np.ndarray, frame: np.ndarray) -> bool:
    """Return whether `frame` belongs to another shot than `previous`.

    So it is if the histogram of the luma jumps, the pictures differ in the mean, and they do not
    correlate. Any of the three alone is no cut: a pan changes the pixels but not the histogram; a
    flash, a shadow or a step of the exposure changes both, but leaves the picture what it was. A
    flash that turns most of the frame white counts as two cuts.

    A cut between shots of much the same tones is missed (one in twenty between photographs).

    Args:
        previous: [H, W, 3] or [H, W, 1]; uint8, or floats in [0, 1].
        frame: the same; another size is a cut.

    Raises:
        UsageError: for another shape.
    """
    if previous.shape != frame.shape:
        return True
    return _differ(*(_thumb(_picture(each).convert("L")) for each in (previous, frame)))


def _picture(frame: np.ndarray) -> Image.Image:
    if frame.ndim != 3 or frame.shape[2] not in (1, 3):
        what = f"an array of shape {list(frame.shape)} is no frame"
        raise UsageError(what, "Give [H, W, 3], or [H, W, 1].")
    if frame.dtype.kind == "f":
        frame = (frame.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return Image.fromarray(frame[:, :, 0] if frame.shape[2] == 1 else frame)


def _times(source: np.ndarray, made: np.ndarray) -> int:
    """Return how many times the source's size that of what is made is."""
    rows, columns = source.shape[:2]
    times = made.shape[0] // rows
    if not times or made.shape[:2] != (times * rows, times * columns):
        what = f"{list(made.shape)} does not fit its source, {list(source.shape)}"
        raise UsageError(what, "Both sides must be the same whole multiple.")
    return times


def _planes(picture: Image.Image) -> np.ndarray:
    """Return luma, or luma and both colour differences, float32 [1 or 3, h, w] in levels."""
    bands = picture.convert("YCbCr").split() if picture.mode == "RGB" else [picture]
    return np.stack([np.asarray(band, np.float32) for band in bands])


def _thumb(luma: Image.Image) -> np.ndarray:
    """Return the luma, small, float32 [h, w] in levels."""
    return np.asarray(luma.reduce(-(-max(luma.size) // THUMB)), np.float32)


def _differ(before: np.ndarray, after: np.ndarray) -> bool:
    if np.abs(before - after).mean() < STEP:
        return False
    if np.abs(_histogram(before) - _histogram(after)).sum() / 2 < JUMP:
        return False
    before, after = before - before.mean(), after - after.mean()
    scale = np.sqrt((before**2).sum() * (after**2).sum())
    return bool((before * after).sum() <= ALIKE * scale)


def _histogram(thumb: np.ndarray) -> np.ndarray:
    """Return shares of the pixels, smoothed over five bins so that noise does not count."""
    bins = (thumb.ravel() * (BINS / 256)).astype(np.intp)
    return np.convolve(np.bincount(bins, minlength=BINS) / thumb.size, np.full(5, 0.2), "full")


def _moved(change: np.ndarray) -> np.ndarray:
    """Return the greatest mean of the four squares of 2 x 2 that a number is part of, [h, w]."""
    for axis in (1, 2):
        width = [(0, 0)] * 3
        width[axis] = (1, 1)
        change = _pairs(np.add, np.pad(change, width, mode="edge"), axis)
    most = np.abs(change, out=change).max(0)
    most *= np.float32(0.25)
    return _pairs(np.maximum, _pairs(np.maximum, most, 0), 1)


def _around(opened: np.ndarray) -> np.ndarray:
    """Return how far the gate, [h, w] in [0, 1], is open beside what moves: the same shape."""
    height, width = opened.shape
    mean, most = np.asarray(Image.fromarray(opened).reduce(CELL)), _most(opened)
    rows, columns = mean.shape
    low, high = FIRMLY
    cells = np.pad(((mean - low) / (high - low)).clip(0, 1) * most, REACH)
    cells = np.maximum.reduce([cells[y : y + rows] for y in range(2 * REACH + 1)])
    cells = np.maximum.reduce([cells[:, x : x + columns] for x in range(2 * REACH + 1)])
    size = columns * CELL, rows * CELL
    soft = Image.fromarray(cells).resize(size, Image.Resampling.BILINEAR)
    return np.asarray(soft)[:height, :width]


def _most(opened: np.ndarray) -> np.ndarray:
    """Return the greatest number of each cell."""
    height, width = opened.shape
    whole = np.pad(opened, ((0, -height % CELL), (0, -width % CELL)))
    rows = np.maximum.reduce([whole[y::CELL] for y in range(CELL)])
    return np.maximum.reduce([rows[:, x::CELL] for x in range(CELL)])


def _pairs(join: np.ufunc, array: np.ndarray, axis: int) -> np.ndarray:
    """Return each number joined with the next along the axis, one number fewer."""
    before, after = [slice(None)] * array.ndim, [slice(None)] * array.ndim
    before[axis], after[axis] = slice(None, -1), slice(1, None)
    return join(array[tuple(before)], array[tuple(after)])
