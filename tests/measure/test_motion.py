"""Known motion: what moves with the picture has no error, what does not has."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing import noise
from volute.errors import UsageError
from volute.measure.motion import Film, flicker, pan, rotate, sample, temporal_error, zoom

SIDE = 40
RANDOM = np.random.default_rng(0).integers(0, 256, (72, 80, 3), np.uint8)


def smooth(channels: int = 3) -> np.ndarray:
    return noise(3, 80, 72, channels).reshape(72, 80, channels)


def nothing(frame: np.ndarray) -> np.ndarray:
    return frame


def negative(frame: np.ndarray) -> np.ndarray:
    """Commutes with any motion."""
    return 255 - frame


def in_place(frame: np.ndarray) -> np.ndarray:
    """Paints stripes that do not move: what a shower door does."""
    x = np.arange(frame.shape[1])
    return (frame // 2 + (x // 3 % 2 * 100)[:, None]).astype(np.uint8)


def levelled(frame: np.ndarray) -> np.ndarray:
    """Stretches by the frame's own statistics, as instance normalisation does."""
    low, high = frame.min(), frame.max()
    return ((frame - low) * (255.0 / (high - low))).astype(np.uint8)


whole = st.integers(-4, 4)


@settings(max_examples=15, deadline=None)
@given(whole, whole)
def test_pixelwise_functions_have_no_error_under_whole_pixel_pans(x: int, y: int) -> None:
    film = pan(RANDOM, SIDE, (x, y), count=5)
    assert temporal_error(nothing, film) == temporal_error(negative, film) == 0


@settings(max_examples=10, deadline=None)
@given(whole.filter(bool), whole)
def test_a_pattern_in_place_has_an_error(x: int, y: int) -> None:
    assert temporal_error(in_place, pan(smooth(), SIDE, (x, y), count=3)) > 0.02


def test_whole_pixel_pans_hold_the_pixels_of_the_still() -> None:
    film = pan(RANDOM, SIDE, (3, -2), count=4)
    for (before, after), place in zip(pairwise(film.frames), film.places[1:], strict=True):
        assert np.array_equal(before[:-2, 3:], after[2:, :-3])
        left, top = place[:2, 2].astype(int)
        assert np.array_equal(after, RANDOM[top : top + SIDE, left : left + SIDE])


@pytest.mark.parametrize("make", [pan, zoom, rotate])
def test_smooth_pictures_move_with_little_error_and_patterns_in_place_with_much(make) -> None:
    film = make(smooth(), SIDE)
    assert temporal_error(nothing, film) < 0.004
    assert temporal_error(in_place, film) > 0.02


def test_statistics_of_each_frame_make_an_error() -> None:
    film = pan(smooth(), SIDE, (2, 1))
    assert temporal_error(nothing, film) == 0 < 0.001 < temporal_error(levelled, film)


def test_frames_of_independent_noise_differ_by_its_known_size() -> None:
    rng = np.random.default_rng(1)
    film = pan(smooth(), SIDE, (2, 1))

    def rough(frame: np.ndarray) -> np.ndarray:
        return (128 + rng.normal(0, 20, frame.shape)).clip(0, 255).astype(np.uint8)

    assert temporal_error(rough, film) == pytest.approx(20 * 2**0.5 / 255, rel=0.05)


def test_the_error_of_a_known_step() -> None:
    frames = [np.full((8, 8, 1), value, np.uint8) for value in (100, 110, 130)]
    film = Film(frames, [np.eye(3)] * 3)
    assert temporal_error(nothing, film) == pytest.approx(((10**2 + 20**2) / 2) ** 0.5 / 255)


def test_zoom_shows_the_same_point_in_the_middle_and_grows() -> None:
    ramp = np.repeat(np.arange(80, dtype=np.uint8)[None, :, None], 72, 0)
    first, *_, last = zoom(ramp, 41, 1.05, count=5).frames
    assert first[20, 20, 0] == last[20, 20, 0]
    slopes = [int(frame[20, -1, 0]) - int(frame[20, 0, 0]) for frame in (first, last)]
    assert slopes == pytest.approx([40, 40 * 1.05**-4], abs=1)


def test_a_quarter_turn_is_a_quarter_turn() -> None:
    first, last = rotate(RANDOM, 30, 90.0, count=2).frames
    assert np.array_equal(last, np.rot90(first)) or np.array_equal(last, np.rot90(first, -1))


@settings(max_examples=20, deadline=None)
@given(st.floats(1, 5, allow_subnormal=False), st.floats(1, 5, allow_subnormal=False))
def test_cubic_sampling_is_exact_on_planes(x: float, y: float) -> None:
    rows, columns = np.indices((8, 8))
    plane = (10 + 3 * columns - 2 * rows).astype(float)[..., None]
    assert sample(plane, np.array([x, y]))[0] == pytest.approx(10 + 3 * x - 2 * y)


def test_flicker_of_what_changes_nothing_is_that_of_the_noise() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    wanted = (2 * (2**2 + 1 / 12)) ** 0.5 / 255
    assert flicker(nothing, grey) == pytest.approx(wanted, rel=0.03)
    assert flicker(lambda frame: grey, grey) == 0
    assert flicker(nothing, grey) == flicker(nothing, grey) != flicker(nothing, grey, seed=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: pan(RANDOM, SIDE, (9, 0)),
        lambda: pan(RANDOM, 73, (0, 0), count=1),
        lambda: zoom(RANDOM, 72, 0.9),
        lambda: rotate(RANDOM, 70, 20),
    ],
)
def test_a_window_must_stay_inside(make) -> None:
    with pytest.raises(UsageError, match=r"leaves the still of 80 x 72 px"):
        make()


@pytest.mark.parametrize("still", [RANDOM[..., 0], RANDOM / 255])
def test_a_still_is_an_8_bit_picture(still: np.ndarray) -> None:
    with pytest.raises(UsageError, match="a still is uint8"):
        pan(still, SIDE)
