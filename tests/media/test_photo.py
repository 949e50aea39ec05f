"""Decoding one picture: every mode to the right bytes, every broken file to one named reason."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFile

from drawing import black_ink_profile, broken_files, encoded, noise, png_header
from volute.errors import DataError
from volute.media.photo import PictureError, picture_size, read_picture, to_mode


def read(image: Image.Image, form: str = "PNG", **options):
    return read_picture(encoded(image, form, **options))


PLAIN = [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)]
KEPT = [(form, *plain) for form in ("PNG", "TIFF") for plain in PLAIN]


@pytest.mark.parametrize(("form", "mode", "channels"), [*KEPT, ("WEBP", "RGB", 3)])
def test_plain_modes_come_back_exactly(form, mode, channels):
    array = noise(1, channels=channels)
    options = {"lossless": True} if form == "WEBP" else {}
    picture = read(Image.fromarray(array), form, **options)
    assert np.array_equal(picture.array, array.reshape(30, 40, channels))
    assert (picture.mode, picture.bits, picture.size) == (mode, 8, (40, 30))
    assert not any((picture.rotated, picture.animated, picture.stretched))


def test_one_bit_and_palette():
    ink = Image.fromarray(noise(2, channels=1)).convert("1")
    assert np.array_equal(read(ink).array[..., 0], np.asarray(ink).astype(np.uint8) * 255)
    assert read(ink).bits == 1
    palette = Image.fromarray(noise(3)).quantize(16)
    assert np.array_equal(read(palette).array, np.asarray(palette.convert("RGB")))
    assert np.array_equal(read(palette, "GIF").array, np.asarray(palette.convert("RGB")))


def test_transparency_of_palette_grey_and_rgb_becomes_alpha():
    palette = Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4), "L").convert("P")
    for form in ("PNG", "GIF"):
        picture = read(palette, form, transparency=5)
        assert np.flatnonzero(picture.array[..., -1] == 0).tolist() == [5]
    grey = read(Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)), transparency=3)
    assert np.flatnonzero(grey.array[..., 1] == 0).tolist() == [3]
    colour = read(Image.fromarray(noise(4)), transparency=tuple(noise(4)[0, 0].tolist()))
    assert colour.array[0, 0, 3] == 0


def test_sixteen_bits_are_scaled_not_cut():
    values = np.array([[0, 128, 257, 32768, 65407, 65535]], np.uint16)
    picture = read(Image.fromarray(values))
    assert picture.array[0, :, 0].tolist() == [0, 0, 1, 128, 255, 255]
    assert (picture.mode, picture.bits, picture.stretched) == ("I;16", 16, False)
    assert np.array_equal(read(Image.fromarray(values), "TIFF").array, picture.array)


def test_float_in_unit_range_and_beyond():
    unit = read(Image.fromarray(np.array([[0, 0.5, 1]], np.float32)), "TIFF")
    assert unit.array[0, :, 0].tolist() == [0, 128, 255]
    assert not unit.stretched
    heights = np.array([[-100, np.nan, 300, 700, np.inf]], np.float32)
    picture = read(Image.fromarray(heights), "TIFF")
    assert picture.array[0, :, 0].tolist() == [0, 0, 128, 255, 0]
    assert picture.stretched


def test_cmyk_by_formula_and_by_profile():
    ink = Image.new("CMYK", (8, 8), (0, 200, 0, 0))
    for form in ("JPEG", "TIFF"):
        assert read(ink, form).array[0, 0].tolist() == [255, 55, 255]
        assert read(ink, form, icc_profile=b"nonsense").array[0, 0].tolist() == [255, 55, 255]
        profiled = read(ink, form, icc_profile=black_ink_profile())
        assert profiled.array.min() == 255
        assert profiled.mode == "CMYK"
    half = Image.new("CMYK", (8, 8), (0, 200, 0, 128))
    grey = read(half, "TIFF", icc_profile=black_ink_profile()).array.astype(int)
    assert np.abs(grey - 119).max() <= 3


def test_lab():
    grey = Image.new("LAB", (4, 4), (128, 128, 128))
    assert np.abs(read(grey, "TIFF").array.astype(int) - 119).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_exif_orientation_is_applied(orientation, form):
    upright = Image.fromarray(noise(5))
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(undo[orientation]) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read(stored, form, exif=exif)
    assert np.array_equal(picture.array, np.asarray(upright))
    assert picture.rotated == (orientation > 1)


def test_first_frame_of_an_animation():
    frames = [Image.fromarray(noise(seed)) for seed in (6, 7, 8)]
    for form in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if form == "WEBP" else {}
        picture = read(frames[0], form, save_all=True, append_images=frames[1:], **options)
        assert picture.animated
        assert picture.array.shape[:2] == (30, 40)
        if form != "GIF":
            assert np.array_equal(picture.array, noise(6))


def test_near_decodes_a_large_jpeg_smaller_but_not_below():
    jpeg = encoded(Image.fromarray(noise(9, 1200, 800)), "JPEG", quality=95)
    reduced = read_picture(jpeg, near=90)
    assert reduced.array.shape == (100, 150, 3)
    assert reduced.size == (1200, 800)
    assert read_picture(jpeg).array.shape == (800, 1200, 3)
    assert picture_size(jpeg) == (1200, 800)


@pytest.mark.parametrize(("name", "content", "reason"), broken_files())
def test_a_broken_file_is_one_named_reason(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PictureError) as caught:
            read_picture(path)
    assert reason in caught.value.reason
    assert caught.value.what.startswith(f"{name}: ")
    assert caught.value.exit_code == 4
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


def test_the_pixel_limit_comes_before_decoding():
    with pytest.raises(PictureError, match=r"3600\.0 megapixels, over the limit of 50"):
        read_picture(png_header(60_000, 60_000))
    with pytest.raises(PictureError, match=r"50\.4 megapixels"):
        picture_size(png_header(7100, 7100))


def test_formats_outside_the_list_are_not_opened():
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nquit\n"
    with pytest.raises(PictureError, match="not a picture of a known format"):
        read_picture(eps)


MAGIC = [b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"BM", b"qoif", b""]


@given(data=st.binary(max_size=200), magic=st.sampled_from(MAGIC))
def test_any_bytes_give_a_picture_or_a_data_error(data, magic):
    with contextlib.suppress(DataError):
        assert read_picture(magic + data).array.dtype == np.uint8


@given(st.data())
def test_cut_and_flipped_files_give_a_picture_or_a_data_error(data):
    form = data.draw(st.sampled_from(["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF"]))
    content = bytearray(_SOUND[form])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(1, len(content)))]
    with contextlib.suppress(DataError):
        assert read_picture(bytes(content)).array.ndim == 3


_SOUND = {
    form: encoded(Image.fromarray(noise(10)), form)
    for form in ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP", "AVIF"]
}


def test_libtiff_keeps_off_the_screen(tmp_path):
    content = bytearray(
        encoded(Image.fromarray(noise(11)), "TIFF", compression="tiff_adobe_deflate")
    )
    content[10:60] = bytes(50)
    (tmp_path / "bad.tif").write_bytes(content)
    script = (
        "import sys, pathlib; from volute.media.photo import *\n"
        "try: read_picture(pathlib.Path(sys.argv[1]))\n"
        "except PictureError as error: print(error.reason)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", script, tmp_path / "bad.tif"], capture_output=True
    )
    assert done.stdout.startswith(b"broken TIFF")
    assert done.stderr == b""


def test_to_mode_rules():
    grey_alpha = np.array([[[100, 0], [100, 255], [100, 51]]], np.uint8)
    assert to_mode(grey_alpha, "L")[0, :, 0].tolist() == [255, 100, 224]
    assert to_mode(grey_alpha, "RGB")[0, 1].tolist() == [100, 100, 100]
    assert to_mode(grey_alpha, "RGBA")[0, 0].tolist() == [100, 100, 100, 0]
    colour = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [7, 7, 7]]], np.uint8)
    assert to_mode(colour, "L")[0, :, 0].tolist() == [76, 150, 29, 7]
    assert to_mode(colour, "RGBA")[0, 0].tolist() == [255, 0, 0, 255]


@given(seed=st.integers(0, 999), channels=st.integers(1, 4))
def test_to_mode_agrees_with_pillow_and_takes_batches(seed, channels):
    array = np.random.default_rng(seed).integers(0, 256, (5, 7, channels), np.uint8)
    for mode, wide in (("L", 1), ("RGB", 3), ("RGBA", 4)):
        made = to_mode(array, mode)
        assert made.shape == (5, 7, wide)
        assert np.array_equal(to_mode(array[None, None], mode)[0, 0], made)
    if channels == 3:
        luma = np.asarray(Image.fromarray(array).convert("L"))
        assert np.array_equal(to_mode(array, "L")[..., 0], luma)
