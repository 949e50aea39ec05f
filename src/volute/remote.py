"""Files by URL, through fsspec, which is imported here alone; plain paths need nothing.

A URL is written down and shown, so what is secret has no place in it: file systems find
credentials themselves, in the environment and in files of their own.
"""

from __future__ import annotations

import glob
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

from volute.errors import DataError, MissingExtraError, UsageError, VoluteError

SILENT_S = 60.0
"""Seconds that a server may be silent."""
HERE = ("file", "local", "memory")
"""Protocols that reach no other machine."""
PIECE = 8 << 20
"""Bytes that are copied at once."""
LARGEST = 32 << 30
"""Bytes of a file that is copied."""
_URL = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*::)*[a-zA-Z][a-zA-Z0-9+.-]*://")
_PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs"}
_PACKAGES |= {"abfs": "adlfs", "az": "adlfs", "sftp": "paramiko", "ssh": "paramiko"}


class MissingFileSystemError(MissingExtraError):
    """The package for a protocol is not installed (exit code 3)."""

    def __init__(self, what: str, package: str) -> None:
        VoluteError.__init__(self, what, f"Install it with: pip install {package}")


@dataclass(frozen=True)
class Told:
    """What is known of a file before it is read."""

    size: int
    """In bytes, 0 if it is not known."""
    mark: str = ""
    """Its ETag, where there is one."""


def is_url(text: str) -> bool:
    """Say whether a source is named by a URL."""
    return _URL.match(text) is not None


def check_url(url: str) -> None:
    """Refuse a URL that holds a secret, or perhaps one, or that may not be reached.

    Raises:
        UsageError: if it does; the message does not repeat it.
        VoluteError: if VOLUTE_OFFLINE is set and it leads elsewhere.
    """
    if "::" in url:
        raise UsageError("a chain of file systems (::) is not read", "Give the URL of the files.")
    parts = urlsplit(url)
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    if "@" in parts.netloc or parts.query or parts.fragment:
        hint = "Give it without them. Credentials belong into the environment: AWS_ACCESS_KEY_ID, "
        hint += "GOOGLE_APPLICATION_CREDENTIALS, ~/.netrc, or what the file system reads."
        what = "a user, a password or what follows a question mark would be written down"
        raise UsageError(f"{shown}: {what}", hint)
    if os.environ.get("VOLUTE_OFFLINE", "") not in ("", "0") and parts.scheme not in HERE:
        hint = "Unset it, or give files of this machine."
        raise VoluteError(f"{shown} is not fetched: VOLUTE_OFFLINE is set", hint)


def matching(pattern: str) -> list[str]:
    """Return the files that a pattern with `*`, `?` or `[...]` finds, in the order of names."""
    if not is_url(pattern):
        return sorted(glob.glob(pattern))
    system, path = system_of(pattern)
    return sorted(system.unstrip_protocol(found) for found in system.glob(path))


def told(name: str) -> Told:
    """Return size and ETag of a file, by path or URL; what the library raises is let through."""
    if not is_url(name):
        return Told(Path(name).stat().st_size)
    system, path = system_of(name)
    facts = system.info(path)
    mark = facts.get("ETag") or facts.get("etag") or ""
    return Told(int(facts.get("size") or 0), str(mark))


def opened(name: str, ahead: int | None = None) -> IO[bytes]:
    """Open a file, by path or URL; what the library raises is let through.

    Args:
        name: path or URL.
        ahead: bytes that are asked of a server beyond what is read; None: as its library does.
    """
    if not is_url(name):
        return Path(name).open("rb")
    how: dict[str, Any] = {"cache_type": "readahead", "block_size": ahead} if ahead else {}
    how = {"cache_type": "none"} if ahead == 0 else how
    return _Read(*system_of(name), how)  # type: ignore[return-value]


