"""The verbs `train`, `resume` and `export`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from volute.events import Emit, Event, Note, Progress, Saved

if TYPE_CHECKING:
    from volute.training.run import Run
    from volute.training.smaller import Form

Out = Annotated[Path | None, typer.Option("-o", "--out", help="The folder to write; must be new.")]
Time = Annotated[str | None, typer.Option("--time", help="Budget, such as 90s, 10m or 1h30m.")]
Kimg = Annotated[float | None, typer.Option("--kimg", help="Budget in 1000 images shown.")]
NoHeal = Annotated[
    bool, typer.Option("--no-heal", help="Stop where the doctor says so; change nothing.")
]
Settings = Annotated[list[str] | None, typer.Option("-s", "--set", help="key=value")]

NEXT = {
    "gan": "sample {} -n 16 --grid",
    "vae": "sample {} -n 16 --grid",
    "classify": "classify {} FILE",
    "extractor": "evaluate MODEL DATA --extractor {}",
    "upscale": "upscale PICTURE --model {}",
    "style": "stylize PICTURE --style NAME --model {}",
    "lm": "write {} --prompt TEXT",
    "watermark": "info {}",
    "detector": "info {}",
}
"""What to do with a trained model, by its kind."""


def train(
    kind: Annotated[
        str,
        typer.Argument(
            help="gan, vae, classify, extractor, upscale, style, lm, watermark, detector"
        ),
    ],
    source: Annotated[
        list[str] | None,
        typer.Argument(help="Folder, zip, tar, npz, tars; texts; for style, paintings."),
    ] = None,
    preset: Annotated[str | None, typer.Option(help="tiny small base large; gan: classic")] = None,
    size: Annotated[int | None, typer.Option(help="Side in px; by default from the data.")] = None,
    time: Time = None,
    kimg: Kimg = None,
    out: Out = None,
    seed: Annotated[int | None, typer.Option(help="Of weights, order and draws.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda or mps.")] = None,
    no_heal: NoHeal = False,
    set_: Settings = None,
    config: Annotated[Path | None, typer.Option("-c", "--config", help="A config.toml.")] = None,
) -> None:
    """Learn your pictures, export a model.

    Subfolders are classes. The run goes to runs/NAME-1, or the next free number, or -o. The first
    Ctrl-C saves; volute resume goes on. Settings: docs/training.md.

    \b
    Examples:
      volute train gan photos/ --time 30m
      volute train vae photos.zip --size 64 --kimg 500 -o runs/faces
      volute train gan aerial/ -s data.crop=tiles -s flip=true
      volute train gan 's3://bucket/photos-{000000..000099}.tar'
      volute train style starry.jpg --time 20m -s content=photos/
      volute train classify texts.csv --time 3m
      volute train gan -c runs/photos-1/config.toml --seed 1
    """
    from volute import jobs
    from volute.config import merged, parse_settings

    values = _from_config(config, kind) if config else {}
    given = {
        "source": source or None,
        "preset": preset,
        "size": size,
        "seed": seed,
        "device": device,
    }
    values |= {key: value for key, value in given.items() if value is not None}
    if time is not None or kimg is not None:
        values |= {"time": time, "kimg": kimg}
    values["settings"] = merged(values.get("settings", {}), parse_settings(set_ or []))
    if kind == "style" and config:
        if source:
            values["settings"]["styles"] = source
        values["source"] = values["settings"].pop("content", _from_config(config, kind)["source"])
    if kind in ("lm", "classify") and source:
        values["settings"].pop("texts", None)
    if "source" not in values:
        raise typer.BadParameter("give the folder, zip, tar or npz to learn from")
    _work(
        lambda extra: jobs.train(
            kind, values.pop("source"), out=out, heal=not no_heal, **values, **extra
        )
    )


def resume(
    run: Annotated[Path, typer.Argument(help="The run's folder.")],
    time: Time = None,
    kimg: Kimg = None,
    device: Annotated[str | None, typer.Option(help="Instead of the run's own.")] = None,
    no_heal: NoHeal = False,
    accept_data: Annotated[
        bool, typer.Option("--accept-data", help="Go on with data that have changed.")
    ] = False,
    set_: Settings = None,
) -> None:
    """Go on with a run, or give it more time.

    For a run that was stopped or killed, that should learn for longer, or that became unstable
    and goes on from its last good state with other settings.

    \b
    Examples:
      volute resume runs/photos-1
      volute resume runs/photos-1 --time 2h
      volute resume runs/photos-1 -s lr=0.001
    """
    from volute import jobs
    from volute.config import parse_settings

    given: dict[str, Any] = {"time": time, "kimg": kimg, "device": device}
    given["settings"] = parse_settings(set_ or [])
    given |= {"heal": not no_heal, "accept_data": accept_data}
    _work(lambda extra: jobs.resume(run, **given, **extra))


def export(
    model: Annotated[str, typer.Argument(help="A run, a model's folder or a shipped name.")],
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Of a run: RUN/model.")] = None,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit integers.")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="Weights in half precision.")] = False,
    web: Annotated[
        bool, typer.Option("--web", help="A page for browsers; upscalers, stylizers.")
    ] = False,
    data: Annotated[
        Path | None, typer.Option("--data", help="Pictures to calibrate with and measure on.")
    ] = None,
) -> None:
    """Export a run as a model without torch, or a model as a smaller one.

    With --int8 a model is about a quarter as large and often twice as fast, with --fp16 half as
    large; it then runs so, with nothing to choose. Upscalers keep both graphs, and upscale --int8
    takes that in integers. What is lost is measured and stands in the card; too much is refused.
    With --web the folder is a page that runs in a browser, with onnxruntime-web of your own.

    \b
    Examples:
      volute export runs/photos-1
      volute export runs/holidays-1 -o holidays-x2 --int8
      volute export garments-gan --int8 -o small-gan
      volute export painter --web -o page
      volute export garments-classify --fp16 --data fashion_mnist.npz -o half
    """
    from volute import exports
    from volute.cli.show import live
    from volute.zoo import shipped

    asked: list[tuple[Form, bool]] = [("float16", fp16), ("int8", int8)]
    forms = [form for form, wanted in asked if wanted]
    a_run = model not in shipped() and (Path(model) / "config.toml").is_file()
    with live() as emit:
        if web:
            exports.export_page(model, out, forms=forms, data=data, emit=emit)
        elif a_run or not forms:
            exports.export_run(model, out, forms=forms, emit=emit)
        else:
            exports.export_model(model, out, forms=forms, data=data, emit=emit)


def shrink(
    model: Annotated[str, typer.Argument(help="A run, a model's folder or a shipped name.")],
    source: Annotated[
        Path | None, typer.Argument(help="Pictures; by default those of the run.")
    ] = None,
    to: Annotated[str, typer.Option("--to", help="Share of the multiply-adds.")] = "0.5x",
    time: Time = None,
    kimg: Kimg = None,
    out: Out = None,
    set_: Settings = None,
) -> None:
    """Make an upscaler, GAN or stylizer with fewer multiply-adds.

    A new run, whose network begins with the most important channels of the large one, and learns
    from pictures and from what that makes of them. Its card says what was lost. A stylizer keeps
    its styles; the pictures are what it paints.

    \b
    Examples:
      volute shrink runs/holidays-1 --to 0.5x --time 20m
      volute shrink photo-x2 photos/ --to 0.3x --time 1h -o runs/small
      volute shrink painter photos/ --time 1h -s styles=paintings/
    """
    from volute.config import parse_settings
    from volute.shrinking import shrink

    try:
        share = float(to.removesuffix("x"))
    except ValueError:
        raise typer.BadParameter(f"--to {to}: write it as in 0.5x") from None
    how = {"to": share, "time": time, "kimg": kimg, "settings": parse_settings(set_ or [])}
    _work(lambda extra: shrink(model, source, out=out, **how, **extra))


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(train)
    app.command()(resume)
    app.command()(export)
    app.command()(shrink)


def _from_config(path: Path, kind: str) -> dict[str, Any]:
    """Return the arguments of `volute.train` that a run's configuration stands for."""
    from volute.errors import UsageError
    from volute.jobs import COMMON
    from volute.training.run import RunConfig

    config = RunConfig.read(path)
    if config.kind != kind:
        raise UsageError(f"{path} configures a {config.kind}, not a {kind}")
    budget: dict[str, Any] = {"kimg": config.kimg} if config.kimg else {"time": config.time_s}
    common = config.model_dump(include=set(COMMON))
    return {
        **config.model_dump(include={"source", "preset", "size", "seed", "device"}),
        **budget,
        "settings": {**config.settings, **common},
    }


