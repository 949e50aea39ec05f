"""A text classifier in NumPy: what it reads of a text, and its network.

It reads bytes with the n-grams that end at each, words, and which words, pairs and triples of
words and n-grams of bytes there are at all; all but the bytes by their hashes. Convolutions over
bytes and words give each feature its strongest place (Kim 2014, arXiv:1408.5882); beside them
stands a linear classifier of what is there. `volute.nets.texts` is the same network in torch, to
learn with.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from volute.engine.language import LONGEST, SHORTEST, rows_of

WIDTHS = (3, 4, 5)
"""Of the convolutions."""
EDGE = 5
"""Places of nothing before and behind a text: one convolution sees nothing else, however much
stands behind a text in a batch."""
BAG = (3, 4, 5)
"""Bytes of the n-grams that are looked for in the whole text."""
STRONG = 10
"""How much what is there counts: as in a text of a hundred things, each of them once."""
BLOCK = 64
"""Texts that are read at once."""
END = -1
"""Stands behind a text."""
GAP, LETTER, MARK, SIGN = 0, 1, 2, 3
TURN, MIX = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B)


def _sorts() -> np.ndarray:
    """Return what each byte is, from `END` on: of words, alone, or the first of a CJK character."""
    sorts = np.full(257, LETTER, np.uint8)
    for code in range(128):
        character = chr(code)
        word = character.isalnum() or character == "_"
        sorts[code + 1] = LETTER if word else GAP if code <= 32 or code == 127 else MARK
    sorts[0] = GAP
    sorts[0xE3 + 1 : 0xED + 2] = SIGN
    return sorts


SORTS = _sorts()
LOWER = np.arange(-1, 256)
LOWER[ord("A") + 1 : ord("Z") + 2] += 32


@dataclass(frozen=True)
class Read:
    """What is read of B texts, as rows of tables; the first row of each is nothing."""

    bytes: np.ndarray
    """int64 [B, T]."""
    grams: np.ndarray
    """int64 [B, T, tables]: n-grams that end at each byte."""
    words: np.ndarray
    """int64 [B, W, 2]: as they are written, and in lower case."""
    bag: np.ndarray
    """int64 [B, N]: what there is, each once."""


@dataclass(frozen=True)
class Tables:
    """How many rows the tables have."""

    grams: tuple[int, ...]
    words: int
    bag: int

    def read(self, codes_BT: np.ndarray) -> Read:
        """Read texts: int16 [B, T], bytes and then `END`."""
        inside = codes_BT != END
        text = np.where(inside, codes_BT, 0).astype(np.uint8)
        grams = [
            _where(inside, rows_of(text, length, rows - 1))
            for length, rows in enumerate(self.grams, SHORTEST)
        ]
        owner, written, lowered = _words(codes_BT)
        streams = len(codes_BT)
        words = [
            _side_by_side(owner, _rows(hashes, self.words), streams)
            for hashes in (written, lowered)
        ]
        return Read(
            _where(inside, text),
            np.stack(grams, 2),
            np.stack(words, 2),
            self._bag(inside, text, owner, written, lowered),
        )

    def _bag(
        self,
        inside: np.ndarray,
        text: np.ndarray,
        owner: np.ndarray,
        written: np.ndarray,
        lowered: np.ndarray,
    ) -> np.ndarray:
        pairs, in_pair = _joined(lowered, lowered, owner, 1)
        triples, in_triple = _joined(pairs, lowered, owner, 2)
        found = [(owner, written), (owner[in_pair], pairs[in_pair])]
        found.append((owner[in_triple], triples[in_triple]))
        for length in BAG:
            place = np.nonzero(inside[:, length - 1 :])[0]
            grams = rows_of(text, length, 1 << 30)[:, length - 1 :][inside[:, length - 1 :]]
            found.append((place, _mixed(grams.astype(np.uint32) + np.uint32(length))))
        place = np.concatenate([place for place, _ in found])
        rows = np.concatenate([_rows(hashes, self.bag) for _, hashes in found])
        once = np.unique(place * self.bag + rows)
        return _side_by_side(once // self.bag, once % self.bag, len(text))


class Network:
    """The network: the mean of its members.

    Args:
        tensors: its weights, by the names of `volute.nets.texts.Together`.
        length: bytes of a text that are read.
        prefix: of the names.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], length: int, prefix: str = "") -> None:
        weights = {name.removeprefix(prefix): value for name, value in tensors.items()}
        count = sum(name.endswith("linear.bias") for name in weights)
        self._members = [_Member(weights, f"members.{index}.") for index in range(count)]
        self.tables, self.length = self._members[0].tables, length

    def features(self, texts: Sequence[bytes]) -> np.ndarray:
        """Return the strongest answer of each convolution: float32 [B, F]."""
        made = [[member.features(read) for member in self._members] for read in self._blocks(texts)]
        return np.concatenate([np.concatenate(parts, 1) for parts in made])

    def logits(self, texts: Sequence[bytes]) -> np.ndarray:
        """Return the logits, float32 [B, classes]."""
        made = [[member.logits(read) for member in self._members] for read in self._blocks(texts)]
        return np.concatenate([np.mean(parts, 0) for parts in made])

    def _blocks(self, texts: Sequence[bytes]) -> Iterator[Read]:
        for first in range(0, len(texts), BLOCK):
            yield self.tables.read(packed(texts[first : first + BLOCK], self.length))


