"""What a graph does in one run: multiply-adds and bytes moved, from the shapes that it meets."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from volute.speed.cases import Case

PRODUCTS = {"Conv", "ConvTranspose", "MatMul", "Gemm", "FusedConv", "FusedMatMul", "FusedGemm"}
PRODUCTS |= {"QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger", "QGemm"}
"""Operators that multiply and add; the rest only moves numbers, or changes them one by one."""
BYTES = {"float": 4, "int64": 8, "int32": 4, "uint8": 1, "int8": 1, "bool": 1, "float16": 2}


@dataclass(frozen=True)
class Counted:
    """Of one run."""

    macs: int
    """Multiply-adds."""
    bytes: int
    """Read and written by the operators that multiply, each operand once: what a run moves at least
    where all others are fused into these."""
    products: float
    """Share of the time, on one thread, that these operators took."""
    rate: float
    """Operations a second in them alone, on one thread."""


def counted(case: Case) -> Counted:
    """Run a graph as it is written, and as it is optimised, and return what it did."""
    from volute.engine.with_onnxruntime import profiled

    plain = profiled(case.path, case.inputs, case.external, plain=True)
    macs = sum(map(_macs, plain))
    moved = sum(_bytes(node) for node in plain if node["op_name"] in PRODUCTS)
    moved //= 4 if case.role == "int8" else 1  # written as float32 between whole numbers
    optimised = profiled(case.path, case.inputs, case.external, plain=False)
    spent = sum(node["microseconds"] for node in optimised if node["op_name"] in PRODUCTS)
    every = sum(node["microseconds"] for node in optimised)
    rate = 2e6 * macs / spent if spent else 0.0
    return Counted(macs, moved, spent / max(every, 1), rate)


def _macs(node: Mapping[str, Any]) -> int:
    """Return the multiply-adds of an operator as it is written: none is fused."""
    name = node["op_name"]
    if name not in PRODUCTS:
        return 0
    inputs = list(_shapes(node["input_type_shape"]))
    output = next(_shapes(node["output_type_shape"]))
    if name == "Conv":
        return math.prod(output) * math.prod(inputs[1][1:])
    if name == "ConvTranspose":
        return math.prod(inputs[0]) * math.prod(inputs[1][1:])
    if name == "Gemm":  # either operand may be transposed
        return output[0] * math.prod(inputs[1])
    return math.prod(output) * inputs[0][-1]


def _bytes(node: Mapping[str, Any]) -> int:
    total = 0
    for put in (*node["input_type_shape"], *node["output_type_shape"]):
        for kind, shape in put.items():
            total += BYTES.get(kind, 4) * math.prod(shape)
    return total


def _shapes(puts: list[dict[str, list[int]]]) -> Iterator[list[int]]:
    for put in puts:
        yield from put.values()
