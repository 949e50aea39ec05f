"""`volute classify`: what pictures show, with probabilities."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from volute.cli.sample import AsJson, ModelRef
from volute.errors import DataError, UsageError, printable

if TYPE_CHECKING:
    from volute.handles import Prediction


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(classify)


def classify(
    model: ModelRef,
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Files or folders.")],
    top: Annotated[int, typer.Option("--top", help="How many classes to name.")] = 3,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Abstain under this probability; default: the model's."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Tell what pictures show.

    One line a picture: the class, its probability, and the next likely ones. Where the probability
    is under the threshold the model abstains and the line says unsure. A picture that cannot be
    read is named, the others are done, and the exit code is 1.

    \b
    Examples:
      volute classify garments-classify shirt.png
      volute classify runs/photos-1 photos/ --top 5
      volute classify garments-classify *.png --json
    """
    from volute.handles import Classifier, load

    handle = load(model)
    if not isinstance(handle, Classifier):
        kind = handle.info.descriptor.kind
        raise UsageError(f"{handle.info.name} cannot classify: it is a {kind}", "Use a classifier.")
    failed = 0
    for picture in _files(pictures):
        try:
            found = handle.classify(picture, top=top, threshold=threshold)
        except DataError as error:
            failed += 1
            typer.echo(printable(f"failed   {picture}: {_reason(error)}"), err=True)
            continue
        line = json.dumps(_record(picture, found)) if as_json else _line(picture, found)
        typer.echo(line)
    if failed:
        raise typer.Exit(1)


def _files(pictures: list[Path]) -> Iterator[Path]:
    """Yield the files that are named, and those in the folders that are named, in order."""
    for path in pictures:
        if not path.is_dir():
            yield path
            continue
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        if not inside:
            raise UsageError(f"{path} is an empty folder")
        yield from inside


def _reason(error: DataError) -> str:
    return getattr(error, "reason", error.what)


def _record(picture: Path, found: Prediction) -> dict[str, Any]:
    return {"file": str(picture), **dataclasses.asdict(found)}


def _line(picture: Path, found: Prediction) -> str:
    said = found.label if found.certain else f"unsure ({found.label}?)"
    rest = " · ".join(f"{label} {chance:.1%}" for label, chance in found.ranking[1:])
    return printable(
        f"{picture}  {said}  {found.probability:.1%}" + (f"  then {rest}" if rest else "")
    )
