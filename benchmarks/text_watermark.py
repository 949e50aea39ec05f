"""What marks cost a text and how surely they are found: a green list beside tournaments.

    python benchmarks/text_watermark.py MODEL            # an lm run or artefact; 8 min on one core

All texts begin with an empty prompt and differ by their seeds. A green list (Kirchenbauer et al.
2023, arXiv:2301.10226, algorithm 2) makes half of the bytes, chosen by the context, e^delta times
as likely. `volute.provenance.text_mark` is the tournament of 8 layers; the others differ from it in
nothing else. Bits are those of what was written under the unmarked model at the same temperature.
"""

from __future__ import annotations

import argparse
import math
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import volute
from volute.handles import LanguageModel
from volute.handles.writing import Sampling
from volute.provenance.text_mark import CONTEXT, Mark, coins, detect, tail, words_of

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data")) / "text"
HUMAN = ("tinyshakespeare.txt", "books/darwin.txt")
TEXTS, LENGTHS, TEMPERATURES = 100, (200, 400, 800), (0.8, 1.0)
LEVELS = (0.5, 0.1, 0.01, 0.001)
Written = tuple[np.ndarray, np.ndarray]


class Green(Mark):
    """A green list: the first coin of a candidate."""

    layers, delta = 1, 0.0

    def _won(self, likely: np.ndarray, coins: np.ndarray) -> np.ndarray:
        made = likely * np.exp(self.delta * (coins >> 7))
        return made / made.sum()


class Tournament(Mark):
    """A tournament of any number of layers: one key for 8 of them."""

    layers = 8

    def weigh(self, likely: np.ndarray) -> np.ndarray:
        """Do as `Mark`, with so many layers."""
        if self._known < CONTEXT or self._context in self.used:
            return likely
        self.used[self._context] = None
        left = likely.nonzero()[0]
        grams = left.astype(np.uint64) | np.uint64(self._context << 8)
        made = np.zeros_like(likely)
        share = likely[left] / likely.sum()
        for heads in heads_of(grams, self.layers):
            share = share * (heads + (1 - float(share @ heads)))
        made[left] = share
        return made


