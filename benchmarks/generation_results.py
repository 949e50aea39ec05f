"""What `generation.py` found: one record for each set of samples, kept as JSON, told as a table."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import volute
from volute.measure.features import FeatureExtractor
from volute.paths import write_text

TITLES = {
    "unconditional": "volute `gan`, unconditional",
    "conditional": "volute `gan`, class-conditional",
    "vae": "volute `vae`",
    "classic": "`classic` (DCGAN), unconditional",
    "pythae-normal": "pythae 0.1.2 VAE, normal prior",
    "pythae-mixture": "pythae 0.1.2 VAE, mixture of 10",
    "torchgan": "torchgan 0.1.0 DCGAN",
    "train": "training pictures (floor)",
}
RIVALS = ("classic", "pythae-normal", "pythae-mixture", "torchgan")
"""Against the best of which the ratio is taken."""
SHARES = ("precision", "recall", "density", "coverage")
COLUMNS = ("", "FD-eye, mean", "each seed", "of the best rival", "FD MobileNetV2", *SHARES)
COLUMNS += ("Vendi", "bits/dim", "images/s")

Key = tuple[str, int, str, int, int, str]


@dataclass(frozen=True)
class Result:
    """One set of samples, measured. The fields before `fd_eye` say what it may stand for."""

    arm: str
    seed: int
    time: str
    n: int
    against: int
    settings: str
    fd_eye: float
    fd_trunk: float
    precision: float
    recall: float
    density: float
    coverage: float
    vendi: float
    bits: float | None = None
    shown: int = 0
    seconds: float = 0.0

    @property
    def key(self) -> Key:
        """Return what a record must share to stand for another training."""
        return (self.arm, self.seed, self.time, self.n, self.against, self.settings)


def read_results(path: Path) -> dict[Key, Result]:
    """Return the records in `path`; those with other fields, of older scripts, are left out."""
    if not path.exists():
        return {}
    fields = {field.name for field in dataclasses.fields(Result)}
    records = json.loads(path.read_text(encoding="utf-8"))["results"]
    results = [Result(**record) for record in records if set(record) == fields]
    return {result.key: result for result in results}


def write_results(
    path: Path, results: dict[Key, Result], extractors: Sequence[FeatureExtractor]
) -> None:
    """Write all records with what they were measured by."""
    content = {
        "features": {extractor.name: extractor.sha256 for extractor in extractors},
        "volute": volute.__version__,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "written": time.strftime("%Y-%m-%d"),
        "results": [dataclasses.asdict(result) for result in results.values()],
    }
    write_text(path, json.dumps(content, indent=1) + "\n")


def table(results: dict[Key, Result], rows: dict[str, list[Key]], budget: str) -> str:
    """Return a Markdown table: a row for each name, the mean of its keys' results."""
    found = {name: [results[key] for key in keys] for name, keys in rows.items()}
    first = found["train"][0]
    rivals = [mean(found[name], "fd_eye") for name in RIVALS if name in found]
    lines = [
        f"Fashion-MNIST, {budget} of training on {os.cpu_count()} cores, {first.n:,} samples "
        f"against the {first.against:,} test pictures.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        "|---|" + "---:|" * (len(COLUMNS) - 1),
        *(row(name, own, min(rivals, default=0.0)) for name, own in found.items()),
    ]
    return "\n".join(lines)


def row(name: str, own: list[Result], rival: float) -> str:
    distance, seconds = mean(own, "fd_eye"), mean(own, "seconds")
    cells = [
        TITLES[name],
        f"**{distance:.3f}**",
        ", ".join(f"{result.fd_eye:.3f}" for result in own),
        f"{distance / rival:.2f}" if rival and name != "train" else "",
        f"{mean(own, 'fd_trunk'):.1f}",
        *(f"{mean(own, share):.2f}" for share in SHARES),
        f"{mean(own, 'vendi'):.2f}",
        f"{mean(own, 'bits'):.2f}" if own[0].bits is not None else "",
        f"{mean(own, 'shown') / seconds:.0f}" if seconds else "",
    ]
    return f"| {' | '.join(cells)} |"


def mean(own: list[Result], field: str) -> float:
    return float(np.mean([getattr(result, field) for result in own]))
