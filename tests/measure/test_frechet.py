import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from volute.errors import UsageError
from volute.measure.frechet import frechet_distance, gaussian_distance, kid


def draw(seed: int, n: int, d: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(d, d)) * scale
    return rng.normal(size=(n, d)) @ mix + shift


def reference(a: np.ndarray, b: np.ndarray) -> float:
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    shift = a.mean(0) - b.mean(0)
    cross = np.trace(sqrtm(cov_a @ cov_b)).real
    return float(shift @ shift + np.trace(cov_a) + np.trace(cov_b) - 2 * cross)


@pytest.mark.parametrize("d", [2, 17, 64])
def test_it_agrees_with_the_matrix_square_root_of_scipy(d: int) -> None:
    a, b = draw(1, 300, d), draw(2, 400, d, shift=0.3)
    assert frechet_distance(a, b) == pytest.approx(reference(a, b), rel=1e-8)


def test_gaussians_along_one_axis_have_the_distance_of_the_formula() -> None:
    assert gaussian_distance(
        np.array([1.0]), np.array([[4.0]]), np.array([3.0]), np.array([[9.0]])
    ) == pytest.approx((1 - 3) ** 2 + (2 - 3) ** 2)


def test_commuting_covariances_add_up_over_the_axes() -> None:
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(5, 5)))
    spread_a, spread_b = np.arange(1.0, 6.0), np.array([2.0, 0.0, 1.0, 4.0, 0.5])
    zero = np.zeros(5)
    found = gaussian_distance(
        zero, turn @ np.diag(spread_a**2) @ turn.T, zero, turn @ np.diag(spread_b**2) @ turn.T
    )
    assert found == pytest.approx(((spread_a - spread_b) ** 2).sum())


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), n=st.integers(3, 60), d=st.integers(1, 20))
def test_it_is_symmetric_zero_on_itself_and_adds_the_square_of_a_shift(
    seed: int, n: int, d: int
) -> None:
    a, b = draw(seed, n, d), draw(seed + 1, n + 5, d)
    there = frechet_distance(a, b)
    scale = 1 + np.trace(np.atleast_2d(np.cov(a, rowvar=False))) + there
    assert there >= 0
    assert frechet_distance(b, a) == pytest.approx(there, abs=1e-6 * scale)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6 * scale)
    shift = np.full(d, 0.5)
    assert frechet_distance(a, a + shift) == pytest.approx(0.25 * d, abs=1e-6 * scale)


def test_fewer_pictures_than_dimensions_still_give_zero_on_themselves() -> None:
    a = draw(3, 20, 100)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)


def test_kernel_distance_agrees_with_the_sum_over_pairs() -> None:
    a, b = draw(4, 7, 3, scale=0.5), draw(5, 9, 3, scale=0.5)

    def kernel(x: np.ndarray, y: np.ndarray) -> float:
        return float((x @ y / 3 + 1) ** 3)

    within_a = np.mean([kernel(x, y) for i, x in enumerate(a) for j, y in enumerate(a) if i != j])
    within_b = np.mean([kernel(x, y) for i, x in enumerate(b) for j, y in enumerate(b) if i != j])
    across = np.mean([kernel(x, y) for x in a for y in b])
    assert kid(a, b) == pytest.approx(within_a + within_b - 2 * across)


def test_kernel_distance_is_unbiased_so_it_falls_on_both_sides_of_zero() -> None:
    rng = np.random.default_rng(0)
    found = [kid(rng.normal(size=(50, 4)), rng.normal(size=(50, 4))) for _ in range(60)]
    assert min(found) < 0 < max(found)
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(len(found))


def test_kernel_distance_grows_with_a_shift() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2000, 8)), rng.normal(size=(1500, 8))
    assert kid(a, b) < kid(a, b + 0.3) < kid(a, b + 1.0)


@pytest.mark.parametrize("measure", [frechet_distance, kid])
def test_too_few_or_broken_features_are_refused(measure) -> None:
    good = draw(0, 10, 3)
    with pytest.raises(UsageError, match="too few"):
        measure(good[:1], good)
    broken = good.copy()
    broken[3, 1] = np.nan
    with pytest.raises(UsageError, match="not finite"):
        measure(good, broken)
