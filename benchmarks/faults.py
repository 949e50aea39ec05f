"""Trainings that are broken on purpose, and healthy ones: does the doctor know which is which?

    python benchmarks/faults.py                      # all; results/faults.json keeps what was run
    python benchmarks/faults.py --only "gan grey lr" --threads 1

A fault has a budget of ten minutes, and a tenth of it to be named in: a verdict other than OK whose
cause is the fault's, after at most 60 s of training. Healthy trainings go on for `--healthy`
seconds of an equal budget; each verdict that is not OK counts against the doctor, STOP most.
Nothing is healed. Sets: Fashion-MNIST (grey, 28 px), MNIST, the 1,797 digits of scikit-learn
(16 px), land (64 px), the 38 photographs as tiles (64 px).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

from volute.errors import DataError
from volute.events import Event, Progress, Verdict
from volute.jobs import train
from volute.paths import write_text
from volute.recipes.gan import GanRecipe
from volute.recipes.vae import VaeRecipe
from volute.training import loop
from volute.training.loop import DivergedError

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
RESULTS = HERE / "results" / "faults.json"
BUDGET_S, NAMED_S = 600.0, 60.0
SETS = ("grey", "mnist", "digits", "land", "photos")
Break = Callable[[], contextlib.AbstractContextManager[object]]


@dataclass(frozen=True)
class Case:
    """One training. `causes` are the verdicts that name its fault; none: it is healthy."""

    name: str
    kind: str
    data: str
    settings: dict[str, Any] = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    broken: Break = contextlib.nullcontext
    preset: str = "auto"
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What the doctor said. `named_s`: seconds of training until the fault was named."""

    name: str
    fault: bool
    seconds: float
    said: list[tuple[float, str, str]]
    """Seconds of training, level and cause of each verdict but OK."""
    named_s: float | None = None


def main() -> None:
    arguments = parse()
    known = {}
    if RESULTS.exists():
        known = {name: Outcome(**row) for name, row in json.loads(RESULTS.read_text()).items()}
    with tempfile.TemporaryDirectory() as folder:
        sets = Sets(Path(folder))
        for case in [*FAULTS, *HEALTHY]:
            if case.name in known or arguments.only not in case.name:
                continue
            limit = NAMED_S if case.causes else arguments.healthy
            known[case.name] = run(case, sets, limit, arguments.threads)
            write_text(RESULTS, json.dumps({n: asdict(o) for n, o in known.items()}, indent=1))
            print(line(known[case.name]), flush=True)
    print(summary(list(known.values())))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", default="", help="part of the names to run")
    parser.add_argument("--healthy", type=float, default=120.0, help="seconds of each")
    parser.add_argument("--threads", type=int, default=0)
    return parser.parse_args()


