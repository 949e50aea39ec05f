"""The graph of a style network without its weights, which are made when it is used.

ONNX Runtime is handed them as the bytes of a file that lies nowhere: one flat vector.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto

from volute.engine.artefact import STYLE_FILE as STYLE


def style_external(model: onnx.ModelProto, order: Sequence[str]) -> bytes:
    """Point initialisers into `style.bin`, one behind another, and return the graph's file.

    Args:
        model: changed in place; its other initialisers stay inside.
        order: names of float32 initialisers, in the order of the flat vector.
    """
    from volute.training.export import drop_notes  # which imports this module

    drop_notes(model)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    offset = 0
    for name in order:
        tensor = tensors[name]
        size = onnx.numpy_helper.to_array(tensor).nbytes
        for field in ("raw_data", "float_data", "external_data"):
            tensor.ClearField(field)
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", STYLE), ("offset", offset), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        offset += size
    return model.SerializeToString()
