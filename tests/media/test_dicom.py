"""DICOM: new instances that say where they come from, with every corner where it was."""

from __future__ import annotations

import contextlib
import copy
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enlarging import repeating
from realdata import real_data
from volute.errors import DataError, MissingExtraError, UsageError, VoluteError
from volute.media import dicom, dicom_pixels, dicom_stream
from volute.media.raster import Work

pydicom = pytest.importorskip("pydicom")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def sample(name: str) -> Path:
    return real_data(f"medical/{name}")


def enlarged(source: Path, tmp_path: Path, work: Work | None = None):
    target = tmp_path / "out" / "large.dcm"
    target.parent.mkdir(exist_ok=True)
    notes = dicom.enlarge(source, target, work or repeating(2))
    assert [p.name for p in target.parent.iterdir()] == ["large.dcm"]
    assert all(note and "\n" not in note for note in notes)
    return pydicom.dcmread(target), notes


def saved(dataset, path: Path) -> Path:
    dataset.save_as(path, enforce_file_format=True)
    return path


def corners(header, position, spacing) -> np.ndarray:
    """Return the outer corners of the picture in space, [4, 3]."""
    along, down = np.split(np.array(header, dtype=float), 2)
    rows, columns, (high, wide) = position[1], position[2], spacing
    return np.array(
        [
            np.array(position[0], dtype=float) + along * wide * (x - 0.5) + down * high * (y - 0.5)
            for y in (0, rows)
            for x in (0, columns)
        ]
    )


def plain_corners(ds) -> np.ndarray:
    place = (ds.ImagePositionPatient, ds.Rows, ds.Columns)
    return corners(ds.ImageOrientationPatient, place, [float(v) for v in ds.PixelSpacing])


def test_every_file_gives_a_valid_instance_or_one_line(tmp_path):
    done, refused = 0, []
    for source in sorted(sample(".").rglob("*")):
        if not source.is_file() or not dicom.is_dicom(source):
            continue
        target = tmp_path / "large.dcm"
        try:
            dicom.enlarge(source, target, repeating(2, side=256))
        except DataError as error:
            refused.append((source, error.what))
            continue
        done += 1
        check_instance(source, target)
    assert done >= 80
    assert all(w.startswith(f"{source}: ") and "\n" not in w for source, w in refused)
    assert sum("it holds no picture" in what for _, what in refused) >= 60
    assert {p.name for p in tmp_path.iterdir()} <= {"large.dcm"}


