"""Tokens chosen byte by byte: as likely as the model says, and their bytes marked."""

from __future__ import annotations

import numpy as np
import pytest

from volute.engine.tokens import Tokens
from volute.handles.spelling import Spelling
from volute.provenance.text_mark import Mark, detect

PAIRS = np.array([[97, 98], [256, 99], [97, 97], [98, 98], [258, 97], [256, 256]])
"""ab, abc, aa, bb, aaa, abab."""
TOKENS = Tokens(PAIRS)
LIKELY = np.zeros(len(TOKENS))
LIKELY[[97, 98, 99, *range(256, 262)]] = [0.2, 0.05, 0.1, 0.15, 0.05, 0.1, 0.05, 0.2, 0.1]


def counted(marks: list[Mark], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    drawn = [Spelling(TOKENS.trie, mark).draw(7 * LIKELY, rng) for mark in marks]
    return np.bincount(drawn, minlength=len(TOKENS))


def off(found: np.ndarray) -> float:
    """Return chi-square of 8 degrees of freedom; over 26.1 is one time in a thousand."""
    expected = LIKELY * found.sum()
    assert (found[LIKELY == 0] == 0).all()
    there = LIKELY > 0
    return float(((found - expected)[there] ** 2 / expected[there]).sum())


def after(context: bytes, key: int) -> Mark:
    mark = Mark(str(key).encode())
    for byte in context:
        mark.add(byte)
    return mark


def test_an_unmarked_token_is_as_likely_as_it_should_be() -> None:
    assert off(counted([Mark() for _ in range(6000)], 0)) < 26.1


def test_over_keys_a_marked_token_is_as_likely_as_without_a_mark() -> None:
    assert off(counted([after(b"once", key) for key in range(6000)], 1)) < 26.1


def test_one_key_prefers_some_tokens() -> None:
    assert off(counted([after(b"once", 0) for _ in range(600)], 2)) > 100


def test_what_cannot_be_is_never_drawn() -> None:
    only = np.zeros(len(TOKENS))
    only[257] = 1e-9
    for key in range(20):
        assert (
            Spelling(TOKENS.trie, after(b"once", key)).draw(only, np.random.default_rng(key)) == 257
        )


def test_the_mark_takes_every_byte_of_a_token() -> None:
    mark, plain = after(b"once", 0), after(b"once", 0)
    symbol = Spelling(TOKENS.trie, mark).draw(LIKELY, np.random.default_rng(0))
    for byte in TOKENS.bytes[symbol]:
        plain.weigh(np.eye(256)[byte])
        plain.add(byte)
    assert (mark._context, mark._known, mark.used) == (plain._context, plain._known, plain.used)


@pytest.mark.parametrize("key", [None, b"mine"])
def test_the_mark_is_found_in_the_bytes(key: bytes | None) -> None:
    rng = np.random.default_rng(3)
    pairs = rng.permutation(256)[:200].reshape(-1, 2)
    tokens = Tokens(pairs)
    spelling = Spelling(tokens.trie, Mark(key))
    text = b"".join(
        tokens.bytes[spelling.draw(rng.dirichlet(np.full(len(tokens), 0.1)), rng)]
        for _ in range(200)
    )
    assert detect(text, key).p_value < 1e-6
    assert detect(text, b"another").p_value > 1e-3
