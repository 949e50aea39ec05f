"""`volute sample`, `interpolate` and `reconstruct`: pictures out of a model."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from volute.cli.batch import ClusterOption, ShardOption
from volute.cli.engines import EngineOption
from volute.cli.sampling import Sampling, file_of
from volute.errors import UsageError, VoluteError, printable

ModelRef = Annotated[
    str, typer.Argument(metavar="MODEL", help="A shipped model, a run or an artefact folder.")
]
Seed = Annotated[int, typer.Option("--seed", help="The same seed gives the same pictures.")]
Truncation = Annotated[
    float,
    typer.Option("--truncation", help="Above 0, up to 1: less is more typical and less varied."),
]
Classes = Annotated[
    list[str] | None,
    typer.Option("--class", metavar="NAME", help="A name or index; repeat it to take turns."),
]


def _here(out: Path | None) -> Path | None:
    """Return where to write to.

    Raises:
        UsageError: if it is a URL, of which a path has kept one slash.
    """
    if out is not None and re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+:/", out.as_posix()):
        what = f"-o {out.as_posix().replace(':/', '://', 1)}: results are written to this computer"
        raise UsageError(what, "Name a folder, of a bucket that is mounted if you like.")
    return out


Out = Annotated[Path | None, typer.Option("-o", "--out", help="Where to write.", callback=_here)]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Write over files that are there.")]
AsJson = Annotated[bool, typer.Option("--json", help="Tell the result as JSON.")]
Unmarked = Annotated[bool, typer.Option("--unmarked", help="Leave out mark and signature.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(sample)
    app.command()(interpolate)
    app.command()(reconstruct)


def sample(
    model: ModelRef,
    n: Annotated[int, typer.Option("-n", help="How many pictures.")] = 16,
    seed: Seed = 0,
    truncation: Truncation = 1.0,
    classes: Classes = None,
    grid: Annotated[bool, typer.Option("--grid", help="All on one picture.")] = False,
    out: Out = None,
    overwrite: Overwrite = False,
    unmarked: Unmarked = False,
    engine: EngineOption = None,
    shard: ShardOption = None,
    cluster: ClusterOption = None,
    as_json: AsJson = False,
) -> None:
    """Make new pictures.

    They go as 000.png, 001.png, ... into a folder named after the model and the seed, or into -o.
    With --grid, or when -o ends in .png, .webp or .jpg, there is one picture file. In a grid,
    pictures of less than 64 px are enlarged by a whole factor to at least 128 px. Picture i depends
    on the seed and i alone, every PNG holds its parameters, and every picture is signed and, from
    64 px a side on, marked in its pixels, so that volute verify tells that a model made it.

    \b
    Examples:
      volute sample garments-gan -n 16 --grid
      volute sample garments-gan --class bag --class sandal --truncation 0.7 -o pairs.png
      volute sample runs/photos-1 -n 1000 --seed 7 -o many/
    """
    from volute.cli.batch import each, part_of
    from volute.cli.engines import engine_for
    from volute.cli.outputs import PICTURES, choose, is_file, tell_unmarked
    from volute.cluster.task import Lost
    from volute.handles.sampling import BATCH

    ran = engine_for(model, engine)
    as_file = is_file(out, PICTURES) if out else grid
    if grid and not as_file:
        raise UsageError(f"a grid is one picture, but {out} names a folder", "End -o in .png.")
    part = part_of(shard)
    if as_file and (part or cluster):
        words = "--cluster" if part is None else "--shard"
        raise UsageError(f"{words} has no meaning for one picture", "Name a folder.")
    task = Sampling(model, ran, n, seed, truncation, classes, unmarked)
    handle = task.opened()
    name = handle.info.name
    default = f"{name}-seed{seed}" + (".png" if as_file else "")
    if part is None:
        target, numbers = choose(out, default, overwrite), range(n)
    else:
        target, numbers = out or Path(default), part.numbers(n)
        _check_free([file_of(target, n, index) for index in numbers], overwrite)
    if unmarked:
        tell_unmarked()
    files, failed = [target], 0
    if as_file:
        task.one_picture(handle, target, grid)
    else:
        task.check(handle)
        blocks = [
            (numbers[start : start + BATCH], target) for start in range(0, len(numbers), BATCH)
        ]
        files = []
        for (some, _), made in each(task, blocks, cluster, f"blocks of {BATCH}", handle):
            if isinstance(made, Lost):
                failed += 1
                words = f"failed   pictures {some[0]} to {some[-1]}: {made.reason}"
                typer.echo(printable(words), err=True)
            else:
                files += made
    side = handle.info.descriptor.size
    words = f"{_count(n if as_file else len(files), 'picture')} of {side} x {side} px"
    _tell(as_json, target, words, {**task.about(name), "n": n}, files)
    if failed:
        raise typer.Exit(1)


def interpolate(
    model: ModelRef,
    n: Annotated[int, typer.Option("-n", help="How many samples to walk through.")] = 4,
    steps: Annotated[int, typer.Option("--steps", help="Frames from one to the next.")] = 16,
    seed: Seed = 0,
    truncation: Truncation = 1.0,
    classes: Classes = None,
    out: Out = None,
    overwrite: Overwrite = False,
    unmarked: Unmarked = False,
    engine: EngineOption = None,
    as_json: AsJson = False,
) -> None:
    """Walk through the latent space.

    The walk is an endless animation or a folder of frames: -o ends in .webp or .gif (25 frames a
    second), or names a folder for 000.png, 001.png, ... In an animation, pictures of less than
    64 px are enlarged by a whole factor to at least 128 px. What is written is marked and signed.

    \b
    Examples:
      volute interpolate garments-gan
      volute interpolate land-gan -n 8 --steps 32 --seed 3 -o walk.gif
      volute interpolate garments-gan --class dress -o frames/
    """
    from volute.cli.engines import engine_for
    from volute.cli.outputs import (
        ANIMATIONS,
        choose,
        is_file,
        save_animation,
        save_picture,
        tell_unmarked,
    )
    from volute.handles import load_sampler
    from volute.handles.pictures import enlarged

    handle = load_sampler(model, engine=engine_for(model, engine))
    name = handle.info.name
    animated = is_file(out, ANIMATIONS) if out else True
    target = choose(out, f"{name}-walk-seed{seed}.webp", overwrite)
    about = {"model": name, "n": n, "steps": steps, "seed": seed, "truncation": truncation}
    if unmarked:
        tell_unmarked()
    how = {"n": n, "steps": steps, "truncation": truncation}
    origin = None if unmarked else handle.origin("interpolate", how, seed=seed)
    frames = handle.interpolate(n, steps=steps, seed=seed, truncation=truncation, classes=classes)
    if animated:
        files = [target]
        save_animation([enlarged(frame) for frame in frames], target, origin)
    else:
        files = _numbered(target, len(frames))
        for index, (frame, file) in enumerate(zip(frames, files, strict=True)):
            told = {**about, "frame": index, "classes": classes}
            save_picture(frame, file, told, origin, index)
    _tell(as_json, target, f"{_count(len(frames), 'frame')} of {_side(frames)}", about, files)


def reconstruct(
    model: ModelRef,
    pictures: Annotated[list[Path], typer.Argument(metavar="PICTURE", help="Picture files.")],
    out: Out = None,
    overwrite: Overwrite = False,
    unmarked: Unmarked = False,
    engine: EngineOption = None,
    as_json: AsJson = False,
) -> None:
    """Encode pictures and decode them again.

    Each is cropped to its central square and resized to the model's size. The results go as PNG
    into a folder named after the model, or into -o; for one picture, -o may end in .png, .webp or
    .jpg. What is written is marked and signed, with what the picture said of its origin. A picture
    that cannot be read is named, the others are done, and the exit code is 1.

    \b
    Examples:
      volute reconstruct garments-vae shirt.png -o shirt-again.png
      volute reconstruct garments-vae photos/*.jpg -o again/
    """
    from volute.cli.engines import engine_for
    from volute.cli.outputs import PICTURES, choose, is_file, save_picture, tell_unmarked
    from volute.handles import Autoencoder, load

    handle = load(model, engine=engine_for(model, engine))
    if not isinstance(handle, Autoencoder):
        kind = handle.info.descriptor.kind
        raise UsageError(
            f"{handle.info.name} cannot reconstruct: it is of kind {kind}", "Use a vae."
        )
    as_file = bool(out) and is_file(out, PICTURES)
    if as_file and len(pictures) > 1:
        raise UsageError(f"{len(pictures)} pictures do not fit into {out}", "Name a folder.")
    target = choose(out, f"{handle.info.name}-reconstructed", overwrite)
    files = [target] if as_file else _free_names(target, pictures)
    if unmarked:
        tell_unmarked()
    done, failed = [], []
    for picture, file in zip(pictures, files, strict=True):
        try:
            image = handle.reconstruct(picture)
            origin = None if unmarked else handle.origin("reconstruct", parent=picture)
            save_picture(image, file, {"model": handle.info.name, "source": picture.name}, origin)
            done.append(file)
        except VoluteError as error:
            failed.append({"file": str(picture), "reason": error.what})
            typer.echo(f"failed   {error.what}", err=True)
    words = f"{len(done)} of {_count(len(pictures), 'picture')}"
    _tell(as_json, target, words, {"model": handle.info.name, "failed": failed}, done)
    if failed:
        raise typer.Exit(1)


def _numbered(folder: Path, n: int) -> list[Path]:
    return [file_of(folder, n, index) for index in range(n)]


def _check_free(files: Sequence[Path], overwrite: bool) -> None:
    """Raise if one is there: the parts of a batch share a folder, but no file."""
    taken = [file for file in files if file.exists()]
    if taken and not overwrite:
        raise UsageError(f"{taken[0]} is there already", "Add --overwrite, or choose another -o.")


def _free_names(folder: Path, pictures: Sequence[Path]) -> list[Path]:
    """Return one PNG name in `folder` for each picture: its stem, numbered where stems repeat."""
    files: list[Path] = []
    for picture in pictures:
        file, number = folder / f"{picture.stem}.png", 2
        while file in files:
            file, number = folder / f"{picture.stem}-{number}.png", number + 1
        files.append(file)
    return files


def _side(images: Sequence[Any]) -> str:
    width, height = images[0].size
    return f"{width} x {height} px"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _tell(
    as_json: bool, target: Path, words: str, about: dict[str, Any], files: Sequence[Path]
) -> None:
    if as_json:
        typer.echo(json.dumps({**about, "out": str(target), "files": [str(f) for f in files]}))
    elif files:
        typer.echo(f"saved    {target} ({words})")
