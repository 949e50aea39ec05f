"""The findings of `volute.verify` as JSON, and a sample's place from its manifest."""

from __future__ import annotations

import dataclasses
from collections.abc import Container
from pathlib import Path
from typing import Any

from volute.provenance import carriers, detector, text_mark, verdict, verify
from volute.provenance.history import Step, look
from volute.studio.findings import Again, Finding, ManifestStep, Verdict
from volute.studio.requests import Point, RedrawRequest

TEXT_CERTAIN = 1e-5
"""p-value up to which the mark of a text counts as found."""


def verdict_of(path: Path) -> Verdict:
    """Return what a file tells of its origin.

    Raises:
        DataError: if it cannot be read.
        VoluteError: if the keys of this computer cannot be read.
    """
    found = verify(path)
    manifest, known = found.manifest, found.known
    words = manifest.basis if manifest.place != "beside" else f"{manifest.basis} (beside the file)"
    return Verdict(
        name=path.name,
        manifest=Finding(state=manifest.state, words=words, values={"place": manifest.place}),
        watermark=_mark(found.watermark),
        detector=_detector(found.detector),
        history=None if manifest.history is None else _tree(manifest.history),
        known=None if known is None else {"by": known.by, **known.record.model_dump()},
    )


def again_of(path: Path, models: Container[str]) -> Again | None:
    """Return how a sample is made again, if its manifest says so and the model is here."""
    history = look(path, carriers.mime_of(path)).history
    if history is None or history.generation is None or "index" not in history.generation:
        return None
    made = dict(history.generation)
    try:
        point = Point(
            seed=int(made.get("seed") or 0),
            index=int(made["index"] or 0),
            truncation=float(made.get("truncation") or 1),
            label=str(made.get("class") or ""),
            sliders=tuple(float(one) for one in str(made.get("sliders") or "").split()),
        )
        request = RedrawRequest(model=str(made.get("model")), point=point)
    except ValueError:  # a stranger's manifest says anything
        return None
    if request.model not in models:
        return None
    return Again(route="/api/v1/keep", request=request.model_dump(mode="json"))


def _mark(mark: Any) -> Finding:
    if mark is None:
        return Finding(state="not-looked", words="not looked for")
    of_text = isinstance(mark, text_mark.Found)
    certain = TEXT_CERTAIN if of_text else verdict.CERTAIN
    values = dataclasses.asdict(mark)
    if mark.p_value > certain:
        return Finding(state="none", words=f"no evidence (p = {mark.p_value:.1g})", values=values)
    what = (
        "written, at least in part, by a volute model with the public key"
        if of_text
        else f"the pixels carry the ID {mark.ident:04x}, in volute's way"
    )
    return Finding(state="found", words=f"p = {mark.p_value:.1g}: {what}", values=values)


def _detector(traces: detector.Traces | None) -> Finding:
    if traces is None:
        return Finding(state="not-looked", words="not looked for")
    values = {"p_value": traces.p_value, "limits": traces.limits}
    return Finding(state=traces.answer, words=traces.basis, values=values)


def _tree(step: Step) -> ManifestStep:
    return ManifestStep.model_validate(dataclasses.asdict(step))
