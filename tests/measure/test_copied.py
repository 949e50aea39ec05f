"""What was copied is found, to the byte."""

from __future__ import annotations

import numpy as np
import pytest

import volute.measure.copied
from volute.measure.copied import copied

RNG = np.random.default_rng(0)
TEXT = RNG.integers(97, 123, 5000, np.uint8)


def letters(count: int) -> bytes:
    return RNG.integers(65, 91, count, np.uint8).tobytes()


def test_copied_spans_are_found_to_the_byte() -> None:
    written = letters(100) + TEXT[300:370].tobytes() + letters(50) + TEXT[:40].tobytes()
    found = copied(written, TEXT)
    assert found["longest_copy"] == 70
    assert found["copied_32"] == pytest.approx(110 / 260)
    assert found["copied_64"] == pytest.approx(70 / 260)
    assert found["copied_128"] == 0


@pytest.mark.parametrize("written", [b"", b"a", letters(20)])
def test_short_and_own_texts(written: bytes) -> None:
    found = copied(written, TEXT)
    assert found["longest_copy"] <= 1
    assert found["copied_32"] == 0


@pytest.mark.parametrize("part", [40, 333, 4999])
def test_a_text_is_looked_through_in_parts(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    written = letters(9) + TEXT[290:420].tobytes() + letters(9) + TEXT[-33:].tobytes()
    whole = copied(written, TEXT)
    monkeypatch.setattr(volute.measure.copied, "PART", part)
    assert copied(written, TEXT) == whole
    assert whole["longest_copy"] == 130


def test_all_is_copied() -> None:
    assert copied(TEXT.tobytes(), TEXT) == {
        "longest_copy": 5000.0,
        "copied_32": 1.0,
        "copied_64": 1.0,
        "copied_128": 1.0,
    }
