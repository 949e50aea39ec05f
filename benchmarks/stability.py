"""Does training fail? Five seeds of the `gan` default on aerial tiles, each held against real ones.

    python benchmarks/stability.py --time 20m --seeds 0 1 2 3 4      # 100 minutes
    python benchmarks/stability.py --only land --time 1m --seeds 0 --keep

`land`: UC Merced at 64 px in tiles, with its 21 classes, nothing set by hand. One picture in ten of
each class is held out; as many samples as these give tiles are measured against them on features of
eye, and so are tiles that were learned from, which is what a perfect generator would get. A seed
has failed when its training ends without a model, when the Vendi score of its samples exceeds 1 (of
equal pictures) by less than half of what that of the held-out tiles does, or when its coverage is
under 0.1. `--keep` measures runs that are there.

`few`: 100 pictures of one class, and the 38 photographs: are they learned by heart?

Trainings that are broken on purpose are in `faults.py`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volute.evaluation import open_source
from volute.events import silent
from volute.handles import load_sampler
from volute.measure.coverage import coverage
from volute.measure.diversity import vendi
from volute.measure.features import cached_features, open_extractor
from volute.measure.frechet import frechet_distance
from volute.paths import atomic_folder

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
RESULTS = HERE / "results"
SIDE, HELD = 64, 10
TILES = {"data": {"crop": "tiles", "mode": "RGB"}}
LEAST_DIVERSITY, LEAST_COVERAGE = 0.5, 0.1


@dataclass(frozen=True)
class Measured:
    """Pictures against the held-out tiles, on features of eye."""

    distance: float
    coverage: float
    vendi: float

    def failed(self, held: float) -> str:
        """Return why these do not stand for tiles whose Vendi score is `held`, or nothing."""
        least = 1 + LEAST_DIVERSITY * (held - 1)
        if self.vendi < least:
            return f"Vendi score under {least:.2f}"
        return f"coverage under {LEAST_COVERAGE}" if self.coverage < LEAST_COVERAGE else ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--time", default="20m", help="training time of each seed of land")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--keep", action="store_true", help="measure the runs that are there")
    arguments = parser.parse_args()
    for part in arguments.only:
        for line in PARTS[part](arguments):
            print(line, flush=True)


def land(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield the lines of a table: one row a seed, then what real tiles get."""
    learned, held = divided(RESULTS / "land")
    eye, real = open_extractor("eye"), open_source(held, SIDE, TILES, silent).pictures
    target = cached_features(eye, np.asarray(real))
    own = vendi(target)

    def measured(pictures: np.ndarray) -> Measured:
        found = eye(pictures)
        covered = coverage(target, found).coverage
        return Measured(frechet_distance(found, target), covered, vendi(found))

    about = f"{arguments.time} on {os.cpu_count()} cores, {len(real):,} samples"
    yield f"\nland at {SIDE} px, {about}\n"
    yield "| | FD-eye | coverage | Vendi score | images shown | failed |"
    yield "|---|---:|---:|---:|---:|---|"
    failures = 0
    for seed in arguments.seeds:
        run = RESULTS / "runs" / f"land-{seed}-{arguments.time}"
        if not (arguments.keep and (run / "model").exists()) and not train(
            learned, run, arguments.time, seed
        ):
            failures += 1
            yield f"| seed {seed} | | | | {shown(run)} | no model |"
            continue
        found = measured(load_sampler(run).arrays(len(real), seed=seed))
        reason = found.failed(own)
        failures += bool(reason)
        yield row(f"seed {seed}", found, shown(run), reason or "no")
    tiles = open_source(learned, SIDE, TILES, silent).pictures
    chosen = np.random.default_rng(0).permutation(len(tiles))[: len(real)]
    yield row("tiles learned from", measured(np.asarray(tiles[np.sort(chosen)])), "", "")
    yield f"\nfailed: {failures} of {len(arguments.seeds)} seeds; held-out Vendi score {own:.2f}"


def few(arguments: argparse.Namespace) -> Iterator[str]:
    """Yield what becomes of 100 pictures of one class, and of 38 photographs, at 64 px."""
    yield f"\nfew pictures at {SIDE} px, {arguments.time} on {os.cpu_count()} cores\n"
    yield "| | images shown | the doctor's last word | nearer than unseen pictures |"
    yield "|---|---:|---|---:|"
    for name in ("land/harbor", "photos"):
        run = RESULTS / "runs" / f"few-{Path(name).name}-{arguments.time}"
        if not (arguments.keep and (run / "model").exists()):
            train(DATA / name, run, arguments.time, 0, [])
        lines = [json.loads(line) for line in (run / "doctor.jsonl").open(encoding="utf-8")]
        copies = [line["signs"]["copies"] for line in lines if "copies" in line["signs"]]
        word = f"{lines[-1]['level']}: {lines[-1]['reason']}"
        yield f"| {name} | {shown(run)} | {word} | {f'{copies[-1]:.0%}' if copies else ''} |"


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[str]]] = {"land": land, "few": few}
"""The parts of the benchmark: each takes the arguments and yields lines to print."""


def divided(folder: Path) -> tuple[Path, Path]:
    """Return a folder of pictures to learn from, and one of every tenth picture of a class."""
    if not folder.exists():
        with atomic_folder(folder) as part:
            for source in sorted(path for path in (DATA / "land").iterdir() if path.is_dir()):
                for index, picture in enumerate(sorted(source.iterdir())):
                    name = "learned" if (index + 1) % HELD else "held"
                    target = part / name / source.name
                    target.mkdir(parents=True, exist_ok=True)
                    shutil.copy(picture, target)
    return folder / "learned", folder / "held"


def train(
    source: Path, run: Path, budget: str, seed: int, more: Sequence[str] = ("-s", "data.crop=tiles")
) -> bool:
    """Train one seed from the start; tell whether that left a model."""
    shutil.rmtree(run, ignore_errors=True)
    words = ["train", "gan", source, "--size", SIDE, *more]
    words += ["--time", budget, "--seed", seed, "-o", run]
    command = [sys.executable, "-m", "volute", *map(str, words)]
    return subprocess.run(command, check=False).returncode == 0 and (run / "model").exists()


def shown(run: Path) -> str:
    """Return how many images a run was shown."""
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    return f"{json.loads(lines[-1])['shown']:,}" if lines else "0"


def row(name: str, found: Measured, images: str, failed: str) -> str:
    numbers = f"{found.distance:.3f} | {found.coverage:.2f} | {found.vendi:.2f}"
    return f"| {name} | {numbers} | {images} | {failed} |"


if __name__ == "__main__":
    main()
