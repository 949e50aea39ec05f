"""Generators of Fashion-MNIST at equal wall clock: volute's, its textbook GAN, and two peers.

    python benchmarks/generation.py --time 10m --seeds 0 1     # 12 trainings, then measures: hours
    python benchmarks/generation.py --time 1m --seeds 0 --n 1000 --arms vae pythae

Arms train one after the other on this machine, seed by seed, so that a machine that gets slower
hits all alike; volute's by its own command, those of other projects by their own pipelines
(`peers/`), in an environment that is made on first use. Labels are used by `conditional` alone.
What `results/generation.json` has for the same settings, scripts, torch, cores, time, seed and
number of samples is not done again. What `auto` means is not seen: delete rows when it changes.

Reported, of samples against the 10,000 test pictures and for as many training pictures (the floor):
on features of eye the Frechet distance, precision and recall (k=3), density and coverage (k=5) and
the Vendi score; the Frechet distance on the MobileNetV2 trunk at 224 px. For VAEs also bits per
dimension: the importance-weighted bound, k=100, on the probability of 8-bit values under Gaussians
whose common deviation is fitted on 500 test pictures, taken on 500 others, for all VAEs by the same
function (`volute.recipes.likelihood`); with fewer samples, on fewer pictures (n / 20).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import volute
from generation_results import Key, Result, read_results, table, write_results
from peers import environment
from peers.peer import coded
from volute.measure.coverage import coverage
from volute.measure.diversity import vendi
from volute.measure.features import OnnxExtractor, cached_features, open_extractor
from volute.measure.frechet import frechet_distance
from volute.recipes import resolve_settings
from volute.recipes.likelihood import bits_per_dimension
from volute.training.run import parse_time

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
PICTURES = DATA / "fashion_mnist.npz"
RESULTS = HERE / "results"
UNLABELLED = ("-s", "data.labels=false")


@dataclass(frozen=True)
class Arm:
    """One way to a generator: a kind and preset of volute, or a script of another project."""

    kind: str = ""
    preset: str = ""
    extra: tuple[str, ...] = UNLABELLED
    script: str = ""


ARMS = {
    "unconditional": Arm("gan", "tiny"),
    "conditional": Arm("gan", "tiny", ()),
    "vae": Arm("vae", "tiny"),
    "classic": Arm("gan", "classic"),
    "pythae": Arm(script="pythae_vae.py"),
    "torchgan": Arm(script="torchgan_dcgan.py"),
}
DRAWN = {"pythae": ("pythae-normal", "pythae-mixture")}
"""What an arm's samples are called where there are several sets."""


@dataclass(frozen=True)
class Made:
    """What an arm left: sets of samples uint8 [n, 28, 28, 1], bits per dimension, its cost."""

    samples: dict[str, np.ndarray]
    bits: float | None
    shown: int
    seconds: float


class Measures:
    """Measures pictures against the test pictures."""

    def __init__(self, test: np.ndarray) -> None:
        self.trunk = OnnxExtractor(DATA / "perceptual" / "mobilenetv2_trunk.onnx")
        self.eye = open_extractor("eye")
        self.targets = [cached_features(x, test) for x in (self.trunk, self.eye)]

    def __call__(self, pictures: np.ndarray) -> dict[str, float]:
        """Return the fields of a result for uint8 [n, 28, 28, 1]."""
        on_trunk, on_eye = (x(pictures) for x in (self.trunk, self.eye))
        near = coverage(self.targets[1], on_eye)
        return {
            "fd_eye": frechet_distance(on_eye, self.targets[1]),
            "fd_trunk": frechet_distance(on_trunk, self.targets[0]),
            "precision": near.precision,
            "recall": near.recall,
            "density": near.density,
            "coverage": near.coverage,
            "vendi": vendi(on_eye),
        }


