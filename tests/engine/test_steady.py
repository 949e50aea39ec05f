"""Steady frames: noise on a still falls, nothing that moves stays behind, cuts start anew."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from realdata import real_data
from volute.engine.steady import HOLD, Steady, cut
from volute.errors import UsageError


def scene(seed: int, height: int = 96, width: int = 128, patches: int = 60) -> np.ndarray:
    """Return disks of random colours, one over the other, on a tone of their own."""
    rng = np.random.default_rng(seed)
    picture = np.full((height, width, 3), rng.integers(0, 256, 3), np.float32)
    y, x = np.mgrid[:height, :width]
    base = rng.integers(0, 200)
    for _ in range(patches):
        centre = rng.random(2) * (height, width)
        inside = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < rng.uniform(3, 30) ** 2
        picture[inside] = base + rng.integers(0, 56, 3)
    return picture.round().astype(np.uint8)


def noisy(picture: np.ndarray, rng: np.random.Generator, sigma: float = 2) -> np.ndarray:
    return np.clip(picture + rng.normal(0, sigma, picture.shape), 0, 255).round().astype(np.uint8)


@pytest.mark.parametrize("gain", [1, 3])
@pytest.mark.parametrize("bands", [1, 3])
def test_noise_on_a_still_falls_threefold(gain: int, bands: int) -> None:
    rng, steady = np.random.default_rng(0), Steady()
    still = scene(0)[:, :, :bands] // 4 + 16
    before, after = [], []
    for number in range(60):
        source = noisy(still, rng)
        made = source * np.uint8(gain)
        result = steady(source, made)
        if number >= 30:
            before.append(made)
            after.append(result)
    assert np.std(before, 0).mean() > 3 * np.std(after, 0).mean()
    flicker = [
        np.abs(np.diff(np.array(each, np.float32), axis=0)).mean() for each in (before, after)
    ]
    assert flicker[0] > 6 * flicker[1]
    assert abs(np.mean(after) - np.mean(before)) < 0.3  # no drift by rounding


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 255),
    st.integers(0, 255) | st.integers(-9, 9).map(lambda change: 100 + change),
    st.integers(1, 12),
    st.integers(6, 24),
)
def test_a_square_that_moves_leaves_no_ghost(
    ground: int, shade: int, speed: int, side: int
) -> None:
    steady = Steady()
    for left in range(0, 96, speed):
        frame = np.full((40, 96, 3), ground, np.uint8)
        frame[7 : 7 + side, left : left + side] = shade
        wrong = np.abs(steady(frame, frame).astype(int) - frame)
        assert wrong.max() <= 8  # its edges, if they are faint
        assert wrong[:, : max(left - speed - 2, 0)].max(initial=0) <= 2


def test_a_square_of_the_same_luma_leaves_no_ghost() -> None:
    steady = Steady()
    for left in range(0, 64, 3):
        frame = np.full((32, 64, 3), 128, np.uint8)
        frame[5:20, left : left + 12] = (168, 106, 138)
        assert np.abs(steady(frame, frame).astype(int) - frame).max() <= 3


@pytest.mark.parametrize(("height", "width", "left"), [(24, 1, 4), (2, 2, 4), (1, 1, 7)])
@pytest.mark.parametrize("contrast", [4, 8, 10, 20, 60, 200])
@pytest.mark.parametrize("speed", [1, 2, 3])
def test_what_is_thin_leaves_little(
    height: int, width: int, left: int, contrast: int, speed: int
) -> None:
    steady = Steady()
    for place in range(0, 70, speed):
        frame = np.full((40, 96, 3), 30, np.uint8)
        frame[7 : 7 + height, place : place + width] += np.uint8(contrast)
        wrong = np.abs(steady(frame, frame).astype(int) - frame)
        assert wrong.max() <= max(left + 6, 8)
        assert wrong[:, : max(place - speed - 2, 0)].max(initial=0) <= left


@settings(max_examples=40, deadline=None)
@given(st.floats(0.02, 12, allow_subnormal=False), st.booleans(), st.integers(0, 9))
def test_a_fade_is_followed_within_3_levels(rate: float, falls: bool, seed: int) -> None:
    steady, rng = Steady(), np.random.default_rng(seed)
    texture = rng.integers(-20, 20, (24, 24, 1)) + np.zeros((1, 1, 3))
    levels = np.arange(30, 220, rate)[:1500]
    for level in levels[::-1] if falls else levels:
        frame = np.clip(texture + level, 0, 255).round().astype(np.uint8)
        assert np.abs(steady(frame, frame).astype(int) - frame).max() <= 3


@settings(max_examples=20, deadline=None)
@given(st.floats(0.02, 12, allow_subnormal=False), st.integers(0, 2))
def test_a_fade_of_one_colour_is_followed_within_5_levels(rate: float, band: int) -> None:
    steady = Steady()
    frame = np.full((8, 8, 3), 90, np.uint8)
    for level in np.arange(30, 220, rate)[:1500]:
        frame[:, :, band] = round(float(level))
        assert np.abs(steady(frame, frame).astype(int) - frame).max() <= 5


def test_what_was_held_reaches_what_is_made() -> None:
    """Only the output changes: no change of the source opens the gate, yet the past fades away."""
    steady, still = Steady(), scene(1)
    steady(still, np.zeros_like(still))
    shown = [steady(still, np.full_like(still, 200)) for _ in range(80)]
    assert abs(int(shown[0][0, 0, 0]) - 200 * (1 - HOLD)) <= 1
    assert (shown[-1] == 200).all()


def test_a_cut_and_another_size_start_anew() -> None:
    steady, first, second = Steady(), scene(1), scene(4)
    first[:, 80:] = second[:, 80:]
    steady(first, first)
    made = np.random.default_rng(0).integers(0, 256, second.shape, np.uint8)
    assert np.array_equal(steady(second, made), made)
    assert not np.array_equal(steady(second, 255 - made), 255 - made)
    assert np.array_equal(steady(second[:-1], 255 - made[:-1]), 255 - made[:-1])
    assert np.array_equal(steady(second[:-1], made[:-1, :, :1]), made[:-1, :, :1])


def test_each_part_is_held_by_its_own_change() -> None:
    steady, still = Steady(), scene(2, 33, 151)
    steady(still, np.zeros_like(still))
    frame = still.copy()
    frame[:, 126:] = np.where(still[:, 126:] > 128, still[:, 126:] - 9, still[:, 126:] + 9)
    result = steady(frame, np.full_like(still, 100))
    assert (result[:, 126:] == 100).all()
    assert (result[:, 80:] == 100).all()  # beside what moves too
    assert (result[:, :60] == 10).all()


def blurred(frame: np.ndarray) -> np.ndarray:
    """A network that sees 45 pixels around, all alike."""
    planes = frame.astype(np.float64)
    for axis in (0, 1):
        ends = [(45, 45) if side == axis else (0, 0) for side in range(3)]
        sums = np.cumsum(np.pad(planes, ends), axis)
        length = planes.shape[axis]
        planes = np.take(sums, range(90, 90 + length), axis) - np.take(sums, range(length), axis)
        planes /= 90
    return (6 * planes).astype(np.int64).astype(np.uint8)  # one level in six starts anew at 0


def test_paint_beside_what_moves_is_new() -> None:
    steady, still = Steady(), scene(5, 160, 320)
    for left in range(20, 200, 6):
        frame = still.copy()
        frame[60:100, left : left + 40] = (230, 60, 20)
        made = blurred(frame)
        wrong = np.abs(steady(frame, made).astype(int) - made)
        near = wrong[30:130, max(left - 36, 0) : left + 70]
        assert near.max() == 0


def test_noise_opens_nothing_around_it() -> None:
    rng, steady = np.random.default_rng(0), Steady()
    still = np.full((128, 128, 1), 100, np.uint8)
    for _ in range(20):
        source = noisy(still, rng)
        shown = steady(source, source)
    assert np.abs(shown - 100.0).mean() < 0.7


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 41),
    st.integers(1, 41),
    st.integers(1, 3),
    st.sampled_from([1, 3, 4]),
    st.sampled_from(["u1", "u2", "f4"]),
)
def test_all_sizes_scales_and_kinds(
    height: int, width: int, scale: int, bands: int, dtype: str
) -> None:
    rng, steady = np.random.default_rng(0), Steady()
    source = rng.integers(0, 256, (height, width, 3), np.uint8)
    most = 1 if dtype == "f4" else np.iinfo(dtype).max
    one, two = (
        (rng.random((height * scale, width * scale, bands)) * most).astype(dtype) for _ in "12"
    )
    first = steady(source, one)
    assert first is not one
    assert np.array_equal(first, one)
    kept = one.copy(), two.copy(), source.copy()
    second = steady(source, two)
    assert second.dtype == two.dtype
    expected = two + HOLD * (one.astype(np.float64) - two)
    assert np.abs(second - expected).max() <= (1e-6 if dtype == "f4" else 0.51)
    for was, array in zip(kept, (one, two, source), strict=True):
        assert np.array_equal(was, array)


def test_a_source_in_floats_is_the_same_source() -> None:
    bytes_, floats, rng = Steady(), Steady(), np.random.default_rng(3)
    for _ in range(4):
        frame = noisy(scene(3), rng, 4)
        assert np.array_equal(bytes_(frame, frame), floats(frame / np.float32(255), frame))


def test_what_does_not_fit_is_refused() -> None:
    grey = np.zeros((8, 8, 3), np.uint8)
    for other in (np.zeros((4, 4, 3)), np.zeros((16, 8, 3)), np.zeros((12, 12, 3))):
        with pytest.raises(UsageError, match="does not fit"):
            Steady()(grey, other)
    for frame in (grey[:, :, 0], np.zeros((8, 8, 4), np.uint8)):
        with pytest.raises(UsageError, match="is no frame"):
            Steady()(frame, grey)
        with pytest.raises(UsageError, match="is no frame"):
            cut(frame, frame)


@pytest.mark.parametrize("threshold", [0, -1, float("nan"), float("inf")])
def test_what_is_no_threshold_is_refused(threshold: float) -> None:
    with pytest.raises(UsageError, match="threshold"):
        Steady(threshold)


def test_a_higher_threshold_holds_more() -> None:
    still = np.full((16, 16, 3), 100, np.uint8)
    shown = []
    for threshold in (3, 6, 12):
        steady = Steady(threshold)
        steady(still, still)
        shown.append(int(steady(still + np.uint8(4), still + np.uint8(4))[0, 0, 0]))
    assert shown[0] == 104 > shown[1] > shown[2]


def test_cuts_between_scenes_are_found() -> None:
    scenes = [scene(seed) for seed in range(14)]
    pairs = [(a, b) for a, b in itertools.permutations(scenes, 2) if abs(a.mean() - b.mean()) > 25]
    assert len(pairs) > 100
    assert all(cut(a, b) for a, b in pairs)
    black = np.zeros_like(scenes[0])
    assert all(cut(black, each) and cut(each, black) for each in scenes if each.mean() > 60)


def test_no_cut_where_the_shot_goes_on() -> None:
    rng = np.random.default_rng(0)
    for seed in range(12):
        frame = scene(seed, 180, 320)
        assert not cut(frame, frame)
        assert not cut(frame, noisy(frame, rng, 12))
        assert not cut(frame[:, :300], frame[:, 12:312])
        for exposure in (0.6, 1.25):
            assert not cut(frame, (frame * exposure).clip(0, 255).astype(np.uint8))
    assert cut(frame, frame[:-2])


def photos(side: tuple[int, int] = (960, 540)) -> list[np.ndarray]:
    paths = sorted(real_data("photos").glob("*.jpg"))[::2]
    return [np.asarray(Image.open(path).convert("RGB").resize(side)) for path in paths]


def test_no_cut_in_pans_zooms_and_flashes_of_photographs() -> None:
    flashes = []
    for photo in photos():
        picture = Image.fromarray(photo)
        for step in (4, 16, 32):  # of 640 px, a frame
            for x in range(0, 960 - 640 - step, 96):
                assert not cut(photo[90:450, x : x + 640], photo[90:450, x + step : x + step + 640])
        for zoom in (1.02, 1.1):
            x, y = 480 / zoom, 270 / zoom
            near = picture.resize((960, 540), box=(480 - x, 270 - y, 480 + x, 270 + y))
            assert not cut(photo, np.asarray(near))
        flashes.append(cut(photo, (photo * 1.3 + 40.0).clip(0, 255).astype(np.uint8)))
    assert np.mean(flashes) < 0.1


def test_cuts_between_photographs_are_found() -> None:
    shots = photos((320, 180))
    assert np.mean([cut(a, b) for a, b in itertools.permutations(shots, 2)]) > 0.9