def copied(name: str, target: Path, start: int = 0, size: int | None = None) -> None:
    """Copy a file, by path or URL, or a part of it; what the library raises is let through.

    Args:
        name: path or URL.
        target: where to.
        start: of its bytes, the first.
        size: how many; None: all.

    Raises:
        DataError: if it is larger than 32 GiB, or ends before.
    """
    left = LARGEST + 1 if size is None else size
    if left > LARGEST and size is not None:
        raise DataError(f"it has {size >> 30:,} GiB; at most {LARGEST >> 30}")
    with opened(name, ahead=0) as stream, target.open("wb") as out:
        if start:
            stream.seek(start)
        while left and (part := stream.read(min(PIECE, left))):
            left -= len(part)
            out.write(part)
    if size is None and not left:
        raise DataError(f"it has more than {LARGEST >> 30} GiB")
    if size is not None and left:
        raise DataError(f"it breaks off {left:,} bytes before its end")


def in_words(error: Exception) -> str:
    """Return the reason of a failure in a line that holds nothing secret.

    Where a server sends on to another URL, that one may be signed.
    """
    if isinstance(error, VoluteError):
        return error.what
    if isinstance(error, FileNotFoundError) and isinstance(error.__cause__, Exception):
        return in_words(error.__cause__)  # HTTP: whatever the reason was
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, FileNotFoundError):
        return "not found"
    if hasattr(error, "status") and hasattr(error, "message"):
        return f"{error.status} {error.message}"  # HTTP
    text = " ".join(str(error).split()) or type(error).__name__
    text = re.sub(r"(://)[^/@\s]*@", r"\1", text)
    return re.sub(r"\?[^\s'\")]*", "", text)[:200]


def system_of(url: str) -> tuple[Any, str]:
    """Return the file system of a URL, and the path in it.

    Raises:
        MissingExtraError: if what its protocol needs is not installed.
        DataError: if the protocol is not known.
    """
    scheme = urlsplit(url).scheme
    try:
        from fsspec.core import url_to_fs
    except ModuleNotFoundError as error:
        raise MissingExtraError("files by URL need fsspec", "remote") from error
    try:
        return url_to_fs(url, **_options(scheme))
    except ImportError as error:
        if scheme in ("http", "https"):
            raise MissingExtraError(f"{scheme}:// needs aiohttp", "remote") from error
        package = _PACKAGES.get(scheme, f"what fsspec asks for ({error})")
        raise MissingFileSystemError(f"{scheme}:// needs a package", package) from error
    except ValueError as error:
        known = ", ".join(f"{name}://" for name in ("http", "https", "s3", "gs", "file"))
        raise DataError(f"{scheme}:// is not known", f"Such as {known} are.") from error


def expression_of(pattern: str) -> re.Pattern[str]:
    """Return what matches URLs as a pattern does: `*` within a folder, `**` for any folders."""
    from fsspec.utils import glob_translate

    return re.compile(glob_translate(pattern))


def _options(scheme: str) -> dict[str, Any]:
    """Let HTTP take proxies and ~/.netrc as other programs do, and read for as long as it takes."""
    if scheme not in ("http", "https"):
        return {}
    import aiohttp

    patience = aiohttp.ClientTimeout(total=None, sock_connect=SILENT_S, sock_read=SILENT_S)
    return {"client_kwargs": {"trust_env": True, "timeout": patience}}


class _Read:
    """A file that is read forward; where a server gives no ranges, what is skipped is read too."""

    def __init__(self, system: Any, path: str, how: dict[str, Any]) -> None:
        self._system, self._path = system, path
        self._stream: Any = system.open(path, "rb", **how)
        self._place, self._whole = 0, False

    def __enter__(self) -> _Read:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def read(self, size: int) -> bytes:
        parts = []
        while size > 0:
            part = self._some(size)
            if not part:
                break
            parts.append(part)
            self._place += len(part)
            size -= len(part)
        return b"".join(parts)

    def seek(self, place: int) -> int:
        if not self._whole:
            self._stream.seek(place)
            self._place = place
        while self._place < place and self.read(min(place - self._place, 1 << 20)):
            pass
        return self._place

    def tell(self) -> int:
        return self._place

    def _some(self, size: int) -> bytes:
        if self._whole:
            return self._stream.read(size)
        try:
            return self._stream.read(size)
        except ValueError:  # no ranges: from the beginning, in one piece
            place = self._place
            self._stream.close()
            self._stream = self._system.open(self._path, "rb", block_size=0)
            self._place, self._whole = 0, True
            self.seek(place)
            return self._stream.read(size)
