"""Mode coverage on Stacked-MNIST: what `volute bench stacked-mnist` does, step by step.

The protocol is PacGAN's (Lin et al. 2018, arXiv:1712.04086, section 4.2) but for one thing: the
generator and the classifier learn from x_train alone, not from all 70,000 digits. 128,000 triples
are drawn once, the generator makes 26,000 samples, and a classifier of the project's own kind names
the digit in each channel. The floor is what as many triples of x_test get, which neither network
has seen.

Every step leaves its result in one folder and is not done again: the triples, the classifier's run,
the generator's run, the samples.
"""

from __future__ import annotations

import hashlib
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from volute.data.stacked import Digits, read_digits
from volute.engine.artefact import open_artefact
from volute.errors import DataError, UsageError, import_trained
from volute.events import Emit, Note, Progress, silent
from volute.handles import Classifier, Sampler, load, load_sampler
from volute.measure.modes import Modes, count_modes
from volute.paths import atomic_file, write_text
from volute.training.run import Run, parse_time
from volute.zoo import resolve

TRIPLES, SAMPLES = 128_000, 26_000
CLASSIFIER_KIMG = 120
TRIPLES_SEED, FLOOR_SEED = 0, 1
BLOCK = 1000
MARK = "digits.sha256"


@dataclass(frozen=True)
class Score:
    """How many modes a model reaches, beside what real pictures reach."""

    model: str
    samples: Modes
    """Of the model, by the classifier."""
    real_named: Modes
    """Of real triples of x_test, by the classifier."""
    real: Modes
    """Of the same triples by their true labels: the floor of the KL."""
    accuracy: float
    """Share of x_test that the classifier names rightly."""
    seconds: float | None
    """That the model learned; None where it is no run."""
    images: int | None
    """That were shown to it meanwhile."""
    hardware: str


