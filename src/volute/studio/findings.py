"""What the API tells of data, trainings and origins, as JSON."""

from __future__ import annotations

from typing import Any, Literal

from volute.config import Config


class DatasetInfo(Config):
    """Something to learn from, in the workspace."""

    name: str
    """Its path in the workspace: `data/cats`."""
    own: bool
    """Whether it was uploaded, and may be deleted."""
    files: int
    """0: a single file."""
    bytes: int


class Sample(Config):
    """What a network made while it learned."""

    shown: int
    url: str
    text: bool = False


class RunInfo(Config):
    """A training."""

    id: str
    kind: str
    source: str
    preset: str
    size: int
    state: Literal["running", "stopped", "done"]
    job: str = ""
    """Of the training that runs."""
    shown: int
    seconds: float
    budget_s: float
    """0: by images shown."""
    model: str = ""
    """Its name among the models; empty: it has none yet."""
    resumable: bool


class Doctor(Config):
    """How a training goes, in words."""

    verdict: Literal["OK", "WATCH", "STOP"]
    words: str
    try_next: str = ""
    """One thing to do."""


class RunDetail(RunInfo):
    """All of a training."""

    log: tuple[dict[str, float], ...]
    """Thinned to 1,000 lines at most."""
    samples: tuple[Sample, ...]
    doctor: Doctor
    data: str
    """The report on its data."""


class ManifestStep(Config):
    """A file in a history, and what it was made from."""

    role: str
    state: Literal["absent", "intact", "trusted", "broken"]
    reasons: tuple[str, ...] = ()
    manifest: str = ""
    generator: str = ""
    signer: str = ""
    time: str = ""
    actions: tuple[dict[str, str], ...] = ()
    deed: str = ""
    generation: dict[str, str | int | float | bool | None] | None = None
    watermark: str = ""
    inputs: tuple[ManifestStep, ...] = ()


class Finding(Config):
    """One of the three findings."""

    state: str
    """Manifest: absent, intact, trusted or broken; the others: found, none or not-looked."""
    words: str
    values: dict[str, Any] = {}


class Verdict(Config):
    """What `volute verify` finds."""

    name: str
    manifest: Finding
    watermark: Finding
    detector: Finding
    history: ManifestStep | None = None
    known: dict[str, Any] | None = None
    """What this computer's ledger knows of it: `by`, and the record."""


class Again(Config):
    """How a result is made again."""

    route: str
    request: dict[str, Any]
