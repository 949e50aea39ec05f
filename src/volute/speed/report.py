"""What was measured, as rows of words, as a file, beside an older one, and what to do about it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from volute.config import Config
from volute.engine.choice import here
from volute.errors import UsageError
from volute.paths import write_text
from volute.speed.limits import Limits
from volute.speed.measured import Row

HEADER = ("model", "graph", "engine", "one run", "p50 ms", "p95 ms", "a second", "MB", "G macs")
HEADER += ("GFLOP/s", "of limit", "products")
BUSY = 0.5
"""Runnable processes for each core from which on a computer is busy."""
WELL, SMALL = 0.7, 1.5
"""Share of a rate that is good; how much faster more threads should be at least."""


class Report(Config):
    """One measurement of this computer."""

    volute: str
    here: str
    """CPU, cores and versions of the engines."""
    made: str
    busy: float
    """Runnable processes for each core, over the minute before."""
    limits: Limits
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, limits: Limits, rows: Sequence[Row], busy: float) -> Report:
        """Return a report of now and here."""
        made = datetime.now(UTC).isoformat(timespec="seconds")
        told = {"volute": version("volute"), "here": here(), "made": made, "busy": busy}
        return cls(**told, limits=limits, rows=tuple(rows))

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        write_text(file, json.dumps(self.model_dump(mode="json"), indent=1) + "\n")

    @classmethod
    def open(cls, file: Path) -> Report:
        """Read what `save` wrote.

        Raises:
            UsageError: if it is no report.
        """
        try:
            return cls.make(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} is no report of volute bench: {error}") from error

    def head(self) -> list[str]:
        """Return what the computer can do, in lines."""
        most, of = self.limits, "one thread"
        bf16 = "none here" if most.bf16 is None else f"{most.bf16 / 1e9:.0f}"
        return [
            f"{self.here}; volute {self.volute}",
            f"products of matrices, GFLOP/s on {most.threads} threads: float32 "
            f"{most.float32 / 1e9:.0f} ({of} {most.one_thread / 1e9:.0f}), bf16 {bf16}, "
            f"int8 {most.int8 / 1e9:.0f}; copies {most.bandwidth / 1e9:.0f} GB/s",
        ]

    def table(self, old: Report | None = None) -> list[tuple[str, ...]]:
        """Return a header and a line for each row; with `old`, how many times as fast as that."""
        lines: list[tuple[str, ...]] = [HEADER + (("times",) if old else ())]
        before = {row.key: row for row in old.rows} if old else {}
        for row in self.rows:
            cells = self._cells(row)
            if old:
                known = before.get(row.key)
                cells += ("new" if known is None else f"{known.p50 / row.p50:.2f}",)
            lines.append(cells)
        return lines

    def share(self, row: Row) -> float:
        """Return the share of the limit that a row reaches: product rate or bandwidth."""
        return row.rate / self.limits.most(row.intensity, row.precision)

    def products(self, row: Row) -> float:
        """Return the share of the product rate that the operators that multiply reach alone.

        Of float32 on one thread, where both were measured.
        """
        return row.products_rate / self.limits.one_thread

    def _cells(self, row: Row) -> tuple[str, ...]:
        known = row.macs > 0
        return (
            row.model,
            row.role,
            row.engine,
            row.size,
            f"{row.p50:.2f}",
            f"{row.p95:.2f}",
            f"{row.throughput:,.4g} {row.unit}",
            f"{row.memory >> 20}" if row.memory else "-",
            f"{row.macs / 1e9:.3g}" if known else "-",
            f"{row.rate / 1e9:.0f}" if known else "-",
            f"{self.share(row):.0%}" if known else "-",
            f"{self.products(row):.0%}"
            if row.products_rate and row.precision == "float32"
            else "-",
        )

    def advice(self) -> Iterator[str]:
        """Yield what to do, a line each."""
        most = self.limits
        if self.busy > BUSY:
            yield f"{self.busy:.1f} processes wait for each core: the figures are too low."
        gain = most.float32 / most.one_thread
        if most.threads > 1 and gain < SMALL:
            yield (
                f"{most.threads} threads multiply only {gain:.1f} times as fast as one: the cores "
                "are shared; load with fewer threads (threads=1)."
            )
        quota = _quota()
        if quota is not None and quota < most.threads:
            fit = max(1, int(quota))
            yield f"This container may use {quota:.1f} cores: load with threads={fit}."
        if "openvino" not in self.here:
            yield 'A faster engine may be had: pip install "volute[openvino]", then --engine auto.'
        elif most.bf16:
            yield "bf16 is there: --engine auto tests once whether it is faster and as good."
        held = max((row.memory for row in self.rows), default=0) >> 20
        free = _available() >> 20
        if free:
            room = max(256, min(free // 2, 1024))
            yield (
                f"Memory: {free:,} MB are free, a model took up to {held:,} MB: --memory {room}MB "
                "is enough; more makes tiles larger, not faster."
            )


def busy() -> float:
    """Return how many processes want each core; 0 where nothing tells."""
    return os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0


def _quota() -> float | None:
    """Return how many cores a container may use; None where nothing limits it."""
    file = Path("/sys/fs/cgroup/cpu.max")
    most, period = file.read_text().split() if file.exists() else ("max", "1")
    return None if most == "max" else int(most) / int(period)


def _available() -> int:
    """Return bytes of memory that are free; 0 where nothing tells."""
    file = Path("/proc/meminfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((int(line.split()[1]) << 10 for line in lines if "MemAvailable" in line), 0)
