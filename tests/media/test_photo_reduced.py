"""Pictures over the limit of 50 megapixels are made small as they are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawing import noise
from volute.errors import DataError
from volute.media.photo import PictureError, read_picture
from volute.media.photo_reduced import read_reduced

ORIENTATION = 274


def large(path: Path, orientation: int = 1) -> np.ndarray:
    """Write 60 megapixels, grey, and return them, small."""
    small = noise(1, 300, 200, 1)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(small).resize((9480, 6320), Image.Resampling.NEAREST).save(path, exif=exif)
    return small


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_picture_is_read_small_and_upright(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "a.jpg"
    small = large(path, orientation)
    with pytest.raises(PictureError, match="over the limit"):
        read_picture(path)
    made = read_reduced(path, 512)
    seen = np.asarray(
        Image.fromarray(made[..., 0]).resize((300, 200) if orientation == 1 else (200, 300))
    )
    wanted = small if orientation == 1 else np.rot90(small, -1)
    assert 512 <= min(made.shape[:2]) < 600
    assert np.abs(seen.astype(int) - wanted).mean() < 2


def test_a_small_one_is_as_it_was(tmp_path: Path) -> None:
    Image.fromarray(noise(2, 90, 70)).save(tmp_path / "a.png")
    assert np.array_equal(read_reduced(tmp_path / "a.png", 512), noise(2, 90, 70))


def test_what_is_broken_is_said(tmp_path: Path) -> None:
    large(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(DataError):
        read_reduced(tmp_path / "a.jpg", 512)
    (tmp_path / "b.png").write_bytes(b"\x89PNG and then nothing")
    with pytest.raises(DataError):
        read_reduced(tmp_path / "b.png", 512)
