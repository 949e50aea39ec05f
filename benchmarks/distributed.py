"""Two processes on two cores against one process with two threads: images/s, as a ratio.

    python benchmarks/distributed.py [seconds]

Both train the same networks with the same batches for `seconds` each (8), without measuring, on
pictures that are drawn, of 28 px. The aim is a ratio of 0.9 or more.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

KINDS, BATCHES = ("gan", "vae", "classify"), (64, 256)
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
WARM_UP = 4


def measured(kind: str, batch: int, seconds: float) -> float:
    """Return the images/s of this process, or of those that it is one of."""
    import torch

    from volute import recipes
    from volute.training.device import choose
    from volute.training.distributed import join
    from volute.training.joint import joint
    from volute.training.recipe import DataFacts

    group = join()
    settings = recipes.resolve_settings(kind, "tiny", {"batch": batch})
    device = choose("cpu", "float32", 2 // group.size)
    facts = DataFacts(28, 1, 10, 10_000, (1000,) * 10)
    recipe = recipes.create(kind, settings, facts, device)
    recipe.group = group
    for network in recipe.modules.values():
        joint(network, group)
    rng = torch.Generator().manual_seed(group.rank)
    count = recipe.batch // group.size
    pictures = torch.rand(count, 1, 28, 28, generator=rng) * 2 - 1
    labels = torch.randint(10, (count,), generator=rng)
    steps, start, going = 0, 0.0, True
    while going:
        if steps == WARM_UP:
            start = time.perf_counter()
        with group.step():
            recipe.step(pictures, labels, 0.5, steps * recipe.batch)
        steps += 1
        going = steps <= WARM_UP or time.perf_counter() - start < seconds
        going = bool(group.sum(torch.tensor(float(going))) == group.size)
    return (steps - WARM_UP) * recipe.batch / (time.perf_counter() - start)


def main(seconds: float) -> None:
    print(
        f"| kind | batch | one process, two threads | two processes | ratio |\n|---|{'---:|' * 4}"
    )
    source = Path(__file__).parents[1] / "src"
    for kind, batch in itertools.product(KINDS, BATCHES):
        rates = []
        for how in ((), TORCHRUN):
            with tempfile.TemporaryDirectory() as folder:
                out = Path(folder) / "rate.npy"
                command = [sys.executable, *how, __file__, kind, str(batch), str(seconds), str(out)]
                paths = os.pathsep.join([str(source), os.environ.get("PYTHONPATH", "")])
                subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": paths})
                rates.append(float(np.load(out)))
        one, two = rates
        print(f"| `{kind}` | {batch} | {one:.0f} | {two:.0f} | {two / one:.2f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        rate = measured(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
        if os.environ.get("RANK", "0") == "0":
            np.save(sys.argv[4], rate)
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 8.0)
