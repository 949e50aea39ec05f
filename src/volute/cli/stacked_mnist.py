"""`volute bench stacked-mnist`: does a generator collapse? Counted on 1,000 known modes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from volute.cli.sample import AsJson, Seed
from volute.errors import UsageError

if TYPE_CHECKING:
    from volute.measure.modes import Modes
    from volute.stacked_mnist import Score

COLUMNS = ("", "modes of 1,000", "KL in nats", "low confidence")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("stacked-mnist")(stacked_mnist)


def stacked_mnist(
    data: Annotated[
        Path, typer.Option("--data", help="Digits: x_train, y_train, x_test, y_test.")
    ] = Path("mnist.npz"),
    preset: Annotated[
        str | None, typer.Option("--preset", help="tiny small base large classic")
    ] = None,
    time: Annotated[str | None, typer.Option("--time", help="To learn; default: 60m.")] = None,
    seed: Seed = 0,
    device: Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda or mps.")] = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="MODEL", help="Measure this model instead.")
    ] = None,
    out: Annotated[
        Path,
        typer.Option("-o", "--out", help="Folder for all that is made; it can be gone on with."),
    ] = Path("runs/stacked-mnist"),
    as_json: AsJson = False,
) -> None:
    """Train a GAN on stacked digits and count the modes that it reaches.

    Three random digits lie in the colour channels of each picture, so there are 1,000 modes. A GAN
    learns 128,000 of these triples without labels; of 26,000 samples a classifier names the digits.
    Modes are distinct triples seen, KL is the divergence from the uniform distribution over those
    that are seen, low confidence the share of samples with a digit under 0.9. Beside them stands
    what as many real triples get. Both networks learn from x_train alone.

    What is done lies in the folder: the same command goes on where it was stopped, and several
    presets or seeds share triples and classifier.

    \b
    Examples:
      volute bench stacked-mnist --data mnist.npz --time 60m
      volute bench stacked-mnist --data mnist.npz --preset classic
      volute bench stacked-mnist --data mnist.npz --run runs/mine --json
    """
    from volute.cli.show import live, shown_path
    from volute.stacked_mnist import StackedMnist

    if run and (preset or time or device):
        raise UsageError("--run measures what is there", "Leave --preset, --time and --device out.")
    try:
        with live() as emit:
            bench = StackedMnist(data, out, emit)
            given = (preset or "auto", time or "60m", seed, device or "auto")
            score = bench.measure(run or bench.train(*given), seed)
    except KeyboardInterrupt:
        typer.echo(f"^C       what is done lies in {shown_path(out)}", err=True)
        typer.echo("         Go on: the same command again", err=True)
        raise typer.Exit(130) from None
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(score), indent=2, allow_nan=False))
        return
    _tell(score)


def _tell(score: Score) -> None:
    from volute.cli.models import show

    n = f"{score.samples.n:,}"
    rows = [
        _row(f"{score.model}, {n} samples", score.samples),
        _row(f"{n} real triples, by the classifier", score.real_named),
        _row("the same, by their labels", score.real),
    ]
    show(COLUMNS, rows)
    typer.echo(f"classifier  {score.accuracy:.2%} of x_test right, learned from x_train alone")
    if score.images is not None:
        typer.echo(f"learned     {score.images:,} images in {score.seconds:,.0f} s")
        typer.echo(f"on          {score.hardware}")


def _row(name: str, found: Modes) -> tuple[str, str, str, str]:
    unclear = "-" if found.low_confidence is None else f"{found.low_confidence:.1%}"
    return name, f"{found.modes:,}", f"{found.kl:.4f}", unclear
