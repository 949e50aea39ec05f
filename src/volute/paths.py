"""Files that are whole or absent: atomic writes, free names, the folders for cache and config."""

from __future__ import annotations

import contextlib
import glob
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from volute.errors import VoluteError

SHORT = 40
"""Characters of a name that stand in that of its temporary file."""


@contextlib.contextmanager
def explained(target: Path) -> Iterator[None]:
    """Turn the operating system's refusals while writing `target` into a VoluteError."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        hint = "Choose another place, or make room there. What was saved before is untouched."
        raise VoluteError(f"cannot write {target}: {reason}", hint) from error


@contextlib.contextmanager
def atomic_file(target: Path, mode: int | None = None) -> Iterator[Path]:
    """Give a temporary path beside `target` that becomes `target` when the block ends well.

    Args:
        target: what to write.
        mode: who may read it, such as 0o600; None: as the system has it for new files.
    """
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(target.suffix, f".{target.name[:SHORT]}.", target.parent)
        os.close(handle)
        part = Path(name)
        try:
            yield part
            with part.open("rb") as stream:
                os.fsync(stream.fileno())
            part.chmod(0o666 & ~_umask() if mode is None else mode)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)


def remove_parts(target: Path) -> None:
    """Remove what writers of `target` that were killed have left beside it.

    Nobody may be writing it. What has a name of more than 40 characters is left: its parts are
    named like those of others.
    """
    if len(target.name) <= SHORT:
        pattern = f"{glob.escape(f'.{target.name}.')}????????{glob.escape(target.suffix)}"
        for part in target.parent.glob(pattern):
            part.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(target: Path) -> Iterator[Path]:
    """Give an empty temporary folder that replaces `target` when the block ends well."""
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        old = part.with_name(part.name + ".old")
        try:
            yield part
            part.chmod(0o777 & ~_umask())
            if target.exists():
                target.rename(old)
            try:
                part.rename(target)
            except OSError:
                old.rename(target)
                raise
            shutil.rmtree(old, ignore_errors=True)
        finally:
            shutil.rmtree(part, ignore_errors=True)


def write_text(target: Path, text: str) -> None:
    """Write `text` (UTF-8) to `target` atomically."""
    with atomic_file(target) as part:
        part.write_text(text, encoding="utf-8")


def write_private(target: Path, data: bytes) -> None:
    """Write `data` atomically to a file of mode 0600, in folders that are made with mode 0700."""
    with explained(target):
        for folder in (config_dir(), target.parent):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with atomic_file(target, 0o600) as part:
        part.write_bytes(data)


def new_output(target: Path, overwrite: bool = False) -> Path:
    """Return `target` if it is free or may be overwritten, else the first free `name-2`, `-3`."""
    if overwrite or not target.exists():
        return target
    number = 2
    while (free := numbered(target, number)).exists():
        number += 1
    return free


def numbered(target: Path, number: int) -> Path:
    """Return `target` with a number before its ending, before both of `.nii.gz`."""
    ending = "".join(target.suffixes[-2:]) if target.suffix == ".gz" else target.suffix
    return target.with_name(f"{target.name.removesuffix(ending)}-{number}{ending}")


def run_name(source: Path) -> str:
    """Return a folder name for a run on `source`: letters and digits of any script, `-` between."""
    stem = source.name.removesuffix(".gz").rsplit(".", 1)[0] if source.is_file() else source.name
    return re.sub(r"[^\w-]+", "-", stem or source.resolve().name).strip("-") or "run"


def new_run(parent: Path, stem: str) -> Path:
    """Make and return `parent/stem-1`, or the next free number: two runs never share a folder."""
    number = 1
    while True:
        run = parent / f"{stem}-{number}"
        with explained(run), contextlib.suppress(FileExistsError):
            run.mkdir(parents=True)
            return run
        number += 1


def cache_dir() -> Path:
    """Return the folder for things that can be made again (`VOLUTE_CACHE`, else the system's)."""
    if name := os.environ.get("VOLUTE_CACHE"):
        return Path(name)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "volute"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "volute" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "volute"


def config_dir() -> Path:
    """Return the folder for what cannot be made again (`VOLUTE_CONFIG`, else the system's)."""
    if name := os.environ.get("VOLUTE_CONFIG"):
        return Path(name)
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "volute"
    if sys.platform == "win32":
        return Path(os.environ.get("APPDATA", Path.home())) / "volute"
    return Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config")) / "volute"


def resident() -> int:
    """Return the bytes of memory that this process has now; 256 MB where it cannot be told."""
    status = Path("/proc/self/statm")
    if not status.exists():
        return 256 << 20
    return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
