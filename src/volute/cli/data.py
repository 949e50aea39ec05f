"""The verbs `data check` and `data pack`: look at pictures before anything is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from volute.data import Dataset

SHOWN = 20

Source = Annotated[Path, typer.Argument(help="Folder, zip, tar or npz.")]
Size = Annotated[int | None, typer.Option(help="Side in px; by default from the data.")]
Set = Annotated[list[str] | None, typer.Option("-s", "--set", help="key=value, as data.mode=L")]


def check(
    source: Source,
    size: Size = None,
    set_: Set = None,
    json: Annotated[bool, typer.Option("--json", help="The whole report as JSON.")] = False,
) -> None:
    """Read every picture; say what is there, what is done with it, what is left out and why.

    \b
    Examples:
      volute data check photos/
      volute data check photos.zip --size 128 --json
      volute data check aerial/ -s data.crop=tiles
    """
    report = open_source(source, size, set_).report
    if json:
        typer.echo(report.model_dump_json(indent=2))
        return
    for line in report.lines():
        typer.echo(line)
    left_out = report.left_out_lines()
    if left_out:
        typer.echo("left out:")
        typer.echo("\n".join(left_out[:SHOWN]))
    if len(left_out) > SHOWN:
        typer.echo(f"  and {len(left_out) - SHOWN} more: --json lists all")


def pack(
    source: Source,
    size: Size = None,
    set_: Set = None,
) -> None:
    """Pack pictures for training ahead of time; later trainings on them start at once.

    \b
    Examples:
      volute data pack photos/ --size 64
      volute data pack aerial.tar.gz --size 64 -s data.crop=tiles
    """
    dataset = open_source(source, size, set_)
    for line in dataset.report.lines():
        typer.echo(line)
    typer.echo(f"packed: {dataset.pictures.nbytes / 1e6:.1f} MB in {dataset.folder}")


def register(app: typer.Typer) -> None:
    """Add the group `data` with its verbs."""
    group = typer.Typer(no_args_is_help=True, help="Check and pack pictures to learn from.")
    group.command()(check)
    group.command()(pack)
    app.add_typer(group, name="data")


def open_source(source: Path, size: int | None, pairs: list[str] | None) -> Dataset:
    """Open pictures with the settings of `-s data.key=value`, showing the progress of packing."""
    from volute import evaluation
    from volute.cli.show import live
    from volute.config import parse_settings

    with live() as emit:
        return evaluation.open_source(source, size, parse_settings(pairs or []), emit)
