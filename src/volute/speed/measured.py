"""How fast a model runs on this computer, measured in a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from volute.config import Config
from volute.engine.artefact import Artefact, open_artefact
from volute.engine.choice import engine_of
from volute.engine.session import Engine
from volute.errors import VoluteError
from volute.handles import LanguageModel, TextClassifier, load
from volute.speed.cases import Case, cases
from volute.speed.choose import ROLES
from volute.speed.counted import counted
from volute.zoo import resolve

SECONDS, LEAST = 0.8, 5
"""Of the runs of one graph, and how many there are at least."""
COUNTED = 256
"""Side in pixels of pictures that it is counted on, where any will do."""
TOKENS, READ, TEXTS = 300, 4096, 256
"""Tokens written, bytes read, texts told apart in one run."""
NUMPY = "numpy float32"


class Row(Config):
    """One graph of a model, or one thing that a model of texts does."""

    model: str
    role: str
    """Its graph; of texts `write`, `read` or `classify`."""
    engine: str
    size: str
    """What one run is of."""
    p50: float
    """Milliseconds of one run: half of them took no longer."""
    p95: float
    items: float
    """Pictures, megapixels of the input, tokens or texts of one run."""
    unit: str
    memory: int
    """Most bytes that the process held, which ran this model alone."""
    macs: int = 0
    """Multiply-adds of one run; 0 where nobody counts them."""
    bytes: int = 0
    """That a run moves at least."""
    products: float = 0.0
    """Share of its time, on one thread, in operators that multiply and add."""
    products_rate: float = 0.0
    """Operations a second in these, on one thread."""
    numbers: str = "float32"
    """What the model's weights are."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Which row of another measurement it is to be compared with."""
        return self.model, self.role, self.engine, self.size

    @property
    def precision(self) -> str:
        """What it computes in."""
        return "int8" if "int8" in (self.role, self.numbers) else self.engine.split()[-1]

    @property
    def throughput(self) -> float:
        """Of `unit` a second."""
        return 1000 * self.items / self.p50

    @property
    def rate(self) -> float:
        """Operations a second."""
        return 2000 * self.macs / self.p50

    @property
    def intensity(self) -> float:
        """Operations for each byte that is moved."""
        return 2 * self.macs / self.bytes if self.bytes else 0.0


def measured(ref: str | Path, engine: Engine | None = None) -> list[Row]:
    """Measure a model in a new process, which is gone afterwards, and its memory with it.

    Args:
        ref: a shipped name, run or artefact.
        engine: what its graphs run on, where they have the choice; None as for `volute.load`.

    Raises:
        UsageError: if it is no model.
        VoluteError: if it is damaged, or its process was ended, as where memory is short.
    """
    path = resolve(ref)
    open_artefact(path)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return pool.submit(_measured, path, engine).result()
        except OSError as error:
            raise VoluteError(f"measuring {ref} failed: {error}") from error


def _measured(path: Path, engine: Engine | None) -> list[Row]:
    artefact = open_artefact(path)
    if not artefact.config.graphs:
        rows = list(_of_texts(path))
        return [row.model_copy(update={"memory": _most()}) for row in rows]
    found = cases(artefact)
    rows = [_row(case, artefact, engine) for case in found]
    memory = _most()  # before counting, which takes more
    return [
        row.model_copy(update={"memory": memory, **_counts(case, small)})
        for row, case, small in zip(rows, found, cases(artefact, COUNTED), strict=True)
    ]


def _counts(case: Case, small: Case) -> dict[str, float]:
    """Return what a graph does, from a run on a smaller picture: it grows with the pixels."""
    count = counted(small)
    times = case.megapixels / small.megapixels if case.megapixels else 1.0
    return {
        "macs": round(count.macs * times),
        "bytes": round(count.bytes * times),
        "products": count.products,
        "products_rate": count.rate,
    }


def _row(case: Case, artefact: Artefact, engine: Engine | None) -> Row:
    free = case.role in ROLES
    chosen = (engine or engine_of(artefact, case.role)) if free else Engine()
    session = case.session(None, chosen)
    seconds = _timed(lambda: session.run(case.inputs))
    pictures = case.items > 1 or not case.megapixels
    return _told(artefact, case.role, str(chosen), case.size, seconds).model_copy(
        update={
            "items": case.items if pictures else case.megapixels,
            "unit": "pictures" if pictures else "megapixels",
        }
    )


def _of_texts(path: Path) -> Iterator[Row]:
    handle = load(path)
    artefact = open_artefact(path)
    text = b"And what is that, said he, which you have in your hand? " * (READ // 56)
    if isinstance(handle, LanguageModel):
        work: dict[str, tuple[Callable[[], object], float, str]] = {
            "write": (lambda: handle.write(tokens=TOKENS, seed=0, unmarked=True), TOKENS, "tokens"),
            "read": (lambda: handle.score(text), len(text), "bytes"),
        }
    else:
        assert isinstance(handle, TextClassifier)
        texts = [text[start : start + 64] for start in range(TEXTS)]
        work = {"classify": (lambda: handle.classify(texts), TEXTS, "texts")}
    for role, (run, items, unit) in work.items():
        row = _told(artefact, role, NUMPY, f"{items:g} {unit}", _timed(run))
        yield row.model_copy(update={"items": items, "unit": unit, **_cost(artefact, role, items)})


def _cost(artefact: Artefact, role: str, items: float) -> dict[str, int]:
    """Return multiply-adds and bytes as the card has them: each token takes all weights anew."""
    about = artefact.config.descriptor
    if about.kind != "lm":
        return {}
    times = items if role == "write" else 1
    return {
        "macs": round(about.macs_per_pixel * items),
        "bytes": round(4 * about.parameters * times),
    }


def _told(artefact: Artefact, role: str, engine: str, size: str, seconds: np.ndarray) -> Row:
    p50, p95 = (1000 * float(np.percentile(seconds, share)) for share in (50, 95))
    return Row(
        model=artefact.config.name,
        role=role,
        engine=engine,
        size=size,
        p50=p50,
        p95=p95,
        items=1,
        unit="",
        memory=0,
        numbers=artefact.config.numbers,
    )


def _timed(work: Callable[[], object]) -> np.ndarray:
    """Return the seconds of each run, after one that does not count."""
    work()
    found: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(found) < LEAST or time.perf_counter() < end:
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return np.array(found)


def _most() -> int:
    """Return the most bytes that this process has held so far; 0 where nothing tells."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) << 10
    if sys.platform != "darwin":
        return 0
    resource = import_module("resource")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