def check_instance(source: Path, target: Path) -> None:
    old, new = pydicom.dcmread(source, force=True), pydicom.dcmread(target)
    meta = new.file_meta
    assert meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    assert meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
    assert meta.MediaStorageSOPClassUID == new.SOPClassUID
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID"):
        assert new[keyword].value.is_valid
    assert new.SOPInstanceUID != old.get("SOPInstanceUID")
    assert new.SeriesInstanceUID != old.get("SeriesInstanceUID")
    assert "Not for diagnosis." in new.DerivationDescription
    assert new.ImageType[0] == "DERIVED"
    assert (new.Rows, new.Columns) == (2 * old.Rows, 2 * old.Columns)
    assert "PatientName" in new
    assert new.HighBit == new.BitsStored - 1
    numbers = pydicom.pixels.pixel_array(new, raw=True)
    stored = pydicom.pixels.pixel_array(old) if "J2K_pixelrep" not in source.name else None
    if stored is None or "PALETTE" in old.PhotometricInterpretation or old.BitsAllocated > 16:
        return
    color = stored.ndim - (old.SamplesPerPixel > 1)
    expected = stored.repeat(2, color - 2).repeat(2, color - 1)
    lowest = -(2 ** (old.BitsStored - 1)) if old.PixelRepresentation else 0
    inside = expected.clip(lowest, lowest + 2**old.BitsStored - 1)
    assert np.array_equal(numbers, inside), source.name


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "rtdose.dcm"])
def test_the_corners_stay_where_they_are_in_space(name, scale, tmp_path):
    source = sample(f"pydicom/{name}")
    new, _ = enlarged(source, tmp_path, repeating(scale))
    old = pydicom.dcmread(source)
    assert np.allclose(plain_corners(new), plain_corners(old), atol=1e-6)
    for keyword in ("FrameOfReferenceUID", "StudyInstanceUID", "PatientID", "DoseGridScaling"):
        assert new.get(keyword) == old.get(keyword)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    position=st.lists(st.floats(-500, 500, allow_subnormal=False), min_size=3, max_size=3),
    spacing=st.lists(st.floats(0.01, 10, allow_subnormal=False), min_size=2, max_size=2),
    angle=st.floats(0, 6.28, allow_subnormal=False),
    scale=st.integers(2, 4),
)
def test_any_place_in_space_is_kept(position, spacing, angle, scale, tmp_path):
    source = pydicom.dcmread(sample("pydicom/MR_small.dcm"))
    turn = [np.cos(angle), np.sin(angle), 0, -np.sin(angle), np.cos(angle), 0]
    made = {"ImagePositionPatient": position, "PixelSpacing": spacing}
    for keyword, values in {**made, "ImageOrientationPatient": turn}.items():
        setattr(source, keyword, [f"{float(v):.8f}"[:16] for v in values])
    new, _ = enlarged(saved(source, tmp_path / "in.dcm"), tmp_path, repeating(scale))
    assert np.allclose(plain_corners(new), plain_corners(source), atol=1e-5)


def test_functional_groups_are_moved_and_rescaled(tmp_path):
    source = sample("imageio_dicom/dicom_file02.dcm")
    new, notes = enlarged(source, tmp_path)
    old = pydicom.dcmread(source)
    assert any("12 frames" in note for note in notes)
    assert list(new.ImageType[:2]) == ["DERIVED", "PRIMARY"]
    for before, after in zip(
        old.PerFrameFunctionalGroupsSequence, new.PerFrameFunctionalGroupsSequence, strict=True
    ):
        places = []
        for ds, group in ((old, before), (new, after)):
            shared = ds.SharedFunctionalGroupsSequence[0]
            found = [
                next(g for g in (group, shared) if name in g)[name].value[0]
                for name in (
                    "PlaneOrientationSequence",
                    "PlanePositionSequence",
                    "PixelMeasuresSequence",
                )
            ]
            place = (found[1].ImagePositionPatient, ds.Rows, ds.Columns)
            spacing = [float(v) for v in found[2].PixelSpacing]
            places.append(corners(found[0].ImageOrientationPatient, place, spacing))
        assert np.allclose(*places, atol=1e-6)


def test_slices_of_one_series_stay_one_series(tmp_path):
    names = ["98892001/CT2N/6293", "98892001/CT2N/6924"]
    made = [enlarged(sample(f"pydicom/dicomdirtests/{name}"), tmp_path)[0] for name in names]
    other, _ = enlarged(sample(f"pydicom/dicomdirtests/{names[0]}"), tmp_path, repeating(3))
    assert made[0].SeriesInstanceUID == made[1].SeriesInstanceUID != other.SeriesInstanceUID
    assert made[0].SOPInstanceUID != made[1].SOPInstanceUID
    assert made[0].SeriesDescription.endswith("x2 enlarged")


