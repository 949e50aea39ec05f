"""GeoTIFF in, GeoTIFF out: numbers, mask, place and tags kept; broken files and full disks."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enlarging import repeating
from realdata import real_data
from volute.errors import DataError, MissingExtraError, UsageError, VoluteError
from volute.media.geotiff import enlarge, is_geotiff, suffix
from volute.media.geotiff_raster import GeoRaster, near, spared
from volute.media.tiff_layout import bytes_stored

rasterio = pytest.importorskip("rasterio")
from rasterio.control import GroundControlPoint  # noqa: E402
from rasterio.rpc import RPC  # noqa: E402

pytestmark = pytest.mark.filterwarnings(
    "ignore::rasterio.errors.NotGeoreferencedWarning",
    "ignore::rasterio.errors.NodataShadowWarning",
    "ignore::PendingDeprecationWarning",
)
PLACE = {"crs": "EPSG:32632", "transform": rasterio.Affine(10, 0.5, 4e5, 0.25, -10, 5e6)}
GRAY = {"photometric": "minisblack"}
FILES = ["RGB.byte", "RGBA.uint16", "all-nodata", "alpha", "byte", "cogeo", "float", "float32"]
FILES += ["float_nan", "float_raster_with_extra_nodata", "float_raster_with_nodata", "goes"]
FILES += ["red", "rgb1_fake_nir_epsg3857", "rotated", "test_esri_wkt", "world.rgb"]
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]
RNG = np.random.default_rng(0)


def made(path: Path, array, tell=None, mask=None, **told) -> Path:
    """Write a GeoTIFF [C, H, W]; `tell` says more of the open dataset."""
    array = np.asarray(array)
    bands, height, width = array.shape
    size = {"count": bands, "height": height, "width": width, "dtype": array.dtype}
    internal = rasterio.Env(GDAL_TIFF_INTERNAL_MASK="YES")
    with internal, rasterio.open(path, "w", driver="GTiff", **(size | told)) as dataset:
        if tell:
            tell(dataset)
        dataset.write(array)
        if mask is not None:
            dataset.write_mask(mask)
    return path


def times(array, scale=2):
    return np.asarray(array).repeat(scale, -2).repeat(scale, -1)


def enlarged(source: Path, scale=2, **options) -> tuple[Path, list[str]]:
    """Enlarge into an empty folder and find nothing there but the new file."""
    folder = source.parent / "out"
    folder.mkdir(exist_ok=True)
    target = folder / "new.tif"
    target.touch()
    notes = enlarge(source, target, repeating(scale, options))
    assert [path.name for path in folder.iterdir()] == ["new.tif"]
    assert bytes_stored(target, complete=1) > 0
    return target, notes


def refused(source: Path, kind=DataError, **options) -> str:
    """Return the one line that refuses a file, of which nothing is left."""
    folder = source.parent / "refused"
    folder.mkdir(exist_ok=True)
    with pytest.raises(kind) as caught:
        enlarge(source, folder / "new.tif", repeating(2, options))
    (folder / "new.tif").unlink(missing_ok=True)
    assert not [*folder.iterdir()]
    assert "\n" not in caught.value.what
    return caught.value.what


@pytest.mark.parametrize("cog", ["false", "true"])
@pytest.mark.parametrize("name", FILES)
def test_real_files_keep_numbers_mask_and_place(tmp_path, name, cog):
    source = tmp_path / "in.tif"
    source.symlink_to(real_data(f"satellite/{name}.tif"))
    target, _ = enlarged(source, cog=cog)
    with rasterio.open(source) as old, rasterio.open(target) as new:
        mask = times(old.read_masks())
        assert np.array_equal(mask, new.read_masks())
        shown = np.where(mask > 0, times(old.read()).astype(float), 0)
        assert np.allclose(shown, np.where(mask > 0, new.read(), 0), rtol=1e-5, atol=1e-6)
        assert (new.crs, new.colorinterp, new.dtypes) == (old.crs, old.colorinterp, old.dtypes)
        assert np.array_equal(new.nodatavals, old.nodatavals, equal_nan=old.nodata is not None)
        assert new.transform.almost_equals(old.transform * rasterio.Affine.scale(0.5))
        layout = new.tags(ns="IMAGE_STRUCTURE").get("LAYOUT")
        assert layout == ("COG" if cog == "true" else None)
        if cog == "false" and new.count > 1:
            assert new.interleaving == old.interleaving


@settings(max_examples=60, deadline=None)
@given(
    dtype=st.sampled_from(TYPES),
    bands=st.integers(1, 5),
    scale=st.integers(2, 4),
    nodata=st.sampled_from([None, 0, 3, 100, 127]),
    pack=st.sampled_from([{}, {"compress": "deflate", "predictor": 2}, {"interleave": "pixel"}]),
    seed=st.integers(0, 99),
)
def test_any_bands_and_types(tmp_path_factory, dtype, bands, scale, nodata, pack, seed):
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 128, (bands, 27, 31)).astype(dtype)
    pack = {} if dtype[0] == "f" and "predictor" in pack else pack
    folder = tmp_path_factory.mktemp("any")
    source = made(folder / "in.tif", array, nodata=nodata, **pack, **GRAY, **PLACE)
    target, _ = enlarged(source, scale)
    with rasterio.open(target) as new:
        assert np.allclose(new.read(), times(array, scale), rtol=1e-6, atol=2e-5)
        assert np.array_equal(new.read_masks() == 0, times(array == nodata, scale))
        assert new.tags(ns="IMAGE_STRUCTURE").get("PREDICTOR", "1") == str(pack.get("predictor", 1))


@settings(max_examples=200, deadline=None)
@given(
    dtype=st.sampled_from(TYPES),
    pick=st.sampled_from(["low", "high", "zero", "some"]),
    seed=st.integers(0, 999),
)
def test_no_number_is_moved_onto_nodata_and_none_far(dtype, pick, seed):
    held = np.finfo(dtype) if dtype[0] == "f" else np.iinfo(dtype)
    number = float if dtype[0] == "f" else int
    nodata = number({"low": held.min, "high": held.max, "zero": 0, "some": 99}[pick])
    numbers = np.random.default_rng(seed).integers(90, 110, (2, 9)).astype(dtype)
    numbers[0, :4] = nodata
    moved = spared(numbers, nodata)
    assert moved.dtype == numbers.dtype
    assert not near(moved, nodata).any()
    same = numbers != numbers.dtype.type(nodata)
    assert np.array_equal(moved[same], numbers[same])
    off = abs(moved.astype(float) - numbers.astype(float))
    assert (off <= np.maximum(1, abs(numbers.astype(float)) * 1e-5)).all()


def test_a_result_that_is_the_nodata_number_is_not_lost(tmp_path):
    array = RNG.integers(1, 255, (1, 20, 20)).astype("u1")
    array[0, :, 5] = 0
    source = made(tmp_path / "in.tif", array, nodata=0)
    work = repeating()

    def run(raster, canvas, part=0, parts=1):
        work.run(raster, Darker(canvas))

    enlarge(source, tmp_path / "new.tif", replace(work, run=run))
    with rasterio.open(tmp_path / "new.tif") as new:
        assert np.array_equal(new.read_masks(1) == 0, times(array[0] == 0))
        assert set(np.unique(new.read())) == {0, 1}


class Darker:
    """A canvas that gets black."""

    def __init__(self, canvas):
        self.canvas = canvas

    def write(self, rows, columns, block):
        self.canvas.write(rows, columns, replace(block, numbers=block.numbers * 0))


@pytest.mark.parametrize("cog", ["false", "true"])
def test_mask_and_overviews_are_kept(tmp_path, cog):
    array = RNG.integers(-500, 900, (2, 300, 310)).astype("i2")
    mask = RNG.random((300, 310)) > 0.3
    source = made(tmp_path / "in.tif", array, mask=mask, compress="zstd", **PLACE)
    with rasterio.open(source, "r+") as dataset:
        dataset.build_overviews([2, 4])
    target, _ = enlarged(source, cog=cog)
    with rasterio.open(target) as new:
        assert np.array_equal(new.read_masks(1) > 0, times(mask))
        assert np.array_equal(new.read(), np.where(times(mask), times(array), 0))
        assert new.overviews(1)[:2] == ([2, 4] if cog == "false" else [2])[:2]
        assert new.compression.name == "zstd"


def test_a_pixel_is_nothing_only_if_each_band_has_its_number(tmp_path):
    array = RNG.integers(0, 2, (2, 40, 40)).astype("i2") * 7
    tell = lambda dataset: dataset.update_tags(NODATA_VALUES="0 7")  # noqa: E731
    target, _ = enlarged(made(tmp_path / "in.tif", array, tell))
    nothing = (array[0] == 0) & (array[1] == 7)
    with rasterio.open(target) as new:
        assert np.array_equal(new.read_masks(1) == 0, times(nothing))
        assert np.array_equal(new.read(), times(array))


def test_a_mask_beside_the_file_comes_into_the_new_one(tmp_path):
    array = RNG.integers(1, 99, (1, 40, 40)).astype("u1")
    source = made(tmp_path / "in.tif", array)
    beside = rasterio.Env(GDAL_TIFF_INTERNAL_MASK="NO")
    with beside, rasterio.open(source, "r+") as dataset:
        dataset.write_mask(array[0] > 50)
    assert (tmp_path / "in.tif.msk").exists()
    target, _ = enlarged(source)
    with rasterio.open(target) as new:
        assert np.array_equal(new.read_masks(1) > 0, times(array[0] > 50))


def test_nothing_without_a_number_reaches_the_network(tmp_path):
    array = RNG.normal(size=(2, 30, 30)).astype("f4")
    array[0, 3], array[1, 4], array[0, 5], array[1, 6] = np.nan, np.inf, -3.4e38, -9999
    source = made(tmp_path / "in.tif", array, nodata=-9999)
    seen = []
    work = repeating()

    def run(raster, canvas, part=0, parts=1):
        block = raster.read(slice(0, 30), slice(0, 30))
        seen.append((raster.levels.unit(block.numbers), block.valid))
        work.run(raster, canvas)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        enlarge(source, tmp_path / "new.tif", replace(work, run=run))
    unit, valid = seen[0]
    assert abs(unit).max() < 3
    assert (~valid).sum(axis=2).nonzero()[1].tolist() == [3, 5, 4, 6]
    with rasterio.open(tmp_path / "new.tif") as new:
        assert np.array_equal(new.read() == -9999, times(~valid))


def test_levels_colours_and_opacity(tmp_path):
    def raster(array, colors, **told):
        tell = lambda dataset: setattr(dataset, "colorinterp", colors)  # noqa: E731
        path = made(tmp_path / "in.tif", array, tell, **told)
        with rasterio.open(path) as dataset:
            return GeoRaster(path, dataset)

    kind = rasterio.enums.ColorInterp
    red, green, blue, gray = kind.red, kind.green, kind.blue, kind.gray
    alpha, other = kind.alpha, kind.undefined
    array = RNG.integers(100, 60000, (4, 40, 40)).astype("u2")
    kinds = {"photometric": "rgb"}
    got = raster(array, [red, green, blue, alpha], **kinds)
    assert (got.rgb, got.alpha) == (True, True)
    assert (got.levels.black[-1].item(), got.levels.white[-1].item()) == (0, 65535)
    assert 100 <= got.levels.black[0].item() < 1000 < 59000 < got.levels.white[0].item()
    got = raster(array, [red, green, blue, other], **kinds)
    assert (got.rgb, got.alpha) == (False, False)
    got = raster(array[:3].astype("f4"), [red, green, blue], **kinds)
    assert not got.rgb
    got = raster(array[:2], [gray, alpha])
    assert (got.rgb, got.alpha) == (False, True)
    flat = raster(np.full((1, 9, 9), 1e20), [gray])
    assert flat.levels.white.item() > flat.levels.black.item()


def test_land_cover_stays_classes(tmp_path):
    array = RNG.integers(0, 6, (1, 300, 280)).astype("u1") * 40
    colors = {number: (number, 255 - number, 9, 255) for number in range(256)}
    tell = lambda dataset: dataset.write_colormap(1, colors)  # noqa: E731
    source = made(tmp_path / "in.tif", array, tell, nodata=0, **PLACE)
    with rasterio.open(source) as old:
        colors = old.colormap(1)
    for cog in ("false", "true"):
        target, notes = enlarged(source, 3, cog=cog)
        assert any("classes are repeated" in note for note in notes)
        with rasterio.open(target) as new:
            assert np.array_equal(new.read(), times(array, 3))
            assert new.colormap(1) == colors
            for level in range(len(new.overviews(1))):
                with rasterio.open(target, overview_level=level) as overview:
                    assert set(np.unique(overview.read())) <= set(np.unique(array))


@pytest.mark.parametrize("cog", ["false", "true"])
@pytest.mark.parametrize("counts_from", ["Area", "Point"])
def test_points_and_polynomials_stay_in_place(tmp_path, cog, counts_from):
    points = [GroundControlPoint(*place) for place in [(0, 0, 1, 2), (9, 30, 3, 4), (5, 2, 7, 7)]]
    terms = {
        f"{axis}_{part}_coeff": [0.5] * 20 for axis in ("line", "samp") for part in ("den", "num")
    }
    places = {
        f"{name}_{part}": 4.0 for name in ("height", "lat", "long") for part in ("off", "scale")
    }
    model = RPC(line_off=9.5, line_scale=10, samp_off=14.5, samp_scale=15, **terms, **places)

    def tell(dataset):
        dataset.update_tags(AREA_OR_POINT=counts_from)
        dataset.gcps = (points, rasterio.CRS.from_epsg(4326))
        dataset.rpcs = model

    source = made(tmp_path / "in.tif", RNG.integers(0, 9, (1, 20, 30)).astype("u1"), tell)
    target, _ = enlarged(source, 3, cog=cog)
    with rasterio.open(source) as old, rasterio.open(target) as new:
        where = [(3 * p.row, 3 * p.col, p.x, p.y) for p in old.gcps[0]]
        assert [(p.row, p.col, p.x, p.y) for p in new.gcps[0]] == where
        assert new.gcps[1] == old.gcps[1]
        assert (new.rpcs.line_off, new.rpcs.line_scale) == (29.5, 30)
        assert (new.rpcs.samp_off, new.rpcs.samp_scale) == (44.5, 45)
        assert new.rpcs.lat_off == 4


@pytest.mark.parametrize("cog", ["false", "true"])
def test_what_a_file_says_is_kept_but_not_its_statistics(tmp_path, cog):
    def tell(dataset):
        dataset.update_tags(AREA_OR_POINT="Point", TIFFTAG_ARTIST="A. Mapper", mission="x=1")
        dataset.update_tags(ns="SENSOR", gain="2")
        dataset.update_tags(2, STATISTICS_MEAN="4", wavelength="560")
        dataset.descriptions, dataset.units = ("blue", "green"), ("m", "K")
        dataset.scales, dataset.offsets = (0.5, 2), (1, -3)

    source = made(tmp_path / "in.tif", np.ones((2, 9, 9), "u2"), tell, **PLACE)
    target, notes = enlarged(source, cog=cog)
    with rasterio.open(target) as new:
        told = {"AREA_OR_POINT": "Point", "TIFFTAG_ARTIST": "A. Mapper", "mission": "x=1"}
        assert new.tags() == told | {"TIFFTAG_SOFTWARE": "repeat 0.1.0"}
        assert new.tags(2) == {"wavelength": "560"}
        assert (new.descriptions, new.units) == (("blue", "green"), ("m", "K"))
        assert (new.scales, new.offsets) == ((0.5, 2), (1, -3))
        assert new.transform == rasterio.Affine(5, 0.25, 4e5, 0.125, -5, 5e6)
        if cog == "false":
            assert new.tags(ns="SENSOR") == {"gain": "2"}
        else:
            assert any("SENSOR" in note for note in notes)


def test_a_cog_stays_one_and_lossy_compression_is_told_of(tmp_path):
    source = tmp_path / "in.tif"
    source.symlink_to(real_data("satellite/goes.tif"))
    target, notes = enlarged(source)
    assert any("JPEG" in note for note in notes)
    with rasterio.open(target) as new:
        assert new.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert new.compression.name == "deflate"


def test_options_and_suffix(tmp_path):
    source = made(tmp_path / "in.tif", np.ones((1, 4, 4), "u1"))
    assert "plane" in refused(source, UsageError, plane="axial")
    assert "yes" in refused(source, UsageError, cog="yes")
    assert [suffix(Path(name)) for name in ("a.tif", "a.TIFF", "a.gtif")] == [
        ".tif",
        ".TIFF",
        ".tif",
    ]


def test_without_the_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(MissingExtraError, match="rasterio"):
        enlarge(tmp_path / "in.tif", tmp_path / "new.tif", repeating())


def test_which_files_are_geotiff(tmp_path):
    for path in sorted(real_data("satellite").glob("*.tif")):
        assert is_geotiff(path), path.name
    from PIL import Image

    for name, array in {
        "grey.tif": np.zeros((4, 4), "u1"),
        "deep.tif": np.zeros((4, 4), "u2"),
        "rgb.tif": np.zeros((4, 4, 3), "u1"),
        "float.tif": np.zeros((4, 4), "f4"),
        "not.png": np.zeros((4, 4), "u1"),
    }.items():
        Image.fromarray(array).save(tmp_path / name)
        assert not is_geotiff(tmp_path / name), name
    for dtype in ("i1", "i2", "i4", "u4", "f8", "c8"):
        for big in ("yes", "no"):
            for order in ("little", "big"):
                told = {"bigtiff": big, "endianness": order}
                assert is_geotiff(made(tmp_path / "a.tif", np.zeros((1, 4, 4), dtype), **told))
    assert is_geotiff(made(tmp_path / "a.tif", np.zeros((5, 4, 4), "u1")))
    assert not is_geotiff(made(tmp_path / "a.tif", np.zeros((3, 4, 4), "u1")))
    assert not is_geotiff(tmp_path)
    assert not is_geotiff(tmp_path / "absent.tif")


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_broken_bytes_never_crash(tmp_path_factory, data):
    folder = tmp_path_factory.getbasetemp() / "broken"
    folder.mkdir(exist_ok=True)
    whole = folder / "whole.tif"
    if not whole.exists():
        array = np.arange(2 * 40 * 40).reshape(2, 40, 40).astype("i2")
        made(whole, array, compress="deflate", tiled=True, blockxsize=16, blockysize=16, **PLACE)
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    source = folder / "in.tif"
    source.write_bytes(content)
    is_geotiff(source)
    work = repeating()

    def run(raster, canvas, part=0, parts=1):
        if raster.height * raster.width * raster.bands > 100_000:
            raise VoluteError("too large for this test")
        work.run(raster, canvas)

    try:
        enlarge(source, folder / "new.tif", replace(work, run=run))
    except VoluteError as error:
        told = error.what
        assert "\n" not in told  # noqa: PT017 - most of these files are fine
    assert {path.name for path in folder.iterdir()} <= {"whole.tif", "in.tif", "new.tif"}


def test_refused_files_say_why_in_one_line(tmp_path):
    corrupt = tmp_path / "corrupt.tif"
    corrupt.symlink_to(real_data("satellite/corrupt.tif"))
    assert "damaged" in refused(corrupt)
    whole = made(tmp_path / "a.tif", RNG.integers(0, 9, (1, 200, 200)).astype("u2"), compress="lzw")
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) - 99])
    assert "cut off" in refused(whole)
    middle = len(content) // 2
    whole.write_bytes(content[:middle] + b"\xff" * 200 + content[middle + 200 :])
    assert "cannot be read in rows" in refused(whole)
    assert "complex" in refused(made(tmp_path / "c.tif", np.ones((1, 4, 4), "c8")))
    assert "not a TIFF" in refused(made_vrt(tmp_path))
    side = {"height": 100_000, "width": 100_000, "sparse_ok": True, "tiled": True, "bigtiff": "yes"}
    with rasterio.open(tmp_path / "h.tif", "w", driver="GTiff", count=1, dtype="uint16", **side):
        pass
    assert "almost no data" in refused(tmp_path / "h.tif")
    text = made(tmp_path / "n.tif", np.ones((1, 4, 4), "i8"), nodata=1234567890123456)
    text.write_bytes(text.read_bytes().replace(b"1234567890123456", b"9223372036854775"))
    with rasterio.open(text) as dataset:
        assert dataset.nodata > 9e15
    assert "too long" in refused(text)
    assert "No such file" in refused(tmp_path / "absent.tif")


def made_vrt(folder: Path) -> Path:
    inside = made(folder / "inside.tif", np.ones((1, 4, 4), "u1"))
    path = folder / "v.tif"
    path.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="4">'
        '<Metadata><MDI key="INTERNAL_MASK_FLAGS_1">2</MDI></Metadata>'
        '<VRTRasterBand dataType="Byte" band="1">'
        f"<SimpleSource><SourceFilename>{inside}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )
    return path


def test_a_mask_beside_the_file_that_is_no_tiff_is_not_opened(tmp_path):
    source = made(tmp_path / "in.tif", np.ones((1, 4, 4), "u1"))
    made_vrt(tmp_path).rename(tmp_path / "in.tif.msk")
    with rasterio.open(source) as dataset:
        assert "per_dataset" in str(dataset.mask_flag_enums)
    target, _ = enlarged(source)
    with rasterio.open(target) as new:
        assert "per_dataset" not in str(new.mask_flag_enums)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from enlarging import repeating
from volute.media.geotiff import enlarge
for limit in map(int, sys.argv[4:]):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        enlarge(Path(sys.argv[1]), Path(sys.argv[2]), repeating(2, {"cog": sys.argv[3]}))
        print(limit, "written")
    except OSError as error:
        print(limit, error)
    Path(sys.argv[2]).unlink(missing_ok=True)
"""


