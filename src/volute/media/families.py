"""Which format a file is in, by what it holds, and the module that works on it."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from volute.errors import DataError, UsageError
from volute.media.raster import Work

SNIFFED = ("video", "dicom", "nifti", "geotiff")
"""Modules with a test `is_<name>(path)`, in the order in which they are asked."""
MEASURED = {"dicom": "DICOM", "nifti": "NIfTI", "geotiff": "GeoTIFF"}
"""Those whose numbers are measurements."""
KEPT = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".avif")
"""Endings of photographs that are written as they are read; others become PNG."""
PHOTOS = (*KEPT, ".gif", ".bmp", ".dib", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm", ".qoi")
FILMS = (".mp4", ".mov", ".m4v", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".flv")
FILMS += (".ts", ".mts", ".m2ts")
OWN = {"dicom": (".dcm", ".dicom", ".ima"), "nifti": (".nii.gz", ".nii")}
OWN |= {"geotiff": (".tif", ".tiff")}
"""Endings of measurements."""
PAINTED = PHOTOS + FILMS
ENLARGED = PAINTED + OWN["dicom"] + OWN["nifti"]
"""Endings by which files are told where looking into them would mean fetching them."""


class Family(Protocol):
    """A format module."""

    def suffix(self, source: Path) -> str:
        """Return the natural ending of what is made of `source`."""
        ...

    def enlarge(self, source: Path, target: Path, work: Work) -> list[str]:
        """Write what `work` makes of `source` to `target`; return what a person should know."""
        ...


def of(source: Path) -> Family:
    """Return the module for a file; anything unknown is taken for a photograph.

    Raises:
        DataError: if it is not there, no file, or empty.
    """
    try:
        size = source.stat().st_size
    except OSError as error:
        raise DataError(f"{source}: {error.strerror}", "Check the name.") from error
    if not source.is_file():
        raise DataError(f"{source}: not a file")
    if size == 0:
        raise DataError(f"{source}: the file is empty (0 bytes)", "Copy it again.")
    for name in SNIFFED:
        module: Any = import_module(f"volute.media.{name}")
        if getattr(module, f"is_{name}")(source):
            return module
    photo: Any = import_module("volute.media.enlarge_photo")
    return photo


def ending_of(name: str) -> str:
    """Return the ending of what is made of a file by its name alone, as far as that says it."""
    kept = (*KEPT, *FILMS, *OWN["dicom"], *OWN["nifti"])
    own = next((ending for ending in kept if name.lower().endswith(ending)), "")
    return name[len(name) - len(own) :] if own else ".png"


def check_ending(family: Family, target: Path) -> None:
    """Refuse a name for measurements that says that they are something else.

    Raises:
        UsageError: if it does.
    """
    own = OWN.get(_name(family), ())
    if own and target.name.lower().endswith(ENLARGED) and not target.name.lower().endswith(own):
        what = f"{target}: a {MEASURED[_name(family)]} file stays one"
        raise UsageError(what, f"End its name in {own[0]}.")


def is_measured(family: Family) -> bool:
    """Tell whether the numbers of a module's files are measurements, in which nothing is hidden."""
    return _name(family) in MEASURED


def of_picture(source: Path) -> Family:
    """Return the module for a photograph or film.

    Raises:
        DataError: as `of`, and for a file whose numbers are measurements.
        UsageError: for a TIFF that is neither a photograph nor a map.
    """
    family: Any = of(source)
    name = _name(family)
    if name == "geotiff" and not family.is_placed(source):
        what = (
            f"{source}: a TIFF with {family.odd(source)} is neither grey nor RGB: it has no style"
        )
        raise UsageError(what, "Choose three of its bands, and save them as RGB.")
    if name in MEASURED:
        what = f"{source}: a {MEASURED[name]} file holds measurements, and no style may change them"
        raise DataError(what, "Save a picture of it as PNG or TIFF.")
    return family


def _name(family: Any) -> str:
    return family.__name__.rpartition(".")[2]
