"""Files repainted: photographs with all that they say, masks over turned ones, films, refusals."""

from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import pyvips
from PIL import Image, ImageCms

import volute
from filming import Recipe, content, film
from make_stylizer import shared_stylizer
from realdata import real_data
from volute.errors import DataError, UsageError, VoluteError
from volute.handles import Stylizer

ORIENTATION, ARTIST, MAKER = 274, 315, "someone"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Stylizer:
    handle = volute.load(shared_stylizer(tmp_path_factory.getbasetemp()))
    assert isinstance(handle, Stylizer)
    return handle


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    rng = np.random.default_rng(height * 1000 + width)
    small = rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, channels), np.uint8)
    return small.repeat(8, 0).repeat(8, 1)[:height, :width]


def stylized(model: Stylizer, source: Path, ending: str = "", **how: Any) -> Path:
    out = source.with_name("out" + (ending or source.suffix))
    assert model.stylize_file(source, out, style="wave", **how).path == out
    return out


def test_png_keeps_alpha_profile_and_words(model: Stylizer, tmp_path: Path) -> None:
    array = picture(50, 70, 4)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[ARTIST] = MAKER
    Image.fromarray(array).save(tmp_path / "a.png", icc_profile=profile, exif=exif, dpi=(300, 300))
    made = Image.open(stylized(model, tmp_path / "a.png"))
    assert made.info["icc_profile"] == profile
    assert made.getexif()[ARTIST] == MAKER
    assert made.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert np.array_equal(np.asarray(made), model.stylize(array, style="wave"))
    assert np.array_equal(np.asarray(made)[..., 3], array[..., 3])
    assert "tiny-painter, wave 100%" in made.getexif()[305]


def test_jpeg_keeps_its_turn_and_loses_its_old_thumbnail(model: Stylizer, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.fromarray(picture(48, 64)).save(tmp_path / "a.jpg", exif=exif, quality=95)
    small = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(small, "JPEG")
    image = pyvips.Image.new_from_file(str(tmp_path / "a.jpg")).copy()
    image.set_type(pyvips.GValue.blob_type, "jpeg-thumbnail-data", small.getvalue())
    image.jpegsave(str(tmp_path / "b.jpg"))
    assert pyvips.Image.new_from_file(str(tmp_path / "b.jpg")).get_typeof("jpeg-thumbnail-data")
    out = stylized(model, tmp_path / "b.jpg")
    made = Image.open(out)
    assert (made.size, made.getexif()[ORIENTATION]) == ((64, 48), 6)
    assert not pyvips.Image.new_from_file(str(out)).get_typeof("jpeg-thumbnail-data")


@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_sixteen_bits_stay_sixteen(model: Stylizer, tmp_path: Path, ending: str) -> None:
    array = picture(40, 56).astype(np.uint16) * 257 + 100
    image = pyvips.Image.new_from_array(array, interpretation="rgb16")
    image.write_to_file(str(tmp_path / f"a{ending}"))
    made = pyvips.Image.new_from_file(str(stylized(model, tmp_path / f"a{ending}")))
    assert made.format == "ushort"
    assert np.array_equal(made.numpy(), model.stylize(array, style="wave"))


def test_print_colours_go_through_their_profile(model: Stylizer, tmp_path: Path) -> None:
    Image.fromarray(picture(32, 40)).convert("CMYK").save(tmp_path / "a.jpg")
    out = tmp_path / "out.png"
    notes = model.stylize_file(tmp_path / "a.jpg", out, style="wave").notes
    assert any("CMYK became sRGB" in note for note in notes)
    assert Image.open(out).mode == "RGB"


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (9, 1)])
def test_pictures_smaller_than_the_stem(
    model: Stylizer, tmp_path: Path, size: tuple[int, int]
) -> None:
    Image.fromarray(picture(*size)).save(tmp_path / "a.png")
    assert Image.open(stylized(model, tmp_path / "a.png")).size == size[::-1]


def test_no_strength_leaves_every_number(model: Stylizer, tmp_path: Path) -> None:
    array = picture(50, 70, 4)
    Image.fromarray(array).save(tmp_path / "a.png")
    made = Image.open(stylized(model, tmp_path / "a.png", strength=0))
    assert np.array_equal(np.asarray(made), array)


def test_first_pictures_of_several_are_noted_without_talk_of_size(
    model: Stylizer, tmp_path: Path
) -> None:
    frames = [Image.fromarray(picture(40, 40 + n)).resize((40, 40)) for n in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    notes = model.stylize_file(tmp_path / "a.gif", tmp_path / "out.png", style="wave").notes
    assert len(notes) == 1
    assert "first" in notes[0]
    assert "enlarged" not in notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".bmp"])
