"""torch to the artefact: ONNX graphs, one copy of the weights, parity measured before it lands.

The graphs refer to `weights.safetensors` as ONNX external data, so that the weights lie on disk
once and serve both ONNX Runtime and further training.
"""

from __future__ import annotations

import json
import logging
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from safetensors.numpy import save as to_safetensors
from torch.utils.flop_counter import FlopCounterMode

from volute.engine.session import Session
from volute.errors import VoluteError
from volute.training.recipe import Exported, Graph, Runner
from volute.training.styled import STYLE, style_external

WEIGHTS = "weights.safetensors"
TOLERANCE = 1e-4
SMALL = 256
"""Bytes of an initialiser under which it stays inside the graph."""


def export_graphs(exported: Exported) -> tuple[dict[str, bytes], bytes]:
    """Return each role's ONNX file and the bytes of the weights file that they share."""
    tensors = dict(exported.tensors)
    models = {}
    for graph in exported.graphs:
        models[graph.role] = to_onnx(graph)
        if graph.outside:
            continue
        for name, value in graph.network.state_dict().items():
            tensors[f"{graph.role}.{name}"] = value.contiguous().numpy()
    tensors = _without_copies(tensors)
    weights = to_safetensors(tensors)
    outside = {graph.role: graph.network for graph in exported.graphs if graph.outside}
    made = {
        role: style_external(model, list(outside[role].state_dict()))
        if role in outside
        else share_weights(model, tensors, weights)
        for role, model in models.items()
    }
    return made, weights


def to_onnx(graph: Graph) -> onnx.ModelProto:
    """Export for any batch size, or for one alone, and for any size where that is free."""
    free = (() if graph.alone else (0,)) + ((2, 3) if graph.free else ())
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            graph.network,
            tuple(graph.inputs.values()),
            input_names=list(graph.inputs),
            output_names=[graph.output],
            dynamic_shapes=tuple(
                {axis: torch.export.Dim.DYNAMIC for axis in free if axis < value.ndim}
                for value in graph.inputs.values()
            ),
            dynamo=True,
            external_data=False,
            optimize=False,
            verbose=False,
        )
        assert program is not None
    return program.model_proto


def parity(folder: Path, files: dict[str, str], graphs: list[Graph]) -> float:
    """Return the largest difference between each graph in `folder` and its network.

    Relative to the largest value where that is over 1, as for a VAE's codes.

    Random inputs at batch sizes 1 and 5 (where batches are taken), and where they are free at two
    sizes, so that a batch or size frozen into the graph is found.
    """
    worst = 0.0
    for graph in graphs:
        session = Session(folder / files[graph.role])
        for batch in (1, 5):
            inputs = _random_inputs(graph, batch)
            with torch.no_grad():
                expected = graph.network(*inputs.values()).numpy()
            feed = {name: value.numpy() for name, value in inputs.items()}
            made = session.run(feed)
            scale = max(1.0, float(np.abs(expected).max()))
            worst = max(worst, float(np.abs(made - expected).max()) / scale)
    return worst


def drop_notes(model: onnx.ModelProto) -> None:
    """Drop source lines and inferred shapes: no run reads them, and they tell where it was made."""
    del model.metadata_props[:], model.graph.metadata_props[:], model.graph.value_info[:]
    for node in model.graph.node:
        del node.metadata_props[:]


def check_parity(models: dict[str, bytes], weights: bytes, graphs: list[Graph]) -> float:
    """Write the graphs aside, compare them with torch and return the largest difference.

    Raises:
        VoluteError: if it is more than 1e-4.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / WEIGHTS).write_bytes(weights)
        for role, data in models.items():
            (folder / f"{role}.onnx").write_bytes(data)
        for graph in graphs:
            if graph.outside:
                tensors = graph.network.state_dict().values()
                (folder / STYLE).write_bytes(b"".join(t.numpy().tobytes() for t in tensors))
        worst = parity(folder, {role: f"{role}.onnx" for role in models}, graphs)
    if worst > TOLERANCE:
        raise VoluteError(
            f"the exported network differs from the trained one by {worst:.1e}",
            "This is a defect of the export: please report it with the run's config.toml.",
        )
    return worst


def runner(graph: bytes, weights: bytes) -> Runner:
    """Return what runs a graph whose weights lie in `weights`, or inside."""
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / WEIGHTS).write_bytes(weights)
        (Path(name) / "graph.onnx").write_bytes(graph)
        session = Session(Path(name) / "graph.onnx")
        session.load()
    return session.run


def cost(graphs: list[Graph]) -> tuple[int, int]:
    """Return parameters of all graphs' networks and multiply-adds of the last for one item."""
    stored = [graph.network for graph in graphs if not graph.outside]
    parameters = {id(p): p.numel() for network in stored for p in network.parameters()}
    last = graphs[-1]
    one = {name: value[:1] for name, value in last.inputs.items()}
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        last.network(*one.values())
    return sum(parameters.values()), counter.get_total_flops() // 2


def _random_inputs(graph: Graph, batch: int) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(batch)
    inputs = {}
    for name, example in graph.inputs.items():
        count = 1 if graph.alone else batch
        shape = (count, *example.shape[1:])
        if graph.free and batch > 1 and example.ndim == 4:
            sides = (shape[2] // 2 + 3, shape[3] // 2 + 8)
            sides = (side // graph.multiple * graph.multiple for side in sides)
            shape = (count, shape[1], *sides)
        if example.is_floating_point():
            inputs[name] = torch.randn(shape, generator=rng)
        else:
            inputs[name] = torch.randint(int(example.max()) + 1, shape, generator=rng)
    return inputs


def _without_copies(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Keep one name of each tensor: the same network may stand in two graphs."""
    kept = {}
    for name, value in tensors.items():
        kept.setdefault((value.__array_interface__["data"][0], value.shape), (name, value))
    return dict(kept.values())


def places(weights: bytes) -> dict[str, tuple[int, int]]:
    """Return where each tensor lies in a weights file: its offset and length in bytes."""
    length = int.from_bytes(weights[:8], "little")
    header = json.loads(weights[8 : 8 + length])
    spans = {name: about["data_offsets"] for name, about in header.items()}
    return {name: (8 + length + begin, end - begin) for name, (begin, end) in spans.items()}


def share_weights(model: onnx.ModelProto, tensors: dict[str, np.ndarray], weights: bytes) -> bytes:
    """Point each initialiser that stands in the weights file there; small ones stay inside.

    Args:
        model: is changed.
        tensors: those of the file.
        weights: the file.
    """
    drop_notes(model)
    where = places(weights)
    offsets = {value.tobytes(): where[name] for name, value in tensors.items()}
    for tensor in model.graph.initializer:
        data = onnx.numpy_helper.to_array(tensor).tobytes()
        if len(data) >= SMALL and data in offsets:
            refer(tensor, offsets[data])
    return model.SerializeToString()


def refer(tensor: onnx.TensorProto, place: tuple[int, int]) -> None:
    """Make an initialiser one that lies at a place (offset, length) in the weights file."""
    for inside in ("raw_data", "float_data", "int32_data", "external_data"):
        tensor.ClearField(inside)
    tensor.data_location = onnx.TensorProto.EXTERNAL
    for key, value in zip(("location", "offset", "length"), (WEIGHTS, *place), strict=True):
        tensor.external_data.add(key=key, value=str(value))
