"""`volute upscale`: files, folders and patterns, enlarged by a whole factor."""

from __future__ import annotations

import json
import math
import re
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from volute.cli.sample import AsJson, Out, Overwrite
from volute.errors import UsageError, VoluteError, printable

if TYPE_CHECKING:
    from volute.engine.batch import Entry, Item
    from volute.events import Emit
    from volute.handles import Upscaler
    from volute.handles.upscaler import Enlarged

UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(upscale)


def upscale(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT", help="Files, folders, globs.")],
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
    as_json: AsJson = False,
) -> None:
    """Enlarge photographs, DICOM, NIfTI, GeoTIFF and films.

    Depth, channels, profile, geometry and all else that a file says stay; tiles leave no trace and
    memory does not follow the size. One file goes to NAME-x2.END or -o; several go into the folder
    -o, with a ledger: a second run goes on where the first stopped. Medical pictures: not for
    diagnosis. What fails is named, the others are done, and the exit code is 1.

    \b
    Examples:
      volute upscale holiday.jpg
      volute upscale scans/ --model photo-x2-fast -o scans-x2/
      volute upscale brain.nii.gz -s plane=all -o brain_x2.nii.gz
      volute upscale field.tif -s cog=true --memory 2GB --check -o field_x2.tif
    """
    from volute.cli.show import live
    from volute.engine.batch import Ledger, gathered, run

    handle = _upscaler(model)
    room, options = _bytes(memory), _options(set_)
    _try(handle, room, strength, int8)
    folder = out or Path(f"{handle.info.name}-made")
    items = gathered(inputs, leave=folder.resolve())
    jobs, folder = _jobs(items, inputs, handle, out, folder, overwrite)
    how = json.dumps([handle.info.name, handle.info.created, strength, faithful, int8, options])
    signal.signal(signal.SIGTERM, _interrupt)
    with live() as emit:

        def work(source: Path, target: Path) -> dict[str, Any]:
            made = handle.upscale_file(
                source,
                target,
                memory=room,
                faithful=faithful,
                strength=strength,
                int8=int8,
                check=check,
                options=options,
                emit=emit,
            )
            return _about(made, overwrite)

        entries = run(jobs, work, how, Ledger(folder) if folder else None, overwrite)
        failed = _tell(entries, emit, as_json, len(jobs))
    if failed:
        raise typer.Exit(1)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """End as after Ctrl-C, so that nothing is left half-written."""
    raise KeyboardInterrupt


def _try(handle: Upscaler, memory: int, strength: float | None, int8: bool) -> None:
    """Raise what is wrong with the settings before any file is touched."""
    import numpy as np

    handle.upscale(np.zeros((1, 1), np.uint8), memory=memory, strength=strength, int8=int8)


def _upscaler(ref: str) -> Upscaler:
    from volute.handles import Upscaler, load

    handle = load(ref)
    if not isinstance(handle, Upscaler):
        what = f"{handle.info.name} cannot enlarge: it is of kind {handle.info.descriptor.kind}"
        raise UsageError(what, "Use a model of kind upscale: volute models")
    return handle


def _bytes(text: str) -> int:
    """Return the bytes of `512MB`, `1.5 GB` or a plain number."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)i?B?", text.strip(), re.IGNORECASE)
    if not found:
        raise UsageError(f"--memory {text} is no amount", "Write it as 512MB or 2GB.")
    return int(float(found[1]) * UNITS[found[2].upper()])


def _options(texts: Sequence[str] | None) -> dict[str, str]:
    options = {}
    for text in texts or ():
        key, equals, value = text.partition("=")
        if not (key and equals and value):
            raise UsageError(f"-s {text} is not key=value", "Such as: -s plane=coronal")
        options[key] = value
    return options


def _jobs(
    items: Sequence[Item],
    inputs: Sequence[str],
    handle: Upscaler,
    out: Path | None,
    folder: Path,
    again: bool,
) -> tuple[list[tuple[Path, Path]], Path | None]:
    """Return sources with their targets, and the folder of the ledger; None for a single file."""
    from volute.engine.batch import unique
    from volute.paths import new_output

    scale = handle.info.descriptor.scale
    single = len(items) == 1 and not Path(inputs[0]).is_dir()
    if single and (out is None or (out.suffix and not out.is_dir())):
        source = items[0].source
        named = items[0].named(f"-x{scale}{_suffix(source)}")
        return [(source, out or new_output(Path(named.name), again))], None
    if folder.is_file():
        raise UsageError(f"{len(items)} files do not fit into {folder}", "Name a folder.")
    targets = unique([folder / item.named(_suffix(item.source)) for item in items])
    return list(zip((item.source for item in items), targets, strict=True)), folder


def _suffix(source: Path) -> str:
    """Return the ending of the result; the source's own where that will fail anyway."""
    from volute.media import families

    try:
        return families.of(source).suffix(source)
    except VoluteError:
        return source.suffix


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


def _tell(entries: Iterator[Entry], emit: Emit, as_json: bool, total: int) -> int:
    """Print a line for each entry and return how many failed."""
    from collections import Counter

    from volute.events import Note

    counts: Counter[str] = Counter()
    for entry in entries:
        counts[entry.status] += 1
        if as_json:
            typer.echo(entry.model_dump_json())
        elif entry.status == "ok":
            emit(Note("saved", _line(entry.out + _checked(entry.about))))
        else:
            words = (
                entry.reason if entry.source in entry.reason else f"{entry.source}: {entry.reason}"
            )
            emit(Note(entry.status, _line(words)))
        of = f"{entry.source}: " if total > 1 else ""
        for note in entry.about.get("notes", ()):
            emit(Note("note", _line(of + note)))
    if total > 1:
        emit(Note("done", " · ".join(f"{n} {status}" for status, n in sorted(counts.items()))))
    return counts["failed"]


def _line(text: str) -> str:
    """Return what is safe on a terminal, and one line: a name can hold anything."""
    return printable(text).replace("\n", "?")


def _checked(about: dict[str, Any]) -> str:
    if "map" not in about:
        return ""
    psnr = "identical" if about["psnr"] is None else f"{about['psnr']:.2f} dB"
    return (
        f" (made small again: {psnr} to the source, off by at most {about['worst']:.1%}; "
        f"{about['invented']:.2%} of the pixels contradict it: {about['map']})"
    )
