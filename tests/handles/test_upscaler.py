"""The handle of a super-resolution network: kinds, depths, alpha, bands, tiles."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import volute
from make_artefact import make_upscaler
from volute.engine.session import Session
from volute.errors import UsageError, VoluteError
from volute.handles import Upscaler


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Upscaler]:
    folder = tmp_path_factory.mktemp("upscalers")
    handles = {}
    for bands in (1, 3):
        make_upscaler(folder / str(bands), bands)
        handle = volute.load(folder / str(bands))
        assert isinstance(handle, Upscaler)
        handles[bands] = handle
    return handles


def picture(height: int, width: int, channels: int = 3, dtype: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(height * 1000 + width)
    values = rng.random((height, width, channels))
    return (
        values.astype(dtype)
        if dtype is np.float32
        else (values * np.iinfo(dtype).max).astype(dtype)
    )


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 260), st.integers(1, 260), st.sampled_from([np.uint8, np.uint16, np.float32]),
    st.sampled_from([1, 3]), st.integers(1, 9000),
)  # fmt: skip
def test_the_result_does_not_depend_on_the_tiles(
    models: dict[int, Upscaler], height: int, width: int, dtype: type, bands: int, pixels: int
) -> None:
    array = picture(height, width, bands, dtype)
    with patch.object(Upscaler, "_pixels", return_value=pixels):
        small = models[bands].upscale(array)
    large = models[bands].upscale(array, memory=4 << 30)
    assert small.shape == (2 * height, 2 * width, bands)
    assert small.dtype == dtype
    assert np.array_equal(small, large)


def test_less_memory_than_reckoned_gives_the_same(models: dict[int, Upscaler]) -> None:
    array = picture(90, 120, 1)
    whole = models[1].upscale(array)
    run = Session.run

    def short(self: Session, inputs: dict[str, np.ndarray]) -> np.ndarray:
        if inputs["picture"].size > 1000:
            raise MemoryError
        return run(self, inputs)

    with patch.object(Session, "run", short):
        assert np.array_equal(models[1].upscale(array), whole)
    with patch.object(Session, "run", side_effect=MemoryError), pytest.raises(VoluteError):
        models[1].upscale(array)


def test_every_kind_comes_back_as_it_went_in(models: dict[int, Upscaler], tmp_path: Path) -> None:
    array = picture(20, 30)
    made = models[3].upscale(array)
    image = models[3].upscale(Image.fromarray(array))
    assert isinstance(image, Image.Image)
    assert np.array_equal(np.asarray(image), made)
    Image.fromarray(array).save(tmp_path / "a.png")
    assert np.array_equal(np.asarray(models[3].upscale(tmp_path / "a.png")), made)
    flat = models[1].upscale(array[..., 0])
    assert flat.shape == (40, 60)


def test_sixteen_bits_stay_sixteen(models: dict[int, Upscaler]) -> None:
    array = picture(24, 24, 1, np.uint16)
    fine = models[1].upscale(array).astype(np.float64)
    coarse = models[1].upscale((array // 257).astype(np.uint8)).astype(np.float64) * 257
    assert len(np.unique(fine % 257)) > 100
    assert np.abs(fine - coarse).max() < 3 * 257


def test_any_number_of_bands_goes_band_by_band(models: dict[int, Upscaler]) -> None:
    array = picture(16, 16, 5, np.float32)
    made = models[1].upscale(array)
    for band in range(5):
        np.testing.assert_allclose(made[..., band], models[1].upscale(array[..., band]), atol=1e-6)


def test_what_is_transparent_does_not_bleed(models: dict[int, Upscaler]) -> None:
    array = np.zeros((20, 20, 4), np.uint8)
    array[:, :10] = (200, 30, 30, 255)
    hidden = array.copy()
    hidden[:, 10:, :3] = (0, 255, 0)  # a colour that nobody sees
    for model in models.values():
        assert np.array_equal(model.upscale(array), model.upscale(hidden))


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.int64), np.zeros(4), np.zeros((0, 4))])
def test_what_is_no_picture_is_refused(models: dict[int, Upscaler], array: np.ndarray) -> None:
    with pytest.raises(UsageError, match="is no picture"):
        models[1].upscale(array)
    with pytest.raises(UsageError, match="too little"):
        models[1].upscale(np.zeros((4, 4)), memory=1000)


def test_the_mean_of_three_planes_is_not_checked(
    models: dict[int, Upscaler], tmp_path: Path
) -> None:
    for how in ({"check": True}, {"faithful": True}):
        with pytest.raises(UsageError, match="three planes"):
            models[1].upscale_file("a.nii", tmp_path / "b.nii", options={"plane": "all"}, **how)
    with pytest.raises(UsageError, match="no number of threads"):
        volute.load(models[1]._artefact.path, threads=0)


def test_a_number_that_is_none_stays_alone(models: dict[int, Upscaler]) -> None:
    array = picture(20, 20, 1, np.float32)
    array[10, 10] = np.nan
    made = models[1].upscale(array)
    assert np.isnan(made).sum() == 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_file_is_enlarged_the_way_up_it_is_shown(
    models: dict[int, Upscaler], tmp_path: Path, orientation: int
) -> None:
    exif, source, out = Image.Exif(), tmp_path / "a.png", tmp_path / "b.png"
    exif[274] = orientation
    Image.fromarray(picture(21, 30)).save(source, exif=exif)
    models[3].upscale_file(source, out)
    assert Image.open(out).getexif()[274] == orientation
    scale = models[3].info.descriptor.scale
    assert Image.open(out).size == (30 * scale, 21 * scale)
    shown = volute.handles.pictures.opened(out)[0][0]
    assert np.array_equal(shown, np.asarray(models[3].upscale(source)))
