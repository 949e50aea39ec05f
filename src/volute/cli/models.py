"""`volute models` and `volute info`: what there is, and what it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

import typer

from volute.cli.sample import AsJson, ModelRef

COLUMNS = ("name", "kind", "size", "classes", "parameters", "trained on")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(models)
    app.command()(info)


def models(as_json: AsJson = False) -> None:
    """List the models that ship with volute.

    \b
    Examples:
      volute models
      volute models --json
    """
    from volute.engine.artefact import open_artefact
    from volute.zoo import shipped

    configs = [open_artefact(path).config for path in shipped().values()]
    if as_json:
        typer.echo(json.dumps([config.model_dump(mode="json") for config in configs], indent=2))
        return
    rows = [
        (
            config.name,
            config.descriptor.kind,
            f"{config.descriptor.size} px" if config.descriptor.size else "any",
            str(len(config.classes) or "-"),
            f"{config.descriptor.parameters:,}",
            config.descriptor.training_data,
        )
        for config in configs
    ]
    show(COLUMNS, rows)


def info(model: ModelRef, as_json: AsJson = False) -> None:
    """Tell what a model is.

    Its size, cost, classes, training data, licence and measures.

    \b
    Examples:
      volute info garments-gan
      volute info runs/photos-1 --json
    """
    from volute.engine.artefact import open_artefact
    from volute.engine.card import facts
    from volute.zoo import resolve

    artefact = open_artefact(resolve(model))
    config, metrics = artefact.config, artefact.metrics()
    if as_json:
        values = {**config.model_dump(mode="json"), "metrics": metrics, "path": str(artefact.path)}
        typer.echo(json.dumps(values, indent=2))
        return
    rows = {
        "name": config.name,
        **facts(config),
        "preset": config.preset,
        "trained on": config.descriptor.training_data,
        "licence": config.descriptor.licence,
        "made": f"{config.created} by volute {config.volute}",
        **{f"measured {key}": f"{value:.4g}" for key, value in metrics.items()},
        "folder": str(artefact.path),
    }
    show(("", ""), list(rows.items()))


def show(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a rich table on a terminal, else as plain columns two spaces apart."""
    if sys.stdout.isatty():
        _show_rich(header, rows)
        return
    lines = [header, *rows] if any(header) else rows
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


def _show_rich(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, show_header=any(header), pad_edge=False)
    for title in header:
        table.add_column(title, header_style="bold", overflow="fold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    Console().print(table)
