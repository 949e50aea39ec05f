"""The verbs `train`, `resume` and `export`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

Out = Annotated[Path | None, typer.Option("-o", "--out", help="The folder to write; must be new.")]
Time = Annotated[str | None, typer.Option("--time", help="Budget, such as 90s, 10m or 1h30m.")]
Kimg = Annotated[float | None, typer.Option("--kimg", help="Budget in 1000 images shown.")]


def train(
    kind: Annotated[str, typer.Argument(help="gan or vae")],
    source: Annotated[Path | None, typer.Argument(help="Folder, zip, tar or npz.")] = None,
    preset: Annotated[str | None, typer.Option(help="tiny small base large; gan: classic")] = None,
    size: Annotated[int | None, typer.Option(help="Side in px; by default from the data.")] = None,
    time: Time = None,
    kimg: Kimg = None,
    out: Out = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and draws.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    set_: Annotated[list[str] | None, typer.Option("-s", "--set", help="key=value")] = None,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="A config.toml.")] = None,
) -> None:
    """Train a network on your pictures and export it.

    Subfolders are classes. The run goes to runs/NAME-1, or the next free number, or -o. The first
    Ctrl-C saves; volute resume goes on. Settings: docs/training.md.

    \b
    Examples:
      volute train gan photos/ --time 30m
      volute train vae photos.zip --size 64 --kimg 500 -o runs/faces
      volute train gan aerial/ -s data.crop=tiles -s flip=true
      volute train gan -c runs/photos-1/config.toml --seed 1
    """
    from volute.config import merged, parse_settings
    from volute.jobs import train as run_training

    values = _from_config(config) if config else {}
    given = {
        "source": source,
        "preset": preset,
        "size": size,
        "seed": seed,
        "device": device,
    }
    values |= {key: value for key, value in given.items() if value is not None}
    if time or kimg:
        values |= {"time": time, "kimg": kimg}
    values["settings"] = merged(values.get("settings", {}), parse_settings(set_ or []))
    values.pop("kind", None)
    if "source" not in values:
        raise typer.BadParameter("give the folder, zip, tar or npz to learn from")
    _work(lambda extra: run_training(kind, values.pop("source"), out=out, **values, **extra))


def resume(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    time: Time = None,
    kimg: Kimg = None,
) -> None:
    """Go on with a run that was stopped, killed or that should learn for longer.

    \b
    Examples:
      volute resume runs/photos-1
      volute resume runs/photos-1 --time 2h
    """
    from volute.jobs import resume as go_on

    _work(lambda extra: go_on(run, time=time, kimg=kimg, **extra))


def export(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Default: RUN/model.")] = None,
) -> None:
    """Export a run's newest state: a folder that works without torch.

    \b
    Examples:
      volute export runs/photos-1
      volute export runs/photos-1 -o faces
    """
    from volute.cli.show import live
    from volute.jobs import export_run

    with live() as emit:
        export_run(run, out, emit=emit)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(train)
    app.command()(resume)
    app.command()(export)


def _from_config(path: Path) -> dict[str, Any]:
    """Return the arguments of `volute.train` that a run's configuration stands for."""
    from volute.training.run import RunConfig

    config = RunConfig.read(path)
    budget: dict[str, Any] = {"kimg": config.kimg} if config.kimg else {"time": config.time_s}
    common = config.model_dump(include={"name", "licence", "precision", "threads", "data"})
    return {
        **config.model_dump(include={"source", "preset", "size", "seed", "device"}),
        **budget,
        "settings": {**config.settings, **common},
    }


def _work(call: Callable[[dict[str, Any]], Any]) -> None:
    from volute.cli.show import live, shown_path

    with _first_interrupt() as interrupted, live() as emit:
        run = call({"emit": emit, "stop": interrupted})
    if interrupted():
        where = shown_path(run.path)
        shown = run.metrics.get("shown", 0)
        typer.echo(
            f"^C       saved at {shown:,} images or later. Continue: volute resume {where}",
            err=True,
        )
        typer.echo(f"         Use it as it is: volute export {where}", err=True)
        raise typer.Exit(130)
    typer.echo(f"done     volute sample {shown_path(run.path)} -n 16 --grid", err=True)


@contextmanager
def _first_interrupt() -> Iterator[Callable[[], bool]]:
    """Give a question: was Ctrl-C pressed? The second press interrupts at once."""
    pressed: list[int] = []

    def remember(number: int, _frame: object) -> None:
        pressed.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: bool(pressed)
    finally:
        signal.signal(signal.SIGINT, before)
