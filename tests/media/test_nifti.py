"""NIfTI: volumes enlarged plane by plane, with every corner where it was."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enlarging import repeating
from realdata import real_data
from volute.errors import DataError, MissingExtraError, UsageError, VoluteError
from volute.media import nifti
from volute.media.raster import Block, Work

nibabel = pytest.importorskip("nibabel")
NIBABEL = "medical/nibabel/nibabel/tests/data"
RGB = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])


def sample(name: str) -> Path:
    return real_data(f"{NIBABEL}/{name}")


def enlarged(source: Path, tmp_path: Path, work: Work | None = None):
    target = tmp_path / "out" / f"large{nifti.suffix(source)}"
    target.parent.mkdir(exist_ok=True)
    for left in target.parent.iterdir():
        left.unlink()
    notes = nifti.enlarge(source, target, work or repeating(2))
    assert [p.name for p in target.parent.iterdir()] == [target.name]
    assert all(note and "\n" not in note for note in notes)
    return nibabel.load(target), notes


def stored(image) -> np.ndarray:
    return image.dataobj.get_unscaled()


def volume(array: np.ndarray, path: Path, affine=None, kind=None) -> Path:
    nibabel.save((kind or nibabel.Nifti1Image)(array, affine, dtype=array.dtype), path)
    return path


def corners(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the outer corners of the volume in space, [8, 3]."""
    ends = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in shape[:3]])).reshape(3, 8)
    return (affine[:3, :3] @ ends + affine[:3, 3:]).T


def check_same_place(old, new) -> None:
    assert np.allclose(corners(new.affine, new.shape), corners(old.affine, old.shape), atol=1e-3)
    for form in ("get_sform", "get_qform"):
        before, code = getattr(old, form)(coded=True)
        after, kept = getattr(new, form)(coded=True)
        assert code == kept
        if before is not None:
            old_corners, new_corners = corners(before, old.shape), corners(after, new.shape)
            assert np.allclose(new_corners, old_corners, atol=1e-3)
    sizes = np.linalg.norm(new.affine[:3, :3], axis=0)
    assert np.allclose(new.header.get_zooms()[:3], sizes, rtol=1e-4)


@pytest.mark.parametrize("plane", nifti.PLANES)
def test_every_file_gives_a_volume_or_one_line(plane, tmp_path):
    done, refused = 0, []
    for source in sorted(real_data("medical").rglob("*")):
        large = source.name.startswith("mni152") and plane != "axial"
        if not source.is_file() or large or not nifti.is_nifti(source):
            continue
        try:
            new, _ = enlarged(source, tmp_path, repeating(2, {"plane": plane}, side=512))
        except DataError as error:
            refused.append((source, error.what))
            continue
        old = nibabel.load(source)
        done += 1
        check_same_place(old, new)
        assert new.get_data_dtype() == old.get_data_dtype()
        assert (new.dataobj.slope, new.dataobj.inter) == (old.dataobj.slope, old.dataobj.inter)
        if plane != "all":
            expected = stored(old)
            for axis in range(3):
                expected = expected.repeat(new.shape[axis] // old.shape[axis], axis)
            assert np.allclose(stored(new), expected, rtol=1e-5, atol=1e-3, equal_nan=True)
    assert done >= 7
    assert all(w.startswith(f"{source}: ") and "\n" not in w for source, w in refused)
    assert {s.name for s, _ in refused} >= {"row_major.dconn.nii", "test.mgz", "nifti1.hdr"}


@pytest.mark.parametrize(
    ("plane", "grown"),
    [("axial", (2, 2, 1)), ("coronal", (2, 1, 2)), ("sagittal", (1, 2, 2)), ("all", (2, 2, 2))],
)
def test_planes_are_anatomical_however_the_axes_are_stored(plane, grown, tmp_path):
    array = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
    image = nibabel.Nifti1Image(array, np.diag([2, 3, 4, 1]))
    turn = nibabel.orientations.axcodes2ornt(("S", "L", "A"))
    stored_so = image.as_reoriented(turn)
    source = tmp_path / "turned.nii"
    nibabel.save(stored_so, source)
    new, _ = enlarged(source, tmp_path, repeating(2, {"plane": plane}))
    assert nibabel.aff2axcodes(new.affine) == nibabel.aff2axcodes(stored_so.affine)
    back = nibabel.as_closest_canonical(new)
    assert back.shape == tuple(n * k for n, k in zip((4, 5, 6), grown, strict=True))
    check_same_place(stored_so, new)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    angles=st.lists(st.floats(-3, 3, allow_subnormal=False), min_size=3, max_size=3),
    plane=st.sampled_from(nifti.PLANES),
    scale=st.integers(2, 4),
    codes=st.tuples(st.integers(0, 4), st.integers(0, 4)),
)
def test_any_volume_keeps_its_place(shape, angles, plane, scale, codes, tmp_path):
    affine = np.eye(4)
    affine[:3, :3] = nibabel.eulerangles.euler2mat(*angles) @ np.diag([0.7, 2.5, 1.1])
    affine[:3, 3] = 10, -20, 30
    image = nibabel.Nifti1Image(np.zeros(shape, np.uint8), affine)
    image.set_sform(affine, codes[0])
    image.set_qform(affine, codes[1])
    source = tmp_path / "in.nii"
    nibabel.save(image, source)
    new, _ = enlarged(source, tmp_path, repeating(scale, {"plane": plane}))
    old = nibabel.load(source)
    assert new.shape[3:] == old.shape[3:]
    if len(shape) > 2:
        check_same_place(old, new)


