"""The shipped watermark outlasts what happens to pictures, and is not seen where there is none."""

from __future__ import annotations

import io
import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

import volute
from drawing import noise
from volute import zoo
from volute.errors import UsageError
from volute.handles import Marker
from volute.measure import pairs
from volute.provenance import watermark

pytestmark = pytest.mark.skipif("mark" not in zoo.shipped(), reason="mark is not shipped yet")
DATA = Path(os.environ.get("VOLUTE_DATA", "../shared/data")) / "sr_test" / "BSD100" / "hr"
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not here")
IDENT = 51966


@cache
def pictures() -> list[np.ndarray]:
    return [np.asarray(Image.open(path).convert("RGB")) for path in sorted(DATA.iterdir())[:4]]


@cache
def marked() -> list[np.ndarray]:
    return [watermark.embed(picture, IDENT) for picture in pictures()]


def saved(x: np.ndarray, form: str, **options: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(x).save(stream, form, **options)
    return np.asarray(Image.open(stream).convert("RGB"))


def half(x: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(x).resize((x.shape[1] // 2, x.shape[0] // 2)))


def corner(x: np.ndarray) -> np.ndarray:
    height, width = (round(side * 0.72) for side in x.shape[:2])
    return x[-height:, :width]


CHANGES = {
    "nothing": lambda x: x,
    "JPEG 50": lambda x: saved(x, "JPEG", quality=50),
    "WebP 80": lambda x: saved(x, "WEBP", quality=80),
    "half the size": half,
    "blur": lambda x: np.asarray(Image.fromarray(x).filter(ImageFilter.GaussianBlur(1))),
    "brighter": lambda x: np.clip(x * 1.2, 0, 255).astype(np.uint8),
    "mirrored": lambda x: x[:, ::-1],
    "a corner": corner,
    "a corner, JPEG 50": lambda x: saved(corner(x), "JPEG", quality=50),
}


@real
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_the_mark_is_read_after(change, request: pytest.FixtureRequest) -> None:
    found = [watermark.read(change(picture)) for picture in marked()]
    read = sum(one.ident == IDENT and one.p_value < 1e-6 for one in found)
    assert read >= (2 if "corner" in request.node.name else 4)


@real
def test_it_is_hardly_seen() -> None:
    pairs_of = list(zip(pictures(), marked(), strict=True))
    assert np.mean([pairs.psnr(a, b) for a, b in pairs_of]) >= 39.5
    assert np.mean([pairs.ssim(a, b) for a, b in pairs_of]) >= 0.975


@real
def test_it_is_hardly_seen_in_many() -> None:
    kinds = ("sr_test/BSD100/hr/*", "land/*/*1.jpg")
    paths = [path for kind in kinds for path in sorted(DATA.parents[2].glob(kind))[::10]]
    whole = [Image.open(path).convert("RGB") for path in paths]
    for image in whole:
        image.thumbnail((512, 512))
    pairs_of = [(np.asarray(image), watermark.embed(np.asarray(image), IDENT)) for image in whole]
    noise = [pairs.psnr(*pair) for pair in pairs_of]
    assert np.mean(noise) >= 39.5
    assert min(noise) >= 37.4
    assert np.mean([pairs.ssim(*pair) for pair in pairs_of]) >= 0.985


@real
def test_another_key_or_no_mark_gives_nothing() -> None:
    for picture, made in zip(pictures(), marked(), strict=True):
        assert watermark.read(picture).p_value > 1e-5
        assert watermark.read(made, b"another").p_value > 1e-5
        assert watermark.read(watermark.embed(picture, 1, b"mine"), b"mine").ident == 1


@real
def test_grey_deep_and_long_pictures_are_marked() -> None:
    x = pictures()[0]
    deep = x.astype(np.uint16) * 257
    long = np.concatenate([x, x[:, ::-1], x], 1)[:150]
    for picture in (x[..., 1], deep, x / 255, long, np.dstack([x, x[..., :1]])):
        found = watermark.read(watermark.embed(picture, 9))
        assert found.ident == 9
        assert found.p_value < 1e-6


@real
def test_frames_of_a_film_are_read_together() -> None:
    frames = [watermark.embed(pictures()[0][:, shift : shift + 300], 77) for shift in (0, 5, 10)]
    spoiled = [saved(frame, "JPEG", quality=20) for frame in frames]
    found = watermark.shipped().read_film(spoiled)
    assert found.ident == 77
    assert found.p_value < 1e-9


def test_flat_pictures_and_noise_have_no_mark() -> None:
    rng = np.random.default_rng(0)
    flat = [np.full((100, 100, 3), value, np.uint8) for value in (0, 128, 255)]
    for picture in [*flat, rng.integers(0, 256, (99, 130), np.uint8), noise(1, 200, 100)]:
        assert watermark.read(picture).p_value > 1e-4


def test_marking_is_the_same_each_time_and_does_not_change_what_it_is_given() -> None:
    picture = noise(4, 90, 120)
    before = picture.copy()
    first, second = watermark.embed(picture, 3), watermark.embed(picture, 3)
    assert np.array_equal(first, second)
    assert np.array_equal(picture, before)


def test_a_large_picture_is_marked_from_a_preview_part_by_part() -> None:
    picture = noise(5, 1500, 900)
    added = watermark.shipped().added(picture[::3, ::3], picture.shape[:2], 12345)
    made = picture.copy()
    for top in range(0, 900, 130):
        rows, columns = slice(top, min(900, top + 130)), slice(0, 1500)
        made[rows] = added.to(picture[rows], rows, columns)
    assert watermark.read(made).ident == 12345


def test_the_handle_takes_files_and_pictures(tmp_path: Path) -> None:
    handle = volute.load("mark")
    assert isinstance(handle, Marker)
    Image.fromarray(noise(6, 128, 128)).save(tmp_path / "a.png")
    made = handle.embed(tmp_path / "a.png", 5)
    assert isinstance(made, Image.Image)
    assert handle.read(made).ident == 5


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="too small"):
        watermark.embed(np.zeros((20, 20, 3), np.uint8), 1)
    with pytest.raises(UsageError, match="out of range"):
        watermark.embed(np.zeros((80, 80, 3), np.uint8), 1 << 16)


def test_it_weighs_3_mb_at_most() -> None:
    files = [file for file in (zoo.HERE / "mark").iterdir() if file.name != "samples.png"]
    assert sum(file.stat().st_size for file in files) <= 3e6