class StackedMnist:
    """The benchmark in one folder.

    Args:
        data: an npz file with x_train, y_train, x_test and y_test, such as mnist.npz.
        out: the folder for all that is made; one that this benchmark began is gone on with.
        emit: gets an event for progress and remarks.

    Raises:
        DataError: if `data` does not hold digits, or `out` was begun with others.
        UsageError: if `out` holds something else.
    """

    def __init__(self, data: Path, out: Path, emit: Emit = silent) -> None:
        self.data, self.out, self.emit = data, out, emit
        self.train_digits, self.test_digits = read_digits(data)
        self.side = self.test_digits.pictures.shape[1]
        _claim(data, out)

    def train(self, preset: str, time: str, seed: int, device: str) -> Path:
        """Train a GAN on the triples, without labels, or go on with it; return its run's folder."""
        name = f"gan-{preset}-{device}-{parse_time(time):g}s-{seed}"
        how = {"preset": preset, "time": time, "seed": seed, "device": device}
        return self._trained("gan", self._triples(), name, **how)

    def measure(self, model: str | Path, seed: int = 0) -> Score:
        """Count the modes of 26,000 samples of a model.

        Args:
            model: a reference to an unconditional GAN or VAE of RGB pictures of the digits' side.
            seed: of the samples.

        Raises:
            UsageError: if it is another kind of model.
        """
        sampler = self._suited(model)
        classifier = self._classifier()
        made = self._samples(model, sampler, seed)
        real, labels = self.test_digits.stacked(SAMPLES, FLOOR_SEED)
        self.emit(Note("measure", "naming the digits of samples and of real triples"))
        found, floor = (count_modes(*self._named(classifier, x)) for x in (made, real))
        run = Run(Path(model)) if (Path(model) / "config.toml").is_file() else None
        return Score(
            model=sampler.info.name,
            samples=found,
            real_named=floor,
            real=count_modes(labels),
            accuracy=_accuracy(classifier, self.test_digits),
            seconds=run.metrics.get("seconds") if run else None,
            images=int(run.metrics["shown"]) if run else None,
            hardware=run.config.hardware if run else "",
        )

    def _trained(self, kind: str, source: Path, name: str, **how: Any) -> Path:
        """Return a finished run: the one that is there, gone on with if need be, or a new one."""
        jobs = import_trained("volute.jobs", "training")
        run = Run(self.out / name)
        if run.model.is_dir():
            self.emit(Note("there", f"{run.path} is done"))
        elif (run.path / "config.toml").is_file():
            jobs.resume(run.path, emit=self.emit)
        else:
            jobs.train(kind, source, out=run.path, emit=self.emit, **how)
        return run.path

    def _triples(self) -> Path:
        path = self.out / "triples.npz"
        if not path.exists():
            self.emit(Note("triples", f"drawing {TRIPLES:,} from x_train alone"))
            pictures, _ = self.train_digits.stacked(TRIPLES, TRIPLES_SEED)
            _save(path, x_train=pictures)
        return path

    def _classifier(self) -> Classifier:
        path = self._trained("classify", self.data, "classifier", kimg=CLASSIFIER_KIMG)
        handle = load(path)
        assert isinstance(handle, Classifier)
        return handle

    def _suited(self, model: str | Path) -> Sampler:
        sampler = load_sampler(model)
        about, classes = sampler.info.descriptor, sampler.classes
        if (about.channels, about.size, len(classes)) != (3, self.side, 0):
            made = f"{about.size} px pictures with {about.channels} channels"
            given = f" of {len(classes)} classes" if classes else ""
            raise UsageError(
                f"{sampler.info.name} makes {made}{given}: it has not learned stacked digits",
                f"Measured are models without classes that make {self.side} px RGB pictures.",
            )
        return sampler

    def _samples(self, model: str | Path, sampler: Sampler, seed: int) -> np.ndarray:
        digest = open_artefact(resolve(model)).digest
        path = self.out / f"samples-{digest[:12]}-{seed}.npz"
        if not path.exists():
            self.emit(Note("sample", f"{SAMPLES:,} samples of {sampler.info.name}"))
            stream = sampler.stream(SAMPLES, seed=seed)
            rows = (np.asarray(next(stream)[0]) for _ in self._counted(SAMPLES, "samples"))
            _save(path, samples=np.stack(list(rows)))
        with np.load(path, allow_pickle=False) as file:
            return file["samples"]

    def _named(self, classifier: Classifier, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the digit in each channel [n, 3] and the classifier's confidence in it."""
        parts = []
        for start in self._counted(len(pictures), "pictures", BLOCK):
            channels_N3HW = pictures[start : start + BLOCK].transpose(0, 3, 1, 2)
            parts.append(classifier.probabilities(channels_N3HW.reshape(-1, *[self.side] * 2, 1)))
        chances = np.concatenate(parts)
        digits = _digits(classifier)[chances.argmax(1)]
        return digits.reshape(-1, 3), chances.max(1).reshape(-1, 3)

    def _counted(self, total: int, unit: str, step: int = 1) -> Iterator[int]:
        """Yield the numbers from 0 in steps, and tell the progress."""
        start = clock.perf_counter()
        for done in range(0, total, step):
            yield done
            spent = clock.perf_counter() - start
            share = min(1.0, (done + step) / total)
            told = min(done + step, total)
            if told % BLOCK == 0 or share == 1:
                left = spent * (1 / share - 1)
                self.emit(Progress(told, share, told / spent, left, unit=unit))


def _claim(data: Path, out: Path) -> None:
    """Make `out` the folder of these digits, or see that it is."""
    with data.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    mark = out / MARK
    if mark.is_file():
        if mark.read_text(encoding="utf-8").strip() != digest:
            what = f"{out} was begun with other digits than those of {data}"
            raise DataError(what, "Choose another -o, or give the file that it was begun with.")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} is there and holds something else", "Choose another -o.")
    write_text(mark, digest + "\n")


def _save(path: Path, **arrays: np.ndarray) -> None:
    with atomic_file(path) as part:
        np.savez_compressed(part, allow_pickle=False, **arrays)


def _digits(classifier: Classifier) -> np.ndarray:
    """Return the digit that each class stands for."""
    return np.array([int(name) for name in classifier.classes])


def _accuracy(classifier: Classifier, digits: Digits) -> float:
    chances = classifier.probabilities(digits.pictures[..., None])
    return float((_digits(classifier)[chances.argmax(1)] == digits.labels).mean())
