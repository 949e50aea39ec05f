"""A new run whose network is narrower than a model's, and learns from it: what `shrink` calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from volute import jobs
from volute.config import merged
from volute.engine.artefact import Artefact, open_artefact
from volute.errors import UsageError
from volute.events import Emit, Note, silent
from volute.nets.narrow import width_for
from volute.recipes.gan_networks import generator
from volute.recipes.gan_settings import GanSettings
from volute.recipes.upscale import UpscaleSettings
from volute.training.export import cost
from volute.training.recipe import DataFacts, Graph
from volute.training.run import Run
from volute.zoo import resolve

PLACE = ("size", "data", "licence")
"""Of a run's configuration, what its pictures are read by, and may be used for."""


def shrink(
    ref: str | Path,
    data: str | Path | None = None,
    *,
    to: float = 0.5,
    time: str | float | None = None,
    kimg: float | None = None,
    out: str | Path | None = None,
    settings: dict[str, Any] | None = None,
    emit: Emit = silent,
    stop: Callable[[], bool] = jobs.never,
) -> Run:
    """Train a network of about `to` of the multiply-adds of an upscaler or GAN, from its channels.

    It begins with those whose kernels are largest, and learns from pictures and from what the large
    one makes of them, by the usual loop; its card says what was lost.

    Args:
        ref: a run, a model's folder or a shipped name.
        data: the pictures; None for those of a run.
        to: share of the multiply-adds, in (0, 1).
        time: as for `volute.train`.
        kimg: likewise.
        out: likewise.
        settings: likewise.
        emit: likewise.
        stop: likewise.

    Raises:
        UsageError: for another kind of model, a share that is none, or without pictures.
        DataError: if the pictures cannot be used.
    """
    artefact = open_artefact(resolve(ref))
    if not 0 < to < 1:
        raise UsageError(f"--to {to:g}x is no smaller network", "Give a share such as 0.5x.")
    narrower = _narrower(artefact, to)
    emit(Note("width", f"{artefact.config.settings['width']} -> {narrower['width']} channels"))
    source, told = data, {}
    if (Path(ref) / "config.toml").is_file():
        config = Run.open(Path(ref)).config
        told = config.model_dump(include=set(PLACE))
        source = source or config.source
    if source is None:
        what = f"{artefact.config.name} does not hold what it learned from"
        raise UsageError(what, "Give pictures: volute shrink MODEL photos/")
    return jobs.train(
        artefact.config.descriptor.kind,
        source,
        preset=artefact.config.preset,
        size=told.pop("size", artefact.config.descriptor.size or None),
        time=time,
        kimg=kimg,
        out=out,
        settings=merged(narrower | told, settings or {}),
        emit=emit,
        stop=stop,
    )


def _narrower(artefact: Artefact, share: float) -> dict[str, Any]:
    """Return the settings of the narrower network."""
    config, about = artefact.config, artefact.config.descriptor
    if about.kind not in WIDTHS or config.settings.get("networks") == "classic":
        what = f"{config.name} cannot be shrunk: it is of kind {about.kind}"
        raise UsageError(what, "Upscalers and modern GANs can; train another with -s width=.")
    width = WIDTHS[about.kind](artefact, share)
    told = {**config.settings, "width": width, "teacher": str(artefact.path)}
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[about.channels]
    if about.kind == "gan":
        return {**told, "data": {"mode": mode, "labels": bool(config.classes)}}
    return {**told, "start": "", "data": {"crop": "tiles", "mode": mode}}


def _of_upscaler(artefact: Artefact, share: float) -> int:
    about, old = artefact.config.descriptor, UpscaleSettings.make(artefact.config.settings)
    outer = about.channels * (1 + old.scale**2) + old.robust
    return width_for(share, old.width, old.blocks, outer)


def _of_generator(artefact: Artefact, share: float) -> int:
    """Try widths: few channels are never halved further, so the cost has no formula."""
    about, old = artefact.config.descriptor, GanSettings.make(artefact.config.settings)
    facts = DataFacts(about.size, about.channels, len(artefact.config.classes), 0)
    wanted = share * _cost(old, facts)
    widths = range(16, old.width, 8)
    narrower = [old.model_copy(update={"width": width}) for width in widths]
    if not narrower:
        raise UsageError(f"{artefact.config.name} is as narrow as can be", "Use it as it is.")
    return min(narrower, key=lambda settings: abs(_cost(settings, facts) - wanted)).width


def _cost(settings: GanSettings, facts: DataFacts) -> int:
    """Return the multiply-adds of one picture, by shapes alone."""
    with torch.device("meta"):
        network = generator(settings, facts)
        inputs = {"latent": torch.zeros(1, settings.latent)}
        if facts.classes:
            inputs["label"] = torch.zeros(1, dtype=torch.int64)
    return cost([Graph("generator", network.eval(), inputs, "picture")])[1]


WIDTHS: dict[str, Callable[[Artefact, float], int]] = {
    "upscale": _of_upscaler,
    "gan": _of_generator,
}
"""Gives the width of about a share of the multiply-adds, for the kinds that can be shrunk."""
