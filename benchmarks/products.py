"""Write the two graphs of matrix products by which `volute bench` finds limits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

import volute.speed

SIDE, CHAIN = 1024, 4
FILE = "product.bin"
HERE = Path(volute.speed.__file__).parent / "products"


def main() -> None:
    """Write them where the package has them."""
    for name, nodes, weights, inside in (floats(), integers()):
        (HERE / name).write_bytes(graph(nodes, weights, inside))


def floats() -> tuple[str, list[onnx.NodeProto], int, dict[str, np.ndarray]]:
    """Return x @ w @ w @ w @ w."""
    nodes = [helper.make_node("MatMul", [f"x{i}", "w"], [f"x{i + 1}"]) for i in range(CHAIN)]
    return "float32.onnx", nodes, TensorProto.FLOAT, {}


def integers() -> tuple[str, list[onnx.NodeProto], int, dict[str, np.ndarray]]:
    """Return the same between QuantizeLinear and DequantizeLinear, as `training.quantise` does."""
    nodes = [helper.make_node("DequantizeLinear", ["w", "ws"], ["wf"])]
    nodes.append(helper.make_node("QuantizeLinear", ["x0", "s", "z"], ["q0"]))
    for i in range(CHAIN):
        nodes += [
            helper.make_node("DequantizeLinear", [f"q{i}", "s", "z"], [f"f{i}"]),
            helper.make_node("MatMul", [f"f{i}", "wf"], [f"m{i}"]),
            helper.make_node("QuantizeLinear", [f"m{i}", "s", "z"], [f"q{i + 1}"]),
        ]
    nodes.append(helper.make_node("DequantizeLinear", [f"q{CHAIN}", "s", "z"], [f"x{CHAIN}"]))
    inside = {
        "s": np.float32(1 / 64),
        "z": np.uint8(128),
        "ws": np.float32(1 / 4096),
    }
    return "int8.onnx", nodes, TensorProto.INT8, inside


def graph(nodes: list[onnx.NodeProto], kind: int, inside: dict[str, np.ndarray]) -> bytes:
    """Return the graph, whose matrix lies in memory alone."""
    size = SIDE * SIDE * (4 if kind == TensorProto.FLOAT else 1)
    weights = onnx.TensorProto(name="w", data_type=kind, dims=[SIDE, SIDE])
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", FILE), ("offset", "0"), ("length", str(size))):
        weights.external_data.add(key=key, value=value)
    constants = [numpy_helper.from_array(np.asarray(v), k) for k, v in inside.items()]
    made = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("x0", TensorProto.FLOAT, [SIDE, SIDE])],
        [helper.make_tensor_value_info(f"x{CHAIN}", TensorProto.FLOAT, [SIDE, SIDE])],
        [weights, *constants],
    )
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(made, opset_imports=opsets, ir_version=10).SerializeToString()


if __name__ == "__main__":
    main()
