"""NIfTI: a volume is enlarged slice by slice in one anatomical plane, or in all three.

The numbers are those that the file stores, before slope and intercept, which stay as they are. One
volume of the file is in memory at a time, with its enlarged form. In the plane `all` each plane is
enlarged by the network, its third axis brought to size by linear interpolation between slices, and
the three volumes averaged: the new volume is larger along all three axes.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from volute.errors import DataError, UsageError
from volute.media.nifti_header import enlarged_header, through_axis
from volute.media.nifti_volumes import Volume, mark_of, open_header, reading, volumes
from volute.media.raster import ArrayCanvas, ArrayRaster, Work

PLANES = ("axial", "coronal", "sagittal", "all")
NOTICE = "not for diagnosis: a network enlarged it, and its details are likely, not measured"
VOLUME_LIMIT = 8 << 30
"""Bytes of one enlarged volume."""
_LABELS = (1002, 1005)
"""Intent codes of maps whose numbers are names."""
_NIFTI1_SIDE = 32_767
_FOREIGN = (".mgz", ".mgh")


def is_nifti(source: Path) -> bool:
    """Return whether a file is NIfTI by its mark, inside gzip too, or of its family by ending."""
    return source.suffix.lower() in _FOREIGN or bool(mark_of(source))


def suffix(source: Path) -> str:
    """Return the ending of the enlarged file."""
    return ".nii.gz" if source.suffix.lower() == ".gz" else ".nii"


def enlarge(source: Path, target: Path, work: Work) -> list[str]:
    """Write the enlarged volumes to `target`, compressed if its name ends in `.gz`.

    `work.options` may hold `plane`: axial (the default), coronal or sagittal, by the closest axes
    of the scanner, or all. A single slice is enlarged along its own two axes.

    Returns:
        Notes for the terminal, one line each.

    Raises:
        DataError: `source` cannot be read, is not a volume, or is too large.
        MissingExtraError: nibabel is not installed.
        UsageError: an option that is not known.
    """
    plane = _plane(work)
    header, shape, bands = open_header(source)
    flat = [2] if len(shape) == 2 else [axis for axis in range(3) if shape[axis] == 1]
    volumetric = len(flat) != 1
    every = plane == "all" and volumetric
    _refuse_labels(source, header)
    with reading(source):
        across = [0, 1, 2] if every else [through_axis(header, plane) if volumetric else flat[0]]
        grown = {0, 1, 2} if every else {0, 1, 2} - set(across)
        longest = max((*shape[:3], 1)[axis] for axis in grown) * work.scale
        if longest > _NIFTI1_SIDE and header.sizeof_hdr == 348:
            reason = f"enlarged it would be {longest} long, over what NIfTI-1 can hold"
            raise DataError(f"{source}: {reason}", "Choose a smaller factor.")
        made = enlarged_header(header, grown, work.scale, work.model)
        _refuse_large(source, made)
    with target.open("wb") as raw, _packed(raw, target.suffix == ".gz") as stream:
        made.write_to(stream)
        stream.write(b"\0" * (made.get_data_offset() - stream.tell()))
        for volume in volumes(source, header, shape, bands, across):
            large = _averaged(volume, work) if every else _sliced(volume, across[0], work)
            # as a header tells: the first axis is the fastest, in the file's order of bytes
            stored = large.astype(_stored(header), copy=False)
            stream.write(np.ascontiguousarray(stored.T).data)
    return [NOTICE, f"enlarged along {'all three axes' if every else _told(plane, volumetric)}"]


def _plane(work: Work) -> str:
    unknown = set(work.options) - {"plane"}
    plane = work.options.get("plane", "axial")
    if unknown or plane not in PLANES:
        wrong = f"NIfTI has no option {sorted(unknown)[0]}" if unknown else f"no plane {plane}"
        raise UsageError(wrong, f"Known is plane: {', '.join(PLANES)}.")
    return plane


def _told(plane: str, volumetric: bool) -> str:
    return f"the two axes of each {plane} slice" if volumetric else "its two axes"


def _refuse_labels(source: Path, header: Any) -> None:
    if int(header["intent_code"]) in _LABELS:
        hint = "Resample it by nearest neighbours with a tool for label maps."
        raise DataError(f"{source}: it holds labels, between which there is nothing", hint)


def _refuse_large(source: Path, made: Any) -> None:
    shape = made.get_data_shape()[:3]
    if math.prod(shape) * made.get_data_dtype().itemsize > VOLUME_LIMIT:
        size = " x ".join(map(str, shape))
        reason = f"enlarged to {size} a volume would have over {VOLUME_LIMIT >> 30} GiB"
        raise DataError(f"{source}: {reason}", "Choose a smaller factor.")


def _sliced(volume: Volume, axis: int, work: Work) -> np.ndarray:
    """Return [C, X, Y, Z], larger along the two axes other than `axis`."""
    shape = [n if k == axis else n * work.scale for k, n in enumerate(volume.array.shape[1:])]
    made = np.empty((volume.array.shape[0], *shape), volume.array.dtype, order="F")
    for index, large in enumerate(_slices(volume, axis, work)):
        np.moveaxis(made, axis + 1, 0)[index] = large
    return made


def _slices(volume: Volume, axis: int, work: Work) -> Iterator[np.ndarray]:
    """Yield enlarged slices [C, A, B] across `axis`; what is not finite stays as it is."""
    for index, flat in enumerate(np.moveaxis(volume.array, axis + 1, 0)):
        finite = np.isfinite(flat) if flat.dtype.kind == "f" else None
        valid = None if finite is None or finite.all() else finite
        large = flat.repeat(work.scale, 1).repeat(work.scale, 2)
        rgb = flat.shape[0] == 3
        raster = ArrayRaster(flat, volume.levels, rgb=rgb, valid=valid)
        work.run(raster, ArrayCanvas(large), volume.part + index, volume.parts)
        yield large


def _averaged(volume: Volume, work: Work) -> np.ndarray:
    """Return [C, X, Y, Z], larger along all axes: the mean of the three planes."""
    shape = [n * work.scale for n in volume.array.shape[1:]]
    wide = np.float32 if volume.array.dtype.itemsize <= 2 else np.float64
    total = np.zeros((volume.array.shape[0], *shape), wide, order="F")
    for axis in range(3):
        turned = replace(volume, part=volume.part + sum(volume.array.shape[1 : axis + 1]))
        sums = np.moveaxis(total, axis + 1, 0)
        for index, large in enumerate(_between(_slices(turned, axis, work), work.scale, wide)):
            sums[index] += large
    total /= 3
    if volume.array.dtype.kind == "f":
        return total.astype(volume.array.dtype)
    low, high = volume.levels.lowest, volume.levels.highest
    return np.rint(total, out=total).clip(low, high).astype(volume.array.dtype)


def _between(slices: Iterator[np.ndarray], scale: int, dtype: Any) -> Iterator[np.ndarray]:
    """Yield `scale` slices for each, linear between their middles; beyond the ends they repeat."""
    before: np.ndarray | None = None
    offsets = (np.arange(scale) + 0.5) / scale - 0.5
    for now in slices:
        with np.errstate(invalid="ignore"):
            now = now.astype(dtype)
        if before is None:
            yield from (now for offset in offsets if offset < 0)
        else:
            yield from (_mixed(before, now, offset) for offset in offsets if offset >= 0)
            yield from (_mixed(before, now, 1 + offset) for offset in offsets if offset < 0)
        before = now
    if before is not None:
        yield from (before for offset in offsets if offset >= 0)


def _mixed(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """Return numbers between two slices; next to one that is not finite, those of the nearer."""
    with np.errstate(invalid="ignore"):
        mixed = before + (after - before) * share
    return np.where(np.isfinite(mixed), mixed, before if share < 0.5 else after)


def _stored(header: Any) -> np.dtype:
    dtype = header.get_data_dtype()
    return np.dtype(np.uint8) if dtype.names else dtype


def _packed(raw: IO[bytes], pack: bool) -> Any:
    return gzip.GzipFile("", "wb", 1, raw, mtime=0) if pack else nullcontext(raw)
