"""What the header of an enlarged NIfTI volume says about its place in space."""

from __future__ import annotations

from typing import Any

import numpy as np

_ACROSS = {"sagittal": 0, "coronal": 1, "axial": 2}
"""The axis of the scanner across each plane: left to right, back to front, feet to head."""


def through_axis(header: Any, plane: str) -> int:
    """Return the voxel axis across a plane: the one closest to the scanner's.

    Without a usable affine it is taken as x, y, z in the order of the file.
    """
    from nibabel.orientations import io_orientation

    wanted = _ACROSS[plane]
    try:
        axes = io_orientation(header.get_best_affine())[:, 0]
    except Exception:  # a broken affine fails anywhere in the linear algebra
        return wanted
    found = np.flatnonzero(axes == wanted)
    return int(found[0]) if len(found) == 1 and np.isfinite(axes).all() else wanted


def enlarged_header(header: Any, grown: set[int], scale: int, model: str) -> Any:
    """Return a copy of nibabel's `header` for voxels `scale` times smaller along the axes `grown`.

    Both affines keep their codes, and the outer faces of the volume their place: the middle of the
    first voxel moves by -(scale - 1) / (2 scale) of an old voxel. Slope, units, intent and
    extensions stay.
    """
    made = header.copy()
    shape = list(header.get_data_shape())
    zooms = np.array(header["pixdim"], dtype=np.float64)
    shift = np.zeros(3)
    for axis in grown:
        if axis < len(shape):
            shape[axis] *= scale
        zooms[axis + 1] /= scale
        shift[axis] = -(scale - 1) / (2 * scale)
    made.set_data_shape(shape)
    if int(header["sform_code"]) > 0:
        affine = header.get_sform()
        affine[:3, 3] += affine[:3, :3] @ shift
        for axis in grown:
            affine[:3, axis] /= scale
        for row, name in enumerate("xyz"):
            made[f"srow_{name}"] = affine[row]
    if int(header["qform_code"]) > 0:
        affine = header.get_qform()
        for name, place in zip("xyz", affine[:3, 3] + affine[:3, :3] @ shift, strict=True):
            made[f"qoffset_{name}"] = place
    made["pixdim"] = zooms
    made["vox_offset"] = 0  # the least that holds the extensions; set when written
    _drop_slice_timing(made, grown)
    _describe(made, scale, model)
    return made


def _drop_slice_timing(made: Any, grown: set[int]) -> None:
    """Forget when each slice was taken where slices have become more."""
    if made.get_dim_info()[2] in grown:
        for name in ("slice_code", "slice_start", "slice_end", "slice_duration"):
            made[name] = 0


def _describe(made: Any, scale: int, model: str) -> None:
    """Name the model after what the description says, if both fit in its 80 bytes."""
    old = made["descrip"].tobytes().split(b"\0")[0].rstrip()
    told = f"x{scale} {model}".encode("ascii", "replace")
    whole = old + b"; " + told if old else told
    if len(whole) <= 79:
        made["descrip"] = whole
