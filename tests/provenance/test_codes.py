"""An ID comes back from odds that are half wrong, and the p-value is what chance gives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from volute.errors import UsageError
from volute.provenance import codes

KEYS = st.none() | st.binary(min_size=1, max_size=40)


@settings(deadline=None)
@given(ident=st.integers(0, 2**16 - 1), key=KEYS, seed=st.integers(0, 1000))
def test_an_id_comes_back_from_noisy_odds(ident: int, key: bytes | None, seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 0.6, (1, codes.LENGTH))
    (found,) = codes.nearest(codes.word(ident, key)[None] + noise, key)
    assert found.ident == ident
    assert codes.p_value(found.cosine) < 1e-6


@settings(deadline=None)
@given(ident=st.integers(0, 2**16 - 1), key=st.binary(min_size=1, max_size=40))
def test_another_key_finds_nothing(ident: int, key: bytes) -> None:
    assume(key != codes.PUBLIC_KEY)
    (found,) = codes.nearest(codes.word(ident, key)[None])
    assert codes.p_value(found.cosine) > 1e-6


def test_words_of_two_ids_differ_in_30_bits_or_more() -> None:
    first = codes.word(0)
    others = np.stack([codes.word(ident) for ident in range(1, 1 << 16)])
    assert (others != first).sum(1).min() >= 30  # linear: as between any two


def test_a_word_stays_the_same() -> None:
    """Marks in pictures that are about already must still be read."""
    bits = "".join("1" if bit > 0 else "0" for bit in codes.word(4711, b"key"))
    assert f"{int(bits, 2):024x}" == GOLDEN


GOLDEN = "82cd20e6e40d2985150fa5d6"


@pytest.mark.parametrize("ident", [-1, 1 << 16])
def test_an_id_out_of_range_is_refused(ident: int) -> None:
    with pytest.raises(UsageError, match="out of range"):
        codes.word(ident)


def test_the_cap_of_a_sphere_is_that_of_the_incomplete_beta_function() -> None:
    special = pytest.importorskip("scipy.special")
    for n in (2, 3, 10, 96):
        for cosine in (0.05, 0.3, 0.611, 0.9, 0.999):
            wanted = special.betainc((n - 1) / 2, 0.5, 1 - cosine**2) / 2
            assert codes.cap(cosine, n) == pytest.approx(wanted, rel=1e-9)


def test_the_levels_of_the_literature() -> None:
    assert codes.p_value(0.611) == pytest.approx(1e-6, rel=0.02)
    assert codes.p_value(1.0) == 0
    assert codes.p_value(-0.5) == codes.p_value(0.2) == 1
    assert codes.p_value(0.611, tries=10) == pytest.approx(1e-5, rel=0.02)


def test_p_values_are_no_smaller_than_chance_gives() -> None:
    rng = np.random.default_rng(5)
    found = codes.nearest(rng.normal(size=(2000, codes.LENGTH)).astype(np.float32))
    values = np.array([codes.p_value(one.cosine) for one in found])
    for level in (0.2, 0.05, 0.01):
        assert (values <= level).mean() <= level + 3 * (level / len(values)) ** 0.5
    assert (values <= 0.2).mean() > 0.1  # and hardly larger
