"""The order of the pictures: every epoch whole, every start the tail of a run from zero."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from volute.data.sampler import Sampler

SEEDS = st.integers(0, 2**63)


@given(n=st.integers(1, 300), seed=SEEDS, epoch=st.integers(0, 10**9))
def test_each_epoch_shows_each_picture_once(n, seed, epoch):
    assert sorted(Sampler(n, seed).indices(epoch * n, n)) == list(range(n))


@given(n=st.integers(1, 60), seed=SEEDS, start=st.integers(0, 200), length=st.integers(0, 200))
def test_any_start_is_the_tail_of_a_run_from_zero(n, seed, start, length):
    whole = Sampler(n, seed).indices(0, start + length)
    assert np.array_equal(Sampler(n, seed).indices(start, length), whole[start:])


@given(n=st.integers(1, 60), seed=SEEDS, batches=st.lists(st.integers(0, 70), max_size=12))
def test_batch_sizes_do_not_change_the_order(n, seed, batches):
    sampler, shown, parts = Sampler(n, seed), 0, [np.empty(0, np.int64)]
    for batch in batches:
        parts.append(sampler.indices(shown, batch))
        shown += batch
    assert np.array_equal(np.concatenate(parts), sampler.indices(0, shown))


def test_epochs_and_seeds_differ():
    first, second = Sampler(100, 0).indices(0, 100), Sampler(100, 0).indices(100, 100)
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, Sampler(100, 1).indices(0, 100))


def test_the_order_is_fixed_for_good():
    # A change here would break the exact resuming of every run that exists.
    assert Sampler(10, 0).indices(0, 10).tolist() == FIRST_TEN
    assert Sampler(10, 0).indices(0, 10).dtype == np.int64


FIRST_TEN = [0, 8, 9, 3, 7, 5, 1, 2, 6, 4]