def test_the_source_and_what_was_done_are_named(tmp_path):
    source = sample("pydicom/CT_small.dcm")
    new, notes = enlarged(source, tmp_path)
    old = pydicom.dcmread(source)
    item = new.SourceImageSequence[0]
    assert item.ReferencedSOPInstanceUID == old.SOPInstanceUID
    assert item.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert "repeat 0.1.0" in new.DerivationDescription
    assert list(new.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
    assert (new.RescaleSlope, new.RescaleIntercept) == (old.RescaleSlope, old.RescaleIntercept)
    assert "not for diagnosis" in notes[0]
    assert "SmallestImagePixelValue" not in new


def padded(tmp_path: Path, told: int) -> tuple[Path, np.ndarray]:
    ds = pydicom.dcmread(sample("pydicom/CT_small.dcm"))
    numbers = ds.pixel_array.copy()
    numbers[:20], numbers[50, 60] = -2000, -2000
    ds.PixelData = numbers.tobytes()
    ds[0x0028, 0x0120] = pydicom.DataElement(0x00280120, "US" if told > 0 else "SS", told)
    return saved(ds, tmp_path / "padded.dcm"), numbers == -2000


@pytest.mark.parametrize("told", [-2000, 63536])
def test_padding_is_never_fed_in_and_comes_out_as_padding(told, tmp_path):
    source, padding = padded(tmp_path, told)

    def run(raster, canvas, part=0, parts=1):
        block = raster.read(slice(0, 128), slice(0, 128))
        assert np.array_equal(block.valid[0], ~padding)
        like_padding = raster.levels.unit(np.full((1, 256, 256), -2000.0))
        black = raster.levels.numbers(like_padding)
        valid = block.valid.repeat(2, 1).repeat(2, 2)
        canvas.write(slice(0, 256), slice(0, 256), type(block)(black, valid))

    new, _ = enlarged(source, tmp_path, Work(2, run, "black 1"))
    assert np.array_equal(new.pixel_array == -2000, padding.repeat(2, 0).repeat(2, 1))


def test_a_palette_becomes_rgb(tmp_path):
    source = sample("pydicom/examples_palette.dcm")
    new, notes = enlarged(source, tmp_path)
    old = pydicom.dcmread(source)
    colours = pydicom.pixels.apply_color_lut(old.pixel_array, old)
    small = (colours >> 8 if colours.dtype == np.uint16 else colours)[..., :3]
    assert np.array_equal(new.pixel_array, small.repeat(2, 0).repeat(2, 1))
    assert new.PhotometricInterpretation == "RGB"
    assert not [e for e in new if "PaletteColor" in e.keyword]
    assert any("colour table" in note for note in notes)
    old_region, region = (d.SequenceOfUltrasoundRegions[0] for d in (old, new))
    assert region.PhysicalDeltaX == old_region.PhysicalDeltaX / 2
    assert region.RegionLocationMinX0 == old_region.RegionLocationMinX0 * 2
    assert region.RegionLocationMaxX1 == old_region.RegionLocationMaxX1 * 2 + 1


def test_an_overlay_grows_with_its_picture(tmp_path):
    source = sample("pydicom/examples_overlay.dcm")
    new, _ = enlarged(source, tmp_path)
    old = pydicom.dcmread(source)
    assert old.overlay_array(0x6000).any()
    assert np.array_equal(
        new.overlay_array(0x6000), old.overlay_array(0x6000).repeat(2, 0).repeat(2, 1)
    )


def test_an_overlay_without_its_bits_is_removed(tmp_path):
    ds = pydicom.dcmread(sample("pydicom/examples_overlay.dcm"))
    del ds[0x6000, 0x3000]
    new, notes = enlarged(saved(ds, tmp_path / "in.dcm"), tmp_path)
    assert not new.group_dataset(0x6000)
    assert any("overlay" in note for note in notes)


def test_big_endian_gives_what_little_endian_gives(tmp_path):
    little, _ = enlarged(sample("pydicom/rtdose.dcm"), tmp_path)
    big, _ = enlarged(sample("pydicom/rtdose_expb.dcm"), tmp_path)
    assert np.array_equal(little.pixel_array, big.pixel_array)
    assert little.GridFrameOffsetVector == big.GridFrameOffsetVector


def test_lossy_pixels_are_told_for_good(tmp_path):
    new, _ = enlarged(sample("pydicom/SC_rgb_jpeg_lossy_gdcm.dcm"), tmp_path)
    assert new.LossyImageCompression == "01"


def test_a_large_file_is_read_in_parts_with_the_same_result(tmp_path, monkeypatch):
    for name in ("rtdose", "examples_rgb_color", "MR_small_implicit", "MR_small_bigendian"):
        source = sample(f"pydicom/{name}.dcm")
        whole = enlarged(source, tmp_path)[0].PixelData
        with monkeypatch.context() as patch:
            patch.setattr(dicom_pixels, "WHOLE_LIMIT", 0)
            assert enlarged(source, tmp_path)[0].PixelData == whole


def test_float_pixels_keep_their_holes(tmp_path):
    ds = pydicom.dcmread(sample("pydicom/MR_small.dcm"))
    numbers = ds.pixel_array.astype("<f4") / 7
    numbers[3, 5] = np.nan
    del ds.PixelData
    ds.FloatPixelData, ds.BitsAllocated = numbers.tobytes(), 32
    new, _ = enlarged(saved(ds, tmp_path / "in.dcm"), tmp_path)
    made = np.frombuffer(new.FloatPixelData, "<f4").reshape(128, 128)
    assert np.allclose(made, numbers.repeat(2, 0).repeat(2, 1), rtol=1e-4, equal_nan=True)


def test_what_is_too_large_for_the_format_is_refused_before_decoding(tmp_path):
    ds = pydicom.dcmread(sample("pydicom/MR_small.dcm"))
    ds.Rows = ds.Columns = 40000
    with pytest.raises(DataError, match="over what DICOM can hold"):
        enlarged(saved(ds, tmp_path / "in.dcm"), tmp_path)


def test_a_deflate_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_stream, "INFLATED_LIMIT", 1 << 16)
    with pytest.raises(DataError, match="too much"):
        enlarged(sample("pydicom/image_dfl.dcm"), tmp_path)


