from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from volute.data import split


@given(st.lists(st.integers(0, 4), min_size=1, max_size=200), st.floats(0.01, 0.6))
def test_the_parts_are_whole_disjoint_and_share_each_class(labels: list[int], share: float) -> None:
    array = np.array(labels)
    kept, held = split(array, np.arange(len(array)), share)
    assert sorted([*kept, *held]) == list(range(len(labels)))
    for label in set(labels):
        count = int((array == label).sum())
        number = int((array[held] == label).sum())
        assert number == min(max(1, round(share * count)), count - 1)


def test_it_is_always_the_same_and_nothing_is_held_out_unless_asked() -> None:
    labels = np.repeat([0, 1], 50)
    sources = np.arange(100)
    first, second = split(labels, sources, 0.2), split(labels, sources, 0.2)
    assert np.array_equal(first[1], second[1])
    kept, held = split(labels, sources, 0.0)
    assert (len(kept), len(held)) == (100, 0)


@given(st.lists(st.integers(1, 6), min_size=2, max_size=40), st.floats(0.01, 0.6))
def test_squares_of_one_picture_are_on_one_side(squares: list[int], share: float) -> None:
    sources = np.repeat(np.arange(len(squares)), squares)
    kept, held = split(np.zeros(len(sources), np.int64), sources, share)
    assert sorted([*kept, *held]) == list(range(len(sources)))
    assert not set(sources[kept]) & set(sources[held])
    number = len(set(sources[held]))
    assert number == min(max(1, round(share * len(squares))), len(squares) - 1)
