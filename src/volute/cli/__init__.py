"""The `volute` command. Each file here is one group of verbs; it imports what is heavy on use."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import volute
from volute.cli import (
    bench,
    classify,
    data,
    demo,
    evaluate,
    features,
    keys,
    models,
    sample,
    studio,
    stylize,
    train,
    upscale,
    verify,
    write,
)
from volute.errors import VoluteError, printable

HELP = """Convolutional generative models: train them on your own pictures, run them anywhere.

\b
  volute train gan photos/ --time 30m         learn a folder of pictures
  volute sample garments-gan -n 16 --grid     make pictures, here with a shipped model
  volute COMMAND --help                       examples of each command
"""

app = typer.Typer(
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for group in (
    train,
    data,
    sample,
    classify,
    features,
    upscale,
    stylize,
    write,
    verify,
    evaluate,
    models,
    keys,
    bench,
    demo,
    studio,
):
    group.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"volute {volute.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Hold the options that stand before every verb."""


def main() -> None:
    """Run the command line and end with its exit code; an error is told in two lines."""
    try:
        app(prog_name="volute")
    except VoluteError as error:
        if error.what:  # else another process of a training has told it
            typer.echo(printable(f"error: {error.what}"), err=True)
        for line in printable(error.hint).splitlines():
            typer.echo(f"  {line}", err=True)
        sys.exit(error.exit_code)
