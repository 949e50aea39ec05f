"""GeoTIFF to GeoTIFF: any bands and numbers, window by window, with place, tags and mask kept.

The corner of the first pixel stays where it was. Land-cover maps (a colour map) keep their classes:
each pixel is repeated, for a number between two classes is no class between them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from volute.errors import DataError, MissingExtraError, UsageError
from volute.media.geotiff_file import cache_bytes, compression_of, opened, write_cog, write_plain
from volute.media.geotiff_raster import GeoRaster, decoding
from volute.media.raster import Work
from volute.media.tiff_layout import BITS, KIND, SAMPLE_FORMAT, SAMPLES, bytes_stored, directories

_GEO_TAGS = {33550, 33922, 34264, 34735, 42112, 42113, 50844}
_MASK = 4
"""Of the kind of a picture in a file: it tells where another one has no pixels."""
_MOST_BANDS = 4096
_SPARSEST = 2000
"""Most bytes of numbers for each byte in a file of over 4 GB of them; zlib's best is 1032."""


def is_geotiff(source: Path) -> bool:
    """Return whether a file is a TIFF that says where on Earth it is, or that no photograph is.

    The latter has over four samples a pixel, signed, complex, 32-bit integer or 64-bit numbers, or
    a mask.
    A file that is damaged or cannot be opened is none. No library is needed.
    """
    return is_placed(source) or bool(odd(source))


def is_placed(source: Path) -> bool:
    """Return whether a file is a TIFF that says where on Earth it is."""
    try:
        first = next(directories(source), None)
        return first is not None and bool(_GEO_TAGS & first.tags.keys())
    except (OSError, ValueError, IndexError):
        return False


def odd(source: Path) -> str:
    """Return what a TIFF has that no photograph has, as words; empty: nothing, or no TIFF."""
    try:
        first = next(directories(source), None)
        if first is None:
            return ""
        count = first.numbers(SAMPLES, 1)[0]
        form, bits = first.numbers(SAMPLE_FORMAT, 1), first.numbers(BITS, 1)
        if count > 4:
            return f"{count} bands"
        if np.isin(form, (2, 5, 6)).any():
            return "signed or complex numbers"
        if bits.max(initial=1) > (32 if (form == 3).any() else 16):
            return f"numbers of {bits.max()} bits"
        mask = any(each.numbers(KIND)[0] & _MASK for each in directories(source))
        return "a mask in its file" if mask else ""
    except (OSError, ValueError, IndexError):
        return ""


def suffix(source: Path) -> str:
    """Return the natural ending of the new file: that of the source."""
    return source.suffix if source.suffix.lower() in (".tif", ".tiff") else ".tif"


def enlarge(source: Path, target: Path, work: Work) -> list[str]:
    """Write `source` to `target`, `work.scale` times as high and wide.

    Compression without loss, the order of the numbers, overviews, mask, nodata number, tags and
    colours are kept; statistics of the old numbers are not. Memory does not follow the picture.

    Args:
        source: the file; only what is in it and its mask, world file or overviews is read.
        target: the file to write; nothing else stays beside it.
        work: options: `cog` (`true` or `false`): write a Cloud Optimized GeoTIFF, whose numbers
            are in the order of pixels; by default if the source is one.

    Returns:
        Notes of one line each: what was not kept as it was.

    Raises:
        DataError: the file is damaged, cut off, or holds complex numbers.
        UsageError: an unknown option.
        MissingExtraError: rasterio is not installed.
        OSError: the new file cannot be written.
    """
    asked = _options(work.options)
    try:
        import rasterio
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading GeoTIFF needs rasterio", "geo") from error
    _check_bytes(source)
    plain = {"GDAL_PAM_ENABLED": "NO", "GDAL_TIFF_INTERNAL_MASK": "YES", "GDAL_NUM_THREADS": "1"}
    if _strange_sidecar(source):
        plain["GDAL_DISABLE_READDIR_ON_OPEN"] = "EMPTY_DIR"
    with rasterio.Env(GDAL_CACHEMAX=64 << 20, **plain):
        with decoding(source, "not a GeoTIFF, or its header is damaged"):
            dataset = opened(source, driver="GTiff", sharing=False)
        with dataset:
            _check_numbers(source, dataset, work.scale)
            with decoding(source, "its header is damaged"):
                raster = GeoRaster(source, dataset)
            if asked is None:
                asked = dataset.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG"
            write = write_cog if asked else write_plain
            with rasterio.Env(GDAL_CACHEMAX=cache_bytes(raster, work.scale), **plain):
                write(raster, target, work)
            return _notes(raster, asked)


