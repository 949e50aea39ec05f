"""Pictures in one tar of a set of shards, with what lies beside them; read forward, nothing kept.

As in WebDataset, files whose names agree up to the first dot are one sample: `a/7.jpg`, `a/7.cls`
(the number of its class, as text), `a/7.json` (`label`: number or name of its class).
"""

from __future__ import annotations

import json
import re
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from volute.archives import clean_name, headers, plain_tar
from volute.data.archive import content_of
from volute.data.gather import SUFFIXES
from volute.errors import DataError
from volute.media.photo import FILE_LIMIT
from volute.remote import in_words, opened

RETRIES, WAIT_S = 3, 1.0
"""How often reading is tried again without coming on, and how long before; doubled each time."""
LABELS = (".cls", ".json")
LABEL_LIMIT, NAME_LIMIT = 1 << 20, 100


class ShardError(DataError):
    """A shard that cannot be read: `shard` is its name, `reason` says why."""

    def __init__(self, shard: str, reason: str) -> None:
        self.shard, self.reason = shard, reason
        super().__init__(f"{shard} cannot be read: {reason}", "Copy or write it again.")


@dataclass(frozen=True)
class Sample:
    """A picture of a shard."""

    name: str
    content: bytes | DataError
    """Its file, or why there is none."""
    label: str | int | None
    """Its class, where something states one."""
    number: int
    """Of the pictures before it in the shard."""
    end: int
    """Bytes of the shard up to its own end."""


class Shard:
    """One tar. It remembers where it was, so that reading on costs no reading again.

    Args:
        url: its path or URL.
        name: what it is called in messages.
    """

    def __init__(self, url: str, name: str) -> None:
        self.url, self.name = url, name
        self._mark = (0, 0)
        self._count: int | None = None

    def samples(self, first: int = 0) -> Iterator[Sample]:
        """Yield the pictures from number `first` on; an interrupted reading goes on by itself.

        Raises:
            ShardError: if it failed four times in a row.
        """
        failed = 0
        while True:
            try:
                for sample in self._read(first):
                    failed, first = 0, sample.number + 1
                    yield sample
                return
            except Exception as error:  # libraries of file systems raise anything
                if failed == RETRIES or isinstance(error, DataError):
                    raise ShardError(self.name, in_words(error)) from error
                time.sleep(WAIT_S * 2**failed)
                failed += 1

    def run(self, first: int, number: int, skip: int = 0) -> Iterator[Sample]:
        """Yield `number` pictures, at the end of the shard from its beginning again.

        None comes twice: of a shard with fewer, all do.

        Args:
            first: how many have been given before, passes through the shard included.
            number: how many to give.
            skip: pictures at the beginning that are never given.

        Raises:
            ShardError: as `samples`.
        """
        given, place = 0, self._place(first, skip)
        while given < number:
            for sample in self.samples(place):
                yield sample
                given += 1
                if given == number:
                    return
            assert self._count is not None  # it has come to the end
            number = min(number, self._count - skip)
            place = skip if given else self._place(first, skip)

    def _place(self, first: int, skip: int) -> int:
        if self._count is None or self._count <= skip:
            return skip + first
        return skip + first % (self._count - skip)

    def _read(self, first: int) -> Iterator[Sample]:
        """Yield the pictures from number `first` on, and remember where each ended."""
        number, offset = self._mark if self._mark[0] <= first else (0, 0)
        with opened(self.url) as stream, plain_tar(stream, FILE_LIMIT, offset) as archive:
            for found in _whole(archive, number, first):
                number = found.number + 1
                if found.wanted:
                    self._mark = (found.number, found.offset)
                    yield found.sample()
        self._count = number


@dataclass
class _Found:
    """What of a sample has been read so far."""

    key: str
    number: int
    offset: int
    wanted: bool
    name: str = ""
    content: bytes | DataError = b""
    end: int = 0
    labels: dict[str, str | int | None] = field(default_factory=dict)

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Read a file if it is the first picture or states the class, and is wanted."""
        ending = "." + member.name.rpartition(".")[2].lower()
        if ending in SUFFIXES and not self.name:
            self.name = clean_name(member.name)
            self.content = content_of(archive, member) if self.wanted else b""
        elif ending in LABELS and self.wanted and member.size <= LABEL_LIMIT:
            content = content_of(archive, member)
            assert isinstance(content, bytes)
            self.labels[ending] = _label(content.decode("utf-8", "replace"), ending)
        self.end = member.offset_data + member.size

    def sample(self) -> Sample:
        """Return it; a name in JSON says more than a number."""
        stated = [self.labels.get(ending) for ending in reversed(LABELS)]
        label = next((label for label in stated if label is not None), None)
        return Sample(self.name, self.content, label, self.number, self.end)


def _whole(archive: tarfile.TarFile, number: int, first: int) -> Iterator[_Found]:
    """Yield samples that have a picture, counted from `number`; those from `first` are wanted."""
    found: _Found | None = None
    for member in headers(archive):
        if not member.isreg():
            continue
        folder, slash, name = member.name.rpartition("/")
        key = folder + slash + name.partition(".")[0]
        if found is None or found.key != key:
            if found is not None and found.name:
                yield found
                number += 1
            found = _Found(key, number, member.offset, number >= first)
        found.take(archive, member)
    if found is not None and found.name:
        yield found


def _label(text: str, ending: str) -> str | int | None:
    """Return the class that a file states, None if it states none."""
    value: object = text
    if ending == ".json":
        try:
            told = json.loads(text)
        except (ValueError, RecursionError):
            return None
        value = told.get("label", told.get("cls")) if isinstance(told, dict) else None
    if not isinstance(value, int | str) or isinstance(value, bool):
        return None
    word = clean_name(str(value).strip())
    if re.fullmatch(r"-?\d{1,9}", word):
        return int(word)
    return word if 0 < len(word) <= NAME_LIMIT else None
