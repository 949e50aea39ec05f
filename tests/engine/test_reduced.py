"""What is measured of a picture: its colours, small, whatever its size, bands and holes."""

from __future__ import annotations

import numpy as np
import pytest

from volute.engine.reduced import AT_ONCE, GRAIN, grained, reduced
from volute.media.raster import ArrayRaster, Levels

BYTES = Levels.fixed(np.dtype(np.uint8), 0, 255)


def raster(array_HWC: np.ndarray, **kind: object) -> ArrayRaster:
    bands = array_HWC.shape[2]
    how = {"rgb": bands > 2, "alpha": bands in (2, 4), **kind}
    return ArrayRaster(array_HWC.transpose(2, 0, 1), BYTES, **how)  # type: ignore[arg-type]


def pixels(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_a_small_picture_is_taken_as_it_is() -> None:
    array = pixels(48, 64, 3)
    made = reduced(raster(array), 512 * 512, 8)
    np.testing.assert_allclose(made, array.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (5, 3), (1, 4000), (3000, 7), (900, 1300), (33, 50_000)]
)
def test_any_size_becomes_a_small_one_of_whole_multiples(height: int, width: int) -> None:
    made = reduced(raster(pixels(height, width, 3)), 256 * 256, 8)
    assert made.shape[0] == 3
    assert all(side % 8 == 0 and side >= 16 for side in made.shape[1:])
    assert made.shape[1] * made.shape[2] <= 1.2 * 256 * 256
    assert np.isfinite(made).all()


def test_squares_become_their_mean_however_much_is_read_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    array = pixels(640, 960, 3)
    expected = array.reshape(160, 4, 240, 4, 3).mean((1, 3)).transpose(2, 0, 1) / 127.5 - 1
    for at_once in (AT_ONCE, 5000):
        monkeypatch.setattr("volute.engine.reduced.AT_ONCE", at_once)
        made = reduced(raster(array), 160 * 240, 8)
        np.testing.assert_allclose(made, expected, atol=1e-5)


def test_grey_is_repeated() -> None:
    made = reduced(raster(pixels(32, 32, 1)), 512, 8)
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2])


def test_what_is_not_seen_does_not_count() -> None:
    array = pixels(64, 64, 4)
    array[..., 3] = 255
    array[:, 30:50, 3] = 0
    other = array.copy()
    other[:, 30:50, :3] = 255 - other[:, 30:50, :3]
    one, two = (reduced(raster(each), 32 * 32, 8) for each in (array, other))
    assert np.array_equal(one, two)
    valid = np.ones((1, 64, 64), bool)
    valid[:, 10:20] = False
    holed = array[..., :3].copy()
    holed[10:20] = 0
    made = reduced(raster(holed, valid=valid), 64 * 64, 8)
    assert np.isfinite(made).all()
    assert abs(made[:, 10:20].mean() - made[:, 20:].mean()) < 0.15


def test_only_what_is_plain_gets_grain_and_always_the_same() -> None:
    rich = reduced(raster(pixels(64, 64, 3)), 64 * 64, 8)
    assert grained(rich) is rich
    for level in (-1, 0.5):
        plain = np.full((3, 64, 80), level, np.float32)
        made = grained(plain)
        assert made.std() == pytest.approx(GRAIN, rel=0.02)
        assert np.abs(np.corrcoef(made.reshape(3, -1)) - np.eye(3)).max() < 0.05
        assert made.mean() == pytest.approx(level, abs=1e-3)
        assert np.array_equal(made, grained(plain))
