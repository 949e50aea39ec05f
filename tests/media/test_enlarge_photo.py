"""Enlarging photographs: every depth and format as it was, metadata kept, broken files refused."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from drawing import black_ink_profile, broken_files, encoded, noise, png_header
from enlarging import repeating
from realdata import real_data
from volute.errors import DataError, UsageError, VoluteError
from volute.media import scratch as scratch_module
from volute.media.enlarge_photo import enlarge, suffix
from volute.media.raster import Work
from volute.media.scratch import Piece, Scratch

XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-'
    b'syntax-ns#"><rdf:Description xmlns:tiff="t" xmlns:exif="e" tiff:ImageWidth="40" '
    b"exif:PixelXDimension='40'><tiff:ImageLength>30</tiff:ImageLength>"
    b"<exif:PixelYDimension>30</exif:PixelYDimension></rdf:Description></rdf:RDF></x:xmpmeta>"
)


def made(source: Path, ending: str = "", scale: int = 2) -> tuple[Path, list[str]]:
    folder = source.parent / "made"
    folder.mkdir(exist_ok=True)
    target = folder / f"made{ending or suffix(source)}"
    notes = enlarge(source, target, repeating(scale))
    assert list(folder.iterdir()) == [target]
    return target.rename(source.with_name(f"made-{source.stem}{target.suffix}")), notes


def pixels(path: Path) -> np.ndarray:
    image: object = pyvips.Image.new_from_file(str(path))
    return image.numpy().reshape(image.height, image.width, image.bands)


def repeated(array: np.ndarray, scale: int = 2) -> np.ndarray:
    array = array if array.ndim == 3 else array[:, :, None]
    return array.repeat(scale, 0).repeat(scale, 1)


def written(path: Path, array: np.ndarray, interpretation: str, **options) -> Path:
    pyvips.Image.new_from_array(array, interpretation=interpretation).write_to_file(
        str(path), **options
    )
    return path


def saved(path: Path, image: Image.Image, **options) -> Path:
    image.save(path, **options)
    return path


def colours(bands: int, dtype: str) -> str:
    if dtype == "uint16":
        return "rgb16" if bands > 2 else "grey16"
    return ("scrgb" if dtype == "float32" else "srgb") if bands > 2 else "b-w"


KEPT = [
    (ending, bands, dtype)
    for ending, dtypes in ((".png", ("uint8", "uint16")), (".tif", ("uint8", "uint16", "float32")))
    for bands in (1, 2, 3, 4)
    for dtype in dtypes
]


@pytest.mark.parametrize(("ending", "bands", "dtype"), KEPT)
def test_depth_and_bands_stay_and_pixels_are_exact(tmp_path, monkeypatch, ending, bands, dtype):
    monkeypatch.setattr(scratch_module, "PIECE", 1500)  # several pieces, several files
    monkeypatch.setattr(scratch_module, "LARGEST", 4000)
    high = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    array = (np.random.default_rng(0).random((30, 40, bands)) * high).astype(dtype)
    source = written(tmp_path / f"a{ending}", array, colours(bands, dtype))
    flags = []
    work = repeating(2)

    def run(raster, canvas, part=0, parts=1):
        flags.append((raster.rgb, raster.alpha, float(raster.levels.white)))
        work.run(raster, canvas, part, parts)

    target = tmp_path / f"b{ending}"
    assert enlarge(source, target, Work(2, run, "m 1")) == []
    assert flags == [(bands > 2, bands in (2, 4), high)]
    got = pixels(target)
    assert got.dtype == dtype
    tolerance = 1e-6 if dtype == "float32" else 0
    np.testing.assert_allclose(got, repeated(array), rtol=0, atol=tolerance)


@given(
    st.integers(1, 60),
    st.integers(1, 60),
    st.integers(1, 4),
    st.sampled_from(["uint8", "uint16"]),
    st.integers(1, 4),
    st.sampled_from([".png", ".tif"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_size_comes_out_exact(height, width, bands, dtype, scale, ending):
    array = np.random.default_rng(height * 61 + width).integers(
        0, np.iinfo(dtype).max, (height, width, bands), dtype, endpoint=True
    )
    with tempfile.TemporaryDirectory() as folder:
        source = written(Path(folder) / f"a{ending}", array, colours(bands, dtype))
        target, _ = made(source, scale=scale)
        assert np.array_equal(pixels(target), repeated(array, scale))


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".tif", ".avif"])
@pytest.mark.parametrize("size", [(1, 1), (1, 70), (70, 1)])
def test_thin_pictures(tmp_path, ending, size):
    source = saved(tmp_path / f"a{ending}", Image.new("RGB", size, (200, 40, 90)))
    got = pixels(made(source)[0])
    assert got.shape == (2 * size[1], 2 * size[0], 3)
    assert np.abs(got - np.array([200.0, 40, 90])).max() < 8


def test_one_bit_and_palette_become_whole_colours(tmp_path):
    ink = Image.fromarray(noise(2, channels=1)).convert("1")
    got = pixels(made(saved(tmp_path / "a.png", ink))[0])
    assert np.array_equal(got, repeated(np.asarray(ink).astype(np.uint8) * 255))
    palette = Image.fromarray(noise(3)).quantize(16)
    got = pixels(made(saved(tmp_path / "p.png", palette))[0])
    assert np.array_equal(got, repeated(np.asarray(palette.convert("RGB"))))
    clear = saved(tmp_path / "c.png", palette, transparency=3)
    assert np.array_equal(
        pixels(made(clear)[0])[..., 3] == 0, repeated(np.asarray(palette) == 3)[..., 0]
    )


def test_lossless_webp_stays_lossless_and_lossy_does_not(tmp_path):
    image = Image.fromarray(noise(4, channels=4))
    source = saved(tmp_path / "a.webp", image, lossless=True, exact=True)
    target, _ = made(source)
    assert np.array_equal(pixels(target), repeated(np.asarray(image)))
    lossy = saved(tmp_path / "b.webp", image.convert("RGB"), quality=80)
    assert b"VP8L" not in made(lossy)[0].read_bytes()[:400]


def test_avif_of_ten_bits_stays_so(tmp_path):
    array = (noise(5).astype(np.uint16)) * 257
    image: object = pyvips.Image.new_from_array(array, interpretation="rgb16")
    source = tmp_path / "a.avif"
    image.heifsave(str(source), compression="av1", bitdepth=10, Q=95)
    target, _ = made(source)
    result = pyvips.Image.new_from_file(str(target))
    assert (result.format, result.get("bits-per-sample")) == ("ushort", 10)
    assert np.abs(result.numpy() - repeated(pixels(source)).astype(float)).mean() < 400


def test_floats_of_another_range_are_measured_and_holes_stay_holes(tmp_path):
    array = np.random.default_rng(1).normal(300, 90, (30, 40, 1)).astype(np.float32)
    array[4, 5], array[9, 2] = np.nan, np.inf
    target, _ = made(written(tmp_path / "a.tif", array, "b-w"))
    expected = repeated(np.where(np.isfinite(array), array, np.nan))
    np.testing.assert_allclose(pixels(target), expected, rtol=1e-4)
    with pytest.raises(DataError, match="no finite number"):
        made(written(tmp_path / "b.tif", np.full((3, 3), np.nan, np.float32), "b-w"))


def test_wide_integers_with_sign(tmp_path):
    array = np.random.default_rng(2).integers(-(10**6), 10**6, (20, 20, 1)).astype(np.int32)
    target, _ = made(written(tmp_path / "a.tif", array, "b-w"))
    assert pixels(target).dtype == np.int32
    assert np.abs(pixels(target) - repeated(array).astype(float)).max() <= 1


def test_inks_become_srgb_by_their_profile(tmp_path):
    ink = Image.new("CMYK", (8, 8), (0, 200, 0, 0))
    plain, notes = made(saved(tmp_path / "a.jpg", ink))
    assert notes == ["CMYK became sRGB by a usual profile"]
    red, green, blue = pixels(plain)[0, 0]
    assert red > green + 100
    assert red > blue
    profile = black_ink_profile()
    target, notes = made(saved(tmp_path / "b.tif", ink, icc_profile=profile))
    assert notes == ["CMYK became sRGB by its colour profile"]
    assert pixels(target)[0, 0].min() > 250
    name = ImageCms.ImageCmsProfile(io.BytesIO(Image.open(target).info["icc_profile"]))
    assert "RGB" in ImageCms.getProfileName(name)


def test_cie_colours_become_srgb(tmp_path):
    array = noise(6)
    image: object = pyvips.Image.new_from_array(array, interpretation="srgb")
    image.colourspace("lab").write_to_file(str(tmp_path / "a.tif"))
    target, notes = made(tmp_path / "a.tif")
    assert notes == ["CIE colours became sRGB, 16 bit"]
    assert np.abs(pixels(target) / 257 - repeated(array)).max() < 1
    image.colourspace("labq").write_to_file(str(tmp_path / "b.tif"))
    target, notes = made(tmp_path / "b.tif")
    assert notes == ["CIE colours became sRGB"]
    assert np.abs(pixels(target) - repeated(array).astype(float)).mean() < 4


def told() -> Image.Exif:
    exif = Image.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112], exif[0x8298] = "Acme", "One", 6, "me"
    exif[0x0100], exif[0x0101] = 40, 30
    inner = exif.get_ifd(0x8769)
    inner |= {0xA002: 40, 0xA003: 30, 0x9003: "2020:01:02 03:04:05", 0x927C: b"MAKER" * 9}
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[2] = (48.0, 12.0, 30.5)
    return exif


FORMS = [".jpg", ".png", ".webp", ".tif", ".avif"]


@pytest.mark.parametrize("ending", FORMS)
@pytest.mark.parametrize("into", FORMS)
def test_metadata_goes_along_with_sizes_corrected(tmp_path, ending, into):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = told()
    if ending == ".tif":
        exif[700] = XMP
    options = {"exif": exif.tobytes(), "icc_profile": profile}
    if ending in (".jpg", ".webp", ".avif"):
        options["xmp"] = XMP
    image = Image.fromarray(noise(7))
    source = saved(tmp_path / f"a{ending}", image, **options)
    target, notes = made(source, into)
    assert notes == []
    result = Image.open(target)
    exif = result.getexif()
    assert (exif[0x010F], exif[0x0110], exif[0x8298]) == ("Acme", "One", "me")
    assert exif[0x0131] == "repeat 0.1.0"
    turned = ending == ".avif"  # it is turned by its own mark, which the decoder obeys
    if ".avif" not in (ending, into):
        assert exif[0x0112] == 6
    width, height = (60, 80) if turned else (80, 60)
    assert result.size in ((width, height), (height, width))
    inner = exif.get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == (width, height)
    assert inner[0x9003] == "2020:01:02 03:04:05"
    assert inner[0x927C] == b"MAKER" * 9
    assert exif.get_ifd(0x8825)[2] == (48.0, 12.0, 30.5)
    assert exif.get(0x0100, width) == width
    assert result.info["icc_profile"] == profile
    if ending != ".png":
        xmp = pyvips.Image.new_from_file(str(target)).get("xmp-data")
        assert (xmp.count(b"80"), xmp.count(b"60")) == (2, 2)
        assert b"40" not in xmp
        assert b"30" not in xmp


def test_resolution_comments_and_exif_of_a_turned_picture_display_as_before(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 8
    source = saved(tmp_path / "a.jpg", Image.fromarray(noise(8)), dpi=(300, 300), exif=exif)
    result = Image.open(made(source)[0])
    assert result.info["dpi"] == (300, 300)
    assert result.size == (80, 60)
    assert result.getexif()[0x0112] == 8
    assert result.info.get("progressive") is None


def test_only_the_first_of_several_pictures_with_a_note(tmp_path):
    images = [Image.fromarray(noise(seed)) for seed in (1, 2)]
    for ending, said in ((".gif", "of 2"), (".webp", "of 2"), (".tif", "of 2"), (".png", "anim")):
        source = tmp_path / f"a{ending}"
        images[0].save(source, save_all=True, append_images=images[1:])
        target, notes = made(source)
        assert len(notes) == 1
        assert said in notes[0]
        assert target.suffix == (".png" if ending == ".gif" else ending)
        assert pixels(target).shape[:2] == (60, 80)


@pytest.mark.parametrize(
    ("form", "name"), [("BMP", "a.bmp"), ("PPM", "a.ppm"), ("JPEG2000", "a.jp2")]
)
def test_what_pillow_reads(tmp_path, form, name):
    (tmp_path / name).write_bytes(encoded(Image.fromarray(noise(9)), form))
    assert suffix(tmp_path / name) == ".png"
    target, notes = made(tmp_path / name)
    assert notes == []
    assert np.array_equal(pixels(target), repeated(noise(9)))


def test_endings_follow_the_content(tmp_path):
    image = Image.fromarray(noise(1))
    assert suffix(saved(tmp_path / "A.JPEG", image, format="JPEG")) == ".JPEG"
    assert suffix(saved(tmp_path / "b.png", image, format="JPEG")) == ".jpg"
    assert suffix(saved(tmp_path / "[1](x).tiff", image, format="TIFF")) == ".tiff"
    assert made(tmp_path / "[1](x).tiff")[0].exists()


def refused(source: Path, ending: str, scale: int = 2) -> str:
    def run(raster, canvas, part=0, parts=1):
        raise AssertionError("work was begun")

    with pytest.raises(UsageError) as caught:
        enlarge(source, source.parent / f"made{ending}", Work(scale, run, "m 1"))
    assert not (source.parent / f"made{ending}").exists()
    return caught.value.what


def test_what_a_format_cannot_hold_is_said_before_any_work(tmp_path):
    clear = saved(tmp_path / "a.png", Image.fromarray(noise(1, channels=4)))
    assert "JPEG has no transparency" in refused(clear, ".jpg")
    deep = written(tmp_path / "d.png", noise(1).astype(np.uint16), "rgb16")
    for ending in (".jpg", ".webp", ".avif"):
        assert "16-bit integers" in refused(deep, ending)
    unit = written(tmp_path / "f.tif", np.zeros((4, 4, 3), np.float32), "scrgb")
    assert "PNG cannot hold its depth (32-bit floating point)" in refused(unit, ".png")
    long = saved(tmp_path / "l.png", Image.new("L", (17_000, 1)))
    assert "JPEG holds 65,500 pixels a side, not 68,000" in refused(long, ".jpg", 4)
    assert "WebP holds 16,383" in refused(long, ".webp")
    assert "AVIF holds 16,384" in refused(long, ".avif")
    assert "not written as .xyz" in refused(long, ".xyz")
    with pytest.raises(UsageError, match="no option 'plane'"):
        enlarge(long, tmp_path / "o.png", repeating(2, {"plane": "x"}))


def test_damaged_files_are_refused_in_one_line(tmp_path):
    cases = [(name, content) for name, content, _ in broken_files()]
    for form, ending in (
        ("JPEG", "jpg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("TIFF", "tif"),
        ("AVIF", "avif"),
        ("GIF", "gif"),
    ):
        whole = encoded(Image.fromarray(noise(1, 300, 200)), form)
        cases += [
            (f"cut-{share}.{ending}", whole[: int(len(whole) * share)]) for share in (0.3, 0.9)
        ]
    wrong = bytearray(
        encoded(
            Image.fromarray(np.random.default_rng(0).integers(0, 256, (99, 99, 3), np.uint8)),
            "JPEG",
        )
    )
    wrong[5000:5100] = b"\xff\0" * 50  # no code is made of ones alone
    cases.append(("wrong.jpg", bytes(wrong)))
    for name, content in cases:
        source = tmp_path / name
        source.write_bytes(content)
        with pytest.raises(DataError) as caught:
            made(source)
        assert caught.value.what.startswith(f"{source}: "), name
        assert "\n" not in caught.value.what
    bomb = tmp_path / "bomb.png"
    bomb.write_bytes(png_header(60_000, 60_000))
    with pytest.raises(DataError, match="3,600 megapixels, over the limit of 1,000"):
        made(bomb)
    with pytest.raises(DataError, match="No such file"):
        suffix(tmp_path / "absent.png")


def test_what_stops_the_work_passes_through_and_leaves_nothing(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    source = saved(tmp_path / "a.png", Image.fromarray(noise(1)))
    for error in (MemoryError(), KeyboardInterrupt(), VoluteError("stop")):

        def run(raster, canvas, part=0, parts=1, error=error):
            raise error

        with pytest.raises(type(error)) as caught:
            enlarge(source, tmp_path / "b.png", Work(2, run, "m 1"))
        assert caught.value is error
    assert list(scratch.iterdir()) == []
    assert not (tmp_path / "b.png").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("ending", FORMS)
def test_a_full_disk_is_named_by_its_number(tmp_path, ending):
    source = saved(tmp_path / "a.png", Image.fromarray(noise(1, 400, 300)))
    full = tmp_path / f"full{ending}"
    full.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as caught:
        enlarge(source, full, repeating(2))
    assert caught.value.errno == 28


def test_no_room_in_the_temporary_folder_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    with pytest.raises(VoluteError, match="cannot write to the temporary folder"):
        Scratch(3, 3, 1, np.dtype(np.uint8))


def read_piece(piece: Piece, row_bytes: int) -> bytes:
    content = Path(piece.path).read_bytes()
    return content[piece.offset : piece.offset + piece.height * row_bytes]


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_scratch_is_an_array(data):
    height, width, bands = (data.draw(st.integers(1, top)) for top in (20, 20, 4))
    array = np.zeros((bands, height, width), np.uint16)
    with (
        mock.patch.object(scratch_module, "PIECE", data.draw(st.integers(1, 500))),
        mock.patch.object(scratch_module, "LARGEST", data.draw(st.integers(1, 2000))),
        Scratch(height, width, bands, array.dtype) as scratch,
    ):
        for number in range(1, 5):
            top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
            rows = slice(top, data.draw(st.integers(top + 1, height)))
            columns = slice(left, data.draw(st.integers(left + 1, width)))
            part = np.arange(array[:, rows, columns].size).reshape(array[:, rows, columns].shape)
            part = (part * number).astype(np.uint16)
            array[:, rows, columns] = part
            scratch.write(rows, columns, part)
            assert np.array_equal(scratch.read(rows, columns), part)
        assert np.array_equal(scratch.read(slice(0, height), slice(0, width)), array)
        pieces = b"".join(read_piece(piece, scratch.row_bytes) for piece in scratch.pieces())
        assert pieces == array.transpose(1, 2, 0).tobytes()
        assert len({piece.height for piece in scratch.pieces()[:-1]}) < 2
        strips = [scratch.read(rows, slice(0, width)) for rows in scratch.strips(100)]
        assert np.array_equal(np.concatenate(strips, 1), array)


SCRIPT = """
import collections, json, pathlib, sys
from enlarging import repeating
from volute.errors import DataError
from volute.media import scratch as scratch_module
from volute.media.enlarge_photo import enlarge, suffix
files = [pathlib.Path(line) for line in sys.stdin.read().splitlines()]
count, lines = collections.Counter(), []
for file in files:
    try:
        enlarge(file, pathlib.Path(sys.argv[1]) / ("made" + suffix(file)), repeating(2))
        count["made"] += 1
    except DataError as error:
        count["refused"] += 1
        lines.append(error.what)
