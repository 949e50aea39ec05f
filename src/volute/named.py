"""Which files a name stands for: what is in braces, and what lies under a URL."""

from __future__ import annotations

import itertools
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from volute.errors import DataError
from volute.remote import Told, expression_of, is_url, system_of

SPELT = 200_000
"""Names that braces stand for."""
AT_ONCE = 16
"""Requests at a time."""
MOST = 10_000_000
"""Files and folders that are listed."""
DEEPEST = 32
"""Folders in each other, where a server gives pages of links."""
_BRACES = re.compile(r"\{([^{}/]*)\}")
_WHEN = ("ETag", "etag", "LastModified", "Last-Modified", "last_modified", "mtime", "created")


def expanded(pattern: str) -> list[str]:
    """Return what braces stand for: `{000..099}` and `{a,b}`, several as all combinations.

    Raises:
        DataError: if that are more than 200,000.
    """
    parts = _BRACES.split(pattern)
    choices = [_choices(part) if i % 2 else [part] for i, part in enumerate(parts)]
    found = ["".join(chosen) for chosen in itertools.islice(itertools.product(*choices), SPELT + 1)]
    if len(found) > SPELT:
        raise DataError(f"{pattern} are more than {SPELT:,} files", "Make larger ones.")
    return found


@dataclass(frozen=True)
class Listed:
    """A file that a URL names, or that lies in a folder that it names."""

    url: str
    name: str
    """Under that folder, with `/` between its parts; else its own."""
    told: Told
    """With the time when it was written as mark, where there is no ETag."""
    inside: bool = True
    """Whether it lies in a folder that was named."""


def listed(url: str) -> list[Listed]:
    """Return the files that a URL names, in the order of their names.

    That is all under it if it is a folder (over HTTP: if it ends in a slash), what it finds if it
    is a pattern (`*`, `**`, `[...]`), else itself. Nothing outside that folder, wherever the links
    of a page lead. What the library raises is let through.

    Raises:
        DataError: if they are more than 10,000,000.
        MissingExtraError: if what its protocol needs is not installed.
    """
    system, path = system_of(url)
    pages = urlsplit(url).scheme in ("http", "https")
    root, pattern = _root(path)
    if not (pattern or (pages and path.endswith("/"))):
        facts = system.info(path)
        if facts["type"] != "directory":
            return [Listed(url, _last(url, pages), _told(facts), inside=False)]
        root = f"{path.rstrip('/')}/"
    found = _linked(system, root, pattern) if pages else _found(system, root, pattern)
    if len(found) > MOST:
        raise DataError(f"{url} has more than {MOST:,} files", "Give its folders one by one.")
    files = [
        Listed(system.unstrip_protocol(place), name, _told(facts))
        for place, facts in sorted(found.items())
        if facts["type"] == "file" and (name := _under(root, place, pages))
    ]
    if pattern:
        files = [replace(file, name=_last(file.name, False), inside=False) for file in files]
    return _asked(system, files) if pages else files


def told_of(name: str) -> Told:
    """Return what is known of a file, by path or URL, as a listing has it."""
    if not is_url(name):
        about = Path(name).stat()
        return Told(about.st_size, str(about.st_mtime_ns))
    system, path = system_of(name)
    return _told(system.info(path))


def _root(path: str) -> tuple[str, str]:
    """Return the folder in which a path or pattern finds files, and the pattern, if it is one."""
    magic = re.search(r"[*\[]", path)
    if magic is None:
        return path, ""
    return path[: path.rfind("/", 0, magic.start()) + 1], path


def _found(system: Any, root: str, pattern: str) -> dict[str, Any]:
    if pattern:
        return system.glob(pattern, detail=True)
    return system.find(root, detail=True)


def _linked(system: Any, root: str, pattern: str) -> dict[str, Any]:
    """Return what a server's pages link to under a folder, with what is known of each."""
    found: dict[str, Any] = {}
    deepest = pattern[len(root) :].count("/") if pattern and "**" not in pattern else DEEPEST
    folders = [root]
    for folder in folders:
        for facts in system.ls(folder, detail=True):
            place = facts["name"]
            if place in found or not _under(root, place, True) or len(found) > MOST:
                continue
            found[place] = facts
            if facts["type"] == "directory" and place[len(root) :].count("/") <= deepest:
                folders.append(place)
    if not pattern:
        return found
    fits = expression_of(pattern)
    return {place: facts for place, facts in found.items() if fits.match(place)}


def _under(root: str, place: str, encoded: bool) -> str:
    """Return the name of a file under a folder, nothing if it lies elsewhere."""
    name = place.removeprefix(root)
    if name == place or (encoded and re.search(r"[?#]", name)):
        return ""
    name = (unquote(name) if encoded else name).rstrip("/")
    return "" if {"", ".", ".."} & set(name.split("/")) else name


def _last(name: str, encoded: bool) -> str:
    last = name.rstrip("/").rpartition("/")[2]
    return unquote(last) if encoded else last


def _told(facts: dict[str, Any]) -> Told:
    mark = next((facts[key] for key in _WHEN if facts.get(key)), "")
    return Told(int(facts.get("size") or 0), str(mark))


def _asked(system: Any, files: list[Listed]) -> list[Listed]:
    """Return files with what their server says of each, where it can be asked."""

    def ask(file: Listed) -> Listed:
        try:
            return replace(file, told=_told(system.info(file.url)))
        except OSError:  # it will fail alone
            return file

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(ask, files))


def _choices(inner: str) -> list[str]:
    ends = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", inner)
    if not ends:
        return inner.split(",")
    low, high = ends.groups()
    padded = max(len(low), len(high)) if low.startswith("0") and len(low) > 1 else 0
    stop = min(int(high), int(low) + SPELT) + 1
    return [f"{number:0{padded}d}" for number in range(int(low), stop)]