@pytest.mark.parametrize("kind", ["i1", "u1", ">i2", "u2", "i4", "u4", "i8", "u8", "f4", ">f8"])
@pytest.mark.parametrize("plane", ["axial", "all"])
def test_types_slope_and_extensions_are_kept(kind, plane, tmp_path):
    array = np.arange(60).reshape(3, 4, 5).astype(kind)
    image = nibabel.Nifti2Image(array, np.eye(4), dtype=array.dtype)
    image.header.set_slope_inter(0.25, -3)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"kept " * 30))
    image.header["descrip"], image.header["intent_name"] = "scanner 7", "T1"
    source = tmp_path / "in.nii.gz"
    nibabel.save(image, source)
    new, _ = enlarged(source, tmp_path, repeating(2, {"plane": plane}))
    old = nibabel.load(source)
    assert new.get_data_dtype() == old.get_data_dtype()
    assert (new.dataobj.slope, new.dataobj.inter) == (0.25, -3)
    assert new.header.extensions[0].get_content() == old.header.extensions[0].get_content()
    assert new.header["descrip"].item() == b"scanner 7; x2 repeat 0.1.0"
    assert new.header["intent_name"].item() == b"T1"
    if plane == "axial":
        made, expected = stored(new), stored(old).repeat(2, 0).repeat(2, 1)
        assert np.allclose(made, expected, rtol=1e-6, atol=1e-5 if "f" in kind else 0)


def test_all_three_planes_are_averaged(tmp_path):
    ramp = np.zeros((6, 5, 4), np.float32)
    ramp += np.arange(4, dtype=np.float32) * 10
    source = volume(ramp, tmp_path / "in.nii", np.eye(4))
    new, _ = enlarged(source, tmp_path, repeating(2, {"plane": "all"}))
    linear = np.array([0, 2.5, 7.5, 12.5, 17.5, 22.5, 27.5, 30])
    expected = (linear + 2 * np.repeat(np.arange(4) * 10, 2)) / 3
    assert np.allclose(stored(new), expected, atol=1e-3)


def test_all_three_planes_of_a_brain_come_closer_than_repetition(tmp_path):
    whole = nibabel.load(real_data("medical/nilearn/mni152_t1.nii.gz"))
    high = stored(whole)[40:136, 60:156, 40:136].astype(np.float32)
    low = high.reshape(48, 2, 48, 2, 48, 2).mean(axis=(1, 3, 5))
    source = volume(np.rint(low).astype(np.uint8), tmp_path / "in.nii", whole.affine)
    new, _ = enlarged(source, tmp_path, repeating(2, {"plane": "all"}))
    repeated = low.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    assert np.square(stored(new) - high).mean() < np.square(repeated - high).mean()


