"""The findings of `volute verify` in words: lines for a terminal, and a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import volute
from volute.cli import page
from volute.errors import printable
from volute.paths import write_text

if TYPE_CHECKING:
    from volute.provenance import Verdict, text_mark, watermark
    from volute.provenance.history import Step

CERTAIN = 1e-5
"""p-value up to which the mark of a text counts as found."""
ROLES = {"parentOf": "from", "inputTo": "like", "componentOf": "with a part of"}
SOURCES = {
    "trainedAlgorithmicMedia": "made by a model",
    "compositeWithTrainedAlgorithmicMedia": "made in part by a model",
    "algorithmicallyEnhanced": "enhanced by an algorithm",
    "algorithmicMedia": "made by an algorithm",
    "digitalCapture": "photographed",
    "humanEdits": "edited by a person",
    "digitalCreation": "drawn by a person",
}
KNOWN = {
    "manifest": "its manifest is that of",
    "bytes": "it is, byte for byte,",
    "watermark": "its pixels carry the ID of",
}
AGREES = {
    None: "",
    True: "; it agrees with the manifest",
    False: "; it differs from the manifest",
}
ABOUT = "What the file tells of its origin."
INTRO = (
    "Three findings on each file, which say nothing of each other. No evidence does not mean that "
    "a person made it: marks can be removed, and other programs leave none."
)


def lines(verdict: Verdict) -> list[str]:
    """Return the findings on a file as lines."""
    manifest = verdict.manifest
    said = [f"manifest    {manifest.state}: {manifest.basis}"]
    if manifest.history is not None:
        said += [f"{'':12}{'  ' * depth}{text}" for depth, text in _tree(manifest.history)]
    said += [f"watermark   {_watermark(verdict)}", f"detector    {_detector(verdict)}"]
    if verdict.detector is not None:
        said.append(f"{'':12}{verdict.detector.limits}")
    if known := _known(verdict):
        said.append(f"ledger      {known}")
    return [printable(line) for line in said]


def report(target: Path, found: Mapping[str, Verdict]) -> None:
    """Write a page with the findings on all files."""
    sections = [
        page.section(name, ABOUT, page.card(_card(verdict))) for name, verdict in found.items()
    ]
    write_text(target, page.framed(INTRO, f"volute {volute.__version__}", sections))


def _card(verdict: Verdict) -> str:
    manifest = verdict.manifest
    rows = {
        "manifest": f"{manifest.state}: {manifest.basis}",
        "watermark": _watermark(verdict),
        "detector": _detector(verdict),
    }
    if verdict.detector is not None:
        rows["detector's limits"] = verdict.detector.limits
    if known := _known(verdict):
        rows["ledger"] = known
    tree = "" if manifest.history is None else f"<ul>{_items(manifest.history)}</ul>"
    return page.facts(rows) + tree


def _items(step: Step) -> str:
    below = "".join(_items(one) for one in step.inputs)
    inner = f"<ul>{below}</ul>" if below else ""
    details = ", ".join(f"{key}: {value}" for key, value in (step.generation or {}).items())
    more = f"<br><small>{escape(details)}</small>" if details else ""
    return f"<li>{escape(_told(step))}{more}{inner}</li>"


def _tree(step: Step, depth: int = 0) -> Iterator[tuple[int, str]]:
    yield depth, _told(step)
    for one in step.inputs:
        yield from _tree(one, depth + 1)


def _told(step: Step) -> str:
    """Return a step of a history as one line."""
    role = f"{ROLES.get(step.role, step.role)}: " if step.role != "file" else ""
    if not step.manifest:
        return f"{role}a file {'of unknown origin' if step.state == 'absent' else 'not known'}"
    what = step.deed or ", ".join(action.name for action in step.actions) or "signed"
    if step.generation:
        what += f" with {step.generation.get('model', '?')}"
    sources = [SOURCES.get(one.source, one.source) for one in step.actions if one.source]
    times = [one.time for one in step.actions if one.time]
    parts = [*dict.fromkeys(sources), step.generator, *times[-1:]]
    parts += [f"watermark {step.watermark}"] if step.watermark else []
    if step.role != "file":
        parts.append(step.state)
        parts += step.reasons
    return f"{role}{what} ({', '.join(part for part in parts if part)})"


def is_found(mark: text_mark.Found | watermark.Found) -> bool:
    """Tell whether a mark counts as found."""
    from volute.provenance import text_mark, verdict

    of_text = isinstance(mark, text_mark.Found)
    return mark.p_value <= (CERTAIN if of_text else verdict.CERTAIN)


def _watermark(verdict: Verdict) -> str:
    from volute.provenance import text_mark

    mark = verdict.watermark
    if mark is None:
        return "not looked for"
    return (
        _text_mark(mark)
        if isinstance(mark, text_mark.Found)
        else _pixels(mark) + AGREES[verdict.agrees]
    )


def _pixels(mark: watermark.Found) -> str:
    if is_found(mark):
        return f"p = {mark.p_value:.1g}: the pixels carry the ID {mark.ident:04x}, in volute's way"
    return f"no evidence (p = {mark.p_value:.1g})"


def _text_mark(mark: text_mark.Found) -> str:
    seen = f"p = {mark.p_value:.1g} over {mark.counted:,} places"
    if is_found(mark):
        return f"{seen}: written, at least in part, by a volute model with the public key"
    return f"no evidence ({seen})" if mark.counted else "no evidence (the text is too short)"


def _detector(verdict: Verdict) -> str:
    traces = verdict.detector
    return "not looked for" if traces is None else f"{traces.answer}: {traces.basis}"


def _known(verdict: Verdict) -> str:
    if verdict.known is None:
        return ""
    record = verdict.known.record
    made = f"{record.file}, made here on {record.time[:10]}: {record.deed} with {record.model}"
    return f"{KNOWN[verdict.known.by]} {made}"
