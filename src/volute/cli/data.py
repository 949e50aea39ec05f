"""The verbs `data check` and `data pack`: look at pictures before anything is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from volute.data import Dataset

SHOWN = 20

Source = Annotated[str, typer.Argument(help="Folder, zip, tar or npz; check: also shards.")]
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
      volute data check 's3://bucket/photos-{000000..000099}.tar'
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
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Write shards there: tars, as they are.")
    ] = None,
    shards: Annotated[int, typer.Option("--shards", min=1, help="Pictures in a tar.")] = 1000,
) -> None:
    """Pack pictures for training ahead of time; later trainings on them start at once.

    With -o a folder becomes shards, to be copied where it is trained, or to a bucket: pictures in
    mixed order, classes beside them. Nothing is resized.

    \b
    Examples:
      volute data pack photos/ --size 64
      volute data pack aerial.tar.gz --size 64 -s data.crop=tiles
      volute data pack photos/ -o shards/ --shards 1000
    """
    if out is not None:
        _pack_shards(Path(source), out, shards, set_ or [])
        return
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


def open_source(source: str | Path, size: int | None, pairs: list[str] | None) -> Dataset:
    """Open pictures with the settings of `-s data.key=value`, showing the progress of packing.

    Of shards, those are opened that a training looks at first.
    """
    from volute import data, evaluation
    from volute.cli.show import live
    from volute.config import parse_settings

    settings = parse_settings(pairs or [])
    with live() as emit:
        if data.is_shards(source):
            table = evaluation.data_settings(settings)
            return data.open_shards(str(source), table, size, emit)[1]
        return evaluation.open_source(source, size, settings, emit)


def _pack_shards(source: Path, out: Path, each: int, pairs: list[str]) -> None:
    from volute import evaluation
    from volute.cli.show import live
    from volute.config import parse_settings
    from volute.data.tars import write_shards
    from volute.errors import UsageError

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not empty", "Choose another -o")
    labels = evaluation.data_settings(parse_settings(pairs)).labels
    with live() as emit:
        packed = write_shards(source, out, each, labels, emit)
    typer.echo(f"{packed.pictures:,} pictures, {len(packed.classes)} classes")
    typer.echo("\n".join([f"left out: {line}" for line in packed.left_out[:SHOWN]]) or "all taken")
    typer.echo(f"volute train gan '{packed.pattern}'")
