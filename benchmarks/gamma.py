"""Does any set want another gamma than `auto`? The `gan` default on four sets, five gammas.

    python benchmarks/gamma.py                       # two hours of one core
    python benchmarks/gamma.py --only mnist --threads 2 --keep

Fashion-MNIST and MNIST (28 px), the 1,797 digits of scikit-learn (16 px) and UC Merced (64 px),
without labels; equal in images shown, so that other work on the machine changes nothing. Samples
against pictures that were learned from, as many: the Frechet distance on features of eye. `--keep`
measures runs that are there.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from faults import NO_LABELS, Sets
from volute.evaluation import open_source
from volute.events import silent
from volute.handles import load_sampler
from volute.jobs import train
from volute.measure.features import cached_features, open_extractor
from volute.measure.frechet import frechet_distance

RUNS = Path(__file__).parent / "results" / "runs"
SHOWN = {"grey": 40.0, "mnist": 40.0, "digits": 40.0, "land": 10.0}
"""Thousands of images that each training is shown."""
SIDES = {"grey": 28, "mnist": 28, "digits": 16, "land": 64}
GAMMAS = (0.0125, 0.05, 0.2, 0.5, 1.0)
SAMPLES = 1797


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=list(SHOWN), default=list(SHOWN))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="measure the runs that are there")
    asked = parser.parse_args()
    print("| FD-eye | " + " | ".join(f"gamma {gamma:g}" for gamma in GAMMAS) + " |")
    print("|---|" + "---:|" * len(GAMMAS))
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.only:
            path = Sets(Path(folder)).path(name)
            row = [distance(name, path, gamma, asked.threads, asked.keep) for gamma in GAMMAS]
            print(f"| {name} | " + " | ".join(f"{found:.2f}" for found in row) + " |", flush=True)


def distance(name: str, path: Path, gamma: float, threads: int, keep: bool) -> float:
    """Train with a gamma and return how far its samples are from pictures."""
    run = RUNS / f"gamma-{name}-{gamma:g}"
    if not (keep and (run / "model").exists()):
        settings = NO_LABELS | {"gamma": gamma, "threads": threads}
        train("gan", path, size=SIDES[name], kimg=SHOWN[name], settings=settings, out=run)
    eye = open_extractor("eye")
    real = np.asarray(open_source(path, SIDES[name], {}, silent).pictures)
    chosen = np.sort(np.random.default_rng(0).permutation(len(real))[:SAMPLES])
    made = load_sampler(run).arrays(SAMPLES, seed=0)
    return frechet_distance(eye(made), cached_features(eye, real[chosen]))


if __name__ == "__main__":
    main()