def test_masks_lie_over_the_picture_as_it_is_shown(
    model: Stylizer, tmp_path: Path, orientation: int, ending: str
) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    array = picture(48, 64)
    Image.fromarray(array).save(tmp_path / "a.png", exif=exif)
    shown = np.asarray(volute.handles.pictures.opened(tmp_path / "a.png")[0][0])
    mask = np.zeros(shown.shape[:2], np.uint8)
    mask[:10, :30] = 255  # in the corner that is shown at the upper left
    Image.fromarray(mask).save(tmp_path / f"m{ending}")
    outs = [
        stylized(model, tmp_path / "a.png", f".{n}.png", mask=way)
        for n, way in enumerate((tmp_path / f"m{ending}", mask, mask > 0))
    ]
    made = [volute.handles.pictures.opened(out)[0][0] for out in outs]
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0], made[2])
    assert np.array_equal(made[0][mask == 0], shown[mask == 0])
    changed = (made[0] != shown).any(2)
    assert changed[mask > 0].mean() > 0.8


def test_a_mask_may_be_turned_itself(model: Stylizer, tmp_path: Path) -> None:
    array, exif = picture(48, 64), Image.Exif()
    Image.fromarray(array).save(tmp_path / "a.png")
    exif[ORIENTATION] = 6
    mask = np.zeros((48, 64), np.uint8)
    mask[:10, :30] = 255
    Image.fromarray(np.rot90(mask).copy()).save(tmp_path / "m.png", exif=exif)
    made = np.asarray(Image.open(stylized(model, tmp_path / "a.png", mask=tmp_path / "m.png")))
    assert np.array_equal(made, model.stylize(array, style="wave", mask=mask))


def test_masks_that_do_not_fit_leave_nothing(model: Stylizer, tmp_path: Path) -> None:
    Image.fromarray(picture(40, 40)).save(tmp_path / "a.png")
    Image.new("L", (40, 30)).save(tmp_path / "m.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = sorted(tmp_path.iterdir())
    for name, kind in (("m.png", UsageError), ("broken.png", DataError), ("no.png", DataError)):
        with pytest.raises(kind) as caught:
            stylized(model, tmp_path / "a.png", mask=tmp_path / name)
        assert (caught.value.hint == "Check the name.") == (name == "no.png")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "name",
    [
        "medical/pydicom/CT_small.dcm",
        "medical/nibabel/nibabel/tests/data/anatomical.nii",
        "satellite/rgb-byte-tenth.tif",
    ],
)
def test_measurements_are_refused_in_one_line(model: Stylizer, tmp_path: Path, name: str) -> None:
    source = Path(shutil.copy(real_data(name), tmp_path))
    with pytest.raises(DataError, match="holds measurements") as caught:
        stylized(model, source, ".png")
    assert "\n" not in caught.value.what
    assert list(tmp_path.iterdir()) == [source]


def test_a_film_keeps_times_sound_and_size(model: Stylizer, tmp_path: Path) -> None:
    pts = [0, 512, 1100, 1700, 2900, 3500]
    film(tmp_path / "a.mp4", Recipe(pts=pts, audio="aac", metadata={"title": "home"}))
    out = stylized(model, tmp_path / "a.mp4")
    before, after = content(tmp_path / "a.mp4"), content(out)
    assert after.times == before.times
    assert after.copied == before.copied
    assert after.kinds == before.kinds
    assert after.metadata["title"] == "home"
    assert after.metadata["comment"].startswith("stylized with volute")
    assert [p.shape for p in after.pictures] == [p.shape for p in before.pictures]
    luma = np.array([0.299, 0.587, 0.114])
    style = model.style("wave", like=before.pictures[0])
    for old, new in zip(before.pictures, after.pictures, strict=True):
        expected = model.stylize(old, style=style)
        like, unlike = (
            np.corrcoef((new @ luma).ravel(), (array @ luma).ravel())[0, 1]
            for array in (expected, old)
        )
        assert like > 0.95 > unlike


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("a.mkv", Recipe(codec="libsvtav1", size=(101, 75), pts=range(0, 1500, 512))),
        ("a.mkv", Recipe(codec="libvpx-vp9", size=(33, 47), pts=range(0, 1500, 512))),
        (
            "a.mp4",
            Recipe(codec="libx264", pixels="yuv444p", size=(33, 47), pts=range(0, 1500, 512)),
        ),
    ],
)
def test_films_of_odd_sizes(model: Stylizer, tmp_path: Path, name: str, recipe: Recipe) -> None:
    try:
        film(tmp_path / name, recipe)
    except (av.FFmpegError, ValueError):
        pytest.skip("this encoder makes no such film")
    made = content(stylized(model, tmp_path / name)).pictures
    assert [p.shape for p in made] == [(*recipe.size, 3)] * 3


