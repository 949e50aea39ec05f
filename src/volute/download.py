"""Files from the net: only when the user agrees, only with the hash that the source names."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from volute.errors import UsageError, VoluteError
from volute.paths import atomic_file, cache_dir

CHUNK = 1 << 20
TIMEOUT = 30.0
"""Seconds that the server may be silent."""
LOCAL = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Asset:
    """A file that volute uses but does not ship."""

    name: str
    url: str
    """https, or http on this machine."""
    sha256: str
    limit: int
    """Bytes after which the download is given up."""
    size: str
    """The size in words, such as "96 MB"."""
    licence: str

    @property
    def path(self) -> Path:
        """Where the file lies once it is fetched, or may be put by hand."""
        return cache_dir() / "downloads" / self.name


def fetch(asset: Asset, agree: Callable[[str], bool]) -> Path:
    """Return the asset's file, from the cache or else, if `agree` says yes, from its URL.

    A file in the cache whose hash is wrong is fetched again.

    Args:
        asset: what is wanted.
        agree: is shown the URL, size, licence and SHA-256 (lines of text) and answers.

    Raises:
        UsageError: if the answer is no, or the URL is neither https nor on this machine.
        VoluteError: if VOLUTE_OFFLINE forbids it, or what comes is not the file.
    """
    path = asset.path
    if _is_right(path, asset.sha256):
        return path
    by_hand = f"put {asset.url} at {path} by hand (SHA-256 {asset.sha256})"
    if os.environ.get("VOLUTE_OFFLINE", "") not in ("", "0"):
        raise VoluteError(
            f"{path} is absent or damaged, and VOLUTE_OFFLINE is set", f"Unset it, or {by_hand}."
        )
    if not _is_allowed(asset.url):
        raise UsageError(f"{asset.url} is not fetched: only https is")
    if not agree(_question(asset)):
        raise UsageError(
            f"{asset.name} is not fetched without your agreement",
            f"Run it again and answer yes, or use an ONNX file of your own, or {by_hand}.",
        )
    _download(asset, path)
    return path


def _is_right(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _is_allowed(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)


def _question(asset: Asset) -> str:
    return (
        f"{asset.name} is not part of volute. Fetch it?\n"
        f"  from     {asset.url}\n"
        f"  size     {asset.size}\n"
        f"  licence  {asset.licence}\n"
        f"  sha256   {asset.sha256}\n"
        f"  to       {asset.path}"
    )


def _download(asset: Asset, path: Path) -> None:
    digest = hashlib.sha256()
    with atomic_file(path) as part:
        with part.open("wb") as stream:
            for chunk in _chunks(asset):
                digest.update(chunk)
                stream.write(chunk)
        if digest.hexdigest() != asset.sha256:
            raise VoluteError(
                f"{asset.url} has SHA-256 {digest.hexdigest()}, not {asset.sha256}",
                "Nothing is kept. The file was changed at its source, or on its way: "
                "try another network, and report it if it stays so.",
            )


def _chunks(asset: Asset) -> Iterator[bytes]:
    """Yield the body; every failure of the net becomes a VoluteError."""
    try:
        with build_opener(_SameScheme).open(asset.url, timeout=TIMEOUT) as response:
            got = 0
            while chunk := response.read(CHUNK):
                got += len(chunk)
                if got > asset.limit:
                    hint = "Nothing is kept. The file was changed at its source: please report it."
                    raise VoluteError(f"{asset.url} is more than {asset.limit:,} bytes", hint)
                yield chunk
            missing = response.length  # of what the server announced, if it did
    except HTTPError as error:
        reason = " ".join(str(error.reason).split())
        hint = "Try again later; if it stays so, the file has moved: please report it."
        raise VoluteError(f"{asset.url} answered {error.code} {reason}", hint) from error
    except (OSError, HTTPException, ValueError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        hint = "Check the network (a proxy is read from https_proxy) and try again."
        raise VoluteError(f"cannot fetch {asset.url}: {reason}", hint) from error
    if missing:
        hint = "Nothing is kept: try again."
        raise VoluteError(f"{asset.url} broke off {missing:,} bytes before its end", hint)


class _SameScheme(HTTPRedirectHandler):
    """Follows a redirect only from https to https, or from this machine to itself."""

    def redirect_request(
        self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> Request | None:
        if not _is_allowed(newurl) or urlsplit(newurl).scheme != req.type:
            hint = "Nothing is kept. The source was changed: please report it."
            raise VoluteError(f"{req.full_url} redirects to {newurl}: refused", hint)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
