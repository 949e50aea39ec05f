"""Counts in use: what was counted, as probabilities, at once and byte by byte, few or many."""

from __future__ import annotations

import numpy as np
import pytest

from volute.engine.counts import Counts, fitted
from volute.engine.language import log_softmax
from volute.measure.ngram import KneserNey

WORDS = np.random.default_rng(0).choice(["the", "cat", "sat", "on", "a", "mat"], 900)
TEXT = np.frombuffer(" ".join(WORDS).encode(), np.uint8)
OTHER = np.frombuffer(b"the cat had a hat, on \x00 the mat\xff the c", np.uint8)
ORDER = 6


def counts(most: int = 1 << 20, trust: float = 0.5, text: np.ndarray = TEXT) -> Counts:
    tables = KneserNey(text, ORDER).tables(most)
    orders = len(tables) // 4
    return Counts(tables | {"trust": np.full(orders + 1, trust, np.float32)})


@pytest.mark.parametrize("order", [1, 4])
def test_probabilities_are_those_of_kneser_ney(order: int) -> None:
    counted = KneserNey(TEXT, order)
    made = Counts(counted.tables(1 << 20) | {"trust": np.zeros(order + 1, np.float32)})
    found, known = made.predict(OTHER[None], len(OTHER) - order + 1)
    for index, row in enumerate(found):
        past = OTHER[: order + index].tobytes()
        np.testing.assert_allclose(row, counted.next(past), atol=3e-3, rtol=1e-2)
    assert known.max() == order


@pytest.mark.parametrize("most", [1 << 20, 300, 0])
def test_they_sum_to_one_however_few_are_kept(most: int) -> None:
    made = counts(most)
    found, _ = made.predict(OTHER[None], 20)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert found.min() > 0


def test_fewer_are_kept_and_say_nearly_as_much() -> None:
    all_of_them, few = (KneserNey(TEXT, ORDER).tables(most) for most in (1 << 20, 0))
    sizes = [sum(t.nbytes for t in tables.values()) for tables in (all_of_them, few)]
    assert sizes[1] < sizes[0]


def test_byte_by_byte_is_all_at_once() -> None:
    made = counts()
    logits = np.random.default_rng(1).normal(0, 3, (1, 30, 256)).astype(np.float32)
    whole = made.mixed(logits, OTHER[None])
    first = len(OTHER) - 30
    single = [made.mixed_single(logits[0, i], OTHER[: first + i + 1].tolist()) for i in range(30)]
    np.testing.assert_allclose(whole[0], single, atol=1e-5)
    np.testing.assert_allclose(np.exp(whole).sum(-1), 1, atol=1e-5)


def test_trust_goes_from_the_network_to_the_counts() -> None:
    logits = np.random.default_rng(1).normal(0, 3, (1, 4, 256)).astype(np.float32)
    np.testing.assert_allclose(
        counts(trust=0).mixed(logits, OTHER[None]), log_softmax(logits), atol=1e-4
    )
    alone = counts(trust=1)
    expected = np.log(alone.predict(OTHER[None], 4)[0])[None]
    np.testing.assert_allclose(alone.mixed(logits, OTHER[None]), expected, atol=1e-4)


def test_trust_is_fitted_to_what_each_is_right_about() -> None:
    rng = np.random.default_rng(2)
    known = rng.integers(0, 2, 20_000)
    share = np.array([0.1, 0.8])[known]
    right = rng.random(len(known)) < share  # which of the two has drawn the byte
    counted, other = np.where(right, 0.9, 0.01), np.where(right, 0.01, 0.9)
    np.testing.assert_allclose(fitted(counted, other, known, 2)[:2], [0.1, 0.8], atol=0.03)
    assert fitted(counted, other, known, 2)[2] == pytest.approx(0.35)


@pytest.mark.parametrize("text", [b"a", b"ab", b"aaaaaaaaa", bytes(range(256)) * 2])
def test_short_texts(text: bytes) -> None:
    made = counts(text=np.frombuffer(text, np.uint8))
    found, _ = made.predict(OTHER[None], 20)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
