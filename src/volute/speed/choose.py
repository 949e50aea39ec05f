"""The self-test behind `--engine auto`: what is faster here, and as good, is used from then on.

Each candidate runs the model's graph in turns with the default, so that a busy computer slows all
of them alike. It is chosen if it is at least a tenth faster and what it makes lies within `BOUNDS`
of what the default makes; else the default stays.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from volute.engine import choice
from volute.engine.artefact import Artefact
from volute.engine.choice import Choice
from volute.engine.session import DEFAULT, Engine, Session
from volute.errors import MissingExtraError, UsageError
from volute.handles.classifier import chances
from volute.speed.cases import Case, cases

ROLES = ("generator", "decoder", "classifier", "stylizer", "upscaler", "int8")
"""Graphs that may run on another engine; the rest is small, or must be exact."""
CANDIDATES = (Engine("openvino", "float32"), Engine("openvino", "bf16"))
FASTER = 1.1
"""Times as fast that another engine must be."""
SIDE = 256
"""Of pictures, in pixels, where any will do."""
TURN, ROUNDS, SECONDS = 3, 5, 2.0
"""Runs in a turn, turns at most, and seconds for a graph after which no turn begins."""
STEP = 2 / 255
"""Of 8 bits, in numbers from -1 to 1."""
BOUNDS = {"picture": 0.5, "probability": 0.01, "integers": 1.25}
"""Root mean square difference of a picture in 8-bit steps; largest of a probability; of a graph in
integers, how many times as far from floating point it may be as on the default engine."""


@dataclass(frozen=True)
class Tried:
    """What became of one candidate for one graph."""

    role: str
    engine: Engine
    times: float
    difference: str
    within: bool


def self_test(artefact: Artefact) -> Iterator[tuple[str, Choice]]:
    """Test what runs the graphs of a model, keep what was found, and yield it by their names.

    What was found before, on this computer, is not tested again.

    Raises:
        MissingExtraError: if there is no other engine.
        VoluteError: if the model is damaged, or the cache cannot be written.
    """
    CANDIDATES[0].check()
    known = [role for role in artefact.config.graphs if role in ROLES]
    for case in cases(artefact, SIDE) if known else ():
        if case.role not in ROLES:
            continue
        found = choice.stored(artefact, case.role)
        if found is None:
            found = chosen(tried(case, artefact))
            choice.store(artefact, case.role, found)
        yield case.role, found


def chosen(found: list[Tried]) -> Choice:
    """Return the fastest that is as good, if it is faster than the default by a tenth."""
    good = [one for one in found if one.within and one.times >= FASTER]
    best = max(good, key=lambda one: one.times, default=Tried("", DEFAULT, 1.0, "none", True))
    engine = best.engine
    return Choice(
        engine=engine.name,
        precision=engine.precision,
        times=round(best.times, 2),
        difference=best.difference,
        here=choice.here(),
    )


def tried(case: Case, artefact: Artefact) -> list[Tried]:
    """Return what each candidate gives for a graph."""
    others = able()
    sessions = {engine: case.session(None, engine) for engine in (DEFAULT, *others)}
    made = {engine: session.run(case.inputs) for engine, session in sessions.items()}
    seconds = {engine: least(case, session) for engine, session in sessions.items()}
    end = time.perf_counter() + SECONDS
    for _ in range(ROUNDS - 1):
        if time.perf_counter() > end:
            break
        for engine, session in sessions.items():
            seconds[engine] = min(seconds[engine], least(case, session))
    floating = _floating(case, artefact)
    found = []
    for engine in others:
        words, within = compared(case.role, made[DEFAULT], made[engine], floating)
        times = seconds[DEFAULT] / seconds[engine]
        found.append(Tried(case.role, engine, times, words, within))
    return found


def able() -> list[Engine]:
    """Return the engines beside the default that are installed, in numbers that the CPU has."""
    found = []
    for engine in CANDIDATES:
        with contextlib.suppress(MissingExtraError, UsageError):
            engine.check()
            found.append(engine)
    return found


def compared(
    role: str, wanted: np.ndarray, made: np.ndarray, floating: np.ndarray | None = None
) -> tuple[str, bool]:
    """Return how far what was made is from what the default made, and whether it is near enough.

    Args:
        role: of the graph.
        wanted: by the default engine: pictures in [-1, 1], or logits of a classifier.
        made: by the other.
        floating: of a graph in integers, what the one in floating point makes.
    """
    if role == "classifier":
        off = float(np.abs(chances(wanted) - chances(made)).max())
        return f"{off:.4f} of a probability at most", off <= BOUNDS["probability"]
    if floating is not None:
        more = _off(floating, made) / max(_off(floating, wanted), 1e-9)
        return f"{more:.2f} times as far from floating point", more <= BOUNDS["integers"]
    off = _off(wanted, made)
    return f"{off:.2f} of an 8-bit step", off <= BOUNDS["picture"]


def _off(wanted: np.ndarray, made: np.ndarray) -> float:
    return float(np.sqrt(np.square(made.astype(np.float64) - wanted).mean())) / STEP


def least(case: Case, session: Session) -> float:
    """Return the seconds of the fastest of some runs; the first may meet threads that still wait.

    Where each picture has a graph of its own, loading it counts.
    """
    found = []
    for _ in range(TURN):
        start = time.perf_counter()
        if case.fresh:
            session = case.session(session.threads, session.engine)
        session.run(case.inputs)
        found.append(time.perf_counter() - start)
    return min(found)


def _floating(case: Case, artefact: Artefact) -> np.ndarray | None:
    if case.role != "int8":
        return None
    return Session(artefact.graph("upscaler")).run(case.inputs)
