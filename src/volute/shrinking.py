"""A new run whose network is narrower than a model's, and learns from it: what `shrink` calls."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from volute import jobs
from volute.config import merged
from volute.engine.artefact import Artefact, open_artefact
from volute.errors import UsageError
from volute.events import Emit, Note, silent
from volute.nets.style_net import StyleNet
from volute.recipes.gan_networks import generator
from volute.recipes.gan_settings import GanSettings
from volute.recipes.style_graphs import style_graphs
from volute.recipes.style_settings import StyleSettings
from volute.recipes.upscale_settings import UpscaleSettings
from volute.training.export import cost
from volute.training.recipe import DataFacts, Graph
from volute.training.run import Run
from volute.zoo import resolve

PLACE = ("size", "data", "licence")
"""Of a run's configuration, what its pictures are read by, and may be used for."""
SIDE = 512
"""Of a picture by which the cost of a stylizer is told, in px: what is measured of one at most."""


@dataclass(frozen=True)
class Widths:
    """How wide a network is, may be instead, and what it costs then."""

    now: int
    narrower: range
    macs: Callable[[int], float]
    """Multiply-adds, up to a factor that all widths have in common."""
    beside: Callable[[int], str] = lambda _: ""
    """What else runs, in words."""


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
    """Train a network of about `to` of the multiply-adds of another, from its channels.

    It begins with those that count most, and learns from pictures and from what the large one makes
    of them, by the usual loop; its card says what was lost. A stylizer keeps its styles and how it
    reads paintings; `to` is of what runs over each picture.

    Args:
        ref: of an upscaler, GAN or stylizer: a run, a model's folder or a shipped name.
        data: the pictures, of a stylizer those that it paints; None for those of a run.
        to: share of the multiply-adds, in (0, 1).
        time: as for `volute.train`.
        kimg: likewise.
        out: likewise.
        settings: likewise; `styles` are paintings that a stylizer learns beside those it knows.
        emit: likewise.
        stop: likewise.

    Raises:
        UsageError: for another kind of model, a share that none has, or without pictures.
        DataError: if the pictures cannot be used.
    """
    artefact = open_artefact(resolve(ref))
    if not 0 < to < 1:
        raise UsageError(f"--to {to:g}x is no smaller network", "Give a share such as 0.5x.")
    narrower = _narrower(artefact, to, emit)
    source, told = data, {}
    if (Path(ref) / "config.toml").is_file():
        config = Run.open(Path(ref)).config
        told = config.model_dump(include=set(PLACE))
        source = source or config.source
        if "styles" in narrower:
            paintings = config.settings.get("styles", ())
            told["styles"] = [file for file in paintings if Path(file).is_file()]
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


def _narrower(artefact: Artefact, share: float, emit: Emit) -> dict[str, Any]:
    """Return the settings of the narrower network, and tell its width."""
    config, about = artefact.config, artefact.config.descriptor
    if about.kind not in WIDTHS or config.settings.get("networks") == "classic":
        what = f"{config.name} cannot be shrunk: it is of kind {about.kind}"
        hint = "Upscalers, modern GANs and stylizers can; train another with -s width=."
        raise UsageError(what, hint)
    width = _chosen(config.name, WIDTHS[about.kind](artefact), share, emit)
    told = {**config.settings, "width": width, "teacher": str(artefact.path)}
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[about.channels]
    if about.kind == "gan":
        return {**told, "data": {"mode": mode, "labels": bool(config.classes)}}
    told |= {"start": "", "data": {"crop": "tiles", "mode": mode}}
    return told | (NO_FILES if about.kind == "style" else {})


def _chosen(name: str, widths: Widths, share: float, emit: Emit) -> int:
    """Return the width whose cost is nearest to a share, and tell it."""
    if not widths.narrower:
        raise UsageError(f"{name} is as narrow as can be", "Use it as it is.")
    whole = widths.macs(widths.now)
    shares = {width: widths.macs(width) / whole for width in widths.narrower}
    least = min(shares.values())
    if share < least:
        what = f"{name} has no network of {share:g}x: the narrowest has {least:.2f}x"
        raise UsageError(what, f"Give --to {math.ceil(100 * least) / 100:g}x or more.")
    width = min(shares, key=lambda width: abs(shares[width] - share))
    told = f"{widths.now} -> {width} channels, {shares[width]:.2f}x of the multiply-adds"
    emit(Note("width", told + widths.beside(width)))
    return width


def _of_upscaler(artefact: Artefact) -> Widths:
    about, old = artefact.config.descriptor, UpscaleSettings.make(artefact.config.settings)
    outer = about.channels * (1 + old.scale**2) + old.robust
    pairs = 2 * old.blocks
    return Widths(old.width, range(8, old.width), lambda w: outer * w + pairs * w**2)


def _of_generator(artefact: Artefact) -> Widths:
    """Try widths: few channels are never halved further, so the cost has no formula."""
    about, old = artefact.config.descriptor, GanSettings.make(artefact.config.settings)
    facts = DataFacts(about.size, about.channels, len(artefact.config.classes), 0)

    def macs(width: int) -> float:
        with torch.device("meta"):
            network = generator(old.model_copy(update={"width": width}), facts)
            inputs = {"latent": torch.zeros(1, old.latent)}
            if facts.classes:
                inputs["label"] = torch.zeros(1, dtype=torch.int64)
        return cost([Graph("generator", network.eval(), inputs, "picture")])[1]

    return Widths(old.width, range(16, old.width, 8), macs)


def _of_stylizer(artefact: Artefact) -> Widths:
    """Take what paints; what measures a picture is told beside it."""
    old = StyleSettings.make(artefact.config.settings | NO_FILES)

    def macs(width: int, role: str = "stylizer") -> float:
        with torch.device("meta"):
            net = StyleNet(old.code, width, old.blocks, old.bank, styles=0)
            graphs = style_graphs(net, torch.zeros(1, old.code), SIDE)
        return cost([graph for graph in graphs if graph.role == role])[1]

    def beside(width: int) -> str:
        before, after = (macs(w, "modulator") / 1e9 for w in (old.width, width))
        encoder = f", its style {macs(width, 'encoder') / 1e9:.2f} G as before"
        told = f"; a picture of {SIDE} px is measured once by {before:.2f} -> {after:.2f} G"
        return told + (encoder if old.encoder else "")

    return Widths(old.width, range(8, old.width, 4), macs, beside)


NO_FILES: dict[str, Any] = {"start": "", "tutor": "", "vgg": "", "styles": []}
"""What of a stylizer's settings names files that were there when it was made."""
WIDTHS: dict[str, Callable[[Artefact], Widths]] = {
    "upscale": _of_upscaler,
    "gan": _of_generator,
    "style": _of_stylizer,
}
"""Gives the widths of the kinds that can be shrunk."""
