"""Where the verbs that make pictures put them, and how one is written with its parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import volute
from volute.errors import UsageError
from volute.events import Note
from volute.paths import new_output

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from PIL import Image

    from volute.provenance.manifest import Origin

PICTURES = (".png", ".webp", ".jpg", ".jpeg")
ANIMATIONS = (".webp", ".gif")
FRAME_MS = 40
ANEW = 8
"""Frames of an animation that carry the same pattern; then it is drawn anew."""


def choose(out: Path | None, default: str, overwrite: bool) -> Path:
    """Return the place to write to: `out`, else `default` or its first free `-2`, `-3`, ...

    Raises:
        UsageError: if `out` is there already and may not be overwritten.
    """
    if out is None:
        return new_output(Path(default), overwrite)
    taken = any(out.iterdir()) if out.is_dir() else out.exists()
    if taken and not overwrite:
        raise UsageError(f"{out} is there already", "Add --overwrite, or choose another -o.")
    return out


def choose_folder(out: Path | None, default: str, overwrite: bool) -> Path:
    """Return the folder to write a page to, as `choose` does.

    Raises:
        UsageError: also if `out` is a file, or named like one.
    """
    folder = choose(out, default, overwrite)
    if folder.is_file() or folder.suffix.lower() in (".html", ".htm", ".json", *PICTURES):
        raise UsageError(f"the page is a folder, but {folder} is a file's name", "Name a folder.")
    return folder


def is_file(out: Path, suffixes: Sequence[str]) -> bool:
    """Tell whether `out` names one file with one of `suffixes`, rather than a folder.

    Raises:
        UsageError: if it names a picture file of another format.
    """
    suffix = out.suffix.lower()
    if suffix in suffixes:
        return True
    from PIL import Image

    if suffix in Image.registered_extensions():
        allowed = ", ".join(suffixes)
        raise UsageError(f"cannot write {out} here", f"End -o in {allowed}, or name a folder.")
    return False


def tell_unmarked() -> None:
    """Say that what is written is neither marked nor signed."""
    from volute.cli.show import tell

    tell(Note("unmarked", "what is written here does not say that a model made it"))


def save_picture(
    image: Image.Image,
    target: Path,
    about: Mapping[str, Any],
    origin: Origin | None = None,
    number: int = 0,
) -> None:
    """Write one picture atomically; if its origin is given, mark it and sign it.

    A PNG carries `about` as JSON in the text chunk `volute`. `number` tells pictures of the same
    origin apart. One of less than 64 px a side has no room for a mark.
    """
    from PIL.PngImagePlugin import PngInfo

    suffix = target.suffix.lower()
    if suffix in (".jpg", ".jpeg") and image.mode == "RGBA":
        raise UsageError(f"cannot write {target}: JPEG has no transparency", "Use .png or .webp.")
    options: dict[str, Any] = {"quality": 95}
    if suffix == ".png":
        text = PngInfo()
        text.add_text("Software", f"volute {volute.__version__}")
        text.add_text("volute", json.dumps({**about, "volute": volute.__version__}))
        options = {"pnginfo": text}
    (image,), origin = _marked([image], origin, number)
    with _signed(target, origin) as part:
        image.save(part, **options)


def save_animation(
    frames: Sequence[Image.Image], target: Path, origin: Origin | None = None
) -> None:
    """Write an endless animated WebP or GIF, 25 frames a second, as `save_picture` does."""
    gif = target.suffix.lower() == ".gif"
    options: dict[str, Any] = {"disposal": 2} if gif else {"quality": 90}
    frames, origin = _marked(frames, origin)
    with _signed(target, origin) as part:
        first, *rest = frames
        first.save(part, save_all=True, append_images=rest, duration=FRAME_MS, loop=0, **options)


def _marked(
    images: Sequence[Image.Image], origin: Origin | None, number: int = 0
) -> tuple[Sequence[Image.Image], Origin | None]:
    """Return pictures that go into one file with its ID in their pixels, and the origin with it."""
    from volute.provenance.added import SMALLEST

    if origin is None or min(images[0].size) < SMALLEST:
        return images, origin
    import numpy as np
    from PIL import Image

    from volute.provenance import watermark
    from volute.provenance.ident import ident_of

    ident, made = ident_of(origin, number), list[Image.Image]()
    for index in range(0, len(images), ANEW):
        some = [np.asarray(image) for image in images[index : index + ANEW]]
        added = watermark.shipped().added(some[0], some[0].shape[:2], ident)
        made += [Image.fromarray(added.whole(pixels)) for pixels in some]
    return made, replace(origin, watermark=ident)


def _signed(target: Path, origin: Origin | None) -> AbstractContextManager[Path]:
    from volute.cli.show import tell
    from volute.provenance.manifest import signed_file

    return signed_file(target, origin, tell)