@pytest.mark.parametrize("cog", ["false", "true"])
@pytest.mark.parametrize("compress", ["none", "deflate"])
def test_a_full_disk_is_told_of_wherever_it_strikes(tmp_path, cog, compress):
    array = RNG.integers(0, 255, (1, 300, 300)).astype("u1")
    source = made(tmp_path / "in.tif", array, compress=compress, **PLACE)
    target, _ = enlarged(source, cog=cog)
    size = target.stat().st_size
    target.unlink()
    limits = [0, 100, size // 2, size - 60_000, size - 500, size - 1]
    command = [sys.executable, "-c", FULL_DISK, source, target, cog, *map(str, limits)]
    here = Path(__file__).parents[1]
    done = subprocess.run(
        command, cwd=here, capture_output=True, text=True, timeout=120, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(limits)
    assert all("could not be written whole" in line for line in lines), lines
    assert not [*target.parent.iterdir()]


def test_what_the_network_raises_passes(tmp_path):
    source = made(tmp_path / "in.tif", np.ones((1, 4, 4), "u1"))
    folder = tmp_path / "out"
    folder.mkdir()
    for error in (MemoryError(), KeyboardInterrupt(), VoluteError("no")):

        def run(raster, canvas, part=0, parts=1, error=error):
            raise error

        for cog in ("false", "true"):
            work = replace(repeating(2, {"cog": cog}), run=run)
            with pytest.raises(type(error)) as caught:
                enlarge(source, folder / "new.tif", work)
            assert caught.value is error
            (folder / "new.tif").unlink(missing_ok=True)
            assert not [*folder.iterdir()]
