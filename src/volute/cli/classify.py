"""`volute classify`: what pictures show, or of which class texts are, with probabilities."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from volute.cli.batch import ClusterOption, Inputs, ShardOption, each, part_of
from volute.cli.engines import EngineOption
from volute.cli.sample import AsJson, ModelRef
from volute.errors import DataError, UsageError, printable

if TYPE_CHECKING:
    from volute.cluster.task import Lost
    from volute.engine.session import Engine
    from volute.engine.shard import Shard
    from volute.engine.sources import Source
    from volute.events import Emit
    from volute.handles import Classifier, Prediction, TextClassifier


STDIN = "-"
SHOWN = 80
"""Bytes by which a line is called."""
TEXTS = (".txt", ".md")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(classify)


def classify(
    model: ModelRef,
    files: Inputs,
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
      volute classify garments-classify https://host/clothes/ --shard 1/4
      volute classify runs/questions-1 - < questions.txt
    """
    from volute.cli.engines import engine_for
    from volute.cluster.task import Lost
    from volute.handles import TextClassifier

    task = Classifying(model, engine_for(model, engine), top, threshold)
    handle, failed = task.opened(), 0
    items = _given(files, isinstance(handle, TextClassifier), part_of(shard))
    for item, found in each(task, items, cluster, "files", handle):
        if isinstance(found, Lost):
            failed += 1
            typer.echo(printable(f"failed   {_name(item)}: {found.reason}"), err=True)
            continue
        typer.echo(json.dumps(_record(item, found)) if as_json else _line(_name(item), found))
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
            what = (
                f"{handle.info.name} cannot classify: it is of kind {handle.info.descriptor.kind}"
            )
            raise UsageError(what, "Use a classifier.")
        return handle

    def how(self, tool: Classifier | TextClassifier) -> str:
        """Name model and settings."""
        told = [tool.info.name, tool.info.created, str(tool.engine()), self.top, self.threshold]
        return json.dumps(told)

    def do(
        self, tool: Classifier | TextClassifier, item: Source | bytes, emit: Emit
    ) -> Prediction | Lost:
        """Return the class of a file or text, or why it could not be read."""
        from volute.cluster.task import Lost

        how = {"top": self.top, "threshold": self.threshold}
        try:
            if isinstance(item, bytes):
                return tool.classify(cast("Any", item), **how)
            with item.at_hand() as file:
                return tool.classify(cast("Any", file), **how)
        except DataError as error:
            return Lost(_reason(str(item), error))


def _given(files: list[str], texts: bool, part: Shard | None) -> Iterator[Source | bytes]:
    """Yield the files, or the text where it is a line of standard input."""
    from volute.cli.show import tell
    from volute.engine.inputs import gathered
    from volute.media.families import PHOTOS

    for name in files:
        if texts and name == STDIN:
            for number, line in enumerate(sys.stdin.buffer):
                if part is None or number % part.parts == part.part - 1:
                    yield line.rstrip(b"\r\n")
            continue
        for item in gathered([name], takes=TEXTS if texts else PHOTOS, emit=tell):
            if part is None or part.has(item.name.as_posix()):
                yield item.source


def _name(item: Source | bytes) -> str:
    return item[:SHOWN].decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _reason(name: str, error: DataError) -> str:
    return getattr(error, "reason", error.what.removeprefix(f"{name}: "))


def _record(item: Source | bytes, found: Prediction) -> dict[str, Any]:
    text = isinstance(item, bytes)
    what = {"text": item.decode("utf-8", "replace")} if text else {"file": str(item)}
    return {**what, **dataclasses.asdict(found)}


def _line(name: str, found: Prediction) -> str:
    said = found.label if found.certain else f"unsure ({found.label}?)"
    rest = " · ".join(f"{label} {chance:.1%}" for label, chance in found.ranking[1:])
    return printable(
        f"{name}  {said}  {found.probability:.1%}" + (f"  then {rest}" if rest else "")
    )
