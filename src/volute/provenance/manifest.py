"""Signed manifests (C2PA 2.2): how a file came about, in the file or beside it.

Nothing personal goes in: no name of a file, no folder, no prompt. What a file was made from is in
it as an ingredient, with the history that it brought.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from volute.errors import VoluteError, printable
from volute.events import Emit, Note, silent
from volute.paths import atomic_file
from volute.provenance import carriers, keys, ledger, library
from volute.provenance.library import IPTC, Ingredient, Job, NetworkError, SigningError

if TYPE_CHECKING:
    from volute.provenance.certificates import Credentials

Deed = Literal["sample", "interpolate", "reconstruct", "write", "stylize", "upscale"]
Value = str | int | float | bool | None
Made = TypeVar("Made")

ACTIONS: dict[Deed, tuple[str, str]] = {
    "sample": ("c2pa.created", "trainedAlgorithmicMedia"),
    "interpolate": ("c2pa.created", "trainedAlgorithmicMedia"),
    "write": ("c2pa.created", "trainedAlgorithmicMedia"),
    "reconstruct": ("c2pa.edited", "compositeWithTrainedAlgorithmicMedia"),
    "stylize": ("c2pa.edited", "compositeWithTrainedAlgorithmicMedia"),
    "upscale": ("c2pa.edited", "algorithmicallyEnhanced"),
}
"""Action and IPTC digital source type."""
GENERATION = "volute.generation"
"""Label of the assertion that holds model, parameters and seed."""
WATERMARK = "volute.watermark"
"""Name of the algorithm, in a soft binding, of the mark in the pixels."""
AGENT = {"name": "volute", "version": version("volute")}
TITLES = {"parentOf": "what was worked on", "inputTo": "what it was made like"}
EXACT = 1 << 53
"""Whole numbers up to here are such in every reader of JSON."""
_LATE: set[str] = set()
"""Time-stamping services that did not answer: they are not asked again by this process."""


@dataclass(frozen=True)
class Origin:
    """How a file came about."""

    deed: Deed
    model: str
    weights: str
    """SHA-256 of the weights, in hexadecimal."""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    seed: int | None = None
    parent: Path | None = None
    """The file that was worked on."""
    inputs: tuple[Path, ...] = ()
    """Other files that went in, such as the picture of a style."""
    watermark: int | None = None
    """The ID, of 16 bits, that the pixels carry; the manifest names it, the ledger finds it."""


@contextlib.contextmanager
def signed_file(
    target: Path,
    origin: Origin | None,
    emit: Emit = silent,
    laid: Callable[[], int | None] | None = None,
) -> Iterator[Path]:
    """Give a temporary path that becomes `target`, signed, when the block ends well.

    The keys are asked for at the beginning, so that no work is lost for want of them. A manifest
    that does not fit into the file goes to `NAME.END.c2pa`.

    Args:
        target: what to write; there with its manifest, or not at all.
        origin: what to sign; None writes the file unmarked.
        emit: is told of keys that were made, and of what lies beside the file.
        laid: tells at the end which ID the pixels carry, if that was open at the beginning.

    Raises:
        VoluteError: if it cannot be written or signed.
    """
    beside = carriers.beside(target)
    if origin is None:
        with atomic_file(target) as part:
            yield part
        beside.unlink(missing_ok=True)  # it was that of the file which was there before
        return
    signer = keys.credentials(emit)
    name = f"urn:c2pa:{uuid.uuid4()}"
    with atomic_file(target) as part:
        yield part
        if laid is not None:
            origin = replace(origin, watermark=laid())
        sidecar = _sealed(part, origin, name, signer, emit)
        with part.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        record = _record(target.name, digest, origin, name)
        if sidecar is not None:
            with atomic_file(beside) as place:
                place.write_bytes(sidecar)
    if sidecar is None:
        beside.unlink(missing_ok=True)
    else:
        emit(Note("signed", f"{target.name}: the manifest lies beside it, in {beside.name}"))
    _remembered(record, emit)


def signed_png(png: bytes, called: str, origin: Origin, emit: Emit = silent) -> bytes:
    """Return a PNG that never lies on disk, signed.

    Args:
        png: the file.
        called: its name in the ledger.
        origin: what to sign.
        emit: is told of keys that were made.

    Raises:
        VoluteError: if it cannot be signed.
    """
    signer, anchors = keys.credentials(emit), keys.anchors()
    name = f"urn:c2pa:{uuid.uuid4()}"
    job = Job(_manifest(origin, name), "image/png", True, _ingredients(origin))
    try:
        made = _stamped(lambda job: library.sign_png(job, png, signer, anchors), job, emit)
    except SigningError as error:
        raise _refused(error) from error
    _remembered(_record(called, hashlib.sha256(made).hexdigest(), origin, name), emit)
    return made


def sign(file: str | Path, origin: Origin, emit: Emit = silent) -> None:
    """Sign a file that is there, such as a picture that was made in memory and saved.

    What the file said of its origin before is replaced: name it in `origin` to keep it.

    Raises:
        VoluteError: if it cannot be read, written or signed.
    """
    with signed_file(Path(file), origin, emit) as part:
        shutil.copyfile(file, part)


def _sealed(part: Path, origin: Origin, name: str, signer: Credentials, emit: Emit) -> bytes | None:
    """Put a manifest into a file; return it where it does not go inside."""
    mime = carriers.mime_of(part)
    job = Job(_manifest(origin, name), mime, carriers.carries(part, mime), _ingredients(origin))
    try:
        if job.inside:
            with contextlib.suppress(SigningError):  # of its kind, but not as the library has them
                _stamped(partial(_written, part, signer), job, emit)
                return None
            job = replace(job, mime=carriers.OCTETS, inside=False)
        return _stamped(partial(_written, part, signer), job, emit)
    except SigningError as error:
        raise _refused(error) from error


def _refused(error: SigningError) -> VoluteError:
    hint = "volute keys show tells what with; --unmarked writes it without a manifest."
    return VoluteError(f"cannot sign what was made: {error}", hint)


def _stamped(write: Callable[[Job], Made], job: Job, emit: Emit) -> Made:
    """Do a job with a time-stamp, if that is wanted and comes."""
    url = keys.timestamp()
    if url and url not in _LATE:
        try:
            return write(replace(job, timestamp=url))
        except NetworkError as error:
            _LATE.add(url)
            emit(Note("keys", f"no time-stamp, signed without: {printable(str(error))}"))
    return write(job)


def _written(part: Path, signer: Credentials, job: Job) -> bytes | None:
    return library.sign(job, part, signer, keys.anchors())


def _manifest(origin: Origin, name: str) -> dict[str, Any]:
    """Return the definition of a manifest, as c2pa-python takes it."""
    about: dict[str, Any] = {"model": origin.model, "sha256": origin.weights}
    if origin.seed is not None:
        about["seed"] = origin.seed if origin.seed < EXACT else str(origin.seed)
    about["parameters"] = dict(origin.parameters)
    parts: list[tuple[str, Any]] = [("c2pa.actions.v2", {"actions": _actions(origin)})]
    parts.append((GENERATION, about))
    if origin.watermark is not None:
        blocks = [{"scope": {}, "value": f"{origin.watermark:04x}"}]
        parts.append(("c2pa.soft-binding", {"alg": WATERMARK, "blocks": blocks}))
    return {
        "label": name,
        "claim_generator_info": [AGENT],
        "assertions": [{"label": key, "data": data, "created": True} for key, data in parts],
    }


def _actions(origin: Origin) -> list[dict[str, Any]]:
    action, source = ACTIONS[origin.deed]
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    done: dict[str, Any] = {
        "action": action,
        "when": now,
        "softwareAgent": AGENT,
        "digitalSourceType": IPTC + source,
        "description": origin.deed,
    }
    if origin.inputs:
        names = [f"input{number}" for number in range(len(origin.inputs))]
        done["parameters"] = {"ingredientIds": names}
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["parent"]}}
    bound = {"action": "c2pa.watermarked.bound"}
    return [opened] * bool(origin.parent) + [done] + [bound] * (origin.watermark is not None)


def _ingredients(origin: Origin) -> list[Ingredient]:
    found = [] if origin.parent is None else [_ingredient(origin.parent, "parentOf", "parent")]
    return found + [
        _ingredient(file, "inputTo", f"input{number}") for number, file in enumerate(origin.inputs)
    ]


def _ingredient(file: Path, relationship: str, label: str) -> Ingredient:
    mime = carriers.mime_of(file)
    sidecar = carriers.sidecar_of(file)
    if sidecar is not None and carriers.carries(file, mime):
        with contextlib.suppress(library.UnreadableError, library.RemoteError):
            sidecar = None if library.read(file, mime, None, b"") else sidecar
    about = {"relationship": relationship, "label": label, "title": TITLES[relationship]}
    return Ingredient(file, mime, about, sidecar)


def _record(called: str, digest: str, origin: Origin, name: str) -> ledger.Record:
    return ledger.Record(
        time=datetime.now(UTC).isoformat(timespec="seconds"),
        file=called,
        sha256=digest,
        manifest=name,
        deed=origin.deed,
        model=origin.model,
        watermark=origin.watermark,
    )


def _remembered(record: ledger.Record, emit: Emit) -> None:
    try:
        ledger.add(record)
    except VoluteError as error:
        emit(Note("note", f"{record.file} is signed, but not in the ledger: {error.what}"))
