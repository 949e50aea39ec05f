"""Which ID an output carries: the same work gives the same one."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from volute.provenance.codes import BITS
from volute.provenance.manifest import Origin


def ident_of(origin: Origin, number: int = 0) -> int:
    """Return the ID of an output, 0 to 65535: the first bits of a SHA-256.

    Hashed are deed, weights, parameters, seed, the SHA-256 of each file that went in, and the
    number. Others may have the same ID by chance, one in 65,536.

    Args:
        origin: how it comes about.
        number: of the picture in its set, where the origin is that of all.

    Raises:
        OSError: if a file that goes in cannot be read.
    """
    parent = "" if origin.parent is None else _sha256(origin.parent)
    files = [parent, *map(_sha256, origin.inputs)]
    told = [origin.deed, origin.weights, dict(origin.parameters), origin.seed, number, files]
    text = json.dumps(told, sort_keys=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest(), "big") >> (256 - BITS)


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
