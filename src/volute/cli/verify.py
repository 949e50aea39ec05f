"""`volute verify`: what files tell of their origin."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from volute.cli.sample import AsJson
from volute.errors import DataError, printable

if TYPE_CHECKING:
    from volute.provenance.text_mark import Found

CERTAIN = 1e-5
"""p-value up to which a mark counts as found."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(verify)


def verify(
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Texts in UTF-8.")],
    as_json: AsJson = False,
) -> None:
    """Look for the mark that volute leaves in the texts that it writes.

    It needs no model. p is how likely a text without the mark is to show as much of it; up to
    1e-05 the mark counts as found. No evidence does not mean that a person wrote it: other programs
    leave no such mark, and rewriting removes it. Only texts are read as yet: any other file is
    named, the others are done, and the exit code is 1.

    \b
    Examples:
      volute verify letter.txt
      volute verify texts/*.txt --json
    """
    from volute.provenance import verify as look

    failed = 0
    for file in files:
        try:
            mark = look(file).watermark
        except DataError as error:
            failed += 1
            typer.echo(printable(f"failed   {error.what}"), err=True)
            continue
        if as_json:
            record = {"found": mark.p_value <= CERTAIN, **dataclasses.asdict(mark)}
            typer.echo(json.dumps({"file": str(file), "watermark": record}))
            continue
        if len(files) > 1:
            typer.echo(printable(str(file)))
        typer.echo(f"watermark   {_told(mark)}")
    if failed:
        raise typer.Exit(1)


def _told(mark: Found) -> str:
    seen = f"p = {mark.p_value:.1g} over {mark.counted:,} places"
    if mark.p_value <= CERTAIN:
        return f"{seen}: written, at least in part, by a volute model with the public key"
    return f"no evidence ({seen})" if mark.counted else "no evidence (the text is too short)"
