"""The verbs `data check` and `data pack`: look at pictures before anything is trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from volute.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

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
    from volute.cli.show import live
    from volute.config import Config, parse_settings
    from volute.data import DataSettings, open_dataset

    class Settings(Config):
        data: DataSettings = DataSettings()

    settings = Settings.make(parse_settings(pairs or []))
    with live() as emit:
        return open_dataset(source, settings.data, size, emit)


def run_source(model: str) -> Path | None:
    """Return where the pictures of a run lie; None if `model` is no run, or they are gone."""
    from volute.training.run import Run

    if not (Path(model) / "config.toml").is_file():
        return None
    source = Path(Run(Path(model)).config.source)
    return source if source.exists() else None


def open_for(
    model: str, source: Path, size: int, channels: int, pairs: list[str] | None
) -> np.ndarray:
    """Return pictures uint8 [N, size, size, channels], cut as those that `model` learned from.

    A run knows how its pictures were cut and coloured; `pairs` of `-s` say it otherwise.

    Raises:
        UsageError: if they have another number of channels.
    """
    from volute.handles.pictures import MODES
    from volute.training.run import Run

    given = pairs or []
    if (Path(model) / "config.toml").is_file():
        data = Run(Path(model)).config.data
        given = [f"data.crop={data.crop}", f"data.mode={data.mode}", *given]
    elif not any(pair.startswith("data.mode") for pair in given):
        given = [f"data.mode={MODES[channels]}", *given]
    pictures = open_source(source, size, given).pictures
    if pictures.shape[-1] != channels:
        raise UsageError(
            f"{source} gives {pictures.shape[-1]} channels, the model has {channels}",
            f"Set the colours: -s data.mode={MODES[channels]}",
        )
    return pictures
