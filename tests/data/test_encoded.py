"""A text as tokens: encoded once, kept in the cache, and where its texts end."""

from __future__ import annotations

import numpy as np
import pytest

from volute.data import encoded as module
from volute.data.encoded import encoded, reached
from volute.engine.tokens import Tokens

TEXT = np.frombuffer(b"the cat, the other cat\n\nthe end" * 40, np.uint8)
PAIRS = np.array([[116, 104], [256, 101], [99, 97], [258, 116], [10, 10]], np.int32)
"""th, the, ca, cat, and an empty line."""


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    pytest.importorskip("tokenizers", reason="needs the extra bpe")
    return Tokens(PAIRS)


def test_it_is_the_same_text_and_encoded_once(
    tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = encoded(TEXT, "key", tokens)
    assert isinstance(one, np.memmap)
    np.testing.assert_array_equal(one, tokens.encode(TEXT))
    monkeypatch.setattr(Tokens, "parts", lambda *_: pytest.fail("encoded again"))
    np.testing.assert_array_equal(encoded(TEXT, "key", tokens), one)


def test_another_text_or_other_tokens_are_another_file(tokens: Tokens) -> None:
    one = encoded(TEXT, "key", tokens)
    assert len(encoded(TEXT[:-4], "key", tokens)) < len(one)
    assert len(encoded(TEXT, "key", Tokens(PAIRS[:-1]))) > len(one)
    np.testing.assert_array_equal(encoded(TEXT[::-1], "other", tokens), tokens.encode(TEXT[::-1]))


def test_where_texts_end(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    symbols = tokens.encode(TEXT)
    ends = np.array([0, 1, 3, 4, 22, 23, 24, len(TEXT), len(TEXT) + 99])
    whole = tokens.lengths[symbols].cumsum()
    expected = [int((whole <= end).sum()) for end in ends]
    np.testing.assert_array_equal(reached(symbols, tokens, ends), expected)
    monkeypatch.setattr(module, "BLOCK", 7)
    np.testing.assert_array_equal(reached(symbols, tokens, ends), expected)
