"""How many held-out pictures the `small` classifier names rightly after 20 minutes on 2 cores.

    python benchmarks/classification.py                       # both sets, one after the other
    python benchmarks/classification.py --sets land --time 5m

`garments` is Fashion-MNIST: learned from 54,000 of the training pictures, calibrated on the other
6,000, measured on the 10,000 test pictures, which nothing has seen. `land` is UC Merced, 21
classes, 80 % learned from and 20 % held out by a fixed seed: measured on these, on which the
temperature is fitted too (accuracy does not depend on it, the calibration error does).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np

import volute
from volute.data import split
from volute.handles import Classifier
from volute.recipes.calibration import calibration_error

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
RUNS = HERE / "results" / "runs"
SETS = {
    "garments": ("fashion_mnist.npz", ["-sflip=true"]),
    "land": ("land", ["--size", "128", "-sheld_out=0.2", "-sflip=true", "-sturn=true"]),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--time", default="20m", help="training time of each set")
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="measure the runs that are there")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.sets:
        run = RUNS / f"classify-{name}-{arguments.seed}-{arguments.time}"
        if not (arguments.keep and (run / "model").exists()):
            train(name, run, arguments.time, arguments.seed)
        rows.append(row(name, run))
    cores = len(os.sched_getaffinity(0))
    print(f"\n`small`, {arguments.time} on {cores} cores, seed {arguments.seed}\n")
    print("| set | pictures measured | accuracy | calibration error | answered | of these right "
          "| images shown | images/s |")  # fmt: skip
    print("|---|---:|---:|---:|---:|---:|---:|---:|", *rows, sep="\n")


def train(name: str, run: Path, budget: str, seed: int) -> None:
    shutil.rmtree(run, ignore_errors=True)
    source, extra = SETS[name]
    volute_command = Path(sys.executable).with_name("volute")
    command = [volute_command, "train", "classify", DATA / source, "--preset", "small", *extra,
               "--time", budget, "--seed", seed, "-o", run]  # fmt: skip
    subprocess.run([str(part) for part in command], check=True)


def row(name: str, run: Path) -> str:
    model = volute.load(run)
    assert isinstance(model, Classifier)
    chances, labels = measured(name, model, run)
    best = chances.max(1)
    right, answered = chances.argmax(1) == labels, best >= model.info.threshold
    last = json.loads((run / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    cells = [
        name,
        f"{len(labels):,}",
        f"**{right.mean():.2%}**",
        f"{calibration_error(chances, labels):.3f}",
        f"{answered.mean():.1%}",
        f"{right[answered].mean():.2%}",
        f"{last['shown']:,}",
        f"{last['shown'] / last['seconds']:.0f}",
    ]
    return f"| {' | '.join(cells)} |"


def measured(name: str, model: Classifier, run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities [N, K] and labels [N] of the pictures that were not learned from."""
    if name == "garments":
        with np.load(DATA / SETS[name][0]) as data:
            return model.probabilities(data["x_test"][..., None]), data["y_test"]
    from volute.data import open_dataset
    from volute.events import silent
    from volute.training.run import Run

    config = Run(run).config
    dataset = open_dataset(DATA / SETS[name][0], config.data, config.size, silent)
    _, held = split(dataset.labels, dataset.sources, config.settings["held_out"])
    return model.probabilities(np.asarray(dataset.pictures[held])), dataset.labels[held]


if __name__ == "__main__":
    main()