@pytest.mark.parametrize(
    ("name", "mark", "at", "kind"),
    [
        ("JPEG2000", b"\xff\x4f\xff\x51", (8, 24), ">II"),
        ("SC_rgb_jpeg_lossy_gdcm", b"\xff\xc0", (5,), ">HH"),
        ("SC_rgb_jpeg_gdcm", b"\xff\xc3", (5,), ">HH"),
        ("MR_small_jpeg_ls_lossless", b"\xff\xf7", (5,), ">HH"),
    ],
)
def test_coded_pixels_of_another_size_never_reach_a_decoder(name, mark, at, kind, tmp_path):
    bad = bytearray(sample(f"pydicom/{name}.dcm").read_bytes())
    for place in at:
        struct.pack_into(kind, bad, bad.index(mark) + place, 60000, 60000)
    source = tmp_path / "bad.dcm"
    source.write_bytes(bad)
    with pytest.raises(DataError, match="not the size that the header tells"):
        enlarged(source, tmp_path)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_end_in_one_line(data, tmp_path):
    names = ("MR_small", "MR_small_RLE", "JPEG2000", "examples_overlay", "SC_rgb_small_odd_jpeg")
    good = sample(f"pydicom/{data.draw(st.sampled_from(names))}.dcm").read_bytes()
    bad = bytearray(good[: data.draw(st.integers(0, len(good)))])
    for place in data.draw(st.lists(st.integers(0, 4000), max_size=8)):
        bad[place % (len(bad) or 1) : place % (len(bad) or 1) + 1] = bytes([place % 256])
    source = tmp_path / "bad.dcm"
    source.write_bytes(bad)
    told = ""
    try:
        enlarged(source, tmp_path)
    except DataError as error:
        told = error.what
    assert "\n" not in told


