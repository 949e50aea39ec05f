from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realdata import real_data
from volute.data.stacked import read_digits
from volute.measure.modes import count_modes

ALL = np.stack(np.unravel_index(np.arange(1000), (10, 10, 10)), 1)


def test_each_triple_once_is_uniform() -> None:
    found = count_modes(ALL)
    assert (found.n, found.modes, found.low_confidence) == (1000, 1000, None)
    assert found.kl == pytest.approx(0)


@given(st.integers(1, 1000), st.integers(1, 5))
def test_k_equally_frequent_modes_diverge_by_the_logarithm_of_those_that_are_missing(
    k: int, copies: int
) -> None:
    chosen = np.random.default_rng(k).permutation(1000)[:k]
    found = count_modes(np.repeat(ALL[chosen], copies, 0))
    assert found.modes == k
    assert found.kl == pytest.approx(math.log(1000 / k))


def test_one_mode_is_the_logarithm_of_all() -> None:
    found = count_modes(np.full((50, 3), 7, np.uint8))
    assert (found.modes, found.kl) == (1, pytest.approx(math.log(1000)))


def test_unequal_shares_by_hand() -> None:
    digits = np.array([[0, 0, 0]] * 3 + [[9, 9, 9]])
    wanted = 0.75 * math.log(750) + 0.25 * math.log(250)
    assert count_modes(digits).kl == pytest.approx(wanted)


def test_uniform_draws_have_the_bias_of_their_number() -> None:
    drawn = np.random.default_rng(0).integers(10, size=(26_000, 3))
    assert count_modes(drawn).kl == pytest.approx(999 / 52_000, abs=0.002)


@given(st.integers(0, 2**32), st.permutations(range(3)))
def test_neither_order_of_samples_nor_of_channels_matters(seed: int, channels: list[int]) -> None:
    rng = np.random.default_rng(seed)
    digits = rng.integers(10, size=(300, 3))
    found = count_modes(digits)
    again = count_modes(rng.permutation(digits)[:, channels])
    assert (again.modes, again.kl) == (found.modes, pytest.approx(found.kl))


def test_one_unclear_digit_makes_a_sample_unclear() -> None:
    confidence = np.ones((4, 3))
    confidence[0, 1] = confidence[2, 0] = confidence[2, 2] = 0.89
    confidence[3] = 0.9
    assert count_modes(np.zeros((4, 3), int), confidence).low_confidence == 0.5


def test_real_triples_have_the_floor_that_is_known() -> None:
    for digits in read_digits(real_data("mnist.npz")):
        rows = np.random.default_rng(0).integers(len(digits.labels), size=(26_000, 3))
        found = count_modes(digits.labels[rows])
        assert found.modes == 1000
        assert found.kl == pytest.approx(0.0237, abs=0.003)
