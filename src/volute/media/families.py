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
