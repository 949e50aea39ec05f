"""What the manifest of a file says, and whether that can be believed.

A file may come from a stranger: every text of a manifest is cut to one printable line, its history
to a few hundred steps, and what makes no sense is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from volute.errors import printable
from volute.provenance import carriers, keys, library
from volute.provenance.manifest import GENERATION, Value

State = Literal["absent", "intact", "trusted", "broken"]

LINE, STEPS, DEPTH, LISTED = 200, 300, 30, 50
"""Most characters of a text, steps of a history, steps in a row, and entries of a list."""
CHUNK = 1 << 20
DOUBTS = {"signingCredential.untrusted", "signingCredential.expired"}
"""Failures that leave open who signed, but not whether the file has been changed since."""
REASONS = {
    "assertion.dataHash.mismatch": "the file was changed after it was signed, or the manifest "
    "is that of another file",
    "assertion.bmffHash.mismatch": "the film was changed after it was signed, or the manifest is "
    "that of another file",
    "assertion.boxesHash.mismatch": "the file was changed after it was signed",
    "assertion.hashedURI.mismatch": "a part of the manifest was changed after it was signed",
    "assertion.missing": "a part of the manifest is missing",
    "claimSignature.mismatch": "the signature is not that of this manifest",
    "claimSignature.missing": "the signature is missing",
    "claim.malformed": "the manifest is malformed",
    "signingCredential.invalid": "the certificate is not of a kind that may sign",
    "signingCredential.expired": "the certificate has expired",
    "manifest.inaccessible": "the manifest lies elsewhere, and was not fetched",
}
ABSENT = "no manifest, neither in the file nor beside it"


@dataclass(frozen=True)
class Action:
    """Something that was done."""

    name: str
    """Such as `created`."""
    source: str = ""
    """IPTC digital source type, such as `trainedAlgorithmicMedia`."""
    time: str = ""
    """As the signer says."""


@dataclass(frozen=True)
class Step:
    """A file in a history: the one that was looked at, or what another was made from."""

    role: str
    """`file`, or what it was to the next: `parentOf`, `inputTo`, `componentOf`."""
    state: State
    reasons: tuple[str, ...] = ()
    """Why it is broken."""
    manifest: str = ""
    """ID."""
    generator: str = ""
    """The program that signed, as it says."""
    signer: str = ""
    """The organization in the certificate; anybody can make one with any name."""
    time: str = ""
    """Of the time-stamp, if there is one."""
    actions: tuple[Action, ...] = ()
    deed: str = ""
    """What volute did, such as `stylize`."""
    generation: Mapping[str, Value] | None = None
    """Model, SHA-256 of its weights, seed and parameters, where volute made it."""
    watermark: str = ""
    """ID in the pixels that the manifest is bound to, in hexadecimal."""
    inputs: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Manifest:
    """The verdict on a file's manifest."""

    state: State
    """`absent`; `intact`: the file is as it was signed, by whom is unknown; `trusted`: intact, and
    the signer is vouched for by this computer's authority or another that was imported; `broken`.
    """
    basis: str
    """Why, in words."""
    place: Literal["", "inside", "beside"] = ""
    history: Step | None = None


def look(file: Path, mime: str) -> Manifest:
    """Return the verdict on the manifest of a file, or of the one that lies beside it.

    Raises:
        OSError: if it cannot be read.
    """
    inside = _inside(file, mime)
    sidecar = carriers.sidecar_of(file) if inside.state == "absent" else None
    if sidecar is None:
        return inside
    try:
        return _judged(library.read(file, mime, sidecar, keys.anchors()) or {}, "beside")
    except (library.UnreadableError, library.RemoteError) as error:
        words = f"the manifest beside the file cannot be read: {_line(error)}"
        return Manifest("broken", words, "beside")


def _inside(file: Path, mime: str) -> Manifest:
    try:
        told = library.read(file, mime, None, keys.anchors())
    except library.RemoteError as error:
        words = f"its manifest lies elsewhere, and is not fetched: {_line(error)}"
        return Manifest("absent", words)
    except library.UnreadableError as error:
        if _has_manifest(file):
            return Manifest("broken", f"the manifest cannot be read: {_line(error)}", "inside")
        told = None
    return Manifest("absent", ABSENT) if told is None else _judged(told, "inside")


def _judged(told: Mapping[str, Any], place: Literal["inside", "beside"]) -> Manifest:
    results = _dict(told.get("validation_results"))
    own = _dict(results.get("activeManifest"))
    tree = _Tree(_dict(told.get("manifests")), _late(results))
    history = tree.step("file", _text(told.get("active_manifest")), own, 0)
    said = told.get("validation_state")
    state: State = "trusted" if said == "Trusted" else history.state
    if said not in ("Trusted", "Valid") and not _failures(own):
        state = "broken"
    history = replace(history, state=state)
    return Manifest(state, _basis(history, own), place, _capped(history))


def _basis(step: Step, own: Mapping[str, Any]) -> str:
    if step.state == "trusted":
        return f"as it was signed by {step.signer or 'someone'}, whom this computer trusts"
    if step.state == "broken":
        return "; ".join(step.reasons) or "the manifest is not valid"
    old = "signingCredential.expired" in _failures(own)
    why = "the certificate has expired" if old else "who that is, nobody vouches for"
    return f"as it was signed by {step.signer or 'someone'}, but {why}"


