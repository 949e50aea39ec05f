"""GANs on Fashion-MNIST at equal wall clock: how far their samples lie from the test pictures.

    python benchmarks/generation.py                     # 6 trainings of 10 minutes, then measures
    python benchmarks/generation.py --time 1m --seeds 0 --n 2000

Every arm trains with the project's own command on this machine, one after the other, seed by seed,
so that a machine that gets slower hits all arms alike. An arm whose result is already in
`results/generation.json` for the same settings, torch, cores, time, seed and number of samples is
not run again.
Reported: Frechet distance on features of the MobileNetV2 trunk at 224 px, of samples against the
10,000 test pictures; the same for as many training pictures, which is the floor; 1000 times the
kernel distance; density and coverage (k=5).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import volute
from volute.measure.coverage import coverage
from volute.measure.features import OnnxExtractor, cached_features
from volute.measure.frechet import frechet_distance, kid
from volute.paths import write_text
from volute.recipes import resolve_settings

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
RESULTS = HERE / "results"
UNLABELLED = ["-s", "data.labels=false"]
ARMS = {
    "unconditional": ("tiny", UNLABELLED),
    "conditional": ("tiny", []),
    "classic": ("classic", UNLABELLED),
}
TITLES = {
    "unconditional": "volute `tiny`, unconditional",
    "conditional": "volute `tiny`, class-conditional",
    "classic": "`classic` (DCGAN), unconditional",
    "train": "training pictures (floor)",
}


Key = tuple[str, int, str, int, int, str]


@dataclass(frozen=True)
class Result:
    """One arm with one seed, measured. `key` says when it may stand for another run."""

    arm: str
    seed: int
    time: str
    n: int
    against: int
    settings: str
    frechet: float
    kid_1000: float
    density: float
    coverage: float
    shown: int = 0
    seconds: float = 0.0

    @property
    def key(self) -> Key:
        """Return what a record must share to stand for another run."""
        return (self.arm, self.seed, self.time, self.n, self.against, self.settings)


def main() -> None:
    arguments = parse()
    with np.load(DATA / "fashion_mnist.npz") as data:
        train, test = data["x_train"][..., None], data["x_test"][..., None]
    extractor = OnnxExtractor(DATA / "perceptual" / "mobilenetv2_trunk.onnx")
    print(f"features: {extractor.name}, sha256 {extractor.sha256[:16]}", flush=True)
    target = cached_features(extractor, test)
    results, counts = read_results(), (arguments.n, len(test))

    def record(result: Result) -> None:
        results[result.key] = result
        write_results(results, extractor)
        print(f"{result.arm} seed {result.seed}: {result.frechet:.2f}", flush=True)

    save_grid(test[: arguments.n], "real")
    if ("train", 0, "", *counts, "") not in results:
        chosen = np.random.default_rng(0).permutation(len(train))[: arguments.n]
        floor = measured(cached_features(extractor, train[chosen]), target)
        record(Result("train", 0, "", *counts, "", **floor))
    for seed in arguments.seeds:
        for arm in arguments.arms:
            key = (arm, seed, arguments.time, *counts, digest(arm))
            if key in results:
                continue
            run, shown, seconds = trained(arm, seed, arguments.time)
            samples = volute.load(run).arrays(arguments.n, seed=seed)
            save_grid(samples, f"{arm}-{seed}")
            found = measured(extractor(samples), target)
            record(Result(*key, **found, shown=shown, seconds=seconds))
    print(table(results, arguments, counts))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--time", default="10m", help="training time of each arm")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--n", type=int, default=10_000, help="samples to measure")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    return parser.parse_args()


def digest(arm: str) -> str:
    """Return a short hash of what a result depends on besides its own fields."""
    if arm == "train":
        return ""
    preset, extra = ARMS[arm]
    settings = resolve_settings("gan", preset, {}).model_dump_json()
    parts = [settings, *extra, torch.__version__, str(os.cpu_count())]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def trained(arm: str, seed: int, budget: str) -> tuple[Path, int, float]:
    """Train one arm from the start; return its run, the images shown and the seconds it took."""
    run = RESULTS / "runs" / f"{arm}-{seed}-{budget}"
    shutil.rmtree(run, ignore_errors=True)
    preset, extra = ARMS[arm]
    command = [
        volute_command(), "train", "gan", str(DATA / "fashion_mnist.npz"),
        "--preset", preset, *extra, "--time", budget, "--seed", str(seed), "-o", str(run),
    ]  # fmt: skip
    print(f"\n$ volute {' '.join(command[1:])}", flush=True)
    subprocess.run(command, check=True)
    last = json.loads((run / "log.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    return run, last["shown"], last["seconds"]


def volute_command() -> str:
    found = shutil.which("volute", path=str(Path(sys.executable).parent))
    if found is None:
        sys.exit(f"no `volute` command beside {sys.executable}: install the project there")
    return found


def measured(features: np.ndarray, target: np.ndarray) -> dict[str, float]:
    near = coverage(target, features)
    return {
        "frechet": frechet_distance(features, target),
        "kid_1000": 1000 * kid(features, target),
        "density": near.density,
        "coverage": near.coverage,
    }


def save_grid(pictures: np.ndarray, name: str, side: int = 10) -> None:
    """Write the first pictures, at most side x side, as one PNG, doubled in size."""
    _, height, width, channels = pictures.shape
    side = min(side, math.isqrt(len(pictures)))
    rows = pictures[: side * side].reshape(side, side, height, width, channels)
    sheet = rows.swapaxes(1, 2).reshape(side * height, side * width, channels)
    image = Image.fromarray(sheet[..., 0] if channels == 1 else sheet)
    RESULTS.mkdir(parents=True, exist_ok=True)
    image.resize((image.width * 2, image.height * 2), Image.Resampling.NEAREST).save(
        RESULTS / f"generation-{name}.png"
    )


def read_results() -> dict[Key, Result]:
    path = RESULTS / "generation.json"
    if not path.exists():
        return {}
    records = json.loads(path.read_text(encoding="utf-8"))["results"]
    return {result.key: result for result in (Result(**record) for record in records)}


def write_results(results: dict[Key, Result], extractor: OnnxExtractor) -> None:
    content = {
        "features": {"name": extractor.name, "sha256": extractor.sha256, "resize": "bicubic 224"},
        "volute": volute.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "written": time.strftime("%Y-%m-%d"),
        "results": [asdict(result) for result in results.values()],
    }
    write_text(RESULTS / "generation.json", json.dumps(content, indent=1) + "\n")


def table(
    results: dict[Key, Result], arguments: argparse.Namespace, counts: tuple[int, int]
) -> str:
    """Return the Markdown table that the README quotes: a row for each arm and the floor."""
    seeds, (n, against) = arguments.seeds, counts
    each = " | ".join(f"seed {seed}" for seed in seeds)
    rule = "|---|" + "---:|" * (len(seeds) + 7)
    lines = [
        f"Fashion-MNIST, {arguments.time} of training on {os.cpu_count()} cores, {n:,} samples "
        f"against the {against:,} test pictures.",
        "",
        f"| | Frechet distance (MobileNetV2), mean | {each} | of `classic` | KID x 1000 | density "
        "| coverage | images shown | images/s |",
        rule,
    ]
    for arm in [*arguments.arms, "train"]:
        used = [0] if arm == "train" else seeds
        budget = "" if arm == "train" else arguments.time
        own = [results[arm, seed, budget, *counts, digest(arm)] for seed in used]
        classic = [
            results.get(("classic", seed, budget, *counts, digest("classic"))) for seed in used
        ]
        lines.append(row(own, classic, len(seeds)))
    return "\n".join(lines)


def row(own: list[Result], classic: list[Result | None], columns: int) -> str:
    distances = [f"{result.frechet:.1f}" for result in own]
    pairs = [a.frechet / b.frechet for a, b in zip(own, classic, strict=True) if b]
    shown = mean(own, "shown")
    cells = [
        TITLES[own[0].arm],
        f"**{mean(own, 'frechet'):.1f}**",
        *distances,
        *[""] * (columns - len(distances)),
        f"{np.mean(pairs):.2f}" if pairs else "",
        f"{mean(own, 'kid_1000'):.2f}",
        f"{mean(own, 'density'):.2f}",
        f"{mean(own, 'coverage'):.2f}",
        f"{shown:,.0f}" if shown else "",
        f"{shown / mean(own, 'seconds'):.0f}" if shown else "",
    ]
    return f"| {' | '.join(cells)} |"


def mean(own: list[Result], field: str) -> float:
    return float(np.mean([getattr(result, field) for result in own]))


if __name__ == "__main__":
    main()
