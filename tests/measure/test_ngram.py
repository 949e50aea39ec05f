"""Kneser-Ney: golden values, probabilities that sum to one, and the same from both ways in."""

from __future__ import annotations

import numpy as np
import pytest

from realdata import real_data
from volute.measure import ngram
from volute.measure.ngram import KneserNey

TEXT = np.frombuffer(("the cat sat on the mat, the rat ate that. " * 9).encode(), np.uint8)


@pytest.mark.parametrize(("order", "nats"), [(2, 2.4835), (5, 1.5612), (7, 1.5165), (8, 1.5192)])
def test_tiny_shakespeare(order: int, nats: float) -> None:
    text = np.fromfile(real_data("text/tinyshakespeare.txt"), np.uint8)
    known = 1_003_854
    model = KneserNey(text[:known], order, symbols=65)
    assert model.nats(text, known).mean() == pytest.approx(nats, abs=5e-5)


@pytest.mark.parametrize("past", [b"", b"t", b"the ", b"zebra the c", b"\xff\x00"])
def test_probabilities_sum_to_one(past: bytes) -> None:
    likely = KneserNey(TEXT, 5).next(past)
    assert likely.sum() == pytest.approx(1)
    assert likely.min() > 0


def test_byte_by_byte_is_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = KneserNey(TEXT, 4)
    text = np.frombuffer(b"a cat that ate the mat\x00\xfe the", np.uint8)
    whole = model.nats(text)
    single = [-np.log(model.next(text[:i].tobytes())[text[i]]) for i in range(len(text))]
    np.testing.assert_allclose(whole, single, rtol=1e-12)
    monkeypatch.setattr(ngram, "CHUNK", 3)
    np.testing.assert_array_equal(model.nats(text), whole)
    np.testing.assert_array_equal(model.nats(text, 7), whole[7:])


@pytest.mark.parametrize("text", [b"", b"a", b"ab", b"aaaaaaa"])
def test_short_texts(text: bytes) -> None:
    model = KneserNey(np.frombuffer(text, np.uint8), 5)
    assert model.next(b"a").sum() == pytest.approx(1)
    assert np.isfinite(model.nats(np.frombuffer(b"abba", np.uint8))).all()
