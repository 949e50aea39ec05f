"""`volute evaluate --pairs`: pictures against those that they should be, one by one."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import typer

from volute.errors import DataError, UsageError, printable

if TYPE_CHECKING:
    from volute.handles import Comparison, Extractor

COLUMNS = ("picture", "PSNR dB", "SSIM", "MS-SSIM", "perceptual distance")


def tell(made: Path, originals: Path, extractor: str, as_json: bool) -> None:
    """Compare two pictures, or those of the same name in two folders, and print a line for each.

    Raises:
        Exit: with code 1 if some could not be compared; the others are.
    """
    from volute.cli.models import show

    handle = _extractor(extractor)
    found: dict[str, Comparison] = {}
    failed = 0
    for name, pair in matched(made, originals):
        try:
            found[name] = handle.compare(*pair)
        except (DataError, UsageError) as error:
            failed += 1
            typer.echo(printable(f"failed   {name}: {error.what}"), err=True)
    if as_json:
        for name, one in found.items():
            psnr = one.psnr if math.isfinite(one.psnr) else None
            values = dataclasses.asdict(one) | {"psnr": psnr}
            typer.echo(json.dumps({"picture": name, **values}))
    elif found:
        rows = [_row(name, one) for name, one in found.items()]
        show(COLUMNS, [*rows, _mean(list(found.values()))] if len(rows) > 1 else rows)
    if failed:
        raise typer.Exit(1)


def _extractor(ref: str) -> Extractor:
    from volute.handles import Extractor, load

    hint = "Leave --extractor out for eye, or name a model of your own: volute train extractor"
    handle = None if ref == "inception-v3" or ref.endswith(".onnx") else load(ref)
    if not isinstance(handle, Extractor):
        raise UsageError(f"{ref} gives no perceptual distance: pairs need an extractor", hint)
    return handle


def matched(made: Path, originals: Path) -> list[tuple[str, tuple[Path, Path]]]:
    """Return the pairs: two files, or the pictures of the same name but for the ending.

    Raises:
        UsageError: if a picture has no original, two have the same name, or there is none at all.
    """
    if made.is_file() and originals.is_file():
        return [(made.name, (made, originals))]
    ours, theirs = _by_name(made), _by_name(originals)
    lonely = sorted(ours.keys() - theirs.keys())
    if lonely:
        more = f" and {len(lonely) - 1} more" if lonely[1:] else ""
        raise UsageError(
            f"{originals} has no picture named as {ours[lonely[0]]}{more}",
            "Pairs have the same name, but for the ending.",
        )
    return [(name, (ours[name], theirs[name])) for name in sorted(ours)]


def _by_name(folder: Path) -> dict[str, Path]:
    from volute.archives import is_junk
    from volute.data.gather import SUFFIXES

    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "Give two pictures or two folders.")
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.suffix.lower() not in SUFFIXES or is_junk(name.as_posix()):
            continue
        key = name.with_suffix("").as_posix()
        if key in found:
            raise UsageError(
                f"{found[key]} and {path} have the same name",
                "Which of them is meant? Keep one ending in each folder.",
            )
        found[key] = path
    if not found:
        raise UsageError(f"{folder} holds no pictures")
    return found


def _row(name: str, one: Comparison) -> tuple[str, ...]:
    multi = "-" if one.ms_ssim is None else f"{one.ms_ssim:.4f}"
    return name, f"{one.psnr:.2f}", f"{one.ssim:.4f}", multi, f"{one.perceptual:.4f}"


def _mean(found: Sequence[Comparison]) -> tuple[str, ...]:
    """Return the row of means; of MS-SSIM over the pairs that have one."""
    multi = [one.ms_ssim for one in found if one.ms_ssim is not None]
    return (
        f"mean of {len(found)}",
        f"{fmean(one.psnr for one in found):.2f}",
        f"{fmean(one.ssim for one in found):.4f}",
        f"{fmean(multi):.4f}" if multi else "-",
        f"{fmean(one.perceptual for one in found):.4f}",
    )
