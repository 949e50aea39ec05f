"""Levels: numbers to units and back, whatever their range."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from volute.media.raster import Levels

TYPES = [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64]


@given(st.sampled_from(TYPES).flatmap(lambda t: arrays.arrays(
    t, (2, 50), elements=arrays.from_dtype(
    np.dtype(t), allow_nan=False, allow_infinity=False, allow_subnormal=False,
    **({"min_value": -(2.0**50), "max_value": 2.0**50} if np.dtype(t).kind == "f" else {}))
)))  # fmt: skip
def test_numbers_survive_the_way_to_units_and_back(samples: np.ndarray) -> None:
    levels = Levels.measured(samples.dtype, samples)
    again = levels.numbers(levels.unit(samples[:, None]))[:, 0]
    span = np.maximum(abs(levels.white - levels.black), abs(samples[:, None] - levels.black))
    error = abs(again[:, None].astype(np.float64) - samples[:, None].astype(np.float64))
    assert (error <= span * 1e-6 + 0.5 * (samples.dtype.kind != "f") + 1e-30).all()


@pytest.mark.parametrize("number", [0.0, 1e-5, 1e-3, -273.15, 1e20])
def test_a_picture_of_one_number_stays_so(number: float) -> None:
    flat = np.full((1, 9), number, np.float32)
    levels = Levels.measured(np.dtype(np.float32), flat)
    ringing = levels.unit(flat[:, None]) + np.linspace(-0.01, 0.01, 9, dtype=np.float32)
    np.testing.assert_allclose(levels.numbers(ringing)[0], flat, rtol=1e-6, atol=1e-30)


def test_a_single_bright_number_is_the_white_of_a_dark_picture() -> None:
    samples = np.zeros((1, 5000), np.uint16)
    samples[0, 7] = 60000
    levels = Levels.measured(samples.dtype, samples)
    assert (levels.black.item(), levels.white.item()) == (0, 60000)
