"""A folder of pictures as shards: tars of so many pictures each, mixed, with their classes."""

from __future__ import annotations

import io
import json
import tarfile
import time
from dataclasses import dataclass
from pathlib import Path

from volute.data.classes import by_folder
from volute.data.gather import SUFFIXES
from volute.data.sampler import Sampler
from volute.data.source import Folder
from volute.errors import DataError
from volute.events import Emit, Progress
from volute.media.photo import PictureError, picture_size
from volute.paths import atomic_folder, run_name

_TICK_S = 0.5
_DIGITS = 6


@dataclass(frozen=True)
class Packed:
    """What was written."""

    pattern: str
    """Of the shards, as `train` takes it."""
    pictures: int
    left_out: tuple[str, ...]
    """Files that are no pictures, or none with a class, with the reason."""
    classes: tuple[str, ...]


def write_shards(source: Path, out: Path, each: int, labels: bool, emit: Emit) -> Packed:
    """Write the pictures of a folder as tars; files stay as they are, their order is mixed.

    Beside `00000017.jpg` lie `00000017.cls`, the number of its class, and `00000017.json` with its
    name (`label`), where the folder has classes by the usual rule. The same folder gives the same
    bytes.

    Args:
        source: the folder.
        out: the folder to make.
        each: pictures in a tar; the last has fewer.
        labels: whether subfolders are classes.
        emit: is told how far it is.

    Raises:
        DataError: if it is no folder, or one without pictures.
        VoluteError: if `out` cannot be written.
    """
    if not source.is_dir():
        raise DataError(f"{source} is not a folder", "Shards are made of one: unpack it first.")
    names, paths, left_out = _pictures(source)
    labelling = by_folder(names) if labels else None
    found = labelling.labels if labelling else [""] * len(names)
    used = [i for i, label in enumerate(found) if label is not None]
    left_out += [f"{names[i]}: without class" for i, label in enumerate(found) if label is None]
    if not used:
        raise DataError(f"{source} holds no pictures", "\n".join(left_out[:3]))
    order = [used[i] for i in Sampler(len(used), 0).indices(0, len(used))]
    classes = tuple(labelling.order) if labelling else ()
    count = -(-len(order) // each)
    start = last = time.monotonic()
    with atomic_folder(out) as part:
        for shard in range(count):
            with tarfile.open(part / _name(source, shard), "w", format=tarfile.PAX_FORMAT) as tar:
                for place in range(shard * each, min((shard + 1) * each, len(order))):
                    label = found[order[place]] or ""
                    _add(tar, f"{place:08d}", paths[order[place]], label, classes)
                    now = time.monotonic()
                    if now - last > _TICK_S:
                        rate = (place + 1) / (now - start)
                        left_s = (len(order) - place) / rate
                        emit(Progress(place + 1, place / len(order), rate, left_s))
                        last = now
    ends = _name(source, f"{{{0:0{_DIGITS}d}..{count - 1:0{_DIGITS}d}}}")
    return Packed(str(out / ends), len(order), tuple(left_out), classes)


def _name(source: Path, number: int | str) -> str:
    word = number if isinstance(number, str) else f"{number:0{_DIGITS}d}"
    return f"{run_name(source)}-{word}.tar"


def _pictures(source: Path) -> tuple[list[str], list[Path], list[str]]:
    """Return names and paths of what opens as a picture, and the rest with its reason."""
    names, paths, left_out = [], [], []
    for entry in Folder(source).entries():
        try:
            if isinstance(entry.content, DataError):
                raise entry.content
            assert isinstance(entry.content, Path)
            picture_size(entry.content)
        except PictureError as error:
            left_out.append(f"{entry.name}: {error.reason}")
            continue
        names.append(entry.name)
        paths.append(entry.content)
    return names, paths, left_out


def _add(tar: tarfile.TarFile, key: str, path: Path, label: str, classes: tuple[str, ...]) -> None:
    suffix = path.suffix.lower()
    _write(tar, key + (suffix if suffix in SUFFIXES else ".png"), path.read_bytes())
    if label:
        _write(tar, f"{key}.cls", str(classes.index(label)).encode())
        told = json.dumps({"label": label}, ensure_ascii=False)
        _write(tar, f"{key}.json", told.encode())


def _write(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))
