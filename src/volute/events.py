"""What long work reports while it runs. The command line draws it; the studio will send it on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Note:
    """One line of plain fact: `topic` is a word such as `data` or `device`."""

    topic: str
    text: str


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is. `fraction` is in [0, 1], `rate` in items per second."""

    done: int
    fraction: float
    rate: float
    left_s: float
    metrics: dict[str, float] = field(default_factory=dict)
    unit: str = "images"


@dataclass(frozen=True)
class Saved:
    """A file or folder that is now complete on disk."""

    path: Path
    what: str = "saved"


@dataclass(frozen=True)
class Verdict:
    """How a training goes: `OK`, `WATCH` (something is unusual) or `STOP` (of no use to go on)."""

    level: Literal["OK", "WATCH", "STOP"]
    reason: str
    """In one sentence."""
    advice: str = ""
    """One change to try."""
    cause: str = ""
    """The name of what was found, such as `collapse`; none if all is well."""


Event = Note | Progress | Saved | Verdict
Emit = Callable[[Event], None]


def silent(event: Event) -> None:
    """Drop the event: for callers who do not watch."""