@pytest.mark.parametrize("plane", ["coronal", "all"])
def test_what_is_no_number_is_told_and_stays(plane, tmp_path):
    array = np.random.default_rng(0).random((5, 6, 7)).astype(np.float32)
    array[2, 3, 4], array[0], array[1, 1, 1] = np.nan, np.nan, np.inf
    source = volume(array, tmp_path / "in.nii", np.eye(4))
    base = repeating(2, {"plane": plane})

    def run(raster, canvas, part=0, parts=1):
        block = raster.read(slice(0, raster.height), slice(0, raster.width))
        finite = np.isfinite(block.numbers)
        assert (block.valid is None) == finite.all()
        assert block.valid is None or np.array_equal(block.valid, finite)
        base.run(raster, canvas, part, parts)

    new, _ = enlarged(source, tmp_path, Work(2, run, "x", base.options))
    grow = [n // k for n, k in zip(new.shape, array.shape, strict=True)]
    expected = array.repeat(grow[0], 0).repeat(grow[1], 1).repeat(grow[2], 2)
    assert np.array_equal(np.isnan(stored(new)), np.isnan(expected))
    assert np.array_equal(np.isinf(stored(new)), np.isinf(expected))


def test_colours_go_together(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (4, 5, 3, 3), np.uint8)
    source = volume(array.view(RGB)[..., 0], tmp_path / "in.nii", np.eye(4))

    def run(raster, canvas, part=0, parts=1):
        assert raster.rgb
        assert raster.bands == 3
        repeating(2).run(raster, canvas, part, parts)

    new, _ = enlarged(source, tmp_path, Work(2, run, "x"))
    made = np.asarray(new.dataobj).copy().view(np.uint8).reshape(8, 10, 3, 3)
    assert np.array_equal(made, array.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize(("kind", "told"), [("c8", "complex"), ("c16", "complex")])
def test_numbers_that_are_no_picture_are_refused(kind, told, tmp_path):
    source = volume(np.zeros((3, 4, 5), kind), tmp_path / "in.nii", np.eye(4))
    with pytest.raises(DataError, match=told):
        enlarged(source, tmp_path)


def test_parts_are_counted_over_all_slices_and_volumes(tmp_path):
    source, seen = sample("example4d.nii.gz"), []

    def run(raster, canvas, part=0, parts=1):
        seen.append((part, parts))
        canvas.write(slice(None), slice(None), Block(np.zeros_like(canvas.array)))

    for plane, count in (("axial", 2 * 24), ("all", 2 * (128 + 96 + 24))):
        seen.clear()
        enlarged(source, tmp_path, Work(2, run, "x", {"plane": plane}))
        assert seen == [(part, count) for part in range(count)]


def test_the_end_of_the_target_decides_on_compression(tmp_path):
    target = tmp_path / "a.nii"
    nifti.enlarge(sample("example_nifti2.nii.gz"), target, repeating(2))
    assert target.read_bytes()[4:7] == b"n+2"
    packed = tmp_path / "a.nii.gz"
    nifti.enlarge(sample("anatomical.nii"), packed, repeating(2))
    assert gzip.decompress(packed.read_bytes())[344:347] == b"n+1"


def promised(tmp_path: Path, shape: tuple[int, ...], name: str) -> Path:
    header = nibabel.Nifti2Header()
    header.set_data_shape(shape)
    header.set_data_dtype(np.int16)
    source = tmp_path / name
    with (gzip.open if name.endswith("gz") else open)(source, "wb") as file:
        header.write_to(file)
        file.write(b"\0" * 5000)
    return source


@pytest.mark.parametrize("name", ["in.nii", "in.nii.gz"])
def test_promises_that_the_file_cannot_keep_are_refused(name, tmp_path):
    with pytest.raises(DataError, match="damaged: it ends before"):
        enlarged(promised(tmp_path, (30000, 30000, 30000), name), tmp_path)


def test_a_bomb_is_refused_for_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(nifti, "VOLUME_LIMIT", 1 << 12)
    with pytest.raises(DataError, match="Choose a smaller factor|would have over"):
        enlarged(promised(tmp_path, (10, 10, 25), "in.nii.gz"), tmp_path)


def test_a_packed_volume_that_is_cut_is_refused(tmp_path):
    source = tmp_path / "in.nii.gz"
    source.write_bytes(sample("example4d.nii.gz").read_bytes()[:200_000])
    with pytest.raises(DataError, match="ends too early"):
        enlarged(source, tmp_path)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_damaged_files_end_in_one_line(data, tmp_path):
    good = sample(data.draw(st.sampled_from(["resampled_anat_moved.nii", "standard.nii.gz"])))
    bad = bytearray(good.read_bytes())
    for place, value in data.draw(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)))):
        bad[place % len(bad)] = value
    source = tmp_path / f"bad{nifti.suffix(good)}"
    source.write_bytes(bad[: data.draw(st.integers(100, 10_000))])
    told = ""
    try:
        enlarged(source, tmp_path)
    except DataError as error:
        told = error.what
    assert "\n" not in told