def heads_of(grams: np.ndarray, layers: int) -> np.ndarray:
    """Return the coins of n-grams [N] as float64 [layers, N]."""
    keys = [None, *(str(number).encode() for number in range(1, -(-layers // 8)))]
    tossed = np.stack([coins(grams, words_of(key)) for key in keys])
    return np.unpackbits(tossed[:, None], axis=1).reshape(-1, len(grams))[:layers].astype(float)


def scheme(kind: type[Mark], **of: float) -> Callable[[], Mark]:
    return type(kind.__name__, (kind,), of)


SCHEMES: dict[str, tuple[Callable[[], Mark] | None, int]] = {
    "none": (None, 8),
    "green list, delta 1": (scheme(Green, delta=1.0), 1),
    "green list, delta 2": (scheme(Green, delta=2.0), 1),
    "tournament, 4 layers": (scheme(Tournament, layers=4), 4),
    "**tournament, 8 layers**": (Mark, 8),
    "tournament, 15 layers": (scheme(Tournament, layers=15), 15),
    "tournament, 30 layers": (scheme(Tournament, layers=30), 30),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    parser.add_argument("--texts", type=int, default=TEXTS)
    arguments = parser.parse_args()
    model = volute.load(arguments.model)
    assert isinstance(model, LanguageModel)
    print("| mark | temperature | bits/byte | repeated 8-grams | distinct 12-grams of all texts "
          "| found at p <= 0.01 in 200 / 400 / 800 bytes | at p <= 0.001 | median p |")  # fmt: skip
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for temperature in TEMPERATURES:
        for name, (make, layers) in SCHEMES.items():
            made = texts_of(model, temperature, make, arguments.texts)
            print(row(name, temperature, layers, made), flush=True)
    calibration(texts_of(model, 1.0, None, 5 * arguments.texts)[0])
    over_keys()
    parts(texts_of(model, 0.8, Mark, arguments.texts)[0])
    speed(model)


def texts_of(
    model: LanguageModel, temperature: float, make: Callable[[], Mark] | None, count: int
) -> Written:
    """Return texts uint8 [N, T] and how many bits each byte is under the unmarked model."""
    how = Sampling(temperature=temperature, seed=0)
    network = model._network
    memory = network.blank(count)
    logits = network.read(np.full((count, 1), 10, np.uint8), memory)[:, 0]
    draws = [how.draws(number) for number in range(count)]
    marks = [make() if make else None for _ in range(count)]
    text, bits = np.zeros((count, max(LENGTHS)), np.uint8), np.zeros((count, max(LENGTHS)))
    for place in range(text.shape[1]):
        text[:, place] = [how.choose(*of) for of in zip(logits, draws, marks, strict=True)]
        likely = np.exp((logits - logits.max(1, keepdims=True)).astype(float) / temperature)
        likely[likely < how.min_p] = 0
        chosen = likely[np.arange(count), text[:, place]]
        bits[:, place] = np.log2(likely.sum(1) / chosen)
        logits = network.read(text[:, place : place + 1], memory)[:, 0]
    return text, bits


def row(name: str, temperature: float, layers: int, made: Written) -> str:
    text, bits = made
    p = np.array([[p_value(one[:length], layers) for one in text] for length in LENGTHS])
    repeated = np.mean([1 - len(set(grams(one, 8))) / len(grams(one, 8)) for one in text])
    all_grams = [gram for one in text for gram in grams(one, 12)]
    values, error = bits.mean(1), bits.mean(1).std() / math.sqrt(len(bits))
    cells = [
        name,
        f"{temperature:.1f}",
        f"{values.mean():.3f} ± {error:.3f}",
        f"{repeated:.2%}",
        f"{len(set(all_grams)) / len(all_grams):.1%}",
        " / ".join(f"{share:.0%}" for share in (p <= 0.01).mean(1)),
        " / ".join(f"{share:.0%}" for share in (p <= 0.001).mean(1)),
        " / ".join(f"{median:.0e}" for median in np.median(p, 1)),
    ]
    return f"| {' | '.join(cells)} |"


def grams(text: np.ndarray, length: int) -> list[bytes]:
    data = text.tobytes()
    return [data[at : at + length] for at in range(len(data) - length + 1)]


def p_value(text: np.ndarray, layers: int) -> float:
    """Return the p-value of a whole text, each context counted where it stands first."""
    heads = heads_of(counted(text), layers)
    return tail(int(heads.sum()), heads.size)


def counted(text: np.ndarray) -> np.ndarray:
    number = np.array([int.from_bytes(gram, "big") for gram in grams(text, CONTEXT + 1)], np.uint64)
    return number[np.unique(number >> np.uint64(8), return_index=True)[1]]


def calibration(unmarked: np.ndarray) -> None:
    """Print how often p-values of texts without the mark are small."""
    print("\n| texts without the mark | number | key | share with p <= 0.5 | 0.1 | 0.01 | 0.001 "
          "| least |\n|---|---:|---|---:|---:|---:|---:|---:|")  # fmt: skip
    sources = {name: (DATA / name).read_bytes() for name in HUMAN}
    for name, data in sources.items():
        for length in (200, 400, 4000):
            ends = range(length, min(len(data), 5000 * length), length)
            _calibrated(f"{name}, {length} bytes", [data[end - length : end] for end in ends])
    halves = unmarked.reshape(-1, max(LENGTHS) // 2)
    _calibrated("written unmarked, 400 bytes", [half.tobytes() for half in halves])


def _calibrated(name: str, pieces: list[bytes]) -> None:
    for key in ("public", "each its own"):
        own = [None if key == "public" else f"{i}".encode() for i in range(len(pieces))]
        p = np.array([detect(piece, k).p_value for piece, k in zip(pieces, own, strict=True)])
        shares = " | ".join(f"{(p <= level).mean():.4f}" for level in LEVELS)
        print(f"| {name} | {len(p):,} | {key} | {shares} | {p.min():.0e} |", flush=True)


def over_keys(keys: int = 200, pieces: int = 600) -> None:
    """Print how often whole pieces of 400 bytes of one book have p <= 0.01, by the key.

    Pieces of one language share n-grams, and for one key these always show the same coins.
    """
    print(f"\n| {pieces} pieces | mean of {keys} keys | 95th percentile | worst key | public key |")
    print("|---|---:|---:|---:|---:|")
    for name in HUMAN:
        data = np.fromfile(DATA / name, np.uint8, 400 * pieces).reshape(pieces, 400)
        numbers = [counted(piece) for piece in data]
        ends = np.cumsum([0, *map(len, numbers)])
        shares = []
        for key in (None, *(f"{number}".encode() for number in range(keys))):
            heads = np.bitwise_count(coins(np.concatenate(numbers), words_of(key))).astype(int)
            sums, tosses = np.add.reduceat(heads, ends[:-1]), 8 * np.diff(ends)
            p = [tail(int(s), int(t)) for s, t in zip(sums, tosses, strict=True)]
            shares.append((np.array(p) <= 0.01).mean())
        of = np.array(shares[1:])
        values = [of.mean(), np.quantile(of, 0.95), of.max(), shares[0]]
        print(f"| {name} | {' | '.join(f'{value:.2%}' for value in values)} |", flush=True)


def parts(text: np.ndarray) -> None:
    """Print how surely parts, edited texts and texts inside others are found."""
    human = (DATA / HUMAN[1]).read_bytes()
    rng = np.random.default_rng(0)
    cases: dict[str, Callable[[bytes], bytes]] = {
        f"cut out, {length} bytes": lambda t, n=length: t[150 : 150 + n]
        for length in (100, 200, 300)
    }
    for length in (4000, 100_000, 1_000_000):
        cases[f"400 bytes inside {length:,} of a book"] = lambda t, n=length: (
            human[: n // 2] + t[:400] + human[n // 2 : n]
        )
    for every in (50, 20, 10):
        cases[f"800 bytes, one of {every} replaced"] = lambda t, n=every: edited(t, n, rng)
    print("\n| at temperature 0.8 | texts | found at p <= 1e-5 | median p |\n|---|---:|---:|---:|")
    for name, change in cases.items():
        some = text[:40] if "1,000,000" in name else text
        p = np.array([detect(change(one.tobytes())).p_value for one in some])
        print(f"| {name} | {len(p)} | {(p <= 1e-5).mean():.0%} | {np.median(p):.0e} |", flush=True)


def edited(text: bytes, every: int, rng: np.random.Generator) -> bytes:
    made = np.frombuffer(text, np.uint8).copy()
    made[rng.random(len(made)) < 1 / every] = ord("e")
    return made.tobytes()


def speed(model: LanguageModel) -> None:
    """Print the time for a byte, the least of five runs."""
    least = {True: math.inf, False: math.inf}
    for _ in range(5):
        for unmarked in least:
            start = time.perf_counter()
            model.write("", tokens=1000, seed=0, unmarked=unmarked)
            least[unmarked] = min(least[unmarked], (time.perf_counter() - start) * 1000)
    print(f"\n{least[True]:.0f} us a byte unmarked, {least[False]:.0f} us marked")


if __name__ == "__main__":
    main()