def main() -> None:
    arguments = parse()
    with np.load(PICTURES) as data:
        train, test = data["x_train"][..., None], data["x_test"][..., None]
    measured = Measures(test)
    path, extractors = RESULTS / "generation.json", (measured.eye, measured.trunk)
    results, counts = read_results(path), (arguments.n, len(test))

    def record(key: Key, **found: float | None) -> None:
        results[key] = Result(*key, **found)
        write_results(path, results, extractors)
        print(f"{key[0]} seed {key[1]}: FD-eye {found['fd_eye']:.3f}", flush=True)

    save_grid(test[: arguments.n], "real")
    floor: Key = ("train", 0, "", *counts, "")
    if floor not in results:
        chosen = np.random.default_rng(0).permutation(len(train))[: arguments.n]
        record(floor, **measured(train[chosen]))
    for seed in arguments.seeds:
        for arm in arguments.arms:
            keys = {name: key_of(name, arm, seed, arguments, counts) for name in names_of(arm)}
            if all(key in results for key in keys.values()):
                continue
            made = trained(arm, seed, arguments, test)
            for name, samples in made.samples.items():
                save_grid(samples, f"{name}-{seed}")
                spent = {"bits": made.bits, "shown": made.shown, "seconds": made.seconds}
                record(keys[name], **measured(samples), **spent)
    rows = {
        name: [key_of(name, arm, seed, arguments, counts) for seed in arguments.seeds]
        for arm in arguments.arms
        for name in names_of(arm)
    }
    print(table(results, rows | {"train": [floor]}, arguments.time))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--time", default="10m", help="training time of each arm")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--n", type=int, default=10_000, help="samples to measure")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument(
        "--peers", type=Path, default=RESULTS / "peers", help="environment of the others"
    )
    return parser.parse_args()


def names_of(arm: str) -> tuple[str, ...]:
    return DRAWN.get(arm, (arm,))


def key_of(
    name: str, arm: str, seed: int, arguments: argparse.Namespace, counts: tuple[int, int]
) -> Key:
    return (name, seed, arguments.time, *counts, digest(ARMS[arm]))


def digest(arm: Arm) -> str:
    """Return a short hash of what a result depends on besides its own fields."""
    if arm.script:
        scripts = [HERE / "peers" / name for name in (arm.script, "peer.py", "environment.py")]
        parts = [script.read_text(encoding="utf-8") for script in scripts]
    else:
        parts = [resolve_settings(arm.kind, arm.preset, {}).model_dump_json(), *arm.extra]
    parts += [torch.__version__, str(os.cpu_count())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def trained(name: str, seed: int, arguments: argparse.Namespace, test: np.ndarray) -> Made:
    """Train one arm from the start and draw its samples."""
    run = RESULTS / "runs" / f"{name}-{seed}-{arguments.time}"
    shutil.rmtree(run, ignore_errors=True)
    if ARMS[name].script:
        return by_peer(ARMS[name], run, seed, arguments)
    return by_volute(name, run, seed, arguments, test)


def by_volute(
    name: str, run: Path, seed: int, arguments: argparse.Namespace, test: np.ndarray
) -> Made:
    arm = ARMS[name]
    words = ["train", arm.kind, str(PICTURES), "--preset", arm.preset, *arm.extra]
    words += ["--time", arguments.time, "--seed", str(seed), "-o", str(run)]
    print(f"\n$ volute {' '.join(words)}", flush=True)
    subprocess.run([sys.executable, "-m", "volute", *words], check=True)
    last = json.loads((run / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    samples = volute.load(run).arrays(arguments.n, seed=seed)
    bits = (
        bits_per_dimension(run, test[: coded(arguments.n)], seed)[0] if arm.kind == "vae" else None
    )
    return Made({name: samples}, bits, last["shown"], last["seconds"])


def by_peer(arm: Arm, run: Path, seed: int, arguments: argparse.Namespace) -> Made:
    out = run.with_suffix(".npz")
    words = [PICTURES, out, "--seconds", parse_time(arguments.time), "--seed", seed]
    print(f"\n$ {arm.script} {' '.join(map(str, words))}", flush=True)
    out.parent.mkdir(parents=True, exist_ok=True)
    environment.run(arguments.peers, arm.script, *words, "--n", arguments.n)
    with np.load(out) as made:
        drawn = {key: made[key] for key in made.files if made[key].ndim == 4}
        spent = {"shown": int(made["shown"]), "seconds": float(made["seconds"])}
        bits = float(made["bits"][0]) if "bits" in made else None
    return Made(drawn, bits, **spent)


def save_grid(pictures: np.ndarray, name: str, side: int = 10) -> None:
    """Write the first pictures, at most side x side, as one PNG, doubled in size."""
    _, height, width, _ = pictures.shape
    side = min(side, math.isqrt(len(pictures)))
    rows = pictures[: side * side].reshape(side, side, height, width)
    image = Image.fromarray(rows.swapaxes(1, 2).reshape(side * height, side * width))
    RESULTS.mkdir(parents=True, exist_ok=True)
    image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(
        RESULTS / f"generation-{name}.png"
    )


if __name__ == "__main__":
    main()
