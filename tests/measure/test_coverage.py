import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from volute.errors import UsageError
from volute.measure import coverage as module
from volute.measure.coverage import coverage


def modes(centres: list[float], n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 4)) + rng.choice(centres, size=(n, 1)) * 100


def test_two_draws_of_one_distribution_cover_each_other() -> None:
    found = coverage(modes([0], 800, 1), modes([0], 800, 2))
    assert found.precision > 0.9
    assert found.recall > 0.9
    assert found.coverage > 0.9
    assert found.density == pytest.approx(1, abs=0.1)


def test_a_dropped_mode_costs_recall_and_coverage_but_not_precision() -> None:
    found = coverage(modes([0, 1], 1000, 1), modes([0], 1000, 2))
    assert found.precision > 0.9
    assert found.recall == pytest.approx(0.5, abs=0.1)
    assert found.coverage == pytest.approx(0.5, abs=0.1)


def test_samples_of_nothing_real_cost_precision_but_not_recall() -> None:
    found = coverage(modes([0], 1000, 1), modes([0, 1], 2000, 2))
    assert found.precision == pytest.approx(0.5, abs=0.1)
    assert found.recall > 0.9
    assert found.density == pytest.approx(0.5, abs=0.1)


def test_apart_means_zero_everywhere() -> None:
    found = coverage(modes([0], 50, 1), modes([5], 60, 2))
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)


def test_one_sample_many_times_covers_almost_nothing() -> None:
    real = modes([0], 500, 1)
    found = coverage(real, np.repeat(real[:1], 500, axis=0))
    assert found.precision == 1
    assert found.coverage < 0.05


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(6, 40), m=st.integers(6, 40))
def test_it_agrees_with_the_definitions_whatever_the_block_size(seed: int, n: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    real, generated = rng.normal(size=(n, 3)), rng.normal(size=(m, 3)) + 0.5
    across = cdist(real, generated)
    real_3, real_5 = (np.sort(cdist(real, real))[:, k] for k in (3, 5))
    generated_3 = np.sort(cdist(generated, generated))[:, 3]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", 7)
        found = coverage(real, generated)
    assert found.precision == pytest.approx((across <= real_3[:, None]).any(0).mean())
    assert found.recall == pytest.approx((across <= generated_3).any(1).mean())
    near = across <= real_5[:, None]
    assert found.coverage == pytest.approx(near.any(1).mean())
    assert found.density == pytest.approx(near.sum() / (5 * m))


def test_fewer_pictures_than_neighbours_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 6"):
        coverage(modes([0], 5, 1), modes([0], 50, 2))
