"""How fast a style network is, beside MicroAST and beside what the cores can do."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import numpy as np
import torch

from style_losses import DATA
from upscaling import best
from volute.engine.artefact import STYLE_FILE, open_artefact
from volute.engine.session import Session
from volute.handles import Stylizer
from volute.nets.microast import MicroAST, as_batch, as_picture
from volute.training.device import choose
from volute.zoo import resolve

SIDE, SECONDS, PRODUCT = 512, 10.0, 2048


def speeds(ref: str, threads: int, styles: dict[str, np.ndarray]) -> list[str]:
    """Return the rows of the table, for pictures of 512 x 512 px.

    Args:
        ref: a `style` model.
        threads: of both networks.
        styles: pictures; the first is used.
    """
    artefact = open_artefact(resolve(ref))
    handle = Stylizer(artefact, threads)
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    painting = next(iter(styles.values()))
    style, read = handle.style(painting, like=picture), handle.style(painting)
    pictures = itertools.cycle([np.roll(picture, shift, 0) for shift in range(8)])
    torch.set_num_threads(threads)
    a = torch.rand(PRODUCT, PRODUCT)
    top = 2 * PRODUCT**3 / best(lambda: a @ a) / 1e9

    rows = [f"{threads} threads; float32 matrix product: {top:.0f} GFLOP/s", ""]
    rows += ["| 512 x 512, uint8 to uint8 | p50 ms | p95 ms | frames/s |", "|---|---:|---:|---:|"]
    ours = times(lambda: handle.stylize(picture, style=style))
    rows.append(row(f"**{artefact.config.name}**, frames of a shot", ours))
    alone = times(lambda: handle.stylize(next(pictures), style=read))
    rows.append(row(f"{artefact.config.name}, each picture measured", alone))
    theirs = times(microast(picture, painting, threads))
    rows.append(row("MicroAST, torch, style read once", theirs))
    ratio = np.median(theirs) / np.median(ours)
    rows += ["", f"{ratio:.1f} times the frames of MicroAST.", ""]

    assert style.seen is not None
    inputs = {"code": style.code[None], "picture": style.seen.pixels[None]}
    weights = Session(artefact.graph("modulator")).run(inputs)
    files = {STYLE_FILE: weights.tobytes()}
    session = Session(artefact.graph("stylizer"), threads, files)
    planes = picture.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1
    alone = times(lambda: session.run({"picture": planes}))
    work = 2 * artefact.config.descriptor.macs_per_pixel * SIDE**2 / 1e9
    rate = work / np.median(alone)
    rows.append(
        f"The network alone: {1000 * np.median(alone):.1f} ms for {work:.2f} GFLOP, "
        f"{rate:.0f} GFLOP/s, {rate / top:.0%} of the matrix product."
    )
    return rows


def microast(picture: np.ndarray, style: np.ndarray, threads: int) -> Callable[[], np.ndarray]:
    """Return MicroAST's work on one frame, with malloc's thresholds raised as in training."""
    choose("cpu", "float32", threads)
    network = MicroAST(DATA / "style" / "microast")
    with torch.inference_mode():
        signals = network.signals(as_batch(style))

    def work() -> np.ndarray:
        with torch.inference_mode():
            return as_picture(network.paint(as_batch(picture), signals))

    return work


def times(work: Callable[[], object], seconds: float = SECONDS) -> np.ndarray:
    """Return the seconds of each call, after some that do not count."""
    for _ in range(3):
        work()
    found = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end or len(found) < 20:
        work()
        found.append(time.perf_counter() - start)
    return np.array(found)


def row(name: str, seconds: np.ndarray) -> str:
    middle, late = (1000 * np.percentile(seconds, share) for share in (50, 95))
    return f"| {name} | {middle:.1f} | {late:.1f} | {1000 / middle:.1f} |"
