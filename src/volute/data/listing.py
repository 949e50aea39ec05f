"""Which files a data set was, so that it can be said what has become of them."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from volute.archives import clean_name, is_junk

MOST = 200_000
"""Files of which a list is kept; of more, only the number."""
NAMED = 3
Listing = dict[str, tuple[int, int]]
"""For each name its size in bytes, and its CRC-32 or the time when it was written."""


def listing(sources: Sequence[Path]) -> Listing:
    """Return the files in folders and zips (npz too), and other files as they are."""
    found: Listing = {}
    for source in sources:
        for name, size, mark in _of(source):
            if len(found) == MOST:
                return {}
            found[name] = (size, mark)
    return found


def difference(before: Listing, now: Listing) -> str:
    """Return what was added, is gone or has changed: `2 added (a.png, b.png), 1 gone (c.png)`."""
    both = before.keys() & now.keys()
    changed = [name for name in both if before[name][0] != now[name][0]]
    if not changed and before.keys() == now.keys():
        changed = [name for name in both if before[name] != now[name]]
    parts = {
        "added": now.keys() - before.keys(),
        "gone": before.keys() - now.keys(),
        "changed": changed,
    }
    said = [
        f"{len(names):,} {what} ({_few(sorted(names))})" for what, names in parts.items() if names
    ]
    return ", ".join(said) or "its files have other contents, or are taken in another way"


def _few(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _of(source: Path) -> Iterator[tuple[str, int, int]]:
    if source.is_dir():
        for path in sorted(source.rglob("*")):
            name = path.relative_to(source).as_posix()
            if path.is_file() and not is_junk(name):
                status = path.stat()
                yield clean_name(name), status.st_size, status.st_mtime_ns
    elif source.is_file() and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for member in archive.infolist():
                yield clean_name(member.filename), member.file_size, member.CRC
    elif source.is_file():
        status = source.stat()
        yield clean_name(source.name), status.st_size, status.st_mtime_ns