@pytest.mark.parametrize("name", ["SC_rgb_jpeg_gdcm", "SC_rgb_dcmtk_+eb+cy+s4"])
def test_damaged_pixels_never_end_the_process(name, tmp_path):
    """Some decoders abort on these; half of the damaged files do it."""
    good, source = sample(f"pydicom/{name}.dcm").read_bytes(), tmp_path / "bad.dcm"
    rng = np.random.default_rng(0)
    for _ in range(5):
        bad = bytearray(good)
        for place in rng.integers(len(good) // 3, len(good), 20):
            bad[place] = rng.integers(256)
        source.write_bytes(bad)
        with contextlib.suppress(DataError):
            enlarged(source, tmp_path)


def test_what_the_work_raises_passes_through(tmp_path):
    for problem in (MemoryError(), KeyboardInterrupt(), VoluteError("full"), ZeroDivisionError()):

        def run(raster, canvas, part=0, parts=1, problem=problem):
            raise problem

        with pytest.raises(type(problem)) as caught:
            enlarged(sample("pydicom/MR_small.dcm"), tmp_path, Work(2, run, "none"))
        assert caught.value is problem


def test_options_and_a_missing_library_are_told(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="plane"):
        enlarged(sample("pydicom/MR_small.dcm"), tmp_path, repeating(2, {"plane": "axial"}))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtraError, match="pydicom"):
        enlarged(sample("pydicom/MR_small.dcm"), tmp_path)


def test_files_are_told_apart(tmp_path):
    assert dicom.is_dicom(sample("pydicom/dicomdirtests/98892001/CT2N/6293"))
    assert not dicom.is_dicom(sample("nilearn/mni152_t1.nii.gz"))
    bare = tmp_path / "bare"
    for name in ("ExplVR_LitEndNoMeta", "ExplVR_BigEndNoMeta", "rtstruct"):
        bare.write_bytes(sample(f"pydicom/{name}.dcm").read_bytes())
        assert dicom.is_dicom(bare)
    bare.write_bytes(b"\x08\x00 just text that starts oddly" * 9)
    assert not dicom.is_dicom(bare)
    assert dicom.suffix(Path("a.IMA")) == ".IMA"
    assert dicom.suffix(Path("IM0001")) == ".dcm"


def test_the_source_is_not_changed_by_describing_it(tmp_path):
    pixels = dicom_pixels.open_pixels(sample("pydicom/CT_small.dcm"))
    before = copy.deepcopy(pixels.header)
    dicom._head(pixels, repeating(2))
    assert pixels.header == before


LOSSLESS = ("MR_small_jpeg_ls_lossless", "JPEGLSNearLossless_16", "SC_rgb_jpeg_gdcm")


@pytest.mark.parametrize("name", LOSSLESS)
def test_what_only_a_fragile_decoder_reads_is_read(name, tmp_path, monkeypatch):
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)  # with it, a pipe is written otherwise
    source = sample(f"pydicom/{name}.dcm")
    made, _ = enlarged(source, tmp_path)
    assert np.array_equal(made.pixel_array[::2, ::2], pydicom.dcmread(source).pixel_array)


def test_padding_cuts_nothing_off_and_nothing_becomes_padding(tmp_path):
    ds = pydicom.dcmread(sample("pydicom/CT_small.dcm"))
    frame = np.tile(np.arange(50, 178, dtype=np.int16), (128, 1))
    frame[:, :9] = 0
    frames = np.stack([frame, -frame, frame, -frame, frame])  # two that no sample sees
    ds.NumberOfFrames, ds.PixelPaddingValue, ds.PixelData = 5, 0, frames.tobytes()
    work = repeating(2)

    def to_zero(raster, canvas, part=0, parts=1):
        work.run(raster, canvas, part, parts)
        canvas.array[:, 5, 100] = 0  # as a network might

    source = saved(ds, tmp_path / "in.dcm")
    made, _ = enlarged(source, tmp_path, Work(2, to_zero, "x"))
    padded = (frames == 0).repeat(2, 1).repeat(2, 2)
    pixels = made.pixel_array
    assert (pixels[padded] == 0).all()
    assert (pixels[~padded] != 0).all()
    assert np.array_equal(pixels[:, ::2, ::2], frames)
