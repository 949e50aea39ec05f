"""Weights in half precision: half the room on disk, computed in float32 as before.

Each large weight lies in the file as float16, and a Cast behind it makes it float32 again; ONNX
Runtime does that once, when it loads the graph.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper
from safetensors.numpy import load
from safetensors.numpy import save as to_safetensors

from volute.training.export import places, refer


def halved(graphs: Mapping[str, bytes], weights: bytes) -> tuple[dict[str, bytes], bytes]:
    """Return the graphs and the weights file that they share, in half precision.

    What of the file no graph refers to, such as a density, stays as it is.

    Args:
        graphs: ONNX models by role whose weights lie in `weights`; what lies inside stays so.
        weights: the bytes of the weights file.
    """
    models = {role: onnx.load_from_string(graph) for role, graph in graphs.items()}
    names = {offset: name for name, (offset, _) in places(weights).items()}
    used = {
        names[_offset(tensor)]
        for model in models.values()
        for tensor in model.graph.initializer
        if _is_wide(tensor)
    }
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is seen by its loss
        tensors = {
            name: value.astype(np.float16) if name in used else value
            for name, value in load(weights).items()
        }
    made = to_safetensors(tensors)
    where = places(made)
    for model in models.values():
        _refer_all(model, names, where)
    return {role: model.SerializeToString() for role, model in models.items()}, made


def _refer_all(
    model: onnx.ModelProto, names: Mapping[int, str], where: Mapping[str, tuple[int, int]]
) -> None:
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        wide = _is_wide(tensor)
        refer(tensor, where[names[_offset(tensor)]])
        if wide:
            name, half = tensor.name, f"{tensor.name}.half"
            tensor.name, tensor.data_type = half, TensorProto.FLOAT16
            casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _is_wide(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL and tensor.data_type == TensorProto.FLOAT


def _offset(tensor: TensorProto) -> int:
    return next(int(entry.value) for entry in tensor.external_data if entry.key == "offset")