class _Tree:
    """Makes steps of the manifests in a file, as many as are sensible."""

    def __init__(self, manifests: Mapping[str, Any], late: Mapping[str, list[str]]) -> None:
        self._manifests, self._late, self._left = manifests, late, STEPS

    def step(self, role: str, name: str, results: Mapping[str, Any], depth: int) -> Step:
        """Return the step for the manifest `name`, with those before it."""
        self._left -= 1
        about = _dict(self._manifests.get(name))
        codes = _failures(results) + self._late.get(name, [])
        signature = _dict(about.get("signature_info"))
        assertions = [
            (_text(_dict(one).get("label")), _dict(_dict(one).get("data")))
            for one in _list(about.get("assertions"))
        ]
        actions = [
            one
            for label, data in assertions
            if label.startswith("c2pa.actions")
            for one in map(_dict, _list(data.get("actions")))
        ]
        return Step(
            role=role,
            state=_state(codes, results),
            reasons=_reasons(codes),
            manifest=name,
            generator=_generator(about),
            signer=_text(signature.get("issuer")),
            time=_text(signature.get("time")),
            actions=tuple(_action(one) for one in actions),
            deed=next((_text(one["description"]) for one in actions if "description" in one), ""),
            generation=next(
                (_flat(data) for label, data in assertions if label == GENERATION), None
            ),
            watermark=_watermark(assertions),
            inputs=tuple(self._inputs(about, depth)),
        )

    def _inputs(self, about: Mapping[str, Any], depth: int) -> Iterator[Step]:
        for one in map(_dict, _list(about.get("ingredients"))):
            if self._left <= 0 or depth >= DEPTH:
                return
            role, name = _text(one.get("relationship")), _text(one.get("active_manifest"))
            results = _dict(_dict(one.get("validation_results")).get("activeManifest"))
            if name in self._manifests or _failures(results):
                yield self.step(role, name, results, depth + 1)
            else:
                self._left -= 1
                yield Step(role, "absent")


def _capped(step: Step, most: State = "trusted") -> Step:
    """Return a history in which nothing is trusted that only an unknown signer says."""
    state = "intact" if step.state == "trusted" and most != "trusted" else step.state
    below = "trusted" if state == "trusted" else "intact"
    return replace(step, state=state, inputs=tuple(_capped(one, below) for one in step.inputs))


def _state(codes: list[str], results: Mapping[str, Any]) -> State:
    if set(codes) - DOUBTS:
        return "broken"
    good = {_text(_dict(one).get("code")) for one in _list(results.get("success"))}
    return "trusted" if "signingCredential.trusted" in good and not codes else "intact"


def _failures(results: Mapping[str, Any]) -> list[str]:
    return [_text(_dict(one).get("code")) for one in _list(results.get("failure"))]


def _late(results: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what was found wrong with the manifests of inputs now, but not when they went in."""
    found: dict[str, list[str]] = {}
    for delta in map(_dict, _list(results.get("ingredientDeltas"))):
        for one in map(_dict, _list(_dict(delta.get("validationDeltas")).get("failure"))):
            parts = _text(one.get("url")).split("/")
            name = next((part for part in parts if part.startswith("urn:")), "")
            found.setdefault(name, []).append(_text(one.get("code")))
    return found


def _reasons(codes: list[str]) -> tuple[str, ...]:
    known = [REASONS.get(code, code) for code in codes if code not in DOUBTS]
    return tuple(dict.fromkeys(known))


def _generator(about: Mapping[str, Any]) -> str:
    for one in map(_dict, _list(about.get("claim_generator_info"))):
        return f"{_text(one.get('name'))} {_text(one.get('version'))}".strip()
    return _text(about.get("claim_generator"))


def _action(one: Mapping[str, Any]) -> Action:
    source = _text(one.get("digitalSourceType")).rpartition("/")[2]
    return Action(_text(one.get("action")).removeprefix("c2pa."), source, _text(one.get("when")))


def _watermark(assertions: list[tuple[str, dict[str, Any]]]) -> str:
    for label, data in assertions:
        if label.startswith("c2pa.soft-binding"):
            return next((_text(_dict(b).get("value")) for b in _list(data.get("blocks"))), "")
    return ""


def _flat(data: Mapping[str, Any]) -> dict[str, Value]:
    """Return model, hash, seed and parameters in one table, as far as they are plain."""
    rows = {key: value for key, value in data.items() if key != "parameters"}
    rows |= _dict(data.get("parameters"))
    plain = [(key, value) for key, value in rows.items() if isinstance(value, Value)]
    return {
        _line(key): _line(value) if isinstance(value, str) else value
        for key, value in plain[:LISTED]
    }


def _has_manifest(file: Path) -> bool:
    """Tell whether a file that makes no sense seems to hold a manifest."""
    with file.open("rb") as stream:
        last = b""
        while chunk := stream.read(CHUNK):
            if b"jumbc2pa" in (held := last + chunk) or (b"jumb" in held and b"c2pa" in held):
                return True
            last = chunk[-8:]
    return False


def _line(text: object) -> str:
    return " ".join(printable(str(text)[: 4 * LINE]).split())[:LINE]


def _text(value: Any) -> str:
    return _line(value) if isinstance(value, str) else ""


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value[:LISTED] if isinstance(value, list) else []