def test_a_mask_lies_over_every_frame(model: Stylizer, tmp_path: Path) -> None:
    film(tmp_path / "a.mkv", Recipe(codec="ffv1", pixels="bgr0", pts=range(0, 2000, 512)))
    mask = np.zeros((32, 48), bool)
    mask[:, 24:] = True
    before = content(tmp_path / "a.mkv").pictures
    after = content(stylized(model, tmp_path / "a.mkv", mask=mask)).pictures
    for old, new in zip(before, after, strict=True):
        assert np.array_equal(new[~mask], old[~mask])
        assert np.abs(new[mask] - old[mask].astype(float)).mean() > 10


def _broken_in_the_middle(source: Path) -> None:
    with av.open(str(source)) as opened:
        places = [(p.pos, p.size) for p in opened.demux(video=0) if p.size]
    place, size = places[len(places) // 2]
    whole = bytearray(source.read_bytes())
    whole[place + 4 : place + size] = bytes(reversed(whole[place + 4 : place + size]))
    source.write_bytes(whole)


def _without_codec(source: Path) -> None:
    whole = source.read_bytes()
    assert b"avc1\0" in whole
    source.write_bytes(whole.replace(b"avc1\0", b"zzzz\0"))


@pytest.mark.parametrize("damage", [_broken_in_the_middle, _without_codec])
def test_broken_films_are_one_line_and_leave_nothing(
    model: Stylizer, tmp_path: Path, damage: Any
) -> None:
    source = film(tmp_path / "a.mp4", Recipe(pts=range(0, 30 * 512, 512)))
    damage(source)
    with pytest.raises(VoluteError, match=r"a\.mp4: ") as caught:
        stylized(model, source)
    assert "\n" not in caught.value.what
    assert "enlarged" not in str(caught.value)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [3, 4])
def test_turned_photographs_are_painted_upright(
    model: Stylizer, tmp_path: Path, orientation: int, channels: int
) -> None:
    exif, source = Image.Exif(), tmp_path / "a.png"
    exif[ORIENTATION] = orientation
    Image.fromarray(picture(45, 70, channels)).save(source, exif=exif)
    out = stylized(model, source)
    with Image.open(out) as made:
        assert made.getexif()[ORIENTATION] == orientation
        assert made.size == (70, 45)
    shown = volute.handles.pictures.opened(out)[0][0]
    assert np.array_equal(shown, np.asarray(model.stylize(source, style="wave")))


@pytest.mark.parametrize("strength", [0, 0.5])
def test_floats_that_are_none_stay_what_they_were(
    model: Stylizer, tmp_path: Path, strength: float
) -> None:
    array = picture(24, 32).astype(np.float32) / 255
    array[3, 4], array[5, 6], array[7, 8] = np.inf, -np.inf, np.nan
    image = pyvips.Image.new_from_array(array, interpretation="scrgb")
    image.write_to_file(str(tmp_path / "a.tif"))
    out = stylized(model, tmp_path / "a.tif", strength=strength)
    made = pyvips.Image.new_from_file(str(out)).numpy()
    odd = ~np.isfinite(array)
    np.testing.assert_array_equal(made[odd], array[odd])
    assert np.isfinite(made[~odd]).all()
    assert np.array_equal(made[~odd], array[~odd]) == (strength == 0)
    np.testing.assert_array_equal(model.stylize(array, style="wave", strength=strength), made)


@pytest.mark.parametrize(
    ("array", "words"),
    [(np.zeros((8, 8, 5), np.uint8), "5 bands"), (np.zeros((8, 8), np.int32), "signed")],
)
def test_tiffs_that_are_no_photographs_are_no_maps_either(
    model: Stylizer, tmp_path: Path, array: np.ndarray, words: str
) -> None:
    image = pyvips.Image.new_from_array(array, interpretation="multiband")
    image.write_to_file(str(tmp_path / "a.tif"))
    with pytest.raises(UsageError, match=words) as caught:
        stylized(model, tmp_path / "a.tif")
    assert "GeoTIFF" not in str(caught.value)
    assert "\n" not in caught.value.what
