"""A new run whose network is narrower than a model's, and learns from it: what `shrink` calls."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from volute import jobs
from volute.engine.artefact import Artefact, open_artefact
from volute.errors import UsageError
from volute.events import Emit, Note, silent
from volute.nets.narrow import width_for
from volute.recipes.upscale import UpscaleSettings
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
    """Train a network of about `to` of the multiply-adds of an upscaler, from its channels.

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
        size=told.pop("size", None),
        time=time,
        kimg=kimg,
        out=out,
        settings=narrower | told | (settings or {}),
        emit=emit,
        stop=stop,
    )


def _narrower(artefact: Artefact, share: float) -> dict[str, Any]:
    """Return the settings of the narrower network."""
    config, about = artefact.config, artefact.config.descriptor
    if about.kind != "upscale":
        what = f"{config.name} cannot be shrunk: it is of kind {about.kind}"
        raise UsageError(what, "Upscalers can; train another with a smaller -s width=.")
    old = UpscaleSettings.make(config.settings)
    outer = about.channels * (1 + old.scale**2) + old.robust
    width = width_for(share, old.width, old.blocks, outer)
    mode = {1: "L", 3: "RGB"}[about.channels]
    told = {**config.settings, "start": "", "width": width, "teacher": str(artefact.path)}
    return {**told, "data": {"crop": "tiles", "mode": mode}}
