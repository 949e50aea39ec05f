from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volute.errors import UsageError, VoluteError
from volute.handles.latents import STANDARD, Density, check_draw, generator, walk


@pytest.mark.parametrize(
    "bad", [(0, 0, 1), (-1, 0, 1), (1, -1, 1), (1, 0, 0), (1, 0, 1.01), (1, 0, float("nan"))]
)
def test_draws_out_of_range(bad: tuple[int, int, float]) -> None:
    with pytest.raises(UsageError):
        check_draw(*bad)


@given(seed=st.integers(0, 2**70), index=st.integers(0, 10**6))
def test_streams_are_independent_and_repeat(seed: int, index: int) -> None:
    first = generator(seed, 0, index).random(4).tolist()
    assert first == generator(seed, 0, index).random(4).tolist()
    assert first != generator(seed, 1, index).random(4).tolist()
    assert first != generator(seed, 0, index + 1).random(4).tolist()
    assert first != generator(seed + 1, 0, index).random(4).tolist()


def test_standard_draws_are_normal_and_truncation_is_their_deviation() -> None:
    draws = np.stack([STANDARD.draw(generator(0, 0, i), 50, 1.0) for i in range(2000)])
    assert draws.dtype == np.float32
    assert abs(draws.mean()) < 0.01
    assert abs(draws.std() - 1) < 0.01
    half = STANDARD.draw(generator(0, 0, 3), 50, 0.5)
    np.testing.assert_allclose(half, draws[3] / 2, rtol=1e-6)


def tensors() -> dict[str, np.ndarray]:
    factors = np.array([[[1, 0], [0.5, 2]], [[0.1, 0], [0, 0.1]]])
    means = np.array([[0, 0], [10, -10]])
    names = ("density.weights", "density.means", "density.factors")
    return dict(zip(names, (np.array([0.25, 0.75]), means, factors), strict=True))


def test_mixture_draws_have_its_weights_means_and_covariances() -> None:
    density = Density.from_tensors(tensors(), 2)
    draws = np.stack([density.draw(generator(1, 0, i), 3, 1.0) for i in range(8000)])
    second = draws[:, 0] > 5
    assert abs(second.mean() - 0.75) < 0.02
    np.testing.assert_allclose(draws[second, :2].mean(0), [10, -10], atol=0.02)
    factor = tensors()["density.factors"][0]
    np.testing.assert_allclose(np.cov(draws[~second, :2].T), factor @ factor.T, atol=0.3)
    assert abs(draws[:, 2].std() - 1) < 0.03


def test_little_truncation_draws_the_means() -> None:
    density = Density.from_tensors(tensors(), 2)
    draw = density.draw(generator(1, 0, 0), 3, 1e-6)
    assert min(abs(draw[:2] - mean).max() for mean in tensors()["density.means"]) < 1e-4


@pytest.mark.parametrize(
    "changes",
    [
        {"density.means": np.zeros((2, 3))},
        {"density.factors": np.zeros((2, 2))},
        {"density.weights": np.array([-1.0, 2.0])},
        {"density.weights": np.array([0.0, 0.0])},
        {"density.weights": np.array([np.nan, 1.0])},
        {"density.weights": np.ones((2, 1))},
    ],
)
def test_a_density_that_is_none(changes: dict[str, np.ndarray]) -> None:
    with pytest.raises(VoluteError, match="density does not fit"):
        Density.from_tensors({**tensors(), **changes}, 2)


keys = st.integers(0, 1000).map(lambda s: np.random.default_rng(s).standard_normal((3, 6)))


@given(keys=keys, steps=st.integers(1, 9), loop=st.booleans(), linear=st.integers(0, 6))
def test_a_walk_meets_its_keys(keys: np.ndarray, steps: int, loop: bool, linear: int) -> None:
    path = walk(keys, steps, loop, linear)
    assert len(path) == (3 * steps if loop else 2 * steps + 1)
    np.testing.assert_allclose(path[::steps][:3], keys, atol=1e-5)


@given(keys=keys)
def test_the_great_circle_keeps_lengths_between_those_of_the_keys(keys: np.ndarray) -> None:
    unit = keys / np.linalg.norm(keys, axis=1, keepdims=True)
    np.testing.assert_allclose(np.linalg.norm(walk(unit, 8, True), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize("there", [[0.0, 0, 0], [1.0, 0, 0], [-1.0, 0, 0]])
def test_parallel_keys_give_numbers(there: list[float]) -> None:
    path = walk(np.array([[1.0, 0, 0], there]), 4, True)
    assert np.isfinite(path).all()
