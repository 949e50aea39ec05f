"""Where the verbs that make pictures put them, and how one is written with its parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from volute.errors import UsageError
from volute.events import Note
from volute.paths import new_output

if TYPE_CHECKING:
    from PIL import Image

    from volute.provenance.manifest import Origin

PICTURES = (".png", ".webp", ".jpg", ".jpeg")
ANIMATIONS = (".webp", ".gif")


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
    """Write one picture as `handles.saved.save_picture` does, and tell what is to be told."""
    from volute.cli.show import tell
    from volute.handles import saved

    saved.save_picture(image, target, about, origin, number, tell)


def save_animation(
    frames: Sequence[Image.Image], target: Path, origin: Origin | None = None
) -> None:
    """Write an animation as `handles.saved.save_animation` does, and tell what is to be told."""
    from volute.cli.show import tell
    from volute.handles import saved

    saved.save_animation(frames, target, origin, tell)
