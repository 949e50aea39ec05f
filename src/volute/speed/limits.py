"""What this computer can do at most: products of matrices by the same engine, and copies.

The roofline model (Williams, Waterman and Patterson 2009, doi:10.1145/1498765.1498785): a network
that does F operations for each byte that it moves can do no more than min(product rate,
F * bandwidth).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from volute.config import Config
from volute.engine.session import DEFAULT, Engine, Session, physical_cores
from volute.errors import VoluteError

PRODUCTS = Path(__file__).parent / "products"
FILE, SIDE, CHAIN = "product.bin", 1024, 4
"""See `benchmarks/products.py`, which makes the graphs."""
SECONDS, COPIED = 0.8, 64 << 20
"""Of each measure; bytes that each thread copies."""


class Limits(Config):
    """Rates of this computer."""

    threads: int
    float32: float
    """Operations a second in a product of matrices; a multiply-add is two."""
    bf16: float | None
    """The same; None where no engine here has it."""
    int8: float
    one_thread: float
    """As `float32`, on one thread."""
    bandwidth: float
    """Bytes a second, read and written, of copies by all threads."""

    def or_more(self, other: Limits) -> Limits:
        """Return the larger of each rate: others only ever make a computer slower."""
        a, b = self.model_dump(), other.model_dump()
        return Limits(**{name: a[name] and max(a[name], b[name]) for name in a})

    def rate(self, precision: str) -> float:
        """Return the product rate in a precision; float32's where another is not there."""
        return {"bf16": self.bf16, "int8": self.int8}.get(precision) or self.float32

    def most(self, intensity: float, precision: str) -> float:
        """Return the most operations a second at `intensity` operations for each byte."""
        return min(self.rate(precision), intensity * self.bandwidth)


def limits(engines: list[Engine]) -> Limits:
    """Measure them, in about a second each.

    Args:
        engines: that are asked; the best of them counts for integers and bfloat16.
    """
    threads = physical_cores()
    half = [engine for engine in engines if engine.precision == "bf16"]
    full = [engine for engine in engines if engine.precision == "float32"] or [DEFAULT]
    return Limits(
        threads=threads,
        float32=max(_product("float32", engine, threads) for engine in full),
        bf16=max((_product("float32", engine, threads) for engine in half), default=None),
        int8=max(_product("int8", engine, threads) for engine in full),
        one_thread=_product("float32", full[0], 1),
        bandwidth=_bandwidth(threads),
    )


def _product(kind: str, engine: Engine, threads: int) -> float:
    """Return operations a second of a product of matrices of 1024 x 1024."""
    rng = np.random.default_rng(0)
    matrix = rng.integers(-127, 127, (SIDE, SIDE), np.int8)
    weights = matrix if kind == "int8" else matrix.astype(np.float32) / 4096
    files = {FILE: weights.tobytes()}
    session = Session(PRODUCTS / f"{kind}.onnx", threads, files, engine)
    inputs = {"x0": rng.standard_normal((SIDE, SIDE)).astype(np.float32)}
    if not np.isfinite(session.run(inputs)).all():
        raise VoluteError(f"{engine} multiplies wrongly", "Please report it.")
    return 2 * CHAIN * SIDE**3 / _least(lambda: session.run(inputs))


def _bandwidth(threads: int) -> float:
    pairs = [(np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)) for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def copied() -> None:
            list(pool.map(lambda pair: np.copyto(pair[1], pair[0]), pairs))

        copied()
        return 2 * COPIED * threads / _least(copied)


def _least(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest of many runs: others only ever make it slower."""
    best, end = float("inf"), time.perf_counter() + SECONDS
    while time.perf_counter() < end or best == float("inf"):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best
