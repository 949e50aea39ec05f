"""The option `--engine` of the verbs that run models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from volute.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from volute.engine.session import Engine

EngineOption = Annotated[
    str | None,
    typer.Option("--engine", help="onnxruntime, openvino, or auto: tested once, the faster."),
]


def engine_for(model: str, name: str | None) -> Engine | None:
    """Return the engine that was asked for; None for what a self-test found, else the default.

    `auto` tests once, tells what it found, and keeps it for all later work.

    Raises:
        UsageError: for another name.
        MissingExtraError: if it is not installed.
    """
    from volute.config import nearest
    from volute.engine.session import TITLES, Engine

    if name is None:
        return None
    if name == "auto":
        _tested(model)
        return None
    if name not in TITLES:
        known = [*TITLES, "auto"]
        raise UsageError(
            f"there is no engine {name}", nearest(name, known) or f"Engines: {', '.join(known)}"
        )
    engine = Engine(name)
    engine.check()
    return engine


def _tested(model: str) -> None:
    from volute.engine.artefact import open_artefact
    from volute.speed.choose import self_test
    from volute.zoo import resolve

    try:
        for role, found in self_test(open_artefact(resolve(model))):
            same = found.times == 1
            told = "" if same else f": {found.times:.1f} times as fast here, {found.difference} off"
            typer.echo(f"engine   {role} on {found.chosen}{told}", err=True)
    except MissingExtraError as error:
        typer.echo(f"engine   onnxruntime float32: {error.what}. {error.hint}", err=True)
