"""`volute stylize`: photographs and films, folders and patterns, repainted in a style."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from volute.cli.batch import ClusterOption, Inputs, ShardOption
from volute.cli.engines import EngineOption
from volute.cli.sample import AsJson, Out, Overwrite, Unmarked
from volute.errors import UsageError

if TYPE_CHECKING:
    from volute.engine.session import Engine
    from volute.events import Emit
    from volute.handles import Style, Stylizer
    from volute.handles.stylizer import Stylized

MODEL, MEMORY = "painter", "1GB"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(stylize)


def stylize(
    inputs: Inputs,
    style: Annotated[
        str, typer.Option("--style", help="A picture, a name, or a mix: wave:0.7,monet:0.3")
    ],
    strength: Annotated[float, typer.Option("--strength", help="0 to 1.")] = 1.0,
    model: Annotated[str, typer.Option("--model", help="Shipped name, run or artefact.")] = MODEL,
    keep_colour: Annotated[
        bool, typer.Option("--keep-colour", help="Keep the colours, paint in light and dark.")
    ] = False,
    mask: Annotated[
        Path | None, typer.Option("--mask", help="A picture: white is painted, black stays.")
    ] = None,
    method: Annotated[
        str, typer.Option("--method", help="fast, or optimise: minutes, needs the extra train.")
    ] = "fast",
    set_: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", help="optimise: side=512, steps=180, vgg=FILE"),
    ] = None,
    out: Out = None,
    memory: Annotated[str, typer.Option("--memory", help="For the process, as 1GB.")] = MEMORY,
    overwrite: Overwrite = False,
    unmarked: Unmarked = False,
    engine: EngineOption = None,
    shard: ShardOption = None,
    cluster: ClusterOption = None,
    as_json: AsJson = False,
) -> None:
    """Repaint photographs and films in the style of a picture.

    Size, transparency, depth, profile, EXIF, sound and the times of frames stay; tiles leave no
    trace and memory does not follow the size. Strokes are as wide on large pictures as on small
    ones. `volute info MODEL` lists the styles that it knows by name. One file goes to
    NAME-STYLE.END or -o; several go into the folder -o, with a ledger: a second run goes on where
    the first stopped. What is written is marked, also where a mask keeps it, and signed, with what
    source and style said of their origin. What fails is named, the others are done, and the exit
    code is 1.

    \b
    Examples:
      volute stylize holiday.jpg --style wave --strength 0.8
      volute stylize film.mp4 --style wave:0.7,monet:0.3 -o painted.mp4
      volute stylize photos/ --style my-painting.jpg --keep-colour -o painted/
      volute stylize best.jpg --style painting.jpg --method optimise -s side=1024
    """
    from volute.cli import batch
    from volute.cli.engines import engine_for
    from volute.cli.outputs import tell_unmarked
    from volute.handles.styles import plain_name
    from volute.media import families

    common: dict[str, Any] = {"out": out, "overwrite": overwrite, "as_json": as_json}
    common |= {"shard": shard, "cluster": cluster, "takes": families.PAINTED}
    if unmarked:
        tell_unmarked()
    if method != "fast" or set_:
        if model != MODEL or memory != MEMORY or engine is not None:
            what = "--model, --memory and --engine have no meaning for --method optimise"
            raise UsageError(what, "Leave them out.")
        slow = _slow(method, set_)
        _optimise(inputs, style, strength, keep_colour, mask, slow, unmarked, common)
        return
    ran, room = engine_for(model, engine), batch.bytes_of(memory)
    handle = _stylizer(model, ran)
    chosen = handle.style(style)
    _try(handle, chosen, strength, mask, room)
    name = plain_name(chosen.name)
    task = Stylizing(model, ran, chosen, strength, keep_colour, mask, room, unmarked)
    batch.work_on(inputs, task, handle, mark=name, folder=f"{handle.info.name}-{name}", **common)


@dataclass(frozen=True)
class Stylizing:
    """What is done to each file: see `cluster.batch.FileTask`."""

    model: str
    engine: Engine | None
    style: Style
    strength: float
    keep_colour: bool
    mask: Path | None
    memory: int
    unmarked: bool

    def opened(self) -> Stylizer:
        """Return the model."""
        return _stylizer(self.model, self.engine)

    def how(self, tool: Stylizer) -> str:
        """Name model and settings."""
        from volute.engine.session import DEFAULT

        told, ran = (
            _how(tool, self.style, self.strength, self.keep_colour, self.mask),
            tool.engine(),
        )
        return json.dumps(told + ["unmarked"] * self.unmarked + [str(ran)] * (ran != DEFAULT))

    def work(self, tool: Stylizer, source: Path, target: Path, emit: Emit) -> dict[str, Any]:
        """Repaint a file, and return what to note of it."""
        made = tool.stylize_file(
            source,
            target,
            style=self.style,
            strength=self.strength,
            keep_colour=self.keep_colour,
            mask=self.mask,
            memory=self.memory,
            unmarked=self.unmarked,
            emit=emit,
        )
        return {"style": self.style.name, "notes": list(made.notes)}


def _slow(method: str, pairs: list[str] | None) -> dict[str, Any]:
    """Return the settings of the method `optimise`."""
    from volute.config import nearest, parse_settings

    if method not in ("fast", "optimise"):
        raise UsageError(f"there is no method {method!r}", "Methods: fast, optimise")
    settings = parse_settings(pairs or [])
    if settings and method == "fast":
        raise UsageError("-s sets what --method optimise does", "Add: --method optimise")
    known = {"side": int, "steps": int, "vgg": str}
    for key, value in settings.items():
        if key not in known or type(value) is not known[key]:
            raise UsageError(
                f"-s {key}={value} cannot be", nearest(key, known) or "side, steps, vgg"
            )
    return settings


def _optimise(
    inputs: list[str],
    style: str,
    strength: float,
    keep_colour: bool,
    mask: Path | None,
    settings: dict[str, Any],
    unmarked: bool,
    common: dict[str, Any],
) -> None:
    from volute.cli import batch
    from volute.engine.sources import seen
    from volute.errors import import_trained
    from volute.handles.styles import plain_name, style_pixels
    from volute.media.mask import opened

    if not Path(style).exists():
        what = f"{style} is no file: the method optimise looks at the painting itself"
        raise UsageError(what, "Give the file of a picture.")
    painting, name = style_pixels(style), plain_name(Path(style).stem)
    vgg = settings.pop("vgg", None)
    settings["vgg"] = Path(vgg) if vgg else None
    slow = import_trained("volute.training.optimise", "--method optimise")
    slow.check(settings.get("side", 512), strength, settings.get("steps", 1))
    slow.features_of(settings["vgg"])
    if not 0 <= strength <= 1:
        raise UsageError(f"strength = {strength} is not between 0 and 1")
    if mask is not None:
        with opened(mask):
            pass

    over = None if mask is None else [str(mask.resolve()), *seen(mask)]
    told = [str(Path(style).resolve()), *seen(Path(style)), strength, keep_colour, over, settings]
    how = json.dumps(["optimise", *told, *["unmarked"] * unmarked], default=str)
    ways = {"style": painting, "strength": strength, "keep_colour": keep_colour, "mask": mask}
    ways |= {"style_file": Path(style), "unmarked": unmarked, **settings}
    task = Optimising(how, name, ways)
    batch.work_on(inputs, task, task.opened(), mark=name, folder=f"optimised-{name}", **common)


@dataclass(frozen=True)
class Optimising:
    """What `--method optimise` does to each file: see `cluster.batch.FileTask`."""

    told: str
    name: str
    ways: dict[str, Any]

    def opened(self) -> Callable[..., Stylized]:
        """Return what repaints."""
        from volute.errors import import_trained

        return import_trained("volute.training.repaint", "--method optimise").repaint_file

    def how(self, tool: Callable[..., Stylized]) -> str:
        """Name the settings."""
        return self.told

    def work(
        self, tool: Callable[..., Stylized], source: Path, target: Path, emit: Emit
    ) -> dict[str, Any]:
        """Repaint a file, and return what to note of it."""
        made = tool(source, target, **self.ways, emit=emit)
        return {"style": self.name, "notes": list(made.notes)}


def _stylizer(ref: str, engine: Engine | None) -> Stylizer:
    from volute.handles import Stylizer, load

    handle = load(ref, engine=engine)
    if not isinstance(handle, Stylizer):
        what = f"{handle.info.name} cannot stylize: it is of kind {handle.info.descriptor.kind}"
        raise UsageError(what, "Use a model of kind style.")
    return handle


def _try(handle: Stylizer, style: Style, strength: float, mask: Path | None, memory: int) -> None:
    """Raise what is wrong with the settings before any file is touched."""
    import numpy as np

    from volute.media.mask import opened

    handle.stylize(np.zeros((1, 1), np.uint8), style=style, strength=strength, memory=memory)
    if mask is not None:
        with opened(mask):
            pass


def _how(
    handle: Stylizer, style: Style, strength: float, keep_colour: bool, mask: Path | None
) -> list[Any]:
    """Return what tells one piece of work from another."""
    from hashlib import sha256

    from volute.engine.sources import seen

    code = sha256(style.code.tobytes()).hexdigest()
    over = None if mask is None else [str(mask.resolve()), *seen(mask)]
    return [handle.info.name, handle.info.created, style.name, code, strength, keep_colour, over]
