"""Export: a run as a model, a model as a smaller one or as a page; what the command line calls."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from volute import jobs, learned
from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.events import Emit, Note, Saved, silent
from volute.training.device import choose
from volute.training.loop import Loop
from volute.training.package import package
from volute.training.run import Run
from volute.training.smaller import Form, smaller
from volute.training.trials import of_feed, of_source, pictured
from volute.web.folder import write_page
from volute.zoo import resolve


def export_run(
    path: str | Path,
    out: str | Path | None = None,
    *,
    forms: Sequence[Form] = (),
    emit: Emit = silent,
) -> Run:
    """Export the newest state of a run to `out`, a new folder; by default its own `model/`.

    Args:
        path: the run's folder.
        out: the folder to make.
        forms: `int8`, `float16`: see `training.smaller`.
        emit: is told what was saved.

    Raises:
        UsageError: if the run has no state, or the kind has no such form.
        VoluteError: if it loses more than the kind may.
    """
    run = Run.open(Path(path))
    config = run.config
    jobs.check_free(out)
    feed = learned.opened(config, emit)
    if changed := learned.changed(run, config, feed):
        raise changed
    recipe = jobs.recipe_of(config, feed, choose("cpu", "float32"))
    loop = Loop(run, config, recipe, feed, emit, jobs.never)
    if not loop.counters.shown:
        raise UsageError(f"{run.path} has no state yet", f"Run: volute resume {run.path}")
    target = Path(out) if out else run.model
    if forms:
        with tempfile.TemporaryDirectory() as name:
            package(loop, Path(name) / "model")
            artefact = open_artefact(Path(name) / "model")
            smaller(artefact, target, forms, of_feed(feed) if pictured(artefact) else None, emit)
    else:
        package(loop, target)
    emit(Saved(target, "model"))
    return run


def export_model(
    ref: str | Path,
    out: str | Path | None,
    *,
    forms: Sequence[Form],
    data: str | Path | None = None,
    emit: Emit = silent,
) -> None:
    """Make a smaller model of a model, in `out`, a new folder.

    Args:
        ref: a shipped name, or a model's folder.
        out: the folder to make.
        forms: as for `export_run`.
        data: pictures by which it is calibrated and measured, where the kind needs some: a folder,
            zip, tar or npz, those of a classifier in the same classes; None for `scenes`, drawn
            ones.
        emit: is told what was saved.

    Raises:
        UsageError: without `out`, or as `export_run`.
        DataError: if the pictures cannot be used.
        VoluteError: if it loses more than the kind may.
    """
    artefact = open_artefact(resolve(ref))
    if out is None:
        raise UsageError(f"{artefact.config.name} stays as it is", "Say where to: -o FOLDER")
    jobs.check_free(out)
    examples = of_source(artefact, data, emit) if pictured(artefact) else None
    smaller(artefact, Path(out), forms, examples, emit)
    emit(Saved(Path(out), "model"))


def export_page(
    ref: str | Path,
    out: str | Path | None,
    *,
    forms: Sequence[Form] = (),
    data: str | Path | None = None,
    emit: Emit = silent,
) -> None:
    """Make a page that runs an upscaler or a stylizer in a browser, in `out`, a new folder.

    Args:
        ref: a shipped name, a run that has a model, or a model's folder.
        out: the folder to make.
        forms: made of it first, where it has none yet; with `int8` the page runs that. See
            `export_model`.
        data: as for `export_model`.
        emit: is told what was saved.

    Raises:
        UsageError: without `out`, or if the model has no page.
    """
    artefact = open_artefact(resolve(ref))
    if out is None:
        raise UsageError("a page needs a folder of its own", "Say where to: -o FOLDER")
    jobs.check_free(out)
    made = [form for form in forms if form not in artefact.config.graphs]
    with tempfile.TemporaryDirectory() as name:
        if made:
            export_model(ref, Path(name) / "model", forms=made, data=data, emit=emit)
            artefact = open_artefact(Path(name) / "model")
        write_page(artefact, Path(out), "int8" in forms)
    emit(Saved(Path(out), "page"))
    emit(Note("next", f"cd {out} && npm install && python3 -m http.server 8000"))
