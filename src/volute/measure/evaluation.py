"""All measures of a set of generated pictures against real ones, each with its floor and interval.

The real pictures are divided at random: the first n are the reference, the next n the floor, which
is measured like samples: it is what a perfect generator would get. Distances depend on n: samples,
reference and floor have the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from volute.errors import UsageError
from volute.measure.coverage import coverage_rows
from volute.measure.diversity import vendi
from volute.measure.features import FeatureExtractor
from volute.measure.frechet import frechet_distance, frechet_replicates, kid, kid_replicates
from volute.measure.intervals import around, multiplicities, of_mean
from volute.measure.memorisation import Memorisation, memorisation

FEWEST = 100
SHOWN = 24
UNBIASED = 2048


@dataclass(frozen=True)
class Measured:
    """One measure of the samples: its value, a 95 % bootstrap interval, and the real pictures'."""

    name: str
    value: float
    low: float
    high: float
    floor: float | None
    """None where a perfect model's value is not known."""
    better: str
    """`lower`, `higher`, or `near the floor`."""


@dataclass(frozen=True)
class Notable:
    """Pictures that the numbers speak of, as rows of the samples and of the real pictures."""

    copies: tuple[tuple[int, int], ...]
    """The samples nearest to a real picture, each with that picture."""
    best: tuple[int, ...]
    """Samples where real pictures are densest."""
    worst: tuple[int, ...]
    """Samples farthest from any real picture."""
    uncovered: tuple[int, ...]
    """Real pictures with no sample near."""


@dataclass(frozen=True)
class Evaluation:
    """What was measured, on how many pictures of each set, with which features."""

    n: int
    extractor: str
    sha256: str
    searched: int
    """How many real pictures were searched for copies."""
    measures: tuple[Measured, ...]
    """The Frechet distance first."""
    notable: Notable

    @property
    def biased(self) -> bool:
        """Whether n is so small that the Frechet distance is far too large."""
        return self.n < UNBIASED


def evaluate(
    samples: np.ndarray, real: np.ndarray, extractor: FeatureExtractor, seed: int = 0
) -> Evaluation:
    """Measure features of samples [m, d] against those of real pictures [r, d].

    Args:
        samples: of generated pictures.
        real: of the pictures that the model learned from; at most m of them are the reference.
        extractor: what made the features; its names and its hash are reported.
        seed: of the division of the real pictures and of the bootstrap.

    Raises:
        UsageError: if there are under 100 samples or 200 real pictures.
    """
    check_enough(len(samples), len(real))
    n = min(len(samples), len(real) // 2)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(real))
    reference, floor = real[order[:n]], real[order[n : 2 * n]]
    samples = samples[:n]
    drawn = multiplicities(n, rng)
    rows = coverage_rows(reference, samples)
    found = memorisation(real, samples)
    measures = [
        Measured(
            extractor.distance,
            value := frechet_distance(samples, reference),
            *around(value, frechet_replicates(samples, reference, drawn)),
            frechet_distance(floor, reference),
            "lower",
        ),
        Measured(
            "KID x 1000",
            value := 1000 * kid(samples, reference),
            *around(value, 1000 * kid_replicates(samples, reference, drawn)),
            1000 * kid(floor, reference),
            "lower",
        ),
        *_shares(rows, coverage_rows(reference, floor), rng),
        _diversity(samples, floor, rng),
        Measured("near copies", found.share, *of_mean(found.near, rng), 0.01, "near the floor"),
    ]
    notable = _notable(rows, found, order[:n])
    name, sha256 = extractor.name, extractor.sha256
    return Evaluation(n, name, sha256, len(real), tuple(measures), notable)


def check_enough(samples: int, real: int) -> None:
    """Raise UsageError if there are too few pictures to measure anything on."""
    if min(samples, real // 2) < FEWEST:
        raise UsageError(
            f"{samples:,} samples and {real:,} real pictures are too few to measure",
            f"At least {FEWEST} samples (-n) and {2 * FEWEST} real pictures are needed; a Frechet "
            f"distance means little under {UNBIASED:,} and {2 * UNBIASED:,}.",
        )


def _shares(
    rows: dict[str, np.ndarray], best: dict[str, np.ndarray], rng: np.random.Generator
) -> list[Measured]:
    """Measure coverage; the intervals are over the rows' own set, for two of them the real one."""
    return [_share(name, own, float(best[name].mean()), rng) for name, own in rows.items()]


def _share(name: str, own: np.ndarray, floor: float, rng: np.random.Generator) -> Measured:
    low, high = of_mean(own, rng)
    top = np.inf if name == "density" else 1.0
    return Measured(name, float(own.mean()), max(0.0, low), min(top, high), floor, "higher")


def _diversity(samples: np.ndarray, floor: np.ndarray, rng: np.random.Generator) -> Measured:
    value = vendi(samples)
    draws = [samples[rng.integers(len(samples), size=len(samples))] for _ in range(8)]
    interval = around(value, np.array([vendi(drawn) for drawn in draws]), deviations=2.36)
    return Measured("Vendi score", value, *interval, vendi(floor), "higher")


def _notable(rows: dict[str, np.ndarray], found: Memorisation, reference: np.ndarray) -> Notable:
    by_distance = np.argsort(found.distance, kind="stable")
    (uncovered,) = np.nonzero(~rows["coverage"])
    spread = np.linspace(0, len(uncovered) - 1, min(SHOWN, len(uncovered))).astype(int)
    return Notable(
        copies=tuple((int(i), int(found.neighbour[i])) for i in by_distance[:SHOWN]),
        best=_rows(np.argsort(-rows["density"], kind="stable")[:SHOWN]),
        worst=_rows(by_distance[::-1][:SHOWN]),
        uncovered=_rows(reference[uncovered[spread]]),
    )


def _rows(index: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in index)
