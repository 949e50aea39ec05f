from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volute.errors import UsageError
from volute.measure.diversity import vendi


@given(st.integers(1, 12), st.integers(1, 9))
def test_copies_of_k_orthogonal_rows_count_k(k: int, copies: int) -> None:
    assert vendi(np.tile(3 * np.eye(12)[:k], (copies, 1))) == pytest.approx(k)


def test_both_ways_to_the_eigenvalues_agree() -> None:
    rows = np.random.default_rng(0).normal(size=(8, 5))
    padded = np.concatenate([rows, np.zeros((8, 20))], 1)
    assert vendi(rows) == pytest.approx(vendi(padded))


@pytest.mark.parametrize("rows", [np.zeros((3, 4)), np.empty((0, 4)), np.full((2, 2), np.nan)])
def test_rows_without_a_direction_are_refused(rows: np.ndarray) -> None:
    with pytest.raises(UsageError, match="Vendi"):
        vendi(rows)
