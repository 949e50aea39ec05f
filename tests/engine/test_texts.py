"""What is read of a text: the same in any company, words of any script, the past of nothing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from make_artefact import text_weights
from volute.engine.texts import Network, Tables, packed, plain

TABLES = Tables((1 << 10,) * 4, 1 << 20, 1 << 20)


def words(text: str) -> np.ndarray:
    return TABLES.read(packed([text.encode()], 1000)).words[0]


def test_words_are_told_by_letters_and_case() -> None:
    read = words("What's a b-52, What's A?")
    assert len(read) == 13
    assert np.array_equal(read[:3], read[8:11])
    written, lowered = read[3], read[11]
    assert written[0] != lowered[0]
    assert written[1] == lowered[1] == written[0]


@pytest.mark.parametrize(
    ("text", "count"), [("größe привет", 2), ("東京は大きい", 6), ("서울 ", 2), ("\t\n", 1)]
)
def test_scripts(text: str, count: int) -> None:
    read = words(text)
    assert len(read) == count
    assert (read > 0).all() == bool(text.strip())


def test_what_is_there_counts_once() -> None:
    once, twice = (
        TABLES.read(packed([text], 99)).bag[0] for text in (b"abc abc abc ", b"abc abc abc abc ")
    )
    assert np.array_equal(once, twice)
    assert len(set(once.tolist())) == len(once)


@given(st.lists(st.binary(max_size=40), min_size=2, max_size=6))
def test_a_text_is_scored_the_same_in_any_company(texts: list[bytes]) -> None:
    network = Network(text_weights(3), 30)
    together = network.logits(texts)
    alone = np.concatenate([network.logits([text]) for text in texts])
    rounding = 2e-6 * max(1.0, float(np.abs(alone).max()))
    np.testing.assert_allclose(together, alone, rtol=0, atol=rounding)
    cut = network.logits([text[:30] for text in texts])
    np.testing.assert_allclose(together, cut, rtol=0, atol=rounding)


def test_what_marks_an_encoding_is_understood() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        assert plain("größe".encode(encoding)) == "größe".encode()