class Sets:
    """Makes the sets that trainings learn from, as files in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, name: str) -> Path:
        """Return a set: one of `SETS`, or with `one class`, `copies`, `NaN` behind it."""
        base, _, change = name.partition(" ")
        if base == "land" and not change:
            return DATA / "land"
        path = self._folder / f"{name}.npz"
        if not path.exists():
            pictures, labels = self._arrays(base)
            if labels is None:
                np.savez(path, x=pictures)
            else:
                pictures, labels = changed(pictures, labels, change)
                np.savez(path, x=pictures, y=labels)
        return path

    def _arrays(self, base: str) -> tuple[np.ndarray, np.ndarray | None]:
        if base in ("grey", "mnist"):
            with np.load(DATA / ("fashion_mnist.npz" if base == "grey" else "mnist.npz")) as found:
                return found["x_train"], found["y_train"]
        if base == "digits":
            from sklearn.datasets import load_digits

            digits = load_digits()
            return (digits.images / 16).astype(np.float32).repeat(2, 1).repeat(2, 2), digits.target
        if base == "land":
            files = sorted((DATA / "land").rglob("*.jp*g"))
            whole = [Image.open(file).convert("RGB").resize((64, 64)) for file in files]
            labels = np.unique([file.parent.name for file in files], return_inverse=True)[1]
            return np.stack([np.asarray(image) for image in whole]), labels
        tiles = [tile for file in sorted((DATA / "photos").glob("*.*")) for tile in cut(file)]
        return np.stack(tiles), None


def cut(file: Path) -> list[np.ndarray]:
    """Return squares of 64 px of a photograph that is reduced to 256."""
    try:
        image = Image.open(file).convert("RGB").resize((256, 256))
    except OSError:
        return []
    whole = np.asarray(image)
    return [whole[y : y + 64, x : x + 64] for y in range(0, 256, 64) for x in range(0, 256, 64)]


def changed(pictures: np.ndarray, labels: np.ndarray, change: str) -> tuple[np.ndarray, np.ndarray]:
    """Break a set."""
    if change == "one class":
        return pictures[labels == 0], labels[labels == 0]
    if change == "copies":  # 60 of each, each a hair different, so that none is the same file
        rng = np.random.default_rng(0)
        chosen = rng.permutation(len(pictures))[:100].repeat(60)
        noise = rng.integers(-2, 3, (len(chosen), *pictures.shape[1:]))
        copies = np.clip(pictures[chosen].astype(np.int64) + noise, 0, 255).astype(np.uint8)
        return copies, labels[chosen]
    if change == "NaN":
        spoilt = pictures.astype(np.float32) / 255
        spoilt[len(spoilt) // 2] = np.nan
        return spoilt, labels
    return pictures, labels


@contextlib.contextmanager
def faster(recipe: type[GanRecipe] | type[VaeRecipe], times: float) -> Iterator[None]:
    """Multiply the learning rate."""
    begin = recipe.__init__

    def spoilt(self: Any, settings: Any, *arguments: Any) -> None:
        begin(self, settings, *arguments)
        if isinstance(self, GanRecipe):
            self.lr *= times
        else:
            self.settings = settings.model_copy(update={"lr": settings.lr * times})

    with patch.object(recipe, "__init__", spoilt):
        yield


@contextlib.contextmanager
def frozen(network: str) -> Iterator[None]:
    """Keep one of the two networks as it is."""
    whole = GanRecipe.step

    def spoilt(self: GanRecipe, *arguments: Any) -> dict[str, float]:
        parameters = list(self.modules[network].parameters())
        before = [parameter.detach().clone() for parameter in parameters]
        metrics = whole(self, *arguments)
        with torch.no_grad():
            for parameter, kept in zip(parameters, before, strict=True):
                parameter.copy_(kept)
        return metrics

    with patch.object(GanRecipe, "step", spoilt):
        yield


@contextlib.contextmanager
def spoilt_batch(recipe: type[GanRecipe] | type[VaeRecipe]) -> Iterator[None]:
    """Let a NaN into a picture of the 20th batch."""
    whole = recipe.step

    def spoilt(self: Any, pictures: torch.Tensor, *arguments: Any) -> dict[str, float]:
        if arguments[-1] >= 20 * self.batch:
            pictures = pictures.clone()
            pictures[0, 0, 0, 0] = torch.nan
        return whole(self, pictures, *arguments)

    with patch.object(recipe, "step", spoilt):
        yield


def fault(kind: str, data: str, what: str) -> Case:
    """Return a training of `kind` on a set with one fault."""
    recipe = GanRecipe if kind == "gan" else VaeRecipe
    rate: tuple[str, ...] = ("learning rate", "not finite", "collapse", "penalty")
    name = f"{kind} {data} {what}"
    if what in ("one class", "copies", "NaN picture"):
        change = "NaN" if what == "NaN picture" else what
        cause = {"one class": "one class", "copies": "duplicates", "NaN": "data"}[change]
        return Case(name, kind, f"{data} {change}", {}, (cause,))
    return {
        "lr x30": Case(name, kind, data, {}, rate, lambda: faster(recipe, 30)),
        "no R1": Case(name, kind, data, {"gamma": 0}, ("penalty",)),
        "batch of 2": Case(name, kind, data, {"batch": 2}, ("batch",)),
        "frozen": Case(name, kind, data, {}, ("frozen",), lambda: frozen("discriminator")),
        "NaN batch": Case(name, kind, data, {}, ("not finite",), lambda: spoilt_batch(recipe)),
    }[what]


EVERY = ("lr x30", "no R1", "batch of 2", "frozen", "one class", "copies", "NaN batch")
FAULTS = [
    *(fault("gan", data, what) for data in ("grey", "land", "mnist") for what in EVERY),
    fault("gan", "digits", "lr x30"),
    fault("gan", "digits", "frozen"),
    *(fault("gan", data, "NaN picture") for data in ("grey", "mnist")),
    *(fault("vae", "grey", what) for what in ("lr x30", "one class", "copies", "NaN batch")),
]
NO_LABELS = {"data": {"labels": False}}
HEALTHY = [
    Case("gan grey", "gan", "grey", NO_LABELS),
    Case("gan grey, seed 1", "gan", "grey", NO_LABELS, seed=1),
    Case("gan grey with classes", "gan", "grey"),
    Case("gan grey, small", "gan", "grey", preset="small"),
    Case("gan mnist", "gan", "mnist", NO_LABELS),
    Case("gan mnist with classes, seed 1", "gan", "mnist", seed=1),
    Case("gan digits", "gan", "digits", NO_LABELS),
    Case("gan digits with classes", "gan", "digits"),
    Case("gan digits, seed 1", "gan", "digits", NO_LABELS, seed=1),
    Case("gan land", "gan", "land", NO_LABELS),
    Case("gan land with classes", "gan", "land"),
    Case("gan land, small", "gan", "land", preset="small"),
    Case("gan photos", "gan", "photos"),
    Case("vae grey", "vae", "grey"),
    Case("vae grey, small", "vae", "grey", preset="small"),
    Case("vae mnist", "vae", "mnist"),
    Case("vae digits", "vae", "digits"),
    Case("vae land", "vae", "land"),
    Case("classify grey", "classify", "grey"),
    Case("classify land", "classify", "land"),
]


def run(case: Case, sets: Sets, limit: float, threads: int) -> Outcome:
    """Train until the fault is named or `limit` seconds have gone by."""
    said: list[tuple[float, str, str]] = []
    now = named = None

    def hear(event: Event) -> None:
        nonlocal now, named
        if isinstance(event, Progress):
            now = clock()
        if isinstance(event, Verdict) and event.level != "OK":
            said.append((round(clock(), 1), event.level, event.cause))
            if event.cause in case.causes and named is None:
                named = said[-1][0]

    def clock() -> float:
        return here[0].counters.seconds if here else 0.0

    here: list[loop.Loop] = []
    begin = loop.Loop.__post_init__

    def watched(self: loop.Loop) -> None:
        begin(self)
        here.append(self)

    settings = case.settings | ({"threads": threads} if threads else {})
    with tempfile.TemporaryDirectory() as out, case.broken():
        try:
            with patch.object(loop.Loop, "__post_init__", watched):
                train(
                    case.kind,
                    sets.path(case.data),
                    preset=case.preset,
                    size=64 if case.data.startswith("land") else None,
                    time=BUDGET_S,
                    out=Path(out) / "run",
                    seed=case.seed,
                    heal=False,
                    settings=settings,
                    emit=hear,
                    stop=lambda: named is not None or clock() > limit,
                )
        except DivergedError as error:
            hear(error.verdict)
        except DataError as error:
            said.append((0.0, "STOP", "data"))
            named = 0.0 if "NaN" in error.what else None
    return Outcome(case.name, bool(case.causes), round(clock(), 1), said, named)


def line(outcome: Outcome) -> str:
    said = "; ".join(f"{cause} ({level}, {s:.0f} s)" for s, level, cause in outcome.said) or "OK"
    return f"{outcome.name}: {said}"


def summary(outcomes: list[Outcome]) -> str:
    """Return the tables in Markdown."""
    broken = [outcome for outcome in outcomes if outcome.fault]
    healthy = [outcome for outcome in outcomes if not outcome.fault]
    named = [o.named_s for o in broken if o.named_s is not None]
    alarms = sum(bool(o.said) for o in healthy)
    stops = sum(any(level == "STOP" for _, level, _ in o.said) for o in healthy)
    rows = ["| training | said |", "|---|---|"]
    rows += [f"| {o.name} | {line(o).partition(': ')[2]} |" for o in [*broken, *healthy]]
    late = f", the last after {max(named):.0f} s" if named else ""
    return "\n".join(
        [
            f"named {len(named)} of {len(broken)} faults within {NAMED_S:.0f} s{late}; "
            f"{stops} false STOP and {alarms} alarms in {len(healthy)} healthy trainings; "
            f"precision {len(named) / max(1, len(named) + alarms):.2f}, "
            f"recall {len(named) / max(1, len(broken)):.2f}",
            "",
            *rows,
        ]
    )


if __name__ == "__main__":
    main()
