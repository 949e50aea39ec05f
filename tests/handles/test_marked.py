"""The mark is the same whatever the tiles, the turn and the place where pixels are kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drawing import noise
from enlarging import repeating
from signing import SAMPLED
from volute.handles.marked import ANEW, Marks
from volute.media.photo_raster import ScratchCanvas
from volute.media.raster import ArrayCanvas, ArrayRaster, Levels
from volute.media.scratch import Scratch
from volute.media.turned import TurnedCanvas
from volute.provenance import watermark
from volute.provenance.ident import ident_of

IDENT = ident_of(SAMPLED)


def raster_of(picture: np.ndarray) -> ArrayRaster:
    planes = picture.transpose(2, 0, 1)
    levels = Levels.fixed(picture.dtype, 0, np.iinfo(picture.dtype).max)
    return ArrayRaster(planes, levels, rgb=len(planes) >= 3, alpha=len(planes) in (2, 4))


def marked(picture: np.ndarray, side: int = 64, scale: int = 1) -> np.ndarray:
    """Return a picture, repeated and marked, that was made by tiles of a side."""
    height, width, bands = picture.shape
    made = np.empty((bands, scale * height, scale * width), picture.dtype)
    marks = Marks(SAMPLED, scale)
    marks.after(repeating(scale, side=side).run)(raster_of(picture), ArrayCanvas(made))
    assert marks.laid() == IDENT
    return made.transpose(1, 2, 0)


@given(side=st.integers(16, 400), height=st.integers(64, 300), width=st.integers(64, 1200))
@settings(max_examples=8, deadline=None)
def test_tiles_leave_no_trace(side: int, height: int, width: int) -> None:
    picture = noise(height, width, height)
    whole = marked(picture, side=2000)
    assert np.array_equal(marked(picture, side), whole)
    assert np.abs(whole.astype(int) - picture).max() > 0


@pytest.mark.parametrize("channels", [2, 3, 4])
def test_it_is_what_embedding_gives(channels: int) -> None:
    picture = noise(3, 200, 150, channels)
    if channels != 3:
        picture = np.dstack([picture[..., :-1], np.full((150, 200), 255, np.uint8)])
    assert np.array_equal(marked(picture), watermark.embed(picture, IDENT))


def test_enlarged_and_large_ones_are_read() -> None:
    for picture, scale in ((noise(4, 50, 40), 2), (noise(5, 900, 700), 2)):
        assert watermark.read(marked(picture, 256, scale)).ident == IDENT


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_pixels_on_disk_are_marked_as_they_are_shown(orientation: int) -> None:
    picture = noise(6, 96, 80).astype(np.uint16) * 257
    shape = picture.shape[:2] if orientation < 5 else picture.shape[1::-1]
    with Scratch(*shape, 3, picture.dtype) as scratch:
        canvas = TurnedCanvas(ScratchCanvas(scratch), orientation, *shape)
        Marks(SAMPLED).after(repeating(1).run)(raster_of(picture), canvas)
        shown = canvas.read(slice(0, 80), slice(0, 96)).numbers.transpose(1, 2, 0)
    assert np.array_equal(shown, marked(picture))


def test_what_is_no_number_stays_none() -> None:
    picture = noise(7, 100, 90).astype(np.float32) / 255
    picture[10:20, 30:40] = np.nan
    planes = picture.transpose(2, 0, 1)
    levels = Levels.fixed(np.dtype(np.float32), 0, 1)
    raster = ArrayRaster(planes, levels, rgb=True, valid=np.isfinite(planes))
    with Scratch(90, 100, 3, picture.dtype) as scratch:
        canvas = ScratchCanvas(scratch)
        Marks(SAMPLED).after(repeating(1).run)(raster, canvas)
        made = canvas.read(slice(0, 90), slice(0, 100)).numbers
    assert np.array_equal(np.isnan(made), np.isnan(planes))
    assert watermark.read(np.nan_to_num(made.transpose(1, 2, 0), nan=0.5)).ident == IDENT


def film_of(pictures: list[np.ndarray]) -> list[np.ndarray]:
    """Return what is added to each frame of a film."""
    run, found = Marks(SAMPLED).after(repeating(1).run), []
    for part, picture in enumerate(pictures):
        made = np.empty((3, *picture.shape[:2]), np.uint8)
        run(raster_of(picture), ArrayCanvas(made), part, len(pictures))
        found.append(made.transpose(1, 2, 0).astype(int) - picture)
    return found


def test_frames_of_a_shot_carry_the_same_pattern() -> None:
    first, second = (np.clip(noise(seed, 96, 80), 20, 230) for seed in (8, 9))
    still = film_of([first] * ANEW + [first + 1])
    assert all(np.array_equal(still[0], one) for one in still[:ANEW])
    assert not np.array_equal(still[0], still[ANEW])
    cut = film_of([first, first, second, second])
    assert np.array_equal(cut[0], cut[1])
    assert not np.array_equal(cut[1], cut[2])
    assert np.array_equal(cut[2], cut[3])


@pytest.mark.parametrize("shape", [(63, 90, 3), (90, 90, 5)])
def test_small_and_odd_pictures_stay(shape: tuple[int, int, int]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = np.empty((shape[2], *shape[:2]), np.uint8)
    marks = Marks(SAMPLED)
    marks.after(repeating(1).run)(raster_of(picture), ArrayCanvas(made))
    assert marks.laid() is None
    assert np.array_equal(made.transpose(1, 2, 0), picture)


def test_without_an_origin_nothing_is_done() -> None:
    run = repeating(1).run
    assert Marks(None).after(run) is run
    assert Marks(None).laid() is None
