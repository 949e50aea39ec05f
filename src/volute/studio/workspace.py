"""The folder in which a studio works: uploads, results, data, runs, models."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import unicodedata
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from volute.errors import DataError, UsageError, VoluteError
from volute.paths import explained
from volute.studio import kinds
from volute.studio.journal import Journal
from volute.studio.models import FileInfo, Job, Result
from volute.studio.problems import NotFoundError, TooLargeError
from volute.studio.settings import Limits

JOBS, RESULTS = 1000, 20_000
"""Records that are kept."""
FOLDERS = ("uploads", "results", "data", "runs", "models", "styles")
IDLE_S = 60.0
"""Seconds in which more of an upload must come."""
UPLOADED = ("uploads", "data", "styles")
"""Whose bytes together have a limit."""


class Workspace:
    """A folder, locked for one server at a time.

    Raises:
        UsageError: if it is no folder, or another server works in it.
        VoluteError: if it cannot be written.
    """

    def __init__(self, root: Path, limits: Limits) -> None:
        self.root, self._limits = root.resolve(), limits
        if self.root.exists() and not self.root.is_dir():
            raise UsageError(f"{root} is not a folder", "Name a folder, or one to be made.")
        with explained(root):
            for name in (".studio", *FOLDERS):
                (self.root / name).mkdir(parents=True, exist_ok=True)
        self._lock = _locked(self.root / ".studio" / "lock")
        self.jobs: Journal[Job] = Journal(self.root / ".studio" / "jobs.jsonl", Job, JOBS)
        self.results: Journal[Result] = Journal(
            self.root / ".studio" / "results.jsonl", Result, RESULTS
        )
        self._abouts: dict[str, FileInfo] = {}
        self._used = sum(_size(self.root / name) for name in UPLOADED)
        for folder, left in (("uploads", ".*.part"), (".studio", "*.zip"), (".studio", "*.png")):
            for part in (self.root / folder).glob(left):  # of a server that was killed
                part.unlink()

    def close(self) -> None:
        """Let another server have it."""
        with contextlib.suppress(VoluteError):
            self.jobs.compact()
            self.results.compact()
        self._lock.close()

    def inside(self, name: str) -> Path:
        """Return a path in the workspace by its name there.

        Raises:
            NotFoundError: if it is not there, or leads out of it.
        """
        missing = NotFoundError(f"there is no {name} in the workspace", "Ask for the list anew.")
        if "\0" in name:
            raise missing
        path = (self.root / name).resolve()
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if hidden or not path.is_relative_to(self.root) or not path.exists():
            raise missing
        return path

    def plain(self, text: str) -> str:
        """Return a text in which files of the workspace are called as their owner calls them."""
        text = re.sub(re.escape(str(self.root)) + r"/uploads/[0-9a-f]{16}/", "", text)
        return text.replace(f"{self.root}{os.sep}", "").replace(str(self.root), "the workspace")

    def upload(self, ident: str) -> Path:
        """Return the file of an upload or of a result.

        Raises:
            NotFoundError: if there is none.
        """
        folder = self.root / "uploads" / ident
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            return path
        result = self.results.get(ident)
        if result is not None:
            return self.result(result)
        raise NotFoundError(f"there is no file {ident}", "Upload it again.")

    def result(self, result: Result) -> Path:
        """Return the file of a result.

        Raises:
            NotFoundError: if somebody has deleted it.
        """
        path = self.root / "results" / Path(result.name).name
        if not path.is_file():
            raise NotFoundError(f"{result.name} is no longer there", "Make it again.")
        return path

    def new_result(self, stem: str, suffix: str) -> tuple[str, Path]:
        """Return the ID of a result to come, and where to write it."""
        ident = secrets.token_hex(8)
        return ident, self.root / "results" / f"{cut(safe_name(stem), 120)}-{ident[:8]}{suffix}"

    def passing(self, suffix: str) -> Path:
        """Return where a file may lie for a moment."""
        return self.root / ".studio" / f"{secrets.token_hex(8)}{suffix}"

    async def take(self, name: str, chunks: AsyncIterator[bytes]) -> FileInfo:
        """Write an upload to disk as it comes; it is there in full, or not at all.

        Raises:
            TooLargeError: if it is larger than one may be, or than there is room for.
            VoluteError: if it cannot be written.
        """
        ident = secrets.token_hex(8)
        part = self.root / "uploads" / f".{ident}.part"
        try:
            await self._stream(part, chunks)
            folder = self.root / "uploads" / ident
            with explained(folder / safe_name(name)):
                folder.mkdir()
                part.replace(folder / safe_name(name))
        finally:
            part.unlink(missing_ok=True)
        return await asyncio.to_thread(self.about, ident)

    async def take_into(self, target: Path, chunks: AsyncIterator[bytes]) -> None:
        """Do likewise to a file of a data set."""
        part = self.root / "uploads" / f".{secrets.token_hex(8)}.part"
        try:
            await self._stream(part, chunks)
            with explained(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    async def _stream(self, part: Path, chunks: AsyncIterator[bytes]) -> None:
        size = 0
        with explained(part), part.open("wb") as stream:
            async for chunk in _going_on(chunks):
                size += len(chunk)
                self._fits(size)
                stream.write(chunk)
        self._used += size

    def _fits(self, size: int) -> None:
        """Refuse an upload of so many bytes that is too large, or for which there is no room."""
        limits = self._limits
        if size > limits.upload:
            what = f"the file has more than {limits.upload >> 20:,} MB"
            raise TooLargeError(what, "volute on the command line has no such limit.")
        if self._used + size > limits.space:
            self.freed()  # somebody may have deleted some by hand
        if self._used + size > limits.space:
            what = f"uploads, data and styles together have {limits.space >> 20:,} MB: it is full"
            raise TooLargeError(what, "Delete what you no longer need in the folder uploads.")

    def freed(self) -> None:
        """Count the bytes of all uploads that are whole anew, after some were deleted."""
        self._used = sum(_size(self.root / name) for name in UPLOADED)

    def about(self, ident: str) -> FileInfo:
        """Return what is known of an upload.

        Raises:
            NotFoundError: if there is none.
        """
        path = self.upload(ident)
        if ident in self._abouts:
            return self._abouts[ident]
        kind: Any = kinds.kind_of(path)
        status = path.stat()
        self._abouts[ident] = FileInfo(
            id=ident,
            name=path.name,
            bytes=status.st_size,
            kind=kind,
            created=datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="seconds"),
            preview=f"/api/v1/files/{ident}/preview" if kinds.has_preview(path, kind) else "",
        )
        return self._abouts[ident]

    def uploads_there(self) -> Iterator[str]:
        """Yield the IDs of all uploads."""
        for folder in (self.root / "uploads").iterdir():
            if re.fullmatch("[0-9a-f]{16}", folder.name) and any(folder.iterdir()):
                yield folder.name

    def drop(self, ident: str) -> None:
        """Delete an upload.

        Raises:
            NotFoundError: if there is none.
        """
        folder = self.root / "uploads" / ident
        if not folder.is_dir():
            raise NotFoundError(f"there is no upload {ident}")
        shutil.rmtree(folder)
        self._abouts.pop(ident, None)
        self.freed()


async def _going_on(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield what comes, as long as it goes on coming."""
    while True:
        try:
            async with asyncio.timeout(IDLE_S):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise DataError("the upload did not go on", "Send it again.") from error
        yield chunk


def safe_name(name: str) -> str:
    """Return the name of a stranger's file as one that is harmless on every system."""
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name))[-1]
    plain = re.sub(r'[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff<>:"|?*]+', "-", last)
    plain = plain.strip(" .-")
    stem, dot, ending = plain.rpartition(".")
    return f"{cut(stem, 120)}{dot}{cut(ending, 20)}" if stem else cut(plain, 120) or "file"


def cut(text: str, most: int) -> str:
    """Return the beginning of a text that has so many bytes at most."""
    return text.encode()[:most].decode(errors="ignore")


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".part"):
                continue
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total


def _locked(path: Path) -> Any:
    """Return the open file that says that a server works here.

    Raises:
        UsageError: if another one does.
    """
    stream = path.open("w")
    try:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except ImportError:  # Windows: whoever starts two has two
        pass
    except OSError as error:
        stream.close()
        what = f"another studio works in {path.parent.parent}"
        raise UsageError(what, "Use its page, stop it, or name another folder.") from error
    return stream
