"""Which files are meant: those named, in folders, found by patterns, under URLs, in tars."""

from __future__ import annotations

import glob
import re
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from volute.archives import clean_name, is_junk
from volute.engine.sources import SIDECAR, Brought, Local, Refused, Source
from volute.engine.tarred import Found, Tar, look
from volute.errors import UsageError, VoluteError
from volute.events import Emit, Note, silent
from volute.named import AT_ONCE, Listed, expanded, listed, told_of
from volute.remote import Told, check_url, in_words, is_url

LEDGERS = re.compile(r"ledger(-\d+-of-\d+)?\.jsonl")
"""Names of the ledgers of a whole batch, and of its parts."""
_HERE = re.compile(r"(?:file|local)://(?:localhost(?=/))?")
Left = Counter[str]
"""How many files were left out, by their endings."""


@dataclass(frozen=True)
class Item:
    """A file to be worked on, and its name under the folder of the results."""

    source: Source
    name: Path
    inside: bool = False
    """Whether it lies in what was named: a folder or tar."""

    def named(self, suffix: str) -> Path:
        """Return the name with another ending."""
        stem = self.name.name.removesuffix(".gz")
        return self.name.with_name(Path(stem).stem + suffix)


def gathered(
    inputs: Sequence[str],
    leave: Path | None = None,
    takes: tuple[str, ...] = (),
    emit: Emit = silent,
) -> list[Item]:
    """Return the files that are meant, in the order of the inputs.

    What lies in a folder keeps its place under it; hidden files, ledgers, manifests that lie beside
    files, and what lies in `leave` are left out. A URL means a file, a folder or what a pattern
    finds; nothing of it is read. The members of a tar whose name or pattern is given, as a path or
    URL, have its name without the ending as a folder. Braces stand for several URLs or tars.

    Args:
        inputs: what a person named.
        leave: a resolved path.
        takes: endings, in lower case, of what is wanted from tars and from folders elsewhere; files
            of this computer, and those named themselves, are told by what they hold. Empty: all.
        emit: is told what takes a while, and how many were left out.

    Raises:
        UsageError: for a pattern, folder or tar without files, a name that is empty, or a URL that
            holds a secret; a file that is not there is an item.
        MissingExtraError: if a protocol needs what is not installed.
        VoluteError: if VOLUTE_OFFLINE is set and a URL leads elsewhere.
    """
    found: list[Item | Tar] = []
    left: Left = Counter()
    for text in inputs:
        if not text:
            raise UsageError("an input has no name", "Is a variable of the shell empty?")
        text = _HERE.sub("", text)
        if is_url(text):
            check_url(text)
            emit(Note("data", f"looking for {text}"))
        for name in _spelt(text):
            found += _elsewhere(name, takes, left) if is_url(name) else _here(name, leave)
    items = _looked_into(found, takes, left, emit)
    if left:
        told = ", ".join(f"{count:,} {ending}" for ending, count in left.most_common(9))
        emit(Note("data", f"left out by their endings: {told}"))
    if not items:
        looked = f"Looked for {', '.join(takes)}." if left else "Check the name."
        raise UsageError(f"{', '.join(inputs)}: no files to work on", looked)
    return items


def _spelt(text: str) -> list[str]:
    """Return the names that braces stand for; in a file's own name they are what they are."""
    if not is_url(text) and (not text.endswith(".tar") or Path(text).exists()):
        return [text]
    return expanded(text)


def _here(text: str, leave: Path | None) -> list[Item | Tar]:
    path = Path(text)
    if leave is not None and path.resolve() == leave:
        return []
    if path.is_dir():
        inside = [f for f in sorted(path.rglob("*")) if _wanted(f, path, leave)]
        found: list[Item | Tar] = [Item(Local(f), f.relative_to(path), True) for f in inside]
    elif path.exists() or not glob.has_magic(text):
        found = [_one(path)]
    else:
        inside = [Path(name) for name in sorted(glob.glob(text, recursive=True))]
        inside = [f for f in inside if f.is_file() and f.suffix != SIDECAR]
        found = [_one(file) for file in inside if not _within(file, leave)]
    if not found:
        raise UsageError(f"{text} finds no files", "Check the name.")
    return found


def _one(path: Path) -> Item | Tar:
    if path.suffix == ".tar" and path.is_file():
        return Tar(str(path), told_of(str(path)), clean_name(path.stem))
    return Item(Local(path), Path(path.name))


def _wanted(file: Path, folder: Path, leave: Path | None) -> bool:
    inside = file.relative_to(folder)
    if not file.is_file() or any(part.startswith(".") for part in inside.parts):
        return False
    return not LEDGERS.fullmatch(file.name) and file.suffix != SIDECAR and not _within(file, leave)


def _within(file: Path, folder: Path | None) -> bool:
    return folder is not None and folder in file.resolve().parents


def _elsewhere(url: str, takes: tuple[str, ...], left: Left) -> list[Item | Tar]:
    """Return what a URL means; what cannot be listed is one item that says why."""
    try:
        files = listed(url)
    except VoluteError:
        raise
    except Exception as error:  # libraries of file systems raise anything
        name = clean_name(url.rstrip("/").rpartition("/")[2])
        return [Item(Refused(url, in_words(error)), Path(name))]
    if not files:
        raise UsageError(f"{url} finds no files", "Check the name; over http a folder ends in /.")
    there = {file.url: file.told for file in files if file.url.endswith(SIDECAR)}
    found: list[Item | Tar] = []
    for file in files:
        if file.url.endswith(".tar") and not file.inside:
            found.append(Tar(file.url, file.told, clean_name(Path(file.name).stem)))
        elif file.url == url:
            found.append(_remote(file, Told(0)))
        elif _is_wanted(file.name, takes, left):
            beside = there.get(file.url + SIDECAR) if file.inside else Told(0)
            found.append(_remote(file, beside))
    return found


def _is_wanted(name: str, takes: tuple[str, ...], left: Left) -> bool:
    """Tell whether a file elsewhere is, by its name; count it if it is left out by its ending."""
    last = name.rpartition("/")[2]
    if is_junk(name) or LEDGERS.fullmatch(last) or last.endswith(SIDECAR):
        return False
    if takes and not last.lower().endswith(takes):
        left[Path(last).suffix or "without one"] += 1
        return False
    return True


def _remote(file: Listed, beside: Told | None) -> Item:
    """Return an item, with the manifest beside it; of size 0 if it is not known of one."""
    place = file.url + SIDECAR
    manifest = None if beside is None else Brought(place, place, beside)
    source = Brought(file.url, file.url, file.told, manifest=manifest)
    return Item(source, Path(clean_name(file.name)), file.inside)


def _looked_into(
    found: Sequence[Item | Tar], takes: tuple[str, ...], left: Left, emit: Emit
) -> list[Item]:
    """Return the items, with those in tars where the tars were; several are read at once."""
    tars = [one for one in found if isinstance(one, Tar)]
    if not tars:
        return [one for one in found if isinstance(one, Item)]
    emit(Note("data", f"looking into {len(tars):,} tar{'s' * (len(tars) > 1)}"))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        members = pool.map(look, tars)
        items: list[Item] = []
        for one in found:
            items += [one] if isinstance(one, Item) else _in_tar(one, next(members), takes, left)
    return items


def _in_tar(tar: Tar, found: Found, takes: tuple[str, ...], left: Left) -> list[Item]:
    folder = Path(tar.folder)
    items = [
        Item(source, folder / name, True)
        for name, source in found.members
        if _is_wanted(name, takes, left)
    ]
    if found.reason:
        items.append(Item(Refused(tar.file, found.reason), folder, True))
    return items
