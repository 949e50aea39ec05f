"""Whole evaluations of sets whose quality is known."""

from __future__ import annotations

import numpy as np
import pytest

from volute.errors import UsageError
from volute.measure.evaluation import Evaluation, evaluate
from volute.measure.frechet import frechet_distance, frechet_replicates, kid, kid_replicates
from volute.measure.intervals import multiplicities, of_mean
from volute.measure.memorisation import memorisation

D = 6


class Own:
    """An extractor by its names alone."""

    name, sha256, dimension, distance = "own", "00", D, "Frechet distance"

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        raise NotImplementedError


OWN = Own()


def draw(n: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, scale, (n, D)) + 5


def measured(found: Evaluation, name: str) -> tuple[float, float]:
    (one,) = [measure for measure in found.measures if measure.name == name]
    assert one.low <= one.value <= one.high
    return one.value, one.floor


def test_a_perfect_generator_reaches_the_floor_everywhere() -> None:
    found = evaluate(draw(1000, 1), draw(4000, 2), OWN)
    assert (found.n, found.biased) == (1000, True)
    for measure in found.measures:
        reach = measure.high - measure.low
        assert measure.value == pytest.approx(measure.floor, abs=max(2 * reach, 0.05))


def test_a_poor_one_does_not() -> None:
    found = evaluate(draw(1000, 1, shift=0.8, scale=0.5), draw(4000, 2), OWN)
    for name in ("Frechet distance", "KID x 1000"):
        value, floor = measured(found, name)
        assert value > 10 * floor
    for name in ("recall", "coverage", "Vendi score"):
        value, floor = measured(found, name)
        assert value < 0.9 * floor


def test_copies_are_found() -> None:
    real = draw(4000, 2)
    samples = np.concatenate([draw(500, 1), real[np.random.default_rng(3).permutation(4000)[:500]]])
    value, floor = measured(evaluate(samples, real, OWN), "near copies")
    assert value > 20 * floor


def test_unseen_pictures_are_near_as_often_as_is_normal() -> None:
    found = memorisation(draw(3000, 1), draw(2000, 3))
    assert found.share == pytest.approx(0.01, abs=0.008)
    copies = memorisation(draw(3000, 1), draw(3000, 1)[100:200])
    assert copies.near.all()
    assert list(copies.neighbour) == list(range(100, 200))


def test_doubles_in_the_data_do_not_hide_copies() -> None:
    doubled = np.concatenate([draw(1000, 1), draw(1000, 1)[:500]])
    assert memorisation(doubled, draw(1000, 1)[:100]).near.all()


def test_a_copier_of_any_part_of_the_data_is_found() -> None:
    real = draw(1200, 2)
    samples = real[np.random.default_rng(3).permutation(1200)[:300]]
    value, _ = measured(evaluate(samples, real, OWN), "near copies")
    assert value == 1


def test_intervals_of_the_kernel_distance_hold_what_other_draws_give() -> None:
    real = draw(400, 0)
    drawn = multiplicities(400, np.random.default_rng(1), 200)
    replicates = kid_replicates(draw(400, 1, 0.1), real, drawn)
    others = [kid(draw(400, seed, 0.1), real) for seed in range(2, 60)]
    assert np.std(replicates) == pytest.approx(np.std(others), rel=0.4)


def test_one_draw_of_each_row_is_the_distance_itself() -> None:
    samples, real, once = draw(300, 1, 0.2), draw(300, 2), np.ones((1, 300), int)
    assert kid_replicates(samples, real, once)[0] == pytest.approx(kid(samples, real))
    expected = frechet_distance(samples, real)
    assert frechet_replicates(samples, real, once)[0] == pytest.approx(expected)


def test_an_interval_of_a_mean_has_its_textbook_width() -> None:
    rows = np.random.default_rng(0).normal(3, 2, 400)
    low, high = of_mean(rows, np.random.default_rng(1))
    assert high - low == pytest.approx(2 * 1.96 * rows.std() / 20, rel=0.15)


def test_too_few_are_refused_with_how_many_are_needed() -> None:
    with pytest.raises(UsageError, match="too few") as error:
        evaluate(draw(50, 1), draw(1000, 2), OWN)
    assert "At least 100 samples" in error.value.hint
    with pytest.raises(UsageError, match="too few to tell copies"):
        memorisation(draw(99, 1), draw(10, 3))
