"""The graphs of a style network: what reads a style, what makes kernels, and what paints."""

from __future__ import annotations

import torch

from volute.nets.halved import Halved
from volute.nets.style_net import StyleNet
from volute.nets.stylizer import MULTIPLE, Modulator, Plain
from volute.training.recipe import Graph


def style_graphs(net: StyleNet, code_1D: torch.Tensor, side: int) -> list[Graph]:
    """Return the encoder, if there is one, the modulator and the stylizer, in this order.

    Args:
        net: on the CPU; it takes half precision on.
        code_1D: of a style.
        side: of the pictures in the example inputs, in px, a multiple of `MULTIPLE`.
    """
    with torch.no_grad():
        plain = Plain(net.painter(code_1D))
    picture = torch.zeros(2, 3, side, side)
    free = {"free": True, "multiple": MULTIPLE}
    modulator = Halved(Modulator(net.painter))
    inputs = {"code": code_1D, "picture": picture[:1]}
    graphs = [
        Graph("modulator", modulator, inputs, "weights", alone=True, **free),
        Graph("stylizer", plain, {"picture": picture}, "stylized", outside=True, **free),
    ]
    if net.encoder is not None:
        encoder = Halved(net.encoder)
        graphs.insert(0, Graph("encoder", encoder, {"picture": picture}, "code", free=True))
    return graphs
