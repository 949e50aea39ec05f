"""`volute evaluate`: how good a generator is, in numbers that say how sure they are."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from volute.cli.data import Set
from volute.cli.sample import AsJson, Overwrite, Seed
from volute.errors import UsageError

if TYPE_CHECKING:
    from volute.evaluation import Trial
    from volute.measure.evaluation import Evaluation

COLUMNS = ("measure", "samples", "95 % interval", "real pictures", "better")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(evaluate)


def evaluate(
    made: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A shipped model, a run, an artefact, or pictures made elsewhere."
        ),
    ],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="The real pictures.")],
    extractor: Annotated[
        str, typer.Option("--extractor", help="eye, a file.onnx, or inception-v3 (a download).")
    ] = "eye",
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Compare pictures of the same name, one by one.")
    ] = False,
    n: Annotated[int, typer.Option("-n", help="How many samples to measure.")] = 10_000,
    seed: Seed = 0,
    set_: Set = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for a page with the pictures.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Measure samples of a model against real pictures.

    Frechet distance, KID, precision, recall, density, coverage, Vendi score and near copies, for a
    VAE also bits per dimension, each with a 95 % interval and beside it what as many real
    pictures get. On the features of eye, which ships with volute, the distance is called FD-eye;
    only on those of inception-v3 is it an FID. With -o, a page shows the pictures behind the
    numbers: the samples nearest to a real picture, the best and the worst, and real pictures that
    no sample comes near.

    With --pairs, MODEL and DATA are two pictures or two folders: PSNR, SSIM, MS-SSIM and the
    perceptual distance of each pair of pictures of the same name.

    \b
    Examples:
      volute evaluate garments-gan fashion_mnist.npz
      volute evaluate runs/photos-1 photos/ -n 2048 -o report/
      volute evaluate made-elsewhere/ photos/ --extractor trunk.onnx
      volute evaluate restored/ originals/ --pairs --json
    """
    from volute import evaluation
    from volute.cli import pairs as paired
    from volute.cli.evaluate_report import write_report
    from volute.cli.outputs import choose_folder
    from volute.cli.show import live
    from volute.config import parse_settings

    if pairs:
        if out or set_:
            raise UsageError("--pairs takes neither -o nor -s", "Keep its lines: --json > FILE")
        paired.tell(Path(made), data, extractor, as_json)
        return
    folder = choose_folder(out, "", overwrite) if out else None
    settings = parse_settings(set_ or [])
    features = evaluation.open_features(extractor, _agree)
    with live() as emit:
        trial = evaluation.trial(made, data, features, n=n, seed=seed, settings=settings, emit=emit)
    found = trial.found
    if folder:
        write_report(folder, trial)
    if as_json:
        values = dataclasses.asdict(found) | {"biased": found.biased, "model": trial.samples.name}
        typer.echo(json.dumps(values, indent=2, allow_nan=False))
        return
    _tell(trial)
    if folder:
        typer.echo(f"page     {folder / 'index.html'}    Open it in a browser.")


def _agree(text: str) -> bool:
    """Show the terms of a download and ask; where there is no terminal, that means no."""
    typer.echo(text, err=True)
    return sys.stdin.isatty() and typer.confirm("Download it?", err=True)


def _tell(trial: Trial) -> None:
    from volute.cli.models import show

    found = trial.found
    biased = "  biased: under 2,048 samples, compare at equal n only" if found.biased else ""
    typer.echo(
        f"{trial.samples.name} against {trial.real.name}: {found.n:,} pictures of each{biased}"
    )
    typer.echo(f"near copies were searched among {found.searched:,} real pictures")
    typer.echo(f"features {found.extractor}, sha256 {found.sha256[:16]}")
    show(COLUMNS, table(found))


def table(found: Evaluation) -> list[tuple[str, ...]]:
    """Return a row of words for each measure, in the order of COLUMNS."""
    rows: list[tuple[str, ...]] = []
    for index, measure in enumerate(found.measures):
        biased = " (biased)" if found.biased and not index else ""
        floor = "-" if measure.floor is None else _number(measure.floor)
        interval = f"{_number(measure.low)} to {_number(measure.high)}"
        value = _number(measure.value)
        rows.append((measure.name + biased, value, interval, floor, measure.better))
    return rows


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
