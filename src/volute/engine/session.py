"""One ONNX graph on ONNX Runtime's CPU provider, with its errors in one line each.

ONNX Runtime itself refuses external data outside the graph's folder (absolute paths, `..` and
links that lead out), and all but the files it is given where it is given some;
`tests/engine/test_session.py` and `tests/handles/test_stylizer.py` hold it to that.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from volute.errors import VoluteError

NO_MEMORY = ("Failed to allocate memory", "bad_alloc", "bad allocation")
SILENT = 4  # ONNX Runtime's severity for fatal errors only: the rest comes as exceptions


class Session:
    """A graph that is loaded when it is first run.

    Its threads wait actively for each other while it runs, but not for the next run: whatever else
    the computer does would lose a core by that.

    Args:
        path: the `.onnx` file; its external data lies in the same folder.
        threads: threads inside one operator; None for one on each physical core.
        files: external data by name that lies in memory instead; then none is read from disk.
    """

    def __init__(
        self, path: Path, threads: int | None = None, files: Mapping[str, bytes] | None = None
    ) -> None:
        self.path = path
        self._files = dict(files or {})
        self.threads = threads or physical_cores()
        self._session: Any = None
        self._loading = threading.Lock()

    def run(self, inputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the graph's first output for the named inputs.

        Raises:
            VoluteError: if the file is not an ONNX graph that runs, an input does not fit it, or
                what comes out is no array of numbers.
            MemoryError: if there is not enough.
        """
        session = self._loaded()
        try:
            made = session.run(None, dict(inputs))[0]
        except Exception as error:  # ONNX Runtime's errors share no public base class
            if any(text in str(error) for text in NO_MEMORY):
                raise MemoryError from error
            raise VoluteError(f"{self.path} cannot run: {_one_line(error)}") from error
        if not isinstance(made, np.ndarray) or made.dtype.kind not in "fiub":
            what = f"{self.path} gave {_kind_of(made)}, not an array of numbers"
            raise VoluteError(what, "Export the model anew.")
        return made

    def shape(self, name: str) -> list[int | str | None]:
        """Return the shape of the input `name`, words or None where it is free; [] without it."""
        puts = self._loaded().get_inputs()
        return next((put.shape for put in puts if put.name == name), [])

    def _loaded(self) -> Any:
        with self._loading:
            if self._session is None:
                self._session = self._load()
            return self._session

    def _load(self) -> Any:
        import onnxruntime

        onnxruntime.disable_telemetry_events()
        onnxruntime.set_default_logger_severity(SILENT)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.log_severity_level = SILENT
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if self._files:
            names, contents = list(self._files), list(self._files.values())
            sizes = [len(content) for content in contents]
            options.add_external_initializers_from_files_in_memory(names, contents, sizes)
        try:
            return onnxruntime.InferenceSession(
                str(self.path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # as above
            raise VoluteError(
                f"{self.path} is not a graph that ONNX Runtime can load: {_one_line(error)}",
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


def _kind_of(made: Any) -> str:
    return "texts" if isinstance(made, np.ndarray) else f"a {type(made).__name__}"


def _one_line(error: Exception) -> str:
    """Return the first line of an ONNX Runtime message without its code and source location."""
    text = str(error).strip().splitlines()[0]
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    return re.sub(r"\S+\.(cc|h):\d+ (\S.*\) |\w+ )", "", text)[:300]