peak = int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
print(json.dumps({"count": count, "lines": lines, "peak_kb": peak}))
"""


def run_script(files: list[Path], folder: Path) -> dict:
    """Enlarge files in a process of its own: a crash of the decoder is then seen."""
    tests = str(Path(__file__).parents[1])
    paths = os.pathsep.join([tests, *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", SCRIPT, folder],
        input="\n".join(map(str, files)),
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def test_hostile_files_give_a_picture_or_one_line(tmp_path):
    every = sorted(path for path in real_data("hostile").rglob("*") if path.is_file())
    files = every[::5]
    result = run_script(files, tmp_path)
    assert result["count"]["made"] > 60
    assert sum(result["count"].values()) == len(files)
    assert all("\n" not in line for line in result["lines"])
    assert result["peak_kb"] < 400_000


def test_memory_does_not_grow_with_the_picture(tmp_path):
    peaks = []
    for side in (300, 2600):
        source = saved(tmp_path / f"{side}.jpg", Image.new("RGB", (side, side), (9, 99, 199)))
        peaks.append(run_script([source], tmp_path)["peak_kb"])
    assert peaks[1] - peaks[0] < 65_000  # 27 megapixels of output have 81 MB


def test_a_real_photograph(tmp_path):
    source = real_data("photos") / "popos-galen-crout-175291.jpg"
    target = tmp_path / "made.jpg"
    assert enlarge(source, target, repeating(2, side=256)) == []
    assert np.abs(pixels(target) - repeated(pixels(source)).astype(float)).mean() < 2


def test_an_extra_band_of_a_tiff_is_opacity_only_if_the_file_says_so(tmp_path: Path) -> None:
    flags = []
    work = repeating(2)

    def watched(raster, canvas, part=0, parts=1):
        flags.append(raster.alpha)
        work.run(raster, canvas, part, parts)

    grey = Image.fromarray(noise(16, 12)[..., 0])
    for name, extra in (("spectral.tif", 0), ("clear.tif", 2)):
        both = Image.merge("LA", (grey, grey))
        both.save(tmp_path / name)
        entry = b"\x52\x01\x03\x00\x01\x00\x00\x00"
        content = (tmp_path / name).read_bytes()
        assert content.count(entry + b"\x02") == 1
        changed = content.replace(entry + b"\x02", entry + bytes([extra]))
        (tmp_path / name).write_bytes(changed)
        enlarge(tmp_path / name, tmp_path / f"made-{name}", Work(2, watched, "x"))
    assert flags == [False, True]
