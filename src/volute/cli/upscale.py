"""`volute upscale`: files, folders and patterns, enlarged by a whole factor."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
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
    from volute.handles import Upscaler
    from volute.handles.upscaler import Enlarged


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(upscale)


def upscale(
    inputs: Inputs,
    model: Annotated[str, typer.Option("--model", help="Shipped name, run or artefact.")] = (
        "photo-x2"
    ),
    out: Out = None,
    memory: Annotated[str, typer.Option("--memory", help="For the process, as 1GB.")] = "1GB",
    strength: Annotated[
        float | None, typer.Option("--strength", help="Of repair, 0 to 1: photo-x2-robust.")
    ] = None,
    faithful: Annotated[
        bool, typer.Option("--faithful", help="Made small again, it equals the source.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Compare it, made small, with the source; a map.")
    ] = False,
    int8: Annotated[
        bool, typer.Option("--int8", help="8-bit integers: up to twice as fast.")
    ] = False,
    set_: Annotated[
        list[str] | None, typer.Option("-s", "--set", help="plane=axial, cog=true")
    ] = None,
    overwrite: Overwrite = False,
    unmarked: Unmarked = False,
    engine: EngineOption = None,
    shard: ShardOption = None,
    cluster: ClusterOption = None,
    as_json: AsJson = False,
) -> None:
    """Enlarge photographs, DICOM, NIfTI, GeoTIFF and films.

    Depth, channels, profile, geometry and all else that a file says stay; tiles leave no trace and
    memory does not follow the size. One file goes to NAME-x2.END or -o; several go into the folder
    -o, with a ledger: a second run goes on where the first stopped. What is written is signed, with
    what its source said of its origin; photographs and films are marked in their pixels too, after
    --faithful and --check. Medical pictures: not for diagnosis. What fails is named, the others are
    done, and the exit code is 1.

    \b
    Examples:
      volute upscale holiday.jpg
      volute upscale scans/ --model photo-x2-fast -o scans-x2/ --shard 2/8
      volute upscale 's3://bucket/photos-{000..099}.tar' -o large/ --cluster ray
      volute upscale brain.nii.gz -s plane=all -o brain_x2.nii.gz
      volute upscale field.tif -s cog=true --memory 2GB --check -o field_x2.tif
    """
    from volute.cli import batch
    from volute.cli.engines import engine_for
    from volute.cli.outputs import tell_unmarked
    from volute.media import families

    room = batch.bytes_of(memory)
    ways: dict[str, Any] = {
        "faithful": faithful,
        "check": check,
        "int8": int8,
        "strength": strength,
    }
    ways |= {"overwrite": overwrite, "unmarked": unmarked, "memory": room}
    task = Upscaling(model, engine_for(model, engine), options=_options(set_), **ways)
    handle = task.opened()
    _try(handle, room, strength, int8)
    if unmarked:
        tell_unmarked()
    batch.work_on(
        inputs,
        task,
        handle,
        takes=families.ENLARGED,
        mark=f"x{handle.info.descriptor.scale}",
        folder=f"{handle.info.name}-made",
        out=out,
        overwrite=overwrite,
        as_json=as_json,
        shard=shard,
        cluster=cluster,
        told=_checked,
    )


@dataclass(frozen=True)
class Upscaling:
    """What is done to each file: see `cluster.batch.FileTask`."""

    model: str
    engine: Engine | None
    options: dict[str, str]
    memory: int
    strength: float | None
    faithful: bool
    check: bool
    int8: bool
    overwrite: bool
    unmarked: bool

    def opened(self) -> Upscaler:
        """Return the model.

        Raises:
            UsageError: if it does not enlarge.
        """
        from volute.handles import Upscaler, load

        handle = load(self.model, engine=self.engine)
        if not isinstance(handle, Upscaler):
            what = f"{handle.info.name} cannot enlarge: it is of kind {handle.info.descriptor.kind}"
            raise UsageError(what, "Use a model of kind upscale: volute models")
        return handle

    def how(self, tool: Upscaler) -> str:
        """Name model and settings."""
        from volute.engine.session import DEFAULT

        told = [tool.info.name, tool.info.created, self.strength, self.faithful, self.int8]
        ran = tool.engine("int8" if self.int8 else "")
        more = ["unmarked"] * self.unmarked + [str(ran)] * (ran != DEFAULT)
        return json.dumps([*told, self.options, *more])

    def work(self, tool: Upscaler, source: Path, target: Path, emit: Emit) -> dict[str, Any]:
        """Enlarge a file, and return what to note of it."""
        made = tool.upscale_file(
            source,
            target,
            memory=self.memory,
            faithful=self.faithful,
            strength=self.strength,
            int8=self.int8,
            check=self.check,
            options=self.options,
            unmarked=self.unmarked,
            emit=emit,
        )
        return _about(made, self.overwrite)


def _try(handle: Upscaler, memory: int, strength: float | None, int8: bool) -> None:
    """Raise what is wrong with the settings before any file is touched."""
    import numpy as np

    handle.upscale(np.zeros((1, 1), np.uint8), memory=memory, strength=strength, int8=int8)


def _options(texts: Sequence[str] | None) -> dict[str, str]:
    options = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise UsageError(f"-s {text} is not key=value", "Such as: -s plane=coronal")
        options[key] = value
    return options


def _about(made: Enlarged, overwrite: bool) -> dict[str, Any]:
    """Return what to note of a result; the map of its check goes beside it."""
    about: dict[str, Any] = {"notes": list(made.notes)}
    if made.check is not None:
        from volute.paths import atomic_file, new_output

        target = new_output(made.path.with_name(made.path.name + ".check.png"), overwrite)
        with atomic_file(target) as part:
            made.check.heat_map().save(part)
        psnr = made.check.psnr
        about |= {
            "psnr": round(psnr, 2) if math.isfinite(psnr) else None,
            "worst": round(made.check.worst, 5),
            "invented": round(made.check.share, 6),
            "map": str(target),
        }
    return about


def _checked(about: dict[str, Any]) -> str:
    if "map" not in about:
        return ""
    psnr = "identical" if about["psnr"] is None else f"{about['psnr']:.2f} dB"
    return (
        f" (made small again: {psnr} to the source, off by at most {about['worst']:.1%}; "
        f"{about['invented']:.2%} of the pixels contradict it: {about['map']})"
    )
