"""What compiling a training step gains, for each kind and preset, and how long it takes.

    python benchmarks/compiled.py      # 6 minutes on 2 cores

The fastest of six steps in either way, taken in turn in one process, each case in a process of its
own; batches of noise of the usual size. The first compiled step says how long compiling takes; what
was compiled before is left aside.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import torch

from volute.recipes import create, resolve_settings
from volute.recipes.lm_settings import LmSettings
from volute.training.compiled import EARLY, raced
from volute.training.device import Device, choose
from volute.training.recipe import Batch, DataFacts, Recipe

CASES = (
    ("vae", "tiny", 28),
    ("vae", "small", 64),
    ("upscale", "fast", 192),
    ("upscale", "fine", 192),
    ("lm", "tiny", 1),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=[kind for kind, _, _ in CASES])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=0)
    asked = parser.parse_args()
    print(choose(asked.device, "auto", asked.threads).say())
    print("| kind | preset | px | batch | ms a step | compiled | times | s to compile |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for case in CASES:
        if case[0] in asked.kinds:
            print(row(*case, asked.device, asked.threads), flush=True)


def row(kind: str, preset: str, size: int, device: str, threads: int) -> str:
    with (
        tempfile.TemporaryDirectory() as cache,
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        case = kind, preset, size, device, threads, cache
        batch, plain, fused, first = pool.submit(measured, *case).result()
    times = f"{plain * 1000:.1f} | {fused * 1000:.1f} | {plain / fused:.2f} | {first:.0f}"
    return f"| {kind} | {preset} | {size} | {batch} | {times} |"


def measured(
    kind: str, preset: str, size: int, device: str, threads: int, cache: str
) -> tuple[int, float, float, float]:
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
    recipe, batch = ready(kind, preset, size, choose(device, "auto", threads))
    recipe.step(*batch, EARLY, 0)
    recipe.compiling = True
    start = time.perf_counter()
    recipe.step(*batch, EARLY, 0)
    first = time.perf_counter() - start
    return (recipe.settings.batch, *raced(recipe, batch), first)


def ready(kind: str, preset: str, size: int, device: Device) -> tuple[Recipe, Batch]:
    settings, rng = resolve_settings(kind, preset, {}), torch.Generator().manual_seed(0)
    if isinstance(settings, LmSettings):
        text = np.random.default_rng(0).integers(0, 256, 1 << 16, np.uint8)
        recipe = create(kind, settings, DataFacts(1, 1, 0, len(text), text=text), device)
        windows = torch.randint(256, (settings.batch, settings.length + 1), generator=rng)
        return recipe, (windows.to(device.torch), torch.zeros(0))
    recipe = create(kind, settings, DataFacts(size, 3, 0, 10_000), device)
    pictures = torch.rand(recipe.batch, 3, size, size, generator=rng) * 2 - 1
    labels = torch.zeros(recipe.batch, dtype=torch.long)
    return recipe, (pictures.to(device.torch), labels.to(device.torch))


if __name__ == "__main__":
    main()
