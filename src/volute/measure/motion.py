"""How steady a picture's treatment is in a film: on motion that is known exactly. NumPy.

A window moves over a still picture: that gives frames whose every pixel has a known place in the
frame before. What is done to each frame should move with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from volute.errors import UsageError

SHARPNESS = -0.5
"""Keys' parameter of the cubic kernel."""
NOISE = 2.0
"""Standard deviation of a camera's noise, of 255."""

Treat = Callable[[np.ndarray], np.ndarray]
"""Maps a frame to one of the same size, both uint8 [H, W, C]."""


@dataclass(frozen=True)
class Film:
    """Frames uint8 [side, side, C], and for each the matrix [3, 3] from its pixels to the still's.

    Pixels are (x, y, 1), counted from the middle of the first.
    """

    frames: list[np.ndarray]
    places: list[np.ndarray]


def pan(
    still: np.ndarray, side: int, step: tuple[float, float] = (3.0, 2.0), count: int = 8
) -> Film:
    """Move a window over the middle of a still by `step` = (x, y) px a frame.

    Whole numbers give frames that hold the very pixels of the still.

    Args:
        still: uint8 [H, W, C].
        side: of the square frames, in px.
        step: motion from frame to frame, in px.
        count: of frames.

    Raises:
        UsageError: if the window leaves the still, or `still` is no picture.
    """
    free = [length - side - (count - 1) * by for length, by in zip(_size(still), step, strict=True)]
    first = [np.floor(room / 2) for room in free]
    moved = [_shift(*(f + t * by for f, by in zip(first, step, strict=True))) for t in range(count)]
    return _film(still, side, moved)


def zoom(still: np.ndarray, side: int, factor: float = 1.01, count: int = 8) -> Film:
    """Grow what a window shows by `factor` a frame, from one pixel for one pixel on.

    Args and errors as of `pan`; a factor under 1 shrinks.
    """
    return _film(still, side, [_about_middle(still, side, factor**-t, 0.0) for t in range(count)])


def rotate(still: np.ndarray, side: int, degrees: float = 1.0, count: int = 8) -> Film:
    """Turn a window about its middle by `degrees` a frame; args and errors as of `pan`."""
    turns = [_about_middle(still, side, 1.0, np.deg2rad(degrees * t)) for t in range(count)]
    return _film(still, side, turns)


def temporal_error(treat: Treat, film: Film) -> float:
    """Return by how much treated frames differ from the ones before, moved: in [0, 1].

    The root mean square of made(t + 1) - warp(made(t)) over all pixels that both show (the warping
    error of Lai et al. 2018, arXiv:1808.00449, with the true flow in place of an estimate). The
    warp is cubic: detail in the result costs a little under motion by parts of a pixel, so compare
    at like sharpness, and with the error of the frames as they are.
    """
    made = [treat(frame) for frame in film.frames]
    squares = total = 0.0
    for (before, after), (old, new) in zip(pairwise(made), pairwise(film.places), strict=True):
        back = np.linalg.inv(old) @ new
        points = _points(len(after), back)
        inside = ((points >= 0) & (points <= len(after) - 1)).all(-1)
        difference = (after.astype(np.float64) - sample(before, points))[inside]
        squares += float(np.square(difference).sum())
        total += difference.size
    return float(np.sqrt(squares / total)) / 255


def flicker(treat: Treat, still: np.ndarray, count: int = 4, seed: int = 0) -> float:
    """Return by how much results of one still differ under camera noise: in [0, 1].

    The root mean square between results of successive frames, which are `still` (uint8 [H, W, C])
    with independent Gaussian noise of deviation 2 of 255. What changes nothing has 0.011.
    """
    rng = np.random.default_rng(seed)
    noisy = [still + rng.normal(0, NOISE, still.shape) for _ in range(count)]
    made = [treat(_rounded(frame)).astype(np.float64) for frame in noisy]
    squares = [np.square(b - a).mean() for a, b in pairwise(made)]
    return float(np.sqrt(np.mean(squares))) / 255


def sample(picture: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the picture [H, W, C] at points [..., 2] of (x, y), cubic (Keys 1981): float [..., C].

    Exact at whole numbers. The border's pixels go on outside.
    """
    floor = np.floor(points).astype(int)
    across, down = (_weights(points[..., axis] - floor[..., axis]) for axis in (0, 1))
    made = np.zeros((*points.shape[:-1], picture.shape[2]))
    for y, row_weight in enumerate(down):
        rows = (floor[..., 1] + y - 1).clip(0, picture.shape[0] - 1)
        for x, weight in enumerate(across):
            columns = (floor[..., 0] + x - 1).clip(0, picture.shape[1] - 1)
            made += (row_weight * weight)[..., None] * picture[rows, columns]
    return made


def _weights(part: np.ndarray) -> list[np.ndarray]:
    """Return the weights of the four pixels around a place `part` px after the second."""
    a = SHARPNESS
    found = []
    for distance in (1 + part, part, 1 - part, 2 - part):
        near = (a + 2) * distance**3 - (a + 3) * distance**2 + 1
        far = a * (distance**3 - 5 * distance**2 + 8 * distance - 4)
        found.append(np.where(distance <= 1, near, far))
    return found


def _film(still: np.ndarray, side: int, places: list[np.ndarray]) -> Film:
    corners = np.array([[x, y, 1.0] for x in (0, side - 1) for y in (0, side - 1)])
    reached = np.concatenate([(corners @ place.T)[:, :2] for place in places])
    limit = np.array(_size(still)) - 1
    if (reached < -1e-6).any() or (reached > limit + 1e-6).any():
        width, height = _size(still)
        hint = "Give a larger picture, a smaller window, or less motion."
        raise UsageError(f"the window of {side} px leaves the still of {width} x {height} px", hint)
    return Film([_rounded(sample(still, _points(side, place))) for place in places], places)


def _points(side: int, place: np.ndarray) -> np.ndarray:
    """Return where the pixels of a frame lie, [side, side, 2] of (x, y)."""
    y, x = np.mgrid[:side, :side]
    found = np.stack([x, y, np.ones_like(x)], -1) @ place.T
    # A matrix of whole numbers gives them but for rounding, after it was inverted.
    return found[..., :2].round(9)


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])


def _about_middle(still: np.ndarray, side: int, scale: float, angle: float) -> np.ndarray:
    """Return the matrix of a window in the middle of `still`, scaled and turned about its own."""
    width, height = _size(still)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.eye(3)
    matrix[:2, :2] = turn
    middle = (side - 1) / 2
    to_still = _shift((width - side) // 2 + middle, (height - side) // 2 + middle)
    return to_still @ matrix @ _shift(-middle, -middle)


def _size(still: np.ndarray) -> tuple[int, int]:
    """Return width and height.

    Raises:
        UsageError: if it is no uint8 [H, W, C].
    """
    if still.ndim != 3 or still.dtype != np.uint8:
        raise UsageError(f"a still is uint8 [H, W, C], not {still.dtype} {list(still.shape)}")
    return still.shape[1], still.shape[0]


def _rounded(x: np.ndarray) -> np.ndarray:
    return x.round().clip(0, 255).astype(np.uint8)
