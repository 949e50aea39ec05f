"""Pictures in memory as files: marked, signed, with what they were made by."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from volute.errors import UsageError
from volute.events import Emit, silent
from volute.provenance import watermark
from volute.provenance.added import SMALLEST
from volute.provenance.ident import ident_of
from volute.provenance.manifest import AGENT, Origin, signed_file, signed_png

FRAME_MS = 40
ANEW = 8
"""Frames of an animation that carry the same pattern; then it is drawn anew."""


def save_picture(
    image: Image.Image,
    target: Path,
    about: Mapping[str, Any],
    origin: Origin | None = None,
    number: int = 0,
    emit: Emit = silent,
) -> None:
    """Write one picture atomically; if its origin is given, mark it and sign it.

    A PNG carries `about` as JSON in the text chunk `volute`. `number` tells pictures of the same
    origin apart. One of less than 64 px a side has no room for a mark.

    Raises:
        UsageError: for transparency in a JPEG.
        VoluteError: if it cannot be written or signed.
    """
    suffix = target.suffix.lower()
    if suffix in (".jpg", ".jpeg") and image.mode == "RGBA":
        raise UsageError(f"cannot write {target}: JPEG has no transparency", "Use .png or .webp.")
    options: dict[str, Any] = {"pnginfo": _text(about)} if suffix == ".png" else {"quality": 95}
    (image,), origin = _marked([image], origin, number)
    with signed_file(target, origin, emit) as part:
        image.save(part, **options)


def picture_bytes(
    image: Image.Image, about: Mapping[str, Any], origin: Origin, called: str
) -> bytes:
    """Return a picture as a PNG, marked and signed, as `save_picture` writes it.

    `called` is its name in the ledger.

    Raises:
        VoluteError: if it cannot be signed.
    """
    (image,), told = _marked([image], origin)
    held = io.BytesIO()
    image.save(held, "PNG", pnginfo=_text(about))
    return signed_png(held.getvalue(), called, told or origin)


def save_animation(
    frames: Sequence[Image.Image],
    target: Path,
    origin: Origin | None = None,
    emit: Emit = silent,
) -> None:
    """Write an endless animated WebP or GIF, 25 frames a second, as `save_picture` does."""
    gif = target.suffix.lower() == ".gif"
    options: dict[str, Any] = {"disposal": 2} if gif else {"quality": 90}
    frames, origin = _marked(frames, origin)
    with signed_file(target, origin, emit) as part:
        first, *rest = frames
        first.save(part, save_all=True, append_images=rest, duration=FRAME_MS, loop=0, **options)


def _text(about: Mapping[str, Any]) -> PngInfo:
    text = PngInfo()
    text.add_text("Software", f"volute {AGENT['version']}")
    text.add_text("volute", json.dumps({**about, "volute": AGENT["version"]}))
    return text


def _marked(
    images: Sequence[Image.Image], origin: Origin | None, number: int = 0
) -> tuple[Sequence[Image.Image], Origin | None]:
    """Return pictures that go into one file with its ID in their pixels, and the origin with it."""
    if origin is None or min(images[0].size) < SMALLEST:
        return images, origin
    ident, made = ident_of(origin, number), list[Image.Image]()
    for index in range(0, len(images), ANEW):
        some = [np.asarray(image) for image in images[index : index + ANEW]]
        added = watermark.shipped().added(some[0], some[0].shape[:2], ident)
        made += [Image.fromarray(added.whole(pixels)) for pixels in some]
    return made, replace(origin, watermark=ident)
