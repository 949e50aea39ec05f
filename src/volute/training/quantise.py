"""A graph in 8-bit integers: scales fixed from calibration inputs, and what that costs, measured.

Static scales, one for each output channel of a convolution, in ONNX's QuantizeLinear and
DequantizeLinear form (Jacob et al. 2018, arXiv:1712.05877), by ONNX Runtime's quantiser.
"""

from __future__ import annotations

import contextlib
import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import onnx
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from volute.training.export import WEIGHTS, drop_notes

CONVOLUTIONS = ("Conv", "ConvTranspose")
PERCENTILE = 99.99
"""Of each tensor's values that its scale covers: the rare largest would make all others coarse."""
Feed = dict[str, np.ndarray]


def quantised(graph: bytes, weights: bytes, feeds: Sequence[Feed], spared: int = 0) -> bytes:
    """Return the graph in integers, its weights inside.

    One convolution, which sees or makes the pixels, and what follows the last stay in floating
    point: they cost little and would lose most. Normalisation is folded into convolutions first.

    Args:
        graph: an ONNX model whose weights lie in `weights`.
        weights: the bytes of the weights file.
        feeds: inputs like those that it will meet; their ranges become the scales.
        spared: which of the convolutions stays: 0 for the first, -1 for the last.
    """
    with tempfile.TemporaryDirectory() as name, _quiet():
        folder = Path(name)
        (folder / WEIGHTS).write_bytes(weights)
        (folder / "float.onnx").write_bytes(graph)
        onnx.save(onnx.load(folder / "float.onnx"), folder / "packed.onnx")
        _fold(folder / "packed.onnx", folder / "whole.onnx")
        nodes = onnx.load(folder / "whole.onnx").graph.node
        convolutions = [at for at, node in enumerate(nodes) if node.op_type in CONVOLUTIONS]
        outer = [nodes[convolutions[spared]], *nodes[convolutions[-1] + 1 :]]
        quantize_static(
            folder / "whole.onnx",
            folder / "int8.onnx",
            _Feeds(feeds),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": PERCENTILE},
            nodes_to_exclude=[node.name for node in outer],
        )
        model = onnx.load(folder / "int8.onnx")
    drop_notes(model)
    return model.SerializeToString()


def _fold(source: Path, target: Path) -> None:
    """Write the graph with its constants and normalisation folded, by ONNX Runtime."""
    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(target)
    InferenceSession(str(source), options, providers=["CPUExecutionProvider"])


class _Feeds(CalibrationDataReader):
    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._left = iter(feeds)

    def get_next(self) -> Feed:  # None after the last, which its base class does not say
        """Return the next inputs."""
        return cast("Feed", next(self._left, None))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the quantiser's progress, and its advice to pre-process, off the screen."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(level)
