"""What gradient checkpointing saves and costs, for each kind, preset and size.

    python benchmarks/recompute.py --presets base large --sizes 128 256      # 15 minutes on 2 cores

Of one training step of few pictures: the most memory that it holds beyond what the networks and
their optimisers do (peak of the process, one process a case, after a step that does not count), for
each picture, and the seconds, with and without `-s recompute=true`, on the same two processes.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import torch

from volute.recipes import create, resolve_settings
from volute.training.device import choose
from volute.training.recipe import DataFacts
from volute.training.recompute import recompute

STEPS = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kinds", nargs="+", default=["gan", "vae"])
    parser.add_argument("--presets", nargs="+", default=["base", "large"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 256])
    parser.add_argument("--batch", type=int, default=4)
    asked = parser.parse_args()
    print("| kind | preset | px | MB a picture | with recompute | seconds a step | times |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for kind in asked.kinds:
        for preset in asked.presets:
            for size in asked.sizes:
                print(row(kind, preset, size, asked.batch), flush=True)


def row(kind: str, preset: str, size: int, batch: int) -> str:
    (held, seconds), (lean, longer) = (
        alone(kind, preset, size, batch, again) for again in (False, True)
    )
    sizes = f"{held / batch / 1e6:.0f} | {lean / batch / 1e6:.0f}"
    return f"| {kind} | {preset} | {size} | {sizes} | {seconds:.1f} | {longer / seconds:.2f} |"


def alone(*case: object) -> tuple[int, float]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(measured, *case).result()


def measured(kind: str, preset: str, size: int, batch: int, again: bool) -> tuple[int, float]:
    settings = resolve_settings(kind, preset, {"batch": batch})
    facts = DataFacts(size=size, channels=3, classes=0, pictures=10_000)
    recipe = create(kind, settings, facts, choose("cpu"), 0)
    if again:
        for network in recipe.modules.values():
            recompute(network)
    pictures = torch.rand(batch, 3, size, size) * 2 - 1
    labels = torch.zeros(batch, dtype=torch.int64)
    for optimiser in recipe.optimisers.values():  # its state counts as the networks do
        for group in optimiser.param_groups:
            for parameter in group["params"]:
                parameter.grad = torch.zeros_like(parameter)
        optimiser.step()
    before = now()
    seconds = []
    for index in range(STEPS + 1):
        start = time.perf_counter()
        recipe.step(pictures, labels, 0.0, index * batch)
        seconds.append(time.perf_counter() - start)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    return most - before, statistics.median(seconds[1:])


def now() -> int:
    """Return the bytes that the process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
