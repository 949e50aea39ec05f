"""Graphs on ONNX Runtime's CPU provider: the engine that is always there.

It also says what a graph does on the way (`profiled`), and packs one with its weights for another
engine (`packed`): so it is ONNX Runtime that reads strangers' files, whoever runs them.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from volute.engine.session import GraphError, Precision

NO_MEMORY = ("Failed to allocate memory", "bad_alloc", "bad allocation")
SILENT = 4
"""ONNX Runtime's severity for fatal errors only: the rest comes as exceptions."""
onnxruntime.disable_telemetry_events()
onnxruntime.set_default_logger_severity(SILENT)


def precisions() -> tuple[Precision, ...]:
    """Return the numbers that it can compute in."""
    return ("float32",)


def open_graph(
    path: Path, threads: int, files: Mapping[str, bytes], precision: Precision
) -> OnnxRuntimeGraph:
    """Load a graph; see `session.Session`.

    Raises:
        GraphError: if it is none.
    """
    return OnnxRuntimeGraph(_session(path, _options(threads, files)))


class OnnxRuntimeGraph:
    """See `session.Loaded`."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def run(self, inputs: Mapping[str, np.ndarray]) -> Any:
        """Return the first output."""
        try:
            return self._session.run(None, dict(inputs))[0]
        except Exception as error:  # ONNX Runtime's errors share no public base class
            if any(text in str(error) for text in NO_MEMORY):
                raise MemoryError from error
            raise GraphError(_one_line(error)) from error

    def shape(self, name: str) -> list[int | str | None]:
        """Return the shape of an input; [] without it."""
        return next((put.shape for put in self._session.get_inputs() if put.name == name), [])


def inputs_of(path: Path, files: Mapping[str, bytes]) -> dict[str, tuple[str, list[int | str]]]:
    """Return what type each input has, such as `tensor(float)`, and its shape.

    Raises:
        GraphError: if it is no graph.
    """
    session = _session(path, _options(1, files))
    return {put.name: (put.type, put.shape) for put in session.get_inputs()}


def packed(path: Path, files: Mapping[str, bytes]) -> bytes:
    """Return the graph as it is written, with all its weights inside.

    Args:
        path: of the graph.
        files: its external data by name; none is read from disk.

    Raises:
        GraphError: if it is no graph, or its weights lie elsewhere.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "packed.onnx"
        options = _options(1, files)
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.optimized_model_filepath = str(target)
        _session(path, options)
        return target.read_bytes()


def profiled(
    path: Path, inputs: Mapping[str, np.ndarray], files: Mapping[str, bytes], *, plain: bool
) -> list[dict[str, Any]]:
    """Return what ONNX Runtime notes of each operator of one run, on one thread.

    Args:
        path: of the graph.
        inputs: what it is run on.
        files: see `session.Session`.
        plain: the graph as it is written; else as it is after optimising, of the second run.

    Returns:
        For each operator `op_name`, `microseconds`, `input_type_shape` and `output_type_shape`:
        lists of {type: shape}.
    """
    with tempfile.TemporaryDirectory() as folder:
        options = _options(1, files)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        if plain:
            options.add_session_config_entry("session.disable_prepacking", "1")  # it hides shapes
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = _session(path, options)
        for _ in range(1 if plain else 2):
            session.run(None, dict(inputs))
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    nodes = [event for event in events if event.get("name", "").endswith("_kernel_time")]
    kept = nodes if plain else nodes[len(nodes) // 2 :]
    return [{**event["args"], "microseconds": event["dur"]} for event in kept]


def _options(threads: int, files: Mapping[str, bytes]) -> Any:
    """Return what a session is told.

    Its threads wait actively for each other while it runs, but not for the next run: whatever else
    the computer does would lose a core by that.
    """
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.intra_op_num_threads = threads
    options.log_severity_level = SILENT
    if files:
        sizes = [len(content) for content in files.values()]
        options.add_external_initializers_from_files_in_memory(
            list(files), list(files.values()), sizes
        )
    return options


def _session(path: Path, options: Any) -> Any:
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise GraphError(_one_line(error)) from error


def _one_line(error: Exception) -> str:
    """Return the first line of an ONNX Runtime message without its code and source location."""
    text = str(error).strip().splitlines()[0]
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    return re.sub(r"\S+\.(cc|h):\d+ (\S.*\) |\w+ )", "", text)[:300]