def _work(call: Callable[[dict[str, Any]], Run]) -> None:
    from volute.cli.show import live, shown_path

    with live() as emit:
        watch = _FirstInterrupt(emit)
        with watch:
            run = call({"emit": watch.emit, "stop": watch.stopped})
    if not _tells():
        return
    where = shown_path(run.path)
    if watch.finished:
        typer.echo(f"done     volute {NEXT[run.config.kind].format(where)}", err=True)
        return
    typer.echo(f"^C       saved at {run.metrics['shown']:,} {watch.unit}", err=True)
    typer.echo(f"         Continue: volute resume {where}", err=True)
    typer.echo(f"         Use it as it is: volute export {where}", err=True)
    raise typer.Exit(130)


def _tells() -> bool:
    """Tell whether this is the one process, of those that train together, that talks."""
    return os.environ.get("RANK", "0") == "0"


class _FirstInterrupt:
    """While a training runs, the first Ctrl-C asks it to stop and save; the second is abrupt.

    Before the training has begun, there is nothing to save, and the first one is abrupt too.
    `torchrun` sends on what the terminal has sent already: there the second one means nothing.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._training = self._pressed = False
        self.finished = False
        self.unit = "images"

    def emit(self, event: Event) -> None:
        if isinstance(event, Note) and event.topic == "budget":
            self._training = True
        if isinstance(event, Saved) and event.what == "model":
            self.finished = True
        if isinstance(event, Progress):
            self.unit = event.unit
        self._emit(event)

    def stopped(self) -> bool:
        self._training = True
        return self._pressed

    def __enter__(self) -> None:
        self._before = signal.signal(signal.SIGINT, self._press)

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _press(self, number: int, frame: FrameType | None) -> None:
        again = self._pressed and "TORCHELASTIC_RUN_ID" not in os.environ
        if again or not self._training:
            signal.default_int_handler(number, frame)
        self._pressed = True
