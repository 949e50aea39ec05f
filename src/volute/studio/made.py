"""How a file that was made becomes a result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel

from volute.media.photo import PictureError, picture_size
from volute.studio.jobs import now
from volute.studio.models import Result, Role

TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".avif": "image/avif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".mp4": "video/mp4",
    ".txt": "text/plain; charset=utf-8",
    ".dcm": "application/dicom",
    ".gz": "application/gzip",
}
"""Of what is sent; anything else is octets, which no browser shows."""
SHOWN = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif"}
"""What a browser shows as it is."""


def media_type(path: Path) -> str:
    """Return the type of a file that is sent, by its ending."""
    return TYPES.get(path.suffix.lower(), "application/octet-stream")


def keep(
    ident: str,
    path: Path,
    request: BaseModel,
    *,
    route: str,
    deed: str,
    role: Role = "picture",
    job: str = "",
    about: dict[str, Any] | None = None,
    previewed: bool = True,
) -> Result:
    """Return the record of a file that is whole; the caller puts it into the ledger."""
    asked = request.model_dump(mode="json")
    width, height = size_of(path)
    return Result(
        id=ident,
        job=job,
        deed=deed,
        role=role,
        name=path.name,
        bytes=path.stat().st_size,
        media_type=media_type(path),
        width=width,
        height=height,
        created=now(),
        model=asked["model"],
        request=asked,
        again=route,
        about=about or {},
        file=f"/api/v1/results/{ident}/file",
        preview=f"/api/v1/results/{ident}/preview" if previewed else "",
    )


def size_of(path: Path) -> tuple[int, int]:
    """Return width and height of a picture that a browser shows, in pixels; else 0, 0."""
    if path.suffix.lower() not in (*SHOWN, ".tif", ".tiff"):
        return 0, 0
    try:
        return picture_size(path)
    except PictureError:
        return 0, 0