def _options(options: Mapping[str, str]) -> bool | None:
    for key, value in options.items():
        if key != "cog":
            raise UsageError(f"unknown option of GeoTIFF: {key}", "Known: cog=true or cog=false.")
        if value not in ("true", "false"):
            raise UsageError(f"cog cannot be {value}", "Say cog=true or cog=false.")
    return None if "cog" not in options else options["cog"] == "true"


def _check_bytes(source: Path) -> None:
    """Refuse what is cut off before any work is done on it."""
    try:
        bytes_stored(source)
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if getattr(error, "errno", None) else str(error)
        raise DataError(f"{source}: {reason}", "Copy the file again from where it came.") from error


def _check_numbers(source: Path, dataset: Any, scale: int) -> None:
    kind = np.dtype(dataset.dtypes[0]).kind if "complex" not in dataset.dtypes[0] else "c"
    if kind not in "iuf":
        hint = "Save its amplitude, or its real and imaginary parts, as bands of their own."
        raise DataError(f"{source}: its numbers are complex, which is not supported", hint)
    size = f"{dataset.width} x {dataset.height} pixels"
    if max(dataset.width, dataset.height) * scale >= 1 << 31:
        raise DataError(f"{source}: {size} are too many to enlarge", "Cut it into parts.")
    if kind in "iu" and abs(dataset.nodata or 0) > 1 << 53:  # the library would write another one
        hint = "Choose a nodata number of at most 15 digits."
        raise DataError(f"{source}: its nodata number is too long", hint)
    if dataset.count > _MOST_BANDS:
        hint = f"At most {_MOST_BANDS}: is the file damaged?"
        raise DataError(f"{source}: it claims {dataset.count} bands", hint)
    numbers = dataset.width * dataset.height * dataset.count
    raw = numbers * np.dtype(dataset.dtypes[0]).itemsize
    if raw > 1 << 32 and raw > _SPARSEST * bytes_stored(source):
        hint = "Cut out the part that holds data."
        raise DataError(f"{source}: it claims {size} but holds almost no data", hint)


def _strange_sidecar(source: Path) -> bool:
    """Return whether a mask or overviews beside the file are no TIFF: they may point anywhere."""
    for path in (Path(f"{source}.msk"), Path(f"{source}.ovr"), Path(f"{source}.OVR")):
        try:
            if path.exists() and next(directories(path), None) is None:
                return True
        except (OSError, ValueError):
            return True
    return False


def _notes(raster: GeoRaster, cog: bool) -> list[str]:
    dataset, notes = raster.dataset, []
    compression = dataset.tags(ns="IMAGE_STRUCTURE").get("COMPRESSION", "NONE")
    written, _ = compression_of(dataset)
    if written != compression:
        notes.append(f"compressed by {compression} before, now by {written}, which loses nothing")
    if raster.told.classes:
        notes.append("a colour map: its classes are repeated, not interpolated")
    told = raster.told
    named = {name for tags in (told.tags, *told.band_tags) for name in tags if name}
    if lost := [*told.lost, *(sorted(named) if cog else ())]:  # a COG takes no named ones
        notes.append(f"tags not carried over: {', '.join(lost)}")
    if pictures := len(dataset.subdatasets):
        notes.append(f"only the first of {pictures} pictures in the file is enlarged")
    if Path(f"{raster.source}.aux.xml").exists():
        notes.append(f"not read: {raster.source.name}.aux.xml beside it")
    return notes
