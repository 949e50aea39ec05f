"""One ONNX graph on one of two engines, with its errors in one line each.

What an engine must be able to do is `Loaded`; `with_onnxruntime` and `with_openvino` do it, and
only there is a library used. Graphs come from strangers: external data outside the graph's folder
(absolute paths, `..` and links that lead out) is refused, and all but the files that are given
where some are given; `tests/engine/test_session.py` and `tests/handles/test_stylizer.py` hold both
engines to that.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from volute.errors import UsageError, VoluteError

EngineName = Literal["onnxruntime", "openvino"]
Precision = Literal["float32", "bf16"]
TITLES: dict[EngineName, str] = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
"""The engines, as people call them."""
THREADS = "VOLUTE_THREADS"


class GraphError(Exception):
    """Why an engine cannot load or run a graph, in one line."""


class Loaded(Protocol):
    """A graph that is ready; several threads may run it at once."""

    def run(self, inputs: Mapping[str, np.ndarray]) -> Any:
        """Return the first output, or raise `GraphError` or `MemoryError`."""
        ...

    def shape(self, name: str) -> list[int | str | None]:
        """Return the shape of an input, words or None where it is free; [] without it."""
        ...


@dataclass(frozen=True)
class Engine:
    """What runs a graph, and in which numbers."""

    name: EngineName = "onnxruntime"
    precision: Precision = "float32"
    """Of a graph in floating point; one in integers says itself where it has them."""

    def __str__(self) -> str:
        return f"{self.name} {self.precision}"

    def check(self) -> None:
        """Raise what is missing for it.

        Raises:
            MissingExtraError: if its library is not installed.
            UsageError: if it does not have the precision on this CPU.
        """
        if self.precision not in self._module().precisions():
            raise UsageError(f"{TITLES[self.name]} has no {self.precision} on this CPU")

    def load(self, path: Path, threads: int, files: Mapping[str, bytes]) -> Loaded:
        """Return the graph, ready to run; see `Session`."""
        return self._module().open_graph(path, threads, files, self.precision)

    def _module(self) -> Any:
        return import_module(f"volute.engine.with_{self.name}")


DEFAULT = Engine()


class Session:
    """A graph that is loaded when it is first run.

    Args:
        path: the `.onnx` file; its external data lies in the same folder.
        threads: threads inside one operator; None for one on each core (`own_cores`).
        files: external data by name that lies in memory instead; then none is read from disk.
        engine: what runs it.
    """

    def __init__(
        self,
        path: Path,
        threads: int | None = None,
        files: Mapping[str, bytes] | None = None,
        engine: Engine = DEFAULT,
    ) -> None:
        self.path = path
        self._files = dict(files or {})
        self.threads = threads or own_cores()
        self.engine = engine
        self._session: Loaded | None = None
        self._loading = threading.Lock()

    def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the graph's first output for the named inputs.

        Raises:
            VoluteError: if the file is not an ONNX graph that runs, an input does not fit it, or
                what comes out is no array of numbers.
            MemoryError: if there is not enough.
            MissingExtraError: if the engine is not installed.
        """
        session = self._loaded()
        try:
            made = session.run(inputs)
        except GraphError as error:
            raise VoluteError(f"{self.path} cannot run: {error}") from error
        if not isinstance(made, np.ndarray) or made.dtype.kind not in "fiub":
            what = f"{self.path} gave {_kind_of(made)}, not an array of numbers"
            raise VoluteError(what, "Export the model anew.")
        return made

    def shape(self, name: str) -> list[int | str | None]:
        """Return the shape of the input `name`, words or None where it is free; [] without it."""
        return self._loaded().shape(name)

    def load(self) -> None:
        """Load the graph now; as `run`, but for the inputs."""
        self._loaded()

    def _loaded(self) -> Loaded:
        with self._loading:
            if self._session is None:
                self._session = self._load()
            return self._session

    def _load(self) -> Loaded:
        try:
            return self.engine.load(self.path, self.threads, self._files)
        except GraphError as error:
            raise VoluteError(
                f"{self.path} is not a graph that {TITLES[self.engine.name]} can load: {error}",
                "It is incomplete or damaged: copy the whole folder again, or export it anew.",
            ) from error


def physical_cores() -> int:
    """Return how many physical cores this process may use (logical ones where unknown)."""
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    siblings = set()
    for cpu in os.sched_getaffinity(0):
        topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        siblings.add(topology.read_text() if topology.exists() else str(cpu))
    return len(siblings)


def own_cores() -> int:
    """Return how many cores this process should use: all, or as many as `VOLUTE_THREADS` says.

    Who deals out the cores of a computer to several processes sets it.
    """
    text = os.environ.get(THREADS, "")
    return min(int(text), physical_cores()) if text.isdecimal() and int(text) else physical_cores()


def _kind_of(made: Any) -> str:
    return "texts" if isinstance(made, np.ndarray) else f"a {type(made).__name__}"
