"""Which kind of file an upload is, and whether it can be shown."""

from __future__ import annotations

from pathlib import Path

from volute.errors import VoluteError


def kind_of(path: Path) -> str:
    """Return which kind of file it is, by what it holds."""
    from volute.media import families
    from volute.provenance import carriers

    try:
        name = families.of(path).__name__.rpartition(".")[2]  # type: ignore[attr-defined]
        if name != "enlarge_photo":
            return name
        if carriers.mime_of(path) == carriers.TEXT:
            return "text"
        from volute.media.photo_file import PIXEL_LIMIT

        return "photo" if _has_pixels(path, PIXEL_LIMIT) else "other"
    except (VoluteError, OSError):
        return "other"


def _has_pixels(path: Path, limit: int) -> bool:
    """Tell whether it is a photograph of at most so many pixels."""
    from volute.media.photo import PictureError, picture_size

    try:
        picture_size(path, limit)
    except PictureError:
        return False
    return True


def has_preview(path: Path, kind: str) -> bool:
    """Tell whether there is a preview of a file."""
    if kind == "photo":
        from volute.studio.preview import PIXELS

        return _has_pixels(path, PIXELS)
    return kind in ("dicom", "nifti", "geotiff")
