"""`volute bench`: measures that take a while, each by a protocol that others can repeat."""

from __future__ import annotations

import typer

from volute.cli import stacked_mnist


def register(app: typer.Typer) -> None:
    """Add the group `bench` with its verbs."""
    group = typer.Typer(no_args_is_help=True, help="Measure by a protocol that others can repeat.")
    stacked_mnist.register(group)
    app.add_typer(group, name="bench")
