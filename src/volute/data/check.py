"""The door to data: a person's pictures in, a packed and checked data set out, packed only once.

A pack is keyed by content: the SHA-256 of names and bytes, the settings, the size, the version of
the rules. So that a large folder is not hashed at each start, a small note in the cache remembers
the content of a path for as long as its names, sizes and times stay.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from volute.config import Config
from volute.data import pack
from volute.data.dataset import Dataset, load
from volute.data.entry import Source
from volute.data.settings import DataSettings
from volute.data.shards import Shards
from volute.data.sizes import auto_size, check_size
from volute.data.source import open_source
from volute.errors import DataError, VoluteError
from volute.events import Emit, Note
from volute.media.photo import PictureError, picture_size
from volute.paths import atomic_folder, cache_dir, write_text

_DAY_S = 86_400


class _Known(Config):
    stamp: str
    content: str
    usual_side: int = 0


def open_dataset(source: Path, settings: DataSettings, size: int | None, emit: Emit) -> Dataset:
    """Return the pictures of `source`, packed at `size`; the first time this reads all of them.

    Args:
        source: a folder (subfolders are classes), zip, tar or npz; or the word `scenes` for 2,000
            procedural pictures (see `volute.data.scenes`).
        settings: choices about colours, cropping and classes.
        size: side of the squares in px, one of `valid_sizes()`. None: the largest valid size up to
            64 px that nine pictures in ten reach; of `scenes` 256.
        emit: told of the first reading and of the progress of packing; the caller shows
            `report.lines()`.

    Raises:
        DataError: nothing usable there, with the reasons.
        UsageError: a size that cannot be trained, or settings that do not fit.
        VoluteError: the cache cannot be written.
    """
    if size is not None and not settings.keep:
        check_size(size)
    found = open_source(source, settings.labels, size)
    return _packed(found, settings, size or found.side or None, emit)


def open_shards(
    source: str, settings: DataSettings, size: int | None, emit: Emit
) -> tuple[Shards, Dataset]:
    """Return the tars of a pattern or URL, and the first pictures of them as a packed set.

    Args:
        source: see `volute.data.shards`.
        settings: as for `open_dataset`; `classes` names all numbered ones, also those that the
            first pictures do not show.
        size: likewise.
        emit: is told the pattern before anything is fetched.

    Raises:
        as `open_dataset`, and MissingExtraError if what a protocol needs is not installed.
    """
    if size is not None:
        check_size(size)
    shards = Shards(source, settings, emit)
    return shards, _packed(shards, settings, size, emit)


def _packed(found: Source, settings: DataSettings, size: int | None, emit: Emit) -> Dataset:
    with _cache_errors():
        known = _recall(found, size is None, emit)
        packed_size = size or auto_size(known.usual_side)
        key = _key(known.content, settings, packed_size)
        folder = cache_dir() / "packs" / key
        dataset = load(folder, key)
        if dataset is None:
            _sweep(folder.parent)
            with atomic_folder(folder) as part:
                pack.build(found, settings, packed_size, emit, part)
            dataset = load(folder, key)
    assert dataset is not None
    now = {"source": found.name, "usual_side": known.usual_side if size is None else 0}
    report = dataset.report.model_copy(update=now)
    return replace(dataset, report=report)


def common_side(source: Path) -> int:
    """Return the side in px of pictures that are squares of one size.

    Raises:
        DataError: if they are not, or there are none.
    """
    sizes: dict[tuple[int, int], str] = {}
    for entry in open_source(source, labels=True).entries():
        content = entry.content
        if isinstance(content, np.ndarray):
            sizes.setdefault((content.shape[1], content.shape[0]), entry.name)
            break  # rows of one array: all the same
        if not isinstance(content, DataError):
            with contextlib.suppress(PictureError):
                sizes.setdefault(picture_size(content), entry.name)
    if not sizes:
        raise DataError(f"{source} holds no pictures")
    said = ", ".join(f"{w}x{h} px ({name})" for (w, h), name in list(sizes.items())[:3])
    ((width, height), _), *others = sizes.items()
    if others or width != height:
        raise DataError(
            f"the pictures in {source} are not squares of one size: {said}",
            "They are measured as they are: bring them to one square size first.",
        )
    return width


def _key(content: str, settings: DataSettings, size: int) -> str:
    parts = [pack.VERSION, content, settings.model_dump(mode="json"), size]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _recall(source: Source, with_side: bool, emit: Emit) -> _Known:
    """Return the content hash, and the usual side if asked for, from the note or by reading."""
    place = hashlib.sha256(str(source.path.resolve()).encode("utf-8", "surrogateescape"))
    note = cache_dir() / "sources" / f"{place.hexdigest()}.json"
    known = _read_note(note)
    stamp = source.stamp()
    if known is None or known.stamp != stamp:
        emit(Note("data", f"reading {source.name}"))
        known = _Known(stamp=stamp, content=source.content())
    elif known.usual_side or not with_side:
        return known
    if with_side:
        known = known.model_copy(update={"usual_side": _usual_side(source)})
    write_text(note, known.model_dump_json())
    return known


def _sweep(packs: Path) -> None:
    """Remove what packing left behind when it was killed, a day ago or longer."""
    for part in packs.glob(".*"):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _DAY_S:
                shutil.rmtree(part)


def _read_note(note: Path) -> _Known | None:
    try:
        return _Known.model_validate_json(note.read_bytes())
    except (OSError, ValidationError):
        return None


def _usual_side(source: Source) -> int:
    """Return the shorter side in px that nine pictures in ten reach, 1 if there are none."""
    sides = []
    for entry in source.entries():
        if isinstance(entry.content, np.ndarray):
            return min(entry.content.shape[:2])  # rows of one array: all the same
        if isinstance(entry.content, DataError):
            continue
        with contextlib.suppress(PictureError):
            sides.append(min(picture_size(entry.content)))
    return int(np.percentile(sides, 10, method="lower")) if sides else 1


@contextlib.contextmanager
def _cache_errors() -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except VoluteError as error:
        if isinstance(error.__cause__, OSError):
            hint = "Make room, or set VOLUTE_CACHE to a folder on a disk that has it."
            raise VoluteError(error.what, hint) from error
        raise
