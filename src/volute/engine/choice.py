"""Which engine a self-test found the fastest for a graph on this computer, kept in the cache.

Without a self-test it is ONNX Runtime. What was found counts only where it was found: another CPU,
number of cores or version of an engine, and it is the default again, until it is tested anew.
"""

from __future__ import annotations

import contextlib
import json
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from pydantic import ValidationError

from volute.config import Config
from volute.engine.artefact import Artefact
from volute.engine.session import DEFAULT, TITLES, Engine, EngineName, Precision, physical_cores
from volute.paths import cache_dir, write_text

FILE = "engines.json"


class Choice(Config):
    """What a self-test found for one graph of a model."""

    engine: EngineName
    precision: Precision
    times: float
    """As fast as the default, here."""
    difference: str
    """Of its results from the default's, in words."""
    here: str
    """CPU, cores and versions that it was found with."""

    @property
    def chosen(self) -> Engine:
        """The engine itself."""
        return Engine(self.engine, self.precision)


def stored(artefact: Artefact, role: str) -> Choice | None:
    """Return what a self-test on this computer found for a graph of a model."""
    file = cache_dir() / FILE
    if not file.is_file():
        return None
    found = _read(file).get(_key(artefact, role))
    return found if found is not None and found.here == here() else None


def engine_of(artefact: Artefact, role: str) -> Engine:
    """Return what a graph runs on where nobody says otherwise."""
    found = stored(artefact, role)
    return DEFAULT if found is None else found.chosen


def store(artefact: Artefact, role: str, choice: Choice) -> None:
    """Keep what a self-test found.

    Raises:
        VoluteError: if the cache cannot be written.
    """
    file = cache_dir() / FILE
    known = _read(file) if file.is_file() else {}
    known[_key(artefact, role)] = choice
    values = {key: one.model_dump() for key, one in known.items()}
    write_text(file, json.dumps(values, indent=1) + "\n")


@cache
def here() -> str:
    """Return what a choice depends on, beside the graph: CPU, cores and versions."""
    versions = []
    for name in TITLES:
        with contextlib.suppress(PackageNotFoundError):
            versions.append(f"{name} {version(name)}")
    return ", ".join([_cpu(), f"{physical_cores()} cores", *versions])


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{platform.machine()} {names[0] if names else platform.processor()}"


def _key(artefact: Artefact, role: str) -> str:
    return f"{artefact.digest} {role}"


def _read(file: Path) -> dict[str, Choice]:
    """Return what the file holds; one that is damaged holds nothing: it can be made again."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        return {key: Choice.model_validate(value) for key, value in values.items()}
    except (OSError, ValueError, AttributeError, ValidationError):
        return {}
