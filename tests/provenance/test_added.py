"""What is added is the same by parts as in whole, keeps types, and is as strong as is said."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing import noise
from volute.errors import UsageError
from volute.provenance.added import Added, cut, laid_under, preview, resized, squares
from volute.provenance.visible import just_noticeable

SIDES = st.integers(64, 700)


@given(height=SIDES, width=SIDES, seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_a_window_is_a_part_of_the_whole(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    added = Added(height, width, rng.normal(size=(3, 90, 70)).astype(np.float32))
    whole = added.window(slice(0, height), slice(0, width))
    top, left = int(rng.integers(height - 1)), int(rng.integers(width - 1))
    rows = slice(top, int(rng.integers(top + 1, height)))
    columns = slice(left, int(rng.integers(left + 1, width)))
    part = added.window(rows, columns)
    assert np.allclose(part, whole[:, rows, columns], atol=1e-5)


def test_resizing_is_that_of_pillow() -> None:
    image_of = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for before, after in ((128, 300), (128, 64), (100, 100), (128, 77)):
        plane = rng.normal(size=(before, before)).astype(np.float32)
        theirs = image_of.fromarray(plane).resize((after, after), image_of.Resampling.BILINEAR)
        assert np.allclose(resized(plane[None], (after, after))[0], theirs, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(80, 70), (80, 70, 1), (80, 70, 2), (80, 70, 3), (80, 70, 4)])
def test_types_and_channels_are_kept(dtype: type, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    white = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
    picture = (rng.random(shape) * white).astype(dtype)
    seen = preview(picture)
    residual = rng.normal(size=(1, 3, 128, 128)).astype(np.float32)
    map_ = laid_under(seen, just_noticeable(seen), residual, np.array([40.0]))
    made = Added(80, 70, map_).whole(picture)
    assert made.dtype == picture.dtype
    assert made.shape == picture.shape
    if len(shape) == 3 and shape[2] in (2, 4):
        assert np.array_equal(made[..., -1], picture[..., -1])
        made, picture = made[..., :-1], picture[..., :-1]
    error = np.square((made.astype(float) - picture) / white).mean()
    assert -10 * np.log10(error) == pytest.approx(40, abs=0.6)


def test_what_is_white_stays_in_range() -> None:
    picture = np.full((64, 64, 3), 255, np.uint8)
    added = Added(64, 64, np.full((3, 64, 64), 0.02, np.float32))
    assert np.array_equal(added.whole(picture), picture)


def test_a_long_picture_is_several_squares() -> None:
    assert squares(100, 200) == 1
    assert squares(100, 201) == 2
    assert squares(1000, 100) == 10
    picture = np.zeros((64, 640, 3), np.uint8)
    parts = cut(picture)
    assert len(parts) == 10
    assert np.concatenate([picture[place] for place in parts], 1).shape == picture.shape


@pytest.mark.parametrize("shape", [(63, 64), (64, 63, 3)])
def test_less_than_64_px_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="too small"):
        preview(np.zeros(shape, np.uint8))


def test_numbers_that_are_no_picture_are_refused() -> None:
    with pytest.raises(UsageError, match="int64"):
        preview(np.zeros((64, 64, 3), np.int64))


def test_a_preview_of_a_large_picture_is_its_mean() -> None:
    large = np.kron(noise(3, 512, 512), np.ones((6, 6, 1), np.uint8))
    seen = preview(large)
    assert seen.shape == (512, 512, 3)
    assert np.abs(seen.astype(int) - noise(3, 512, 512)).mean() < 3


def test_edges_hide_more_than_even_places() -> None:
    picture = np.full((64, 64, 1), 100, np.uint8)
    even = just_noticeable(picture)
    picture[:, 32:] = 160
    edge = just_noticeable(picture)
    assert even.std() < 1e-5
    assert edge[:, 31:33].mean() > 2 * even.mean()
    assert np.allclose(edge[:, :28], even[:, :28])
