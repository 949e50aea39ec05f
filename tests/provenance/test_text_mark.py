"""The mark of texts: fair coins, true p-values, nothing lost on average, found in parts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from realdata import real_data
from volute.errors import DataError
from volute.provenance import verify
from volute.provenance.text_mark import PUBLIC_KEY, Found, Mark, coins, detect, tail, words_of


def likely_after(context: bytes) -> np.ndarray:
    """Return what a model may expect that knows four bytes: six letters, more or less likely."""
    rng = np.random.default_rng(list(context))
    made = np.zeros(256)
    made[rng.choice(np.arange(97, 123), 6, replace=False)] = rng.dirichlet(np.full(6, 0.6))
    return made


def written(length: int, seed: int = 0, key: bytes | None = None, marked: bool = True) -> bytes:
    rng, mark, text = np.random.default_rng(seed), Mark(key), bytearray(b"once")
    while len(text) < length:
        likely = likely_after(bytes(text[-4:]))
        up_to = (mark.weigh(likely) if marked else likely).cumsum()
        byte = int(np.searchsorted(up_to, rng.random() * up_to[-1], side="right"))
        mark.add(byte)
        text.append(byte)
    return bytes(text)


@pytest.mark.parametrize("tosses", [1, 8, 99, 1000])
def test_tails_are_exact(tosses: int) -> None:
    ways = [math.comb(tosses, heads) for heads in range(tosses + 1)]
    exact = [sum(ways[heads:]) / 2**tosses for heads in range(tosses + 1)]
    made = [tail(heads, tosses) for heads in range(tosses + 1)]
    np.testing.assert_allclose(made, exact, rtol=1e-11)


def test_coins_are_fair_and_independent() -> None:
    grams = np.arange(1 << 16, dtype=np.uint64)
    bits = np.unpackbits(coins(grams, words_of(b"k"))[:, None], axis=1).astype(float) - 0.5
    others = np.unpackbits(coins(grams, words_of(b"l"))[:, None], axis=1).astype(float) - 0.5
    sums = [bits.mean(0), (bits[1:] * bits[:-1]).mean(0) * 2, (bits * others).mean(0) * 2]
    sums += [(bits[256:] * bits[:-256]).mean(0) * 2, (bits[:, 1:] * bits[:, :-1]).mean(0) * 2]
    assert np.abs(np.concatenate(sums)).max() < 5 * 0.5 / 256


@pytest.mark.parametrize("length", [60, 500, 3000])
def test_p_values_of_noise_are_no_smaller_than_uniform(length: int) -> None:
    rng = np.random.default_rng(length)
    texts = [rng.integers(97, 123, length, dtype=np.uint8).tobytes() for _ in range(800)]
    _check_uniform([detect(text).p_value for text in texts])


@pytest.mark.parametrize("key", [None, b"another"])
def test_p_values_of_human_texts_are_no_smaller_than_uniform(key: bytes | None) -> None:
    text = real_data("text/tinyshakespeare.txt").read_bytes()
    pieces = [text[at : at + 500] for at in range(0, 500_000, 500)]
    _check_uniform([detect(piece, key).p_value for piece in pieces])


def _check_uniform(p_values: list[float]) -> None:
    for level in (0.3, 0.1, 0.03, 0.01, 0.003):
        expected = level * len(p_values)
        assert sum(p <= level for p in p_values) <= expected + 4 * math.sqrt(expected) + 1


def test_averaged_over_keys_a_byte_is_as_likely_as_without_a_mark() -> None:
    likely, total, rounds = likely_after(b"abcd"), np.zeros(256), 4000
    for number in range(rounds):
        mark = Mark(number.to_bytes(4, "big"))
        for byte in b"abcd":
            mark.add(byte)
        made = mark.weigh(likely)
        assert made.sum() == pytest.approx(1)
        total += made
    deviation = np.sqrt(likely * (1 - likely) / rounds)
    assert (np.abs(total / rounds - likely) <= 5 * deviation + 1e-12).all()


def test_what_cannot_be_chosen_stays_so_and_a_context_is_used_once() -> None:
    mark, likely = Mark(), likely_after(b"abcd")
    assert mark.weigh(likely) is likely
    for byte in b"abcd":
        mark.add(byte)
    made = mark.weigh(likely)
    assert ((made > 0) <= (likely > 0)).all()
    assert made.max() > likely.max()
    assert mark.weigh(likely) is likely


def test_marked_texts_are_found_by_their_key_alone() -> None:
    for seed in range(5):
        text = written(400, seed)
        assert detect(text).p_value < 1e-9
        assert detect(text, PUBLIC_KEY) == detect(text.decode())
        assert detect(text, b"another").p_value > 1e-4
        assert detect(written(400, seed, b"another")).p_value > 1e-4
        assert detect(written(400, seed, marked=False)).p_value > 1e-4


def test_a_part_is_found_and_what_stands_around_it_hides_nothing() -> None:
    rng = np.random.default_rng(0)
    text = written(400)
    around = rng.integers(97, 123, 100_000, dtype=np.uint8).tobytes()
    assert detect(text[150:300]).p_value < 1e-5
    assert detect(around[:50_000] + text + around[50_000:]).p_value < 1e-5
    assert detect(around[:777] + text).p_value < 1e-7
    assert detect(text + around).p_value < 1e-5


def test_some_edits_and_other_line_ends_leave_it() -> None:
    text = bytearray(written(600))
    text[50::50] = b"#" * len(text[50::50])
    assert detect(bytes(text)).p_value < 1e-7
    lines = b"\n".join(text[at : at + 40] for at in range(0, 600, 40))
    assert detect(lines.replace(b"\n", b"\r\n")) == detect(lines)


def test_repetition_counts_once() -> None:
    text = written(100)
    assert detect(text * 50).counted <= 200
    assert detect(text * 50).p_value > detect(text).p_value / 1e4
    assert detect(b"a" * 10_000_000).p_value > 0.1


@pytest.mark.parametrize(
    "text", [b"", b"a", b"abcd", b"\0" * 99, b"\xff\xfe\xc3" * 300, "🌙" * 200, "\udcff\ud800" * 9]
)
def test_any_bytes_are_looked_at(text: bytes | str) -> None:
    found = detect(text)
    assert 1e-3 < found.p_value <= 1
    assert found.counted <= len(text)


def test_long_texts_are_taken_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    text = written(400)
    whole = detect(text)
    monkeypatch.setattr("volute.provenance.text_mark.LONGEST", 1000)
    assert detect(text) == whole
    longer = detect(b"." * 2000 + text)
    assert longer.counted == whole.counted
    assert longer.p_value == pytest.approx(3 * whole.p_value)


def test_files(tmp_path) -> None:
    (tmp_path / "a.txt").write_bytes(written(300))
    assert verify(tmp_path / "a.txt").watermark.p_value < 1e-6
    (tmp_path / "empty").write_bytes(b"")
    assert verify(tmp_path / "empty").watermark == Found(1.0, 0)
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    assert verify(tmp_path / "b.png").watermark is None
    for name, said in {"none": "none", "": "directory"}.items():
        with pytest.raises(DataError, match=said):
            verify(tmp_path / name)