class _Member:
    def __init__(self, tensors: Mapping[str, np.ndarray], prefix: str) -> None:
        self._weights = {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        count = sum(name.startswith("grams.") for name in self._weights)
        self._grams = [self._weights[f"grams.{index}.weight"] for index in range(count)]
        self.tables = Tables(
            tuple(len(table) for table in self._grams),
            len(self._weights["words.weight"]),
            len(self._weights["bag.weight"]),
        )

    def logits(self, read: Read) -> np.ndarray:
        weights = self._weights
        there = weights["bag.weight"][read.bag].sum(1) * share(read.bag)
        made = self.features(read) @ weights["linear.weight"].T
        return made + weights["linear.bias"] + there

    def features(self, read: Read) -> np.ndarray:
        weights = self._weights
        grams = [table[read.grams[:, :, index]] for index, table in enumerate(self._grams)]
        bytes_BTD = weights["bytes.weight"][read.bytes]
        bytes_BTD = bytes_BTD + np.concatenate(grams, 2) @ weights["join.weight"].T
        words_BWD = weights["words.weight"][read.words].sum(2)
        found = [
            *self._strongest(bytes_BTD, "over_bytes"),
            *self._strongest(words_BWD, "over_words"),
        ]
        return np.concatenate(found, 1)

    def _strongest(self, x_BTD: np.ndarray, name: str) -> list[np.ndarray]:
        x = np.pad(x_BTD, ((0, 0), (EDGE, EDGE), (0, 0)))
        made = []
        for index, width in enumerate(WIDTHS):
            kernel = self._weights[f"{name}.{index}.weight"]
            count = x.shape[1] - width + 1
            maps = x[:, :count] @ kernel[:, :, 0].T
            for at in range(1, width):
                maps += x[:, at : at + count] @ kernel[:, :, at].T
            strongest = maps.max(1) + self._weights[f"{name}.{index}.bias"]
            made.append(np.maximum(strongest, 0))
        return made


def names(members: int) -> list[str]:
    """Return the names of the tensors of a network."""
    grams = [f"grams.{index}" for index in range(LONGEST - SHORTEST + 1)]
    tables = ["bytes", *grams, "join", "words", "bag"]
    kernels = [f"{name}.{i}" for name in ("over_bytes", "over_words") for i in range(len(WIDTHS))]
    inside = [f"{name}.weight" for name in (*tables, *kernels, "linear")]
    inside += [f"{name}.bias" for name in (*kernels, "linear")]
    return [f"members.{member}.{name}" for member in range(members) for name in inside]


def packed(texts: Sequence[bytes], length: int) -> np.ndarray:
    """Return the first `length` bytes of each text, and `END` behind: int16 [B, T]."""
    cut = [np.frombuffer(text[:length], np.uint8) for text in texts]
    codes = np.full((len(cut), max([1, *map(len, cut)])), END, np.int16)
    for row, data in zip(codes, cut, strict=True):
        row[: len(data)] = data
    return codes


def plain(data: bytes) -> bytes:
    """Return a file's bytes, as UTF-8 and without a mark where they begin with one."""
    if data.startswith(codecs.BOM_UTF8):
        return data[len(codecs.BOM_UTF8) :]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode()
    return data


def share(bag_BN: np.ndarray) -> np.ndarray:
    """Return what each thing that is there counts, so that long texts are no surer: [B, 1]."""
    count = np.maximum((bag_BN > 0).sum(1, keepdims=True), 1)
    return (STRONG / np.sqrt(count)).astype(np.float32)


def _where(inside: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.where(inside, rows.astype(np.int64) + 1, 0)


def _words(codes_BT: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the text, the hash as written and the hash in lower case of each word, in order."""
    codes = np.pad(codes_BT, ((0, 0), (0, 1)), constant_values=END)
    sort = SORTS[codes + 1].ravel()
    before = np.append(np.uint8(GAP), sort[:-1])
    first = (sort >= MARK) | (sort == LETTER) & ((before == GAP) | (before == MARK))
    at = np.flatnonzero(first)
    if not len(at):
        nothing = np.zeros(0, np.uint32)
        return np.zeros(0, np.int64), nothing, nothing
    place = np.arange(len(sort)) - at[np.maximum(np.cumsum(first) - 1, 0)]
    powers = np.cumprod(np.full(codes.shape[1], TURN), dtype=np.uint32)
    factor = np.where(sort == GAP, np.uint32(0), powers[np.maximum(place, 0) % len(powers)])
    hashes = []
    for letters in (codes.ravel(), LOWER[codes + 1].ravel()):
        terms = (letters + 2).astype(np.uint32) * factor
        hashes.append(_mixed(np.add.reduceat(terms, at, dtype=np.uint32)))
    return at // codes.shape[1], hashes[0], hashes[1]


def _joined(
    left: np.ndarray, words: np.ndarray, owner: np.ndarray, ahead: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return hashes of what stands at each place with the word `ahead`, and where there is one."""
    behind = np.append(words[ahead:], np.zeros(min(ahead, len(words)), np.uint32))
    same = np.append(owner[ahead:], np.full(min(ahead, len(words)), END)) == owner
    return _mixed(left * np.uint32(31) + behind * TURN + np.uint32(ahead)), same


def _mixed(hashes: np.ndarray) -> np.ndarray:
    hashes = (hashes ^ hashes >> np.uint32(15)) * MIX
    return hashes ^ hashes >> np.uint32(13)


def _rows(hashes: np.ndarray, rows: int) -> np.ndarray:
    return (hashes % np.uint32(rows - 1)).astype(np.int64) + 1


def _side_by_side(owner: np.ndarray, rows: np.ndarray, streams: int) -> np.ndarray:
    """Put the rows of each text behind one another, 0 behind: int64 [B, most]."""
    counts = np.bincount(owner, minlength=streams)
    made = np.zeros((streams, max(1, counts.max())), np.int64)
    first = np.cumsum(counts) - counts
    made[owner, np.arange(len(owner)) - first[owner]] = rows
    return made
