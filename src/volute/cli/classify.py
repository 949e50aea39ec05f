"""`volute classify`: what pictures show, or of which class texts are, with probabilities."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from volute.cli.batch import ClusterOption, ShardOption, each, part_of
from volute.cli.engines import EngineOption
from volute.cli.sample import AsJson, ModelRef
from volute.errors import DataError, UsageError, printable

if TYPE_CHECKING:
    from volute.cluster.task import Lost
    from volute.engine.session import Engine
    from volute.engine.shard import Shard
    from volute.events import Emit
    from volute.handles import Classifier, Prediction, TextClassifier


STDIN = Path("-")
SHOWN = 80
"""Bytes by which a line is called."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(classify)


def classify(
    model: ModelRef,
    files: Annotated[list[Path], typer.Argument(metavar="FILE", help="Files or folders.")],
    top: Annotated[int, typer.Option("--top", help="How many classes to name.")] = 3,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help="Abstain under this probability; default: the model's."),
    ] = None,
    engine: EngineOption = None,
    shard: ShardOption = None,
    cluster: ClusterOption = None,
    as_json: AsJson = False,
) -> None:
    """Tell what pictures show, or of which class texts are.

    One line a file: the class, its probability, and the next likely ones. Where the probability
    is under the threshold the model abstains and the line says unsure. A file that cannot be
    read is named, the others are done, and the exit code is 1. For a model of texts, - stands for
    texts from standard input, one a line.

    \b
    Examples:
      volute classify garments-classify shirt.png
      volute classify runs/photos-1 photos/ --top 5
      volute classify garments-classify *.png --json
      volute classify runs/questions-1 - < questions.txt
    """
    from volute.cli.engines import engine_for
    from volute.cluster.task import Lost
    from volute.handles import TextClassifier

    task = Classifying(model, engine_for(model, engine), top, threshold)
    handle, failed = task.opened(), 0
    items = _given(files, isinstance(handle, TextClassifier), part_of(shard))
    for (name, given), found in each(task, items, cluster, "files", handle):
        if isinstance(found, Lost):
            failed += 1
            typer.echo(printable(f"failed   {name}: {found.reason}"), err=True)
            continue
        typer.echo(json.dumps(_record(given, found)) if as_json else _line(name, found))
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Classifying:
    """What is done to each file or text: see `cluster.task.Task`."""

    model: str
    engine: Engine | None
    top: int
    threshold: float | None

    def opened(self) -> Classifier | TextClassifier:
        """Return the model.

        Raises:
            UsageError: if it knows no classes.
        """
        from volute.handles import Classifier, TextClassifier, load

        handle = load(self.model, engine=self.engine)
        if not isinstance(handle, Classifier | TextClassifier):
            what = f"{handle.info.name} cannot classify: it is a {handle.info.descriptor.kind}"
            raise UsageError(what, "Use a classifier.")
        return handle

    def how(self, tool: Classifier | TextClassifier) -> str:
        """Name model and settings."""
        told = [tool.info.name, tool.info.created, str(tool.engine()), self.top, self.threshold]
        return json.dumps(told)

    def do(
        self, tool: Classifier | TextClassifier, item: tuple[str, Path | bytes], emit: Emit
    ) -> Prediction | Lost:
        """Return its class, or why it could not be read."""
        from volute.cluster.task import Lost

        try:
            return tool.classify(cast("Any", item[1]), top=self.top, threshold=self.threshold)
        except DataError as error:
            return Lost(_reason(error))


def _given(
    files: list[Path], texts: bool, part: Shard | None
) -> Iterator[tuple[str, Path | bytes]]:
    """Yield what each is called and the file, or the text where it is a line of standard input."""
    for path, name in _files(files):
        if texts and path == STDIN:
            for number, line in enumerate(sys.stdin.buffer):
                text = line.rstrip(b"\r\n")
                if part is None or number % part.parts == part.part - 1:
                    yield text[:SHOWN].decode("utf-8", "replace"), text
        elif part is None or part.has(name):
            yield str(path), path


def _files(files: list[Path]) -> Iterator[tuple[Path, str]]:
    """Yield the files that are named, and those in the folders that are named, in order.

    Each comes with its name in the folder.
    """
    for path in files:
        if not path.is_dir():
            yield path, path.name
            continue
        inside = sorted(file for file in path.rglob("*") if file.is_file())
        if not inside:
            raise UsageError(f"{path} is an empty folder")
        yield from ((file, file.relative_to(path).as_posix()) for file in inside)


def _reason(error: DataError) -> str:
    return getattr(error, "reason", error.what)


def _record(given: Path | bytes, found: Prediction) -> dict[str, Any]:
    file = isinstance(given, Path)
    what = {"file": str(given)} if file else {"text": given.decode("utf-8", "replace")}
    return {**what, **dataclasses.asdict(found)}


def _line(name: str, found: Prediction) -> str:
    said = found.label if found.certain else f"unsure ({found.label}?)"
    rest = " · ".join(f"{label} {chance:.1%}" for label, chance in found.ranking[1:])
    return printable(
        f"{name}  {said}  {found.probability:.1%}" + (f"  then {rest}" if rest else "")
    )
