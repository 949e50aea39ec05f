"""Graphs on OpenVINO's CPU plugin: the extra `openvino`, in float32 or bfloat16.

The precision is always said: by itself OpenVINO takes bfloat16 where the CPU has it. The graph
comes packed from ONNX Runtime, which refuses what it refuses; OpenVINO opens no file.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from volute.engine.session import GraphError, Precision, own_cores
from volute.engine.with_onnxruntime import packed
from volute.errors import MissingExtraError

WEIGHTS = "weights.safetensors"
NO_MEMORY = ("bad_alloc", "bad allocation", "allocate memory")
TYPES: dict[Precision, str] = {"float32": "f32", "bf16": "bf16"}
SHAPES = 32
"""Kernels that are kept for shapes seen: without a limit each new size of a tile keeps 0.5 MB."""


def precisions() -> tuple[Precision, ...]:
    """Return the numbers that it can compute in on this CPU."""
    able = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("float32", "bf16") if "BF16" in able else ("float32",)


def open_graph(
    path: Path, threads: int, files: Mapping[str, bytes], precision: Precision
) -> OpenVinoGraph:
    """Load a graph; see `session.Session`.

    As many runs go beside each other as there are cores for, each on `threads`.

    Raises:
        GraphError: if it is none, or has what OpenVINO has not.
        MissingExtraError: if OpenVINO is not installed.
    """
    core, weights = _core(), path.parent / WEIGHTS
    there = files or ({WEIGHTS: weights.read_bytes()} if weights.is_file() else {})
    graph = packed(path, there)
    beside = max(1, own_cores() // threads)
    how = {
        "INFERENCE_PRECISION_HINT": TYPES[precision],
        "INFERENCE_NUM_THREADS": beside * threads,
        "NUM_STREAMS": beside,
        "ENABLE_CPU_PINNING": False,
        "CPU_RUNTIME_CACHE_CAPACITY": SHAPES,
    }
    try:
        return OpenVinoGraph(core.compile_model(core.read_model(graph), "CPU", how))
    except RuntimeError as error:
        raise GraphError(_one_line(error)) from error


class OpenVinoGraph:
    """See `session.Loaded`."""

    def __init__(self, compiled: Any) -> None:
        self._compiled = compiled
        self._inputs = [(put.names, put) for put in compiled.inputs]  # some have several names
        self._idle: deque[Any] = deque()  # requests; each may be used by one thread at a time

    def run(self, inputs: Mapping[str, np.ndarray]) -> Any:
        """Return the first output."""
        self._check(inputs)
        arrays = {name: np.ascontiguousarray(array) for name, array in inputs.items()}
        try:
            request = self._idle.pop()
        except IndexError:
            request = self._compiled.create_infer_request()
        try:
            made = request.infer(arrays, share_inputs=True)[0]
        except RuntimeError as error:
            if any(text in str(error) for text in NO_MEMORY):
                raise MemoryError from error
            raise GraphError(_one_line(error)) from error
        self._idle.append(request)
        return made

    def shape(self, name: str) -> list[int | str | None]:
        """Return the shape of an input; [] without it."""
        found = [put for names, put in self._inputs if name in names]
        sides = found[0].partial_shape if found else []
        return [side.get_length() if side.is_static else None for side in sides]

    def _check(self, inputs: Mapping[str, np.ndarray]) -> None:
        """Raise what does not fit: it would be cast, or run with what was there before."""
        for names, put in self._inputs:
            fitting = [name for name in inputs if name in names]
            wanted = put.element_type.to_dtype()
            if not fitting or inputs[fitting[0]].dtype != wanted:
                raise GraphError(f"it takes {put.any_name} as {wanted}")
        if len(inputs) != len(self._inputs):
            raise GraphError(f"it takes {len(self._inputs)} inputs, not {len(inputs)}")


@cache
def _core() -> Any:
    """Return OpenVINO itself, without the telemetry that it would start when it is imported."""
    sys.modules.setdefault("openvino_telemetry", None)  # pyrefly: ignore
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise MissingExtraError("the engine openvino is not installed", "openvino") from error
    return openvino.Core()


def _one_line(error: Exception) -> str:
    """Return the last line of a message of OpenVINO that says something."""
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith("Exception from")]
    return (said[-1] if said else "it says no reason")[:300]
