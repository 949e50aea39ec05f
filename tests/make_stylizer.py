"""A tiny artefact of kind `style`: random networks, exported as those that learned are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from volute.engine.artefact import Artefact, ArtefactConfig, Descriptor, write_artefact
from volute.nets.halved import Halved
from volute.nets.painter import Painter
from volute.nets.style_encoder import StyleEncoder
from volute.nets.stylizer import MULTIPLE, Modulator, Plain, radius
from volute.training.export import export_graphs
from volute.training.recipe import Exported, Graph

CODE, CELL = 8, 128
STYLES = ("wave", "monet")


class Network(torch.nn.Module):
    """What the model learned: random, strong enough that styles differ."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.painter = Painter(code=CODE, width=8, blocks=1, bank=2)
        torch.nn.init.normal_(self.painter.mix.weight, std=0.15)
        with torch.no_grad():
            self.painter.kernels[-1] *= 16
        self.encoder = StyleEncoder(CODE)
        torch.nn.init.normal_(self.encoder.code.weight, std=0.5)
        self.codes = torch.randn(len(STYLES), CODE)


def shared_stylizer(base: Path) -> Path:
    """Return the artefact, made once under the session's `base`: to be read or copied."""
    path = base / "tiny-painter"
    return path if path.exists() else make_stylizer(path).path


def changed(path: Path, to: Path, **values: Any) -> Path:
    """Copy an artefact with other values in its configuration."""
    shutil.copytree(path, to)
    config = json.loads((to / "config.json").read_text()) | values
    (to / "config.json").write_text(json.dumps(config))
    return to


def make_stylizer(path: Path) -> Artefact:
    """Write the artefact."""
    net = Network()
    picture = torch.zeros(2, 3, 64, 64)
    plain = Plain(net.painter(net.codes[:1]))
    graphs = [
        Graph("encoder", Halved(net.encoder), {"picture": picture}, "code", free=True),
        Graph(
            "modulator",
            Halved(Modulator(net.painter)),
            {"code": net.codes[:1], "picture": picture[:1]},
            "weights",
            free=True,
            multiple=MULTIPLE,
            alone=True,
        ),
        Graph(
            "stylizer",
            plain,
            {"picture": picture},
            "stylized",
            free=True,
            multiple=MULTIPLE,
            outside=True,
        ),
    ]
    tensors = {"styles.codes": net.codes.numpy()}
    made, weights = export_graphs(Exported(graphs, picture, radius=radius(1), tensors=tensors))
    about = Descriptor(
        kind="style",
        channels=3,
        size=0,
        size_multiple=MULTIPLE,
        radius=radius(1),
        tiling_exact=True,
        parameters=4321,
        macs_per_pixel=123.4,
        training_data="paintings made for tests",
        licence="CC0-1.0",
    )
    config = ArtefactConfig(
        format_version=1,
        name="tiny-painter",
        descriptor=about,
        graphs={role: f"{role}.onnx" for role in made},
        styles=STYLES,
        preset="tiny",
        settings={"width": 8},
        volute="0.1.0",
        created="2026-11-24",
    )
    return write_artefact(path, config, made, weights, {}, _sheet(), {})


def _sheet() -> Image.Image:
    """Return a grid of 2 x 2 cells: red, green, blue and black."""
    cells = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [0, 0, 0]]], np.uint8)
    return Image.fromarray(cells.repeat(CELL, 0).repeat(CELL, 1))
