"""The new GeoTIFF: how it is laid out and compressed, its overviews."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from volute.media.geotiff_raster import GeoCanvas, GeoRaster, nbits, writing
from volute.media.raster import Block, Work
from volute.media.tiff_layout import bytes_stored

_LOSSLESS = ("DEFLATE", "LZW", "ZSTD", "LZMA", "PACKBITS")
_PREDICTORS = {"1": "NO", "2": "STANDARD", "3": "FLOATING_POINT"}
_TILE, _PART = 256, 512
_CACHE = (64 << 20, 256 << 20)


def opened(path: Path, *args: Any, **settings: Any) -> Any:
    """Return rasterio's dataset, without its warning that a picture has no place on Earth.

    Nor does it tell the terminal of messages that it cannot decode.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return rasterio.open(path.absolute(), *args, **settings)


def write_plain(raster: GeoRaster, target: Path, work: Work) -> None:
    """Write the file with overviews if the source has any.

    Raises:
        OSError: it could not be written whole.
    """
    _write(raster, target, work)
    levels = _overviews(raster, work.scale)
    if levels:
        with writing(), opened(target, "r+") as made:
            made.build_overviews(levels, _resampling(raster))
    _check_whole(target, raster, 1 + len(levels))


def write_cog(raster: GeoRaster, target: Path, work: Work) -> None:
    """Write a Cloud Optimized GeoTIFF, by way of a plain one in a folder beside `target`.

    Raises:
        OSError: it could not be written whole.
    """
    shutil = import_module("rasterio.shutil")
    compression, predictor = compression_of(raster.dataset)
    settings = {"COMPRESS": compression, "BIGTIFF": "IF_SAFER"}
    settings["OVERVIEW_RESAMPLING"] = _resampling(raster).name.upper()
    if compression in ("DEFLATE", "LZW", "ZSTD"):
        settings["PREDICTOR"] = _PREDICTORS[predictor]
    elif compression != "NONE":
        settings["COMPRESS"] = "DEFLATE"
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        plain, made = Path(folder, "plain.tif"), Path(folder, "cog.tif")
        _write(raster, plain, work)
        _check_whole(plain, raster)
        with writing():
            shutil.copy(plain, made, driver="COG", **settings)
        _check_whole(made, raster)
        made.replace(target)


def cache_bytes(raster: GeoRaster, scale: int) -> int:
    """Return the bytes of two rows of tiles: parts that end amid a tile are then joined first."""
    row = raster.width * scale * _TILE * raster.bands * raster.dtype.itemsize
    return min(max(2 * row, _CACHE[0]), _CACHE[1])


def compression_of(dataset: Any) -> tuple[str, str]:
    """Return compression and predictor of the new file: the source's if it loses nothing."""
    if dataset.compression is None:
        return "NONE", "1"
    structure = dataset.tags(ns="IMAGE_STRUCTURE")
    name = structure.get("COMPRESSION", "")
    if name in _LOSSLESS:
        known = nbits(dataset) is None and name in ("DEFLATE", "LZW", "ZSTD")
        return name, structure.get("PREDICTOR", "1") if known else "1"
    return "DEFLATE", "1" if nbits(dataset) else "3" if "float" in dataset.dtypes[0] else "2"


def _write(raster: GeoRaster, target: Path, work: Work) -> None:
    """Write a plain file; errors of the last moment are found by `_check_whole`."""
    target.unlink(missing_ok=True)
    settings = _settings(raster, work.scale)
    with writing():
        made = opened(target, "w", **settings)
    with made:
        with writing():
            raster.told.tell(made, work.scale, work.model)
        canvas = GeoCanvas(made, raster)
        if raster.told.classes:
            _repeat(raster, canvas, work.scale)
        else:
            work.run(raster, canvas)


def _settings(raster: GeoRaster, scale: int) -> dict[str, Any]:
    """Return what must be known when the new file is made."""
    source = raster.dataset
    height, width = raster.height * scale, raster.width * scale
    settings = {"driver": "GTiff", "height": height, "width": width, "count": raster.bands}
    settings |= {"dtype": raster.dtype.name, "nodata": raster.nodata, "BIGTIFF": "IF_SAFER"}
    settings |= {"PHOTOMETRIC": _photometric(source), "ALPHA": _alpha(source)}
    if source.interleaving is not None:
        settings["INTERLEAVE"] = source.interleaving.name.upper()
    if max(height, width) > _TILE:
        settings |= {"TILED": "YES", "BLOCKXSIZE": _TILE, "BLOCKYSIZE": _TILE}
    compression, predictor = compression_of(source)
    settings |= {"COMPRESS": compression, "PREDICTOR": predictor}
    if bits := nbits(source):
        settings["NBITS"] = bits
    if profile := source.tags(ns="COLOR_PROFILE").get("SOURCE_ICC_PROFILE"):
        settings["SOURCE_ICC_PROFILE"] = profile
    return settings


def _photometric(source: Any) -> str:
    meaning = [band.name for band in source.colorinterp]
    if meaning[:3] == ["red", "green", "blue"]:
        return "RGB"
    if meaning[:4] == ["cyan", "magenta", "yellow", "black"]:
        return "CMYK"
    inverted = source.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    return "MINISWHITE" if inverted else "MINISBLACK"


def _alpha(source: Any) -> str:
    told = [source.tags(band, ns="IMAGE_STRUCTURE").get("ALPHA") for band in source.indexes]
    return "PREMULTIPLIED" if "PREMULTIPLIED" in told else "NO"


def _repeat(raster: GeoRaster, canvas: GeoCanvas, scale: int) -> None:
    for rows in _parts(raster.height):
        for columns in _parts(raster.width):
            block = raster.read(rows, columns)
            numbers = block.numbers.repeat(scale, -2).repeat(scale, -1)
            valid = block.valid
            if valid is not None:
                valid = valid.repeat(scale, -2).repeat(scale, -1)
            canvas.write(_times(rows, scale), _times(columns, scale), Block(numbers, valid))


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)


def _parts(length: int) -> Iterator[slice]:
    for start in range(0, length, _PART):
        yield slice(start, min(start + _PART, length))


def _overviews(raster: GeoRaster, scale: int) -> list[int]:
    """Return factors: as many as the source has, and more until the last is one tile; or none."""
    had = len(raster.dataset.overviews(1))
    factors, side = [], max(raster.height, raster.width) * scale
    while had and side > 1 and (len(factors) < had or side > _TILE):
        factors.append(2 << len(factors))
        side = -(-side // 2)
    return factors


def _resampling(raster: GeoRaster) -> Any:
    from rasterio.enums import Resampling

    return Resampling.nearest if raster.told.classes else Resampling.average


def _check_whole(path: Path, raster: GeoRaster, sizes: int = 1) -> None:
    """Find what the library does not tell: errors of the last moment, when it closes the file.

    The picture is there in so many sizes, each with its mask.
    """
    try:
        bytes_stored(path, complete=sizes * (1 + raster.has_mask))
    except ValueError as error:
        raise OSError("it could not be written whole; the disk may be full") from error
