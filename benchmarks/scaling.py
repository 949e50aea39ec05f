"""What a picture costs, and how that grows with its size, the batch and the threads.

    python benchmarks/scaling.py [size] [batch] [threads] [files]

Prints the tables of `docs/scaling.md`; half a minute for each part. Wants a computer that does
nothing else. Times are the least of several runs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import volute
from volute.engine.artefact import open_artefact
from volute.engine.session import physical_cores
from volute.handles import Stylizer, Upscaler
from volute.speed.cases import cases, natural
from volute.zoo import resolve

SIDES = (128, 256, 512, 1024, 2048)
BATCHES = (1, 4, 16, 64)
OF_SIZE = ("photo-x2-fast", "photo-x2", "photo-x4-fast", "painter")
OF_BATCH = ("garments-gan", "land-gan", "garments-vae", "garments-classify")
SECONDS, LONGEST = 0.4, 1.2


def size() -> list[str]:
    """Return how the time of a picture grows with its sides, in memory, from array to array."""
    rows = ["| model | " + " | ".join(f"{side} px" for side in SIDES) + " | fixed ms | ms/MP |"]
    rows.append("|---|" + "---:|" * (len(SIDES) + 2))
    for name in OF_SIZE:
        spent: dict[int, float] = {}
        for side in SIDES:
            if spent and 4 * spent[side // 2] > LONGEST:
                break
            spent[side] = least(worker(name, side))
        slope, fixed = np.polyfit([side**2 / 1e6 for side in spent], list(spent.values()), 1)
        cells = [f"{1000 * spent[side]:.0f}" if side in spent else "" for side in SIDES]
        fit = f"{1000 * max(fixed, 0):.0f} | {1000 * slope:.0f}"
        rows.append(f"| {name} | {' | '.join(cells)} | {fit} |")
    return rows


def worker(name: str, side: int) -> Callable[[], object]:
    """Return what enlarges or repaints a picture; for a style it is measured anew each time."""
    model, array = volute.load(name), picture(side)
    if isinstance(model, Upscaler):
        return lambda: model.upscale(array)
    assert isinstance(model, Stylizer)
    style = model.style("wave")
    pictures = iter([np.roll(array, shift, 0) for shift in range(64)])
    return lambda: model.stylize(next(pictures), style=style)


def batch() -> list[str]:
    """Return how the time of one picture falls with the number that go through at once."""
    rows = ["| model | graph | " + " | ".join(f"batch {n}" for n in BATCHES) + " |"]
    rows.append("|---|---|" + "---:|" * len(BATCHES))
    for name in OF_BATCH:
        artefact = open_artefact(resolve(name))
        found = []
        for count in BATCHES:
            case = cases(artefact, batch=count)[0]
            session = case.session()
            found.append(1000 * least(partial(session.run, case.inputs)) / count)
        told = " | ".join(f"{one:.2f}" for one in found)
        rows.append(f"| {name} | {case.role} | {told} |")
    return rows


def threads() -> list[str]:
    """Return how many times as fast all threads are as one, for one run of each main graph."""
    most = physical_cores()
    rows = [
        f"| model | graph | run | 1 thread | {most} threads | times |",
        "|---|---|---|---:|---:|---:|",
    ]
    for name in (*OF_BATCH, *OF_SIZE):
        case = cases(open_artefact(resolve(name)))[0]
        one, every = (least(partial(case.session(count).run, case.inputs)) for count in (1, most))
        told = f"{1000 * one:.1f} | {1000 * every:.1f} | {one / every:.2f}"
        rows.append(f"| {name} | {case.role} | {case.size} | {told} |")
    return rows


def files() -> list[str]:
    """Return what files add to the arithmetic: reading, writing, marking, signing."""
    rows = ["| work on a file of 512 x 512 px | in memory | unmarked file | signed, marked file |"]
    rows.append("|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Image.fromarray(picture(512)).save(source := folder / "a.png")
        enlarger, stylizer = volute.load("photo-x2-fast"), volute.load("painter")
        assert isinstance(enlarger, Upscaler)
        assert isinstance(stylizer, Stylizer)
        style = stylizer.style("wave", like=picture(512))
        made = folder / "b.png"
        works = {
            "photo-x2-fast": (
                lambda: enlarger.upscale(picture(512)),
                lambda u: enlarger.upscale_file(source, made, unmarked=u),
            ),
            "painter": (
                lambda: stylizer.stylize(picture(512), style=style),
                lambda u: stylizer.stylize_file(source, made, style=style, unmarked=u),
            ),
        }
        for name, (alone, to_file) in works.items():
            times = [
                least(alone),
                least(lambda f=to_file: f(True)),
                least(lambda f=to_file: f(False)),
            ]
            rows.append(f"| {name} | " + " | ".join(f"{1000 * one:.0f} ms" for one in times) + " |")
    return rows


def picture(side: int) -> np.ndarray:
    values = natural((3, side, side)).transpose(1, 2, 0)
    return np.round(127.5 * (values + 1)).astype(np.uint8)


def least(work: Callable[[], object]) -> float:
    """Return the seconds of the fastest run."""
    work()
    best, end, runs = float("inf"), time.perf_counter() + SECONDS, 0
    while runs < 3 or time.perf_counter() < end and runs < 60:
        start = time.perf_counter()
        work()
        best, runs = min(best, time.perf_counter() - start), runs + 1
    return best


if __name__ == "__main__":
    parts = {"size": size, "batch": batch, "threads": threads, "files": files}
    for part in sys.argv[1:] or parts:
        print("\n".join(parts[part]()), end="\n\n", flush=True)
