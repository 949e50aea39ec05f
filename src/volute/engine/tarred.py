"""The files in a plain tar, here or under a URL: where each lies in it. Only headers are read."""

from __future__ import annotations

import re
import tarfile
from dataclasses import dataclass, field, replace

from volute.archives import clean_name, headers, plain_tar
from volute.engine.sources import SIDECAR, Brought, Refused, Source
from volute.errors import DataError
from volute.remote import Told, in_words, opened

MOST = 1_000_000
"""Files in one."""
HEADER = 1 << 20
"""Bytes of a header."""
AHEAD = 256 << 10
"""Bytes that are asked of a server at once: so many headers of small files come together."""


@dataclass(frozen=True)
class Tar:
    """A tar of which the members are meant."""

    file: str
    """Its path or URL."""
    told: Told
    folder: str
    """Under which the results of its members go."""


@dataclass
class Found:
    """What a tar holds, and what is wrong with it."""

    members: list[tuple[str, Source]] = field(default_factory=list)
    """With a name that is safe under any folder."""
    reason: str = ""
    """Why it could not be read to its end."""


def look(tar: Tar) -> Found:
    """Return the files in a tar, up to where it is damaged; none is read.

    A member that would lie outside a folder, is a link or no file, is one that is refused.
    """
    found, manifests = Found(), dict[str, Brought]()
    try:
        with opened(tar.file, AHEAD) as stream, plain_tar(stream, HEADER) as archive:
            for member in headers(archive):
                if len(found.members) == MOST:
                    raise DataError(f"it has more than {MOST:,} files")
                name, source = clean_name(member.name), _source(tar, member)
                if name.endswith(SIDECAR) and isinstance(source, Brought):
                    manifests[name] = source
                elif name and not member.isdir():
                    found.members.append((name, source))
    except Exception as error:  # libraries of file systems, and damaged headers, raise anything
        found.reason = in_words(error)
    found.members = [(name, _with(source, manifests, name)) for name, source in found.members]
    return found


def _source(tar: Tar, member: tarfile.TarInfo) -> Source:
    called = f"{tar.file}/{clean_name(member.name)}"
    if reason := _refused(member):
        return Refused(called, reason)
    return Brought(called, tar.file, tar.told, member.offset_data, member.size)


def _refused(member: tarfile.TarInfo) -> str:
    """Return why a member is not read."""
    if ".." in re.split(r"[\\/]", member.name) or re.match(r"[\\/]|[a-zA-Z]:", member.name):
        return f"its name in the tar, {ascii(member.name)}, leads out of it"
    if member.issym() or member.islnk():
        return "it is a link"
    if member.issparse():
        return "it is stored with holes"
    return "" if member.isreg() else "it is no file"


def _with(source: Source, manifests: dict[str, Brought], name: str) -> Source:
    beside = manifests.get(name + SIDECAR)
    return replace(source, manifest=beside) if isinstance(source, Brought) and beside else source
