"""The upscalers that ship: as good as said, exact by tiles, small, without machine paths."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
from PIL import Image

import volute
from volute import zoo
from volute.handles import Upscaler

SHARED = Path(__file__).parents[3] / "shared" / "data"
DATA = Path(os.environ.get("VOLUTE_DATA", SHARED)) / "sr_test" / "Set5"
LUMA = np.array([65.481, 128.553, 24.966]) / 255
FLOORS = {
    "photo-x2": 37.4,
    "photo-x2-fast": 37.0,
    "photo-x2-robust": 36.0,
    "photo-x4": 31.2,
    "photo-x4-fast": 30.7,
}
"""PSNR in dB on luma, by the field's protocol."""


def luma(path: Path) -> np.ndarray:
    return 16 + np.asarray(Image.open(path).convert("RGB")) @ LUMA


def score(made: np.ndarray, wanted: np.ndarray, scale: int) -> float:
    inside = slice(scale, -scale)
    return 10 * float(np.log10(255**2 / np.square(made - wanted)[inside, inside].mean()))


def pairs(scale: int) -> list[tuple[Path, np.ndarray]]:
    if not DATA.exists():
        pytest.skip("Set5 is not in the shared data")
    found = []
    for small in sorted((DATA / f"x{scale}").iterdir()):
        (large,) = (DATA / "hr").glob(f"{small.stem.split('x')[0]}*")
        width, height = (scale * side for side in Image.open(small).size)
        found.append((small, luma(large)[:height, :width]))
    return found


@pytest.mark.parametrize(("scale", "known"), [(2, 33.67), (4, 28.43)])
def test_the_protocol_gives_the_published_figures_of_bicubic(scale: int, known: float) -> None:
    scores = []
    for small, wanted in pairs(scale):
        image = Image.open(small).convert("RGB")
        size = (image.width * scale, image.height * scale)
        made = 16 + np.asarray(image.resize(size, Image.Resampling.BICUBIC)) @ LUMA
        scores.append(score(made, wanted, scale))
    assert np.mean(scores) == pytest.approx(known, abs=0.01)


@pytest.mark.parametrize("name", FLOORS)
def test_they_are_as_good_as_said(name: str) -> None:
    model = volute.load(name)
    assert isinstance(model, Upscaler)
    scale = model.info.descriptor.scale
    how = {"strength": 0.0} if name.endswith("robust") else {}
    scores = {int8: [] for int8 in (False, True)[: 1 + ("int8" in model.info.graphs)]}
    for small, wanted in pairs(scale):
        for int8, found in scores.items():
            made = model.upscale(luma(small).astype(np.float32) / 255, int8=int8, **how)
            found.append(score(made.clip(0, 1) * 255, wanted, scale))
    exact, *fast = (float(np.mean(found)) for found in scores.values())
    assert exact > FLOORS[name]
    assert all(exact - other < 0.1 for other in fast)


@pytest.mark.parametrize("name", FLOORS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiles_leave_no_trace(name: str, dtype: type) -> None:
    model = volute.load(name)
    rng = np.random.default_rng(1)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 17, 3), np.uint8))
    picture = np.asarray(coarse.resize((170, 120), Image.Resampling.BICUBIC)).astype(dtype)
    picture = picture * (257 if dtype is np.uint16 else 1)
    for int8 in (False, True)[: 1 + ("int8" in model.info.graphs)]:
        whole = model.upscale(picture, int8=int8)
        with patch.object(Upscaler, "_pixels", return_value=4900):
            assert np.array_equal(model.upscale(picture, int8=int8), whole)


def test_they_are_small_and_tell_nothing_of_where_they_were_made() -> None:
    folders = [zoo.shipped()[name] for name in FLOORS]
    files = [file for folder in folders for file in folder.iterdir()]
    assert sum(file.stat().st_size for file in files) < 3 << 20
    for file in files:
        content = file.read_bytes()
        assert not any(word in content for word in (b"/tmp", b"/work", b"/root", b"/home"))
