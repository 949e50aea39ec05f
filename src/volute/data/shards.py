"""A set of tars beyond memory and disk, named by a pattern: which they are, a look at the first.

`photos-{000000..000099}.tar`, `shards/*.tar` or the same as a URL. What is decided of a set (size,
colours, classes) is decided by the first pictures, which are packed as any others.
"""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path

from volute.archives import clean_name
from volute.data.entry import Entry, Source
from volute.data.listing import Listing
from volute.data.members import Sample, Shard, ShardError
from volute.data.settings import DataSettings
from volute.errors import DataError, MissingExtraError
from volute.events import Emit, Note
from volute.media.photo import PictureError, picture_size
from volute.named import expanded
from volute.remote import Told, check_url, in_words, is_url, matching, told

LOOKED, LOOKED_PIXELS = 1000, 100_000_000
"""Pictures that are looked at, at most; where they are cut into tiles also by their pixels."""
FAILING = 0.1
"""Share of the shards that may be unreadable."""
NAMED = 8
"""Shards that an error names."""
_AT_ONCE = 16


def is_shards(source: str | Path) -> bool:
    """Say whether a source is a URL, or a pattern of tars that is no file's own name."""
    text = str(source)
    if is_url(text):
        return True
    return text.endswith(".tar") and re.search(r"[{*?\[]", text) is not None and not _exists(text)


def called(source: str) -> str:
    """Return a short name for what is made of a set: `photos` for `photos-{000000..000099}.tar`."""
    *folders, name = source.split("/")
    stem = re.split(r"[{*?\[]", name)[0].removesuffix(".tar").strip("-_.")
    return stem or (folders[-1] if folders else "") or "shards"


def lasting(source: str) -> str:
    """Return the pattern as it is found from any folder.

    Raises:
        UsageError: if it is a URL that holds a secret.
    """
    if not is_url(source):
        return str(Path(source).resolve())
    check_url(source)
    return source


class Shards(Source):
    """The shards of a pattern; as a source it gives the first pictures of the first ones.

    Args:
        pattern: as a person gives it.
        settings: whether labels are read, and pictures cut into tiles.
        emit: is told the pattern before anything is fetched, and what cannot be read.

    Raises:
        DataError: if there are none, or more than a tenth of them cannot be found.
        UsageError: if it is a URL that holds a secret.
        MissingExtraError: if what its protocol needs is not installed.
    """

    foldered = False

    def __init__(self, pattern: str, settings: DataSettings, emit: Emit) -> None:
        self.path, self._settings, self._emit = Path(pattern), settings, emit
        self._pattern, self.total = pattern, LOOKED
        if is_url(pattern):
            check_url(pattern)
        emit(Note("data", f"looking for {pattern}"))
        urls = [url for part in expanded(pattern) for url in _found(part)]
        if not urls:
            raise DataError(f"no file is called {pattern}", "Check the name, in quotes.")
        self.shards = [Shard(u, n) for u, n in zip(urls, _names(urls), strict=True)]
        self.told = self._asked()
        self._looked, self._pictures, self.share = 0, 0, 1.0

    @property
    def name(self) -> str:
        """What a person calls it."""
        return self._pattern

    @cached_property
    def weights(self) -> list[int]:
        """The size of each shard, or 1 of each if some do not say it."""
        sizes = [told.size for told in self.told]
        return sizes if all(sizes) else [1 for _ in sizes]

    def listing(self) -> Listing:
        """Return name, size and a number that stands for the ETag of each shard."""
        return {
            shard.name: (told.size, zlib.crc32(told.mark.encode()))
            for shard, told in zip(self.shards, self.told, strict=True)
        }

    def stamp(self) -> str:
        """Return a digest of names, sizes and ETags."""
        return self.content()

    def content(self) -> str:
        """Return the same: the whole is never read to know it."""
        lines = [f"{name!r} {size} {mark}\n" for name, (size, mark) in self.listing().items()]
        return hashlib.sha256(f"{LOOKED}\n{''.join(lines)}".encode()).hexdigest()

    def entries(self) -> Iterator[Entry]:
        """Yield the first pictures; a shard that cannot be read is told, and the next looked at."""
        done, pixels, self._looked, self._pictures = 0.0, 0, 0, 0
        for shard, weight in zip(self.shards, self.weights, strict=True):
            self._looked += 1
            try:
                for sample in shard.samples():
                    self._pictures += 1
                    label = sample.label if self._settings.labels else None
                    yield Entry(f"{shard.name}/{sample.name}", sample.content, label)
                    pixels += _pixels(sample) if self._settings.crop == "tiles" else 0
                    if self._pictures == LOOKED or pixels > LOOKED_PIXELS:
                        part = sample.end / weight if weight > 1 else 1.0
                        self.share = min(1.0, (done + part * weight) / sum(self.weights))
                        return
            except ShardError as error:
                self._emit(Note("data", error.what))
            done += weight
        self.share = 1.0

    def notes(self) -> tuple[str, ...]:
        """Say how many there are, and how many were looked at."""
        gigabytes = sum(told.size for told in self.told) / 1e9
        size = f", {gigabytes:,.1f} GB" if gigabytes >= 0.1 else ""
        first = "the first" if self._looked == 1 else f"the first {self._looked}"
        looked = f"looked at {first}: {self._pictures:,} pictures"
        return (f"{len(self.shards):,} shards{size}; {looked}",)

    def _asked(self) -> list[Told]:
        """Ask for the size of each."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            answers = list(pool.map(_told, [shard.url for shard in self.shards]))
        failed: dict[str, str] = {}
        for shard, answer in zip(self.shards, answers, strict=True):
            if isinstance(answer, MissingExtraError):
                raise answer
            if isinstance(answer, Exception):
                failed[shard.name] = in_words(answer)
        check_failing(failed, len(self.shards))
        for name, reason in failed.items():
            self._emit(Note("data", f"{name} cannot be found: {reason}"))
        return [Told(0) if isinstance(answer, Exception) else answer for answer in answers]


def check_failing(failed: dict[str, str], count: int) -> None:
    """Raise if too many of the shards fail.

    Raises:
        DataError: if more than a tenth do; it names them, with the reasons.
    """
    if len(failed) <= FAILING * count:
        return
    some = [f"{name}: {reason}" for name, reason in list(failed.items())[:NAMED]]
    more = f", and {len(failed) - NAMED:,} more" if len(failed) > NAMED else ""
    what = f"{len(failed):,} of {count:,} shards cannot be read: {'; '.join(some)}{more}"
    raise DataError(what, "Check the names and the connection; then go on: volute resume RUN")


def _found(pattern: str) -> list[str]:
    return matching(pattern) if re.search(r"[*?\[]", pattern) else [pattern]


def _names(urls: list[str]) -> list[str]:
    """Return what tells the shards apart: their paths from the folder that holds all of them."""
    folders = {url.rpartition("/")[0] for url in urls}
    first, last = min(folders), max(folders)
    same = 0
    for a, b in zip(first.split("/"), last.split("/"), strict=False):
        if a != b:
            break
        same += len(a) + 1
    return [clean_name(url[same:]) for url in urls]


def _told(url: str) -> Told | Exception:
    try:
        return told(url)
    except Exception as error:  # libraries of file systems raise anything
        return error


def _pixels(sample: Sample) -> int:
    try:
        width, height = (
            picture_size(sample.content) if isinstance(sample.content, bytes) else (0, 0)
        )
    except PictureError:
        return 0
    return width * height


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:
        return False
