"""From a run to its artefact: graphs, card and measures, once they agree with the networks."""

from __future__ import annotations

import datetime
import json
import shlex
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch

from volute.engine.artefact import FORMAT_VERSION, ArtefactConfig, Descriptor, write_artefact
from volute.training import export
from volute.training.doctor import last_word
from volute.training.feed import Feed
from volute.training.loop import Loop
from volute.training.recipe import Exported
from volute.training.run import RunConfig
from volute.training.shown import grid, to_image


def package(loop: Loop, out: Path) -> None:
    """Write the artefact of a run at `out`.

    Raises:
        VoluteError: if a graph differs from its network.
    """
    recipe, config, counters = loop.recipe, loop.config, loop.counters
    position = iter(range(0, 1 << 62, 4096))
    exported = recipe.export(lambda count: loop.draw(count, next(position)), loop.feed.held)
    models, weights = export.export_graphs(exported)
    worst = export.check_parity(models, weights, exported.graphs)
    parameters, macs = exported.cost or export.cost(exported.graphs)
    samples = None if exported.samples is None else to_image(grid(exported.samples))
    feed, metrics = loop.feed, loop.run.metrics
    facts = feed.facts
    side = facts.size if exported.side is None else exported.side
    artefact = ArtefactConfig(
        format_version=FORMAT_VERSION,
        name=config.name or loop.run.path.resolve().name,
        descriptor=Descriptor(
            kind=cast("Any", config.kind),
            channels=facts.channels,
            size=side,
            radius=exported.radius,
            scale=exported.scale,
            size_multiple=exported.multiple,
            tiling_exact=exported.exact,
            parameters=parameters,
            macs_per_pixel=macs / (side or facts.size) ** 2,
            training_data=_learned_from(config, exported, feed),
            licence=config.licence,
        ),
        graphs={role: f"{role}.onnx" for role in models},
        latent=exported.latent,
        density=exported.density,
        classes=feed.classes if exported.labelled else (),
        threshold=exported.threshold,
        styles=exported.styles,
        preset=config.preset,
        settings=recipe.settings.model_dump(mode="json"),
        volute=version("volute"),
        created=datetime.date.today().isoformat(),
    )
    training = {
        "command": _command(config, exported, feed, artefact.settings),
        f"{feed.unit} shown": f"{counters.shown:,}",
        "minutes": f"{counters.seconds / 60:.1f}",
        "device": config.hardware,
        "seed": str(config.seed),
        "torch": torch.__version__,
        "settings": recipe.settings.model_dump_json(),
    }
    training |= {"doctor": word} if (word := last_word(loop.run.path)) else {}
    training |= {"healed": config.healed} if config.healed else {}
    measures = {key: value for key, value in metrics.items() if key not in ("shown", "rate")}
    measures |= {"parity": worst} | exported.metrics
    write_artefact(out, artefact, models, weights, measures, samples, training)


def _command(config: RunConfig, exported: Exported, feed: Feed, settings: Mapping[str, Any]) -> str:
    """Return what begins such a run."""
    if teacher := settings.get("teacher"):
        pictures = shlex.quote(Path(config.source).name)
        styles = shlex.quote(f"styles={json.dumps(exported.examples)}")
        given = f"-s width={settings['width']}" + (f" -s {styles}" if exported.examples else "")
        return f"volute shrink {shlex.quote(teacher)} {pictures} {given} {_budget_flag(config)}"
    inputs = _inputs(config, exported, feed)
    flags = f"{_size_flag(config, feed)}{_budget_flag(config)}"
    return f"volute train {config.kind} {inputs} --preset {config.preset} {flags}"


def _inputs(config: RunConfig, exported: Exported, feed: Feed) -> str:
    if feed.unit != "images":
        return " ".join(exported.examples)
    pictures = shlex.quote(Path(config.source).name)
    if exported.examples:
        return f"{' '.join(exported.examples)} -s content={pictures}"
    return pictures


def _size_flag(config: RunConfig, feed: Feed) -> str:
    return "" if feed.unit != "images" else f"--size {config.size} "


def _learned_from(config: RunConfig, exported: Exported, feed: Feed) -> str:
    if feed.unit != "images":
        return f"{', '.join(exported.examples)}, {feed.size}"
    pictures = f"{Path(config.source).name}, {feed.size}"
    if exported.examples:
        pictures = f"{', '.join(exported.examples)}; painted on {pictures}"
    return f"{pictures}; taught by {exported.tutor}" if exported.tutor else pictures


def _budget_flag(config: RunConfig) -> str:
    return f"--kimg {config.kimg:g}" if config.kimg else f"--time {config.time_s / 60:g}m"
