"""A model in less room: half precision or 8-bit integers, and what that costs.

The new model runs what was made: there is nothing to choose when it is used. Upscalers alone keep
the graph in floating point, which runs by default, for 16-bit pictures; that in integers lies
beside it as `int8`. What is lost is measured (`trials`), stands in the card, and is refused where
it is more than the kind may lose.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from onnx import numpy_helper
from safetensors.numpy import load
from safetensors.numpy import save as to_safetensors

from volute.engine.artefact import CONFIG, WEIGHTS, Artefact, ArtefactConfig
from volute.engine.card import renewed
from volute.errors import UsageError, VoluteError
from volute.events import Emit, Note
from volute.paths import atomic_folder
from volute.training.export import SMALL, runner, share_weights
from volute.training.halve import halved
from volute.training.quantise import quantised
from volute.training.trials import Examples, Runs, Trial, trial_of

Form = Literal["int8", "float16"]
INT8 = "int8"
"""The role of an upscaler's graph in integers."""
Graphs = dict[str, bytes]


def smaller(
    artefact: Artefact, out: Path, forms: Sequence[Form], examples: Examples | None, emit: Emit
) -> None:
    """Write a smaller model of a model at `out`.

    Args:
        artefact: the model.
        out: the folder to make.
        forms: one, or for an upscaler also both.
        examples: pictures, for the kinds that need some.
        emit: is told what was lost.

    Raises:
        UsageError: if its kind has no such form, or both are asked for.
        VoluteError: if it loses more than its kind may.
    """
    trial = trial_of(artefact, examples)
    beside = artefact.config.descriptor.kind == "upscale"
    if len(forms) > 1 and not beside:
        raise UsageError("weights are integers or in half precision", "Give one of the two.")
    graphs = {role: artefact.graph(role).read_bytes() for role in artefact.config.graphs}
    weights = (artefact.path / WEIGHTS).read_bytes()
    before = _runs({role: graphs[role] for role in trial.feeds}, weights)
    metrics: dict[str, float] = {}
    if "float16" in forms:
        graphs, weights = halved(graphs, weights)
        metrics |= _checked(trial, before, _runs(graphs, weights), "float16", emit)
    if "int8" in forms:
        made = {
            role: quantised(graphs[role], weights, feeds, trial.spared[role])
            for role, feeds in trial.feeds.items()
        }
        if beside:
            (graphs[INT8],) = made.values()
        else:
            graphs, weights = _stored(graphs | made, weights)
        after = _runs(made, b"") if beside else _runs(graphs, weights)
        metrics |= _checked(trial, before, after, "int8", emit)
    _write(artefact, out, forms, graphs, weights, metrics)
    _tell_size(artefact.path, out, emit)


def _runs(graphs: Graphs, weights: bytes) -> Runs:
    return {role: runner(graph, weights) for role, graph in graphs.items()}


def _stored(graphs: Graphs, weights: bytes) -> tuple[Graphs, bytes]:
    """Move what graphs hold into a weights file; of the old one only what no graph had stays."""
    models = {role: onnx.load_from_string(graph) for role, graph in graphs.items()}
    tensors = {
        name: value for name, value in load(weights).items() if name.partition(".")[0] not in models
    }
    for role, model in models.items():
        for tensor in model.graph.initializer:
            value = numpy_helper.to_array(tensor)
            if value.nbytes >= SMALL:
                tensors[f"{role}.{tensor.name}"] = value
    made = to_safetensors(tensors)
    return {role: share_weights(model, tensors, made) for role, model in models.items()}, made


def _checked(trial: Trial, before: Runs, after: Runs, form: Form, emit: Emit) -> dict[str, float]:
    """Return the measures of a form.

    Raises:
        VoluteError: if it loses too much.
    """
    value, parity = trial.measured(before, after), _parity(trial, before, after)
    limit = f"{trial.goal} {trial.bound:g} {trial.unit}"
    words = f"{trial.measure.replace('_', ' ')} {value:.3g} {trial.unit}"
    emit(Note(form, f"{words} ({limit} is allowed), largest difference {parity:.2g}"))
    if not trial.passes(value):
        raise VoluteError(
            f"as {form} the network loses too much: {words}, and {limit} is allowed",
            "Leave it out, train for longer, or give --data more like what it will meet.",
        )
    return {f"{form}_{trial.measure}": value, f"{form}_parity": parity}


def _parity(trial: Trial, before: Runs, after: Runs) -> float:
    """Return the largest difference of what the graphs make, relative where that is over 1."""
    worst = 0.0
    for role, feeds in trial.feeds.items():
        old, new = before[role](feeds[0]), after[role](feeds[0])
        worst = max(worst, float(np.abs(new - old).max()) / max(1.0, float(np.abs(old).max())))
    return worst


def _write(
    artefact: Artefact,
    out: Path,
    forms: Sequence[Form],
    graphs: Graphs,
    weights: bytes,
    metrics: dict[str, float],
) -> None:
    config = _renamed(artefact.config, forms, graphs)
    told = json.loads((artefact.path / "metrics.json").read_text(encoding="utf-8")) | metrics
    with atomic_folder(out) as part:
        for role, graph in graphs.items():
            (part / config.graphs[role]).write_bytes(graph)
        (part / WEIGHTS).write_bytes(weights)
        (part / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        (part / "metrics.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
        card = (artefact.path / "README.md").read_text(encoding="utf-8")
        (part / "README.md").write_text(renewed(card, config, told), encoding="utf-8")
        for name in ("LICENSE", "samples.png"):
            if (artefact.path / name).is_file():
                (part / name).write_bytes((artefact.path / name).read_bytes())


def _renamed(config: ArtefactConfig, forms: Sequence[Form], graphs: Graphs) -> ArtefactConfig:
    """Return the configuration: a model whose main graph changed has a name of its own."""
    beside = config.descriptor.kind == "upscale"
    numbers = "float16" if beside and "float16" in forms else "float32" if beside else forms[0]
    name = config.name if numbers == "float32" else f"{config.name}-{numbers}"
    changes = {"name": name, "numbers": numbers, "graphs": {r: f"{r}.onnx" for r in graphs}}
    return ArtefactConfig.make(config.model_dump() | changes)


def _tell_size(before: Path, after: Path, emit: Emit) -> None:
    sizes = [
        sum((folder / name).stat().st_size for name in _counted(folder)) / 1e6
        for folder in (before, after)
    ]
    emit(Note("size", f"graphs and weights: {sizes[0]:.2f} MB -> {sizes[1]:.2f} MB"))


def _counted(folder: Path) -> list[str]:
    return [WEIGHTS, *(file.name for file in folder.glob("*.onnx"))]