def test_what_the_work_raises_passes_through(tmp_path):
    for problem in (MemoryError(), KeyboardInterrupt(), VoluteError("full"), OSError(28, "full")):

        def run(raster, canvas, part=0, parts=1, problem=problem):
            raise problem

        with pytest.raises(type(problem)) as caught:
            enlarged(sample("anatomical.nii"), tmp_path, Work(2, run, "none"))
        assert caught.value is problem


def test_options_and_a_missing_library_are_told(tmp_path, monkeypatch):
    for options in ({"plane": "oblique"}, {"frame": "1"}):
        with pytest.raises(UsageError) as caught:
            enlarged(sample("anatomical.nii"), tmp_path, repeating(2, options))
        assert "axial, coronal, sagittal, all" in caught.value.hint
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(MissingExtraError, match="nibabel"):
        enlarged(sample("anatomical.nii"), tmp_path)


def test_files_are_told_apart(tmp_path):
    assert nifti.is_nifti(sample("example_nifti2.nii.gz"))
    assert nifti.is_nifti(sample("test.mgz"))
    assert not nifti.is_nifti(sample("analyze.hdr"))
    assert not nifti.is_nifti(real_data("medical/pydicom/zipMR.gz"))
    assert not nifti.is_nifti(tmp_path / "absent.nii")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_grows_along_its_own_axes_whatever_the_plane(axis, tmp_path):
    shape = [12, 10, 8]
    shape[axis] = 1
    source = volume(np.arange(np.prod(shape), dtype=np.int16).reshape(shape), tmp_path / "a.nii")
    for plane in ("axial", "all"):
        made, _ = enlarged(source, tmp_path, repeating(2, {"plane": plane}))
        assert made.shape == tuple(n if n == 1 else 2 * n for n in shape)


def test_labels_are_refused_and_so_is_damage_that_only_the_sum_tells(tmp_path):
    image = nibabel.Nifti1Image(np.ones((6, 6, 6), np.int16), np.eye(4))
    image.header["intent_code"] = 1002
    nibabel.save(image, tmp_path / "labels.nii")
    with pytest.raises(DataError, match="it holds labels"):
        enlarged(tmp_path / "labels.nii", tmp_path)
    good = volume(np.ones((6, 6, 6), np.int16), tmp_path / "good.nii.gz")
    broken = bytearray(good.read_bytes())
    broken[-6] ^= 255
    (tmp_path / "bad.nii.gz").write_bytes(broken)
    with pytest.raises(DataError, match="damaged"):
        nifti.enlarge(tmp_path / "bad.nii.gz", tmp_path / "x.nii.gz", repeating(2))
