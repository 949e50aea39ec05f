"""Byte pairs: no byte is ever lost, nothing is joined across white space, others' are checked."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from volute.engine import tokens as module
from volute.engine.tokens import LONGEST, Tokens, learned
from volute.errors import MissingExtraError, UsageError

TEXT = "".join(
    f"The {i % 7}th of {i % 11} sheep said: 'Größe {i % 5} 🐑!'\r\n\n" for i in range(400)
)
HOSTILE = [
    b"",
    b"\0",
    b"\0\0\0\xff\xfe\x80",
    b"\r\n\r\n \t  x",
    "שלום עולם، مرحبا 🌙👩‍👩‍👧 \u2028\u00a0\u0085".encode(),
    b"   ",
    b"The sheep" * 50,
    bytes(range(256)) * 3,
    "🐑".encode()[1:],
    b"a" * 100_000,
]


@pytest.fixture(scope="module")
def tokens() -> Tokens:
    pytest.importorskip("tokenizers", reason="needs the extra bpe")
    return Tokens(learned(as_bytes(TEXT.encode()), 290))


def as_bytes(text: bytes) -> np.ndarray:
    return np.frombuffer(text, np.uint8)


def again(tokens: Tokens, symbols: np.ndarray) -> bytes:
    return b"".join(tokens.bytes[symbol] for symbol in symbols)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_byte_is_lost(tokens: Tokens, text: bytes) -> None:
    assert again(tokens, tokens.encode(as_bytes(text))) == text


@given(text=st.binary(max_size=400))
def test_no_byte_of_noise_is_lost(tokens: Tokens, text: bytes) -> None:
    assert again(tokens, tokens.encode(as_bytes(text))) == text


@given(text=st.text(max_size=200))
def test_no_byte_of_any_text_is_lost(tokens: Tokens, text: str) -> None:
    assert again(tokens, tokens.encode(as_bytes(text.encode()))) == text.encode()


def test_a_text_becomes_shorter(tokens: Tokens) -> None:
    data = as_bytes(TEXT.encode())
    symbols = tokens.encode(data)
    assert len(symbols) < len(data) / 2
    assert symbols.dtype == np.uint16
    assert tokens.lengths[symbols].sum() == len(data)


def test_nothing_is_joined_across_white_space(tokens: Tokens) -> None:
    form = re.compile(rb" ?(?:[A-Za-z\x80-\xff]+|[0-9]+|[^\sA-Za-z0-9\x80-\xff]+)|\s+")
    assert len(tokens) == 290
    for token in tokens.bytes:
        assert form.fullmatch(token), token


def test_learning_is_the_same_again(tokens: Tokens) -> None:
    for _ in range(3):
        np.testing.assert_array_equal(learned(as_bytes(TEXT.encode()), 290), tokens.pairs)


def test_a_token_has_no_more_bytes_than_it_may() -> None:
    pytest.importorskip("tokenizers", reason="needs the extra bpe")
    text = as_bytes(b"ab" * 2000)
    assert Tokens(learned(text, 260)).lengths[256:].tolist() == [2, 4, 8, 16]
    with pytest.raises(UsageError, match="the text has only 260 tokens"):
        learned(text, LONGEST + 260)


def test_a_long_text_is_encoded_in_parts(tokens: Tokens, monkeypatch: pytest.MonkeyPatch) -> None:
    text = as_bytes(TEXT.encode())
    whole = tokens.encode(text)
    monkeypatch.setattr(module, "BLOCK", 1000)
    parts = list(tokens.parts(text))
    assert len(parts) > 10
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert again(tokens, tokens.encode(as_bytes(b"a" * 2500))) == b"a" * 2500


def test_without_pairs_symbols_are_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    plain, text = Tokens(), as_bytes(bytes(range(256)))
    symbols = plain.encode(text)
    assert symbols.dtype == np.uint8
    np.testing.assert_array_equal(symbols, text)
    assert plain.unit == "byte"


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError) as caught:
        Tokens(np.array([[97, 98]])).encode(as_bytes(b"ab"))
    assert caught.value.exit_code == 3
    assert 'pip install "volute[bpe]"' in caught.value.hint


def test_a_text_of_few_tokens_is_refused() -> None:
    pytest.importorskip("tokenizers", reason="needs the extra bpe")
    with pytest.raises(UsageError, match="the text has only"):
        learned(as_bytes(b"to be or not to be " * 9), 2000)


@pytest.mark.parametrize(
    "pairs",
    [
        np.array([[97, 256]]),
        np.array([[97, -1]]),
        np.array([[97, 98], [97, 98]]),
        np.array([[97, 98], [256, 99], [98, 99], [97, 258]]),
        np.array([[97.0, 98.0]]),
        np.array([97, 98]),
        np.array([[97, 98, 99]]),
        np.array([[97, 97], *([256 + i] * 2 for i in range(30))]),
        np.zeros((1 << 16, 2), int),
    ],
)
def test_pairs_that_are_none_are_refused(pairs: np.ndarray) -> None:
    with pytest.raises(ValueError, match="token|pair"):
        Tokens(pairs)
