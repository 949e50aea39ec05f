"""A causal convolutional language model in NumPy: the same whether bytes come singly or together.

It remembers what its filters reach back to and nothing else, so that its memory and the time for a
byte are constant. `volute.nets.language` is the same network in torch, to learn with.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

BYTES = 256
LOCAL = 4
"""Taps of the short filter at the entrance of each layer."""
SHORTEST, LONGEST = 2, 5
"""n-grams whose embeddings the network sees."""
FEED = 2
"""Channels of the feed-forward networks, as a multiple of the width."""
TINY = 1e-6
READY = 64 << 20
"""Bytes of memory up to which the tables of n-grams hold what they add to the channels."""
TURN, MIX, WORD = np.uint32(0x9E3779B1), np.uint32(0x85EBCA6B), 0xFFFFFFFF


class Ring:
    """The last K rows of streams, as one contiguous view: each row is written twice.

    Args:
        streams: B.
        length: K.
        width: C.
    """

    def __init__(self, streams: int, length: int, width: int) -> None:
        self.length, self._at = length, 0
        self._rows = np.zeros((streams, 2 * length, width), np.float32)

    def push(self, row_BC: np.ndarray) -> np.ndarray:
        """Take a row; return the last K, oldest first: [B, K, C], valid until the next."""
        at = self._at
        self._rows[:, at] = self._rows[:, at + self.length] = row_BC
        self._at = (at + 1) % self.length
        return self._rows[:, at + 1 : at + 1 + self.length]

    def extend(self, rows_BTC: np.ndarray) -> np.ndarray:
        """Take T rows; return them behind the K - 1 before: [B, K - 1 + T, C]."""
        before = self._rows[:, self._at + 1 : self._at + self.length]
        whole = np.concatenate([before, rows_BTC], 1)
        self.fill(whole[:, -self.length :])
        return whole

    @staticmethod
    def stacked(rings: Sequence[Ring]) -> Ring:
        """Return one ring of the streams of several."""
        rows = np.concatenate([one.rows for one in rings])
        made = Ring(*rows.shape)
        made.fill(rows)
        return made

    @property
    def rows(self) -> np.ndarray:
        """The last K rows, oldest first: a copy [B, K, C]."""
        return self._rows[:, self._at : self._at + self.length].copy()

    def fill(self, rows_BKC: np.ndarray) -> None:
        """Replace them."""
        self._rows[:, : self.length] = self._rows[:, self.length :] = rows_BKC
        self._at = 0


@dataclass
class Memory:
    """All that a model remembers of the streams that it reads."""

    recent: np.ndarray
    """uint8 [B, LONGEST - 1]: their last bytes."""
    local: list[Ring]
    long: list[Ring]

    def fork(self) -> Memory:
        """Return a copy that goes its own way."""
        return copy.deepcopy(self)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return all of it by name, to be kept in a file."""
        rings = {"local": self.local, "long": self.long}
        kept = {f"{kind}.{i}": r.rows for kind, of in rings.items() for i, r in enumerate(of)}
        return kept | {"recent": self.recent}

    def fill(self, tensors: Mapping[str, np.ndarray]) -> None:
        """Take what `tensors` gave.

        Raises:
            KeyError: if a part is missing.
            ValueError: if it is of another network.
        """
        mine = self.tensors()
        for name, old in mine.items():
            if tensors[name].shape != old.shape or tensors[name].dtype != old.dtype:
                raise ValueError(name)
        self.recent = tensors["recent"]
        for kind, rings in (("local", self.local), ("long", self.long)):
            for index, ring in enumerate(rings):
                ring.fill(tensors[f"{kind}.{index}"])


@dataclass(frozen=True)
class _Layer:
    inward: np.ndarray
    """[D, 3D]."""
    local: np.ndarray
    """[LOCAL, 3D]."""
    filter: np.ndarray
    """[K, D], that of the present byte with the skip in it."""
    outward: np.ndarray
    widen: np.ndarray
    narrow: np.ndarray


class Network:
    """The network.

    Args:
        tensors: its weights, by the names of `volute.nets.language.ConvLm`.
        layers: how many layers it has.
        prefix: of the names.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], layers: int, prefix: str = "") -> None:
        def wide(name: str) -> np.ndarray:
            return np.ascontiguousarray(tensors[prefix + name], np.float32)

        def turned(name: str) -> np.ndarray:
            return np.ascontiguousarray(wide(name).T)

        self._bytes = wide("bytes.weight")
        parts = np.split(turned("join.weight"), LONGEST - SHORTEST + 1)
        self._grams = [wide(f"grams.{index}.weight") for index in range(len(parts))]
        self._parts: list[np.ndarray] | None = parts
        if 4 * len(parts[0][0]) * sum(map(len, self._grams)) <= READY:
            self._parts = None
            self._grams = [t @ part for t, part in zip(self._grams, parts, strict=True)]
        self._layers = []
        for index in range(layers):
            at = f"layers.{index}."
            taps = wide(at + "filter").copy()
            taps[-1] += wide(at + "skip")
            matrices = [turned(f"{at}{name}.weight") for name in ("outward", "widen", "narrow")]
            local = wide(at + "local")
            self._layers.append(_Layer(turned(at + "inward.weight"), local, taps, *matrices))
        self._logits, self._bias = turned("logits.weight"), wide("logits.bias")

    @staticmethod
    def names(layers: int) -> list[str]:
        """Return what the weights are called."""
        grams = [f"grams.{index}.weight" for index in range(LONGEST - SHORTEST + 1)]
        inside = ("inward.weight", "local", "filter", "skip", "outward.weight")
        inside += ("widen.weight", "narrow.weight")
        of_layers = [f"layers.{index}.{name}" for index in range(layers) for name in inside]
        return ["bytes.weight", *grams, "join.weight", *of_layers, "logits.weight", "logits.bias"]

    @property
    def reach(self) -> int:
        """Bytes before the present one that decide what comes next."""
        return LONGEST - 1 + sum(len(one.filter) + LOCAL - 2 for one in self._layers)

    def blank(self, streams: int = 1) -> Memory:
        """Return the memory of streams that have seen nothing."""
        local = [Ring(streams, LOCAL, one.local.shape[1]) for one in self._layers]
        long = [Ring(streams, *one.filter.shape) for one in self._layers]
        return Memory(np.zeros((streams, LONGEST - 1), np.uint8), local, long)

    def read(self, text_BT: np.ndarray, memory: Memory) -> np.ndarray:
        """Return the logits of the byte after each, float32 [B, T, 256]; `memory` is brought on.

        Args:
            text_BT: uint8, at least one byte.
            memory: of as many streams.
        """
        seen = np.concatenate([memory.recent, text_BT], 1)
        memory.recent = seen[:, 1 - LONGEST :]
        if text_BT.shape == (1, 1):
            return self._single(seen[0].tolist(), memory)[None, None]
        count = text_BT.shape[1]
        x = self._bytes[text_BT]
        for index, table in enumerate(self._grams):
            rows = rows_of(seen, SHORTEST + index, len(table))
            x += self._gram(index, rows[:, -count:])
        step = self._step if count == 1 else self._together
        for layer, local, long in zip(self._layers, memory.local, memory.long, strict=True):
            mixed = step(layer, _normed(x) @ layer.inward, local, long)
            x = x + mixed @ layer.outward
            wide = _normed(x) @ layer.widen
            np.maximum(wide, 0, out=wide)
            wide *= wide
            x += wide @ layer.narrow
        return _normed(x) @ self._logits + self._bias

    def _gram(self, index: int, rows: np.ndarray | int) -> np.ndarray:
        """Return what n-grams add to the channels, by their rows."""
        found: np.ndarray = self._grams[index][rows]
        return found if self._parts is None else found @ self._parts[index]

    def _single(self, seen: list[int], memory: Memory) -> np.ndarray:
        """Do the same for one byte of one stream, the last of `seen`: [256], in few operations."""
        x = self._bytes[seen[-1]].copy()
        for index, table in enumerate(self._grams):
            x += self._gram(index, row_of(seen, SHORTEST + index, len(table)))
        width = len(x)
        for layer, local, long in zip(self._layers, memory.local, memory.long, strict=True):
            inward = (x * _scale(x)) @ layer.inward
            near = np.einsum("kc,kc->c", local.push(inward)[0], layer.local)
            gated = near[width : 2 * width] * near[2 * width :]
            far = np.einsum("kc,kc->c", long.push(gated)[0], layer.filter)
            far *= near[:width]
            x += far @ layer.outward
            wide = (x * _scale(x)) @ layer.widen
            np.maximum(wide, 0, out=wide)
            wide *= wide
            x += wide @ layer.narrow
        return (x * _scale(x)) @ self._logits + self._bias

    @staticmethod
    def _step(layer: _Layer, inward_B1C: np.ndarray, local: Ring, long: Ring) -> np.ndarray:
        near = np.einsum("bkc,kc->bc", local.push(inward_B1C[:, 0]), layer.local)
        query, key, value = np.split(near, 3, 1)
        far = np.einsum("bkc,kc->bc", long.push(key * value), layer.filter)
        return (query * far)[:, None]

    @staticmethod
    def _together(layer: _Layer, inward_BTC: np.ndarray, local: Ring, long: Ring) -> np.ndarray:
        near = _filtered(local.extend(inward_BTC), layer.local)
        query, key, value = np.split(near, 3, 2)
        return query * _filtered(long.extend(key * value), layer.filter)


def rows_of(text_BT: np.ndarray, length: int, rows: int) -> np.ndarray:
    """Return a row for the n-gram that ends at each byte: int64 [B, T] under `rows`.

    Before the first byte zeros are thought.
    """
    text = text_BT.astype(np.uint32) + np.uint32(1)
    made = np.zeros_like(text)
    factor = np.uint32(1)
    for back in range(length):
        shown = (
            text if not back else np.pad(text, ((0, 0), (back, 0)), constant_values=1)[:, :-back]
        )
        made += shown * factor
        factor = np.uint32(int(factor) * int(TURN) & WORD)
    made ^= made >> np.uint32(15)
    made *= MIX
    made ^= made >> np.uint32(13)
    return (made % np.uint32(rows)).astype(np.int64)


def row_of(seen: Sequence[int], length: int, rows: int) -> int:
    """Return the row of the n-gram that ends `seen`, as `rows_of` does."""
    made, factor = 0, 1
    for byte in reversed(seen[-length:]):
        made += (byte + 1) * factor
        factor = factor * int(TURN) & WORD
    made &= WORD
    made ^= made >> 15
    made = made * int(MIX) & WORD
    return (made ^ made >> 13) % rows


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Return the logarithms of probabilities over the last axis, float64."""
    wide = logits.astype(np.float64)
    wide -= wide.max(-1, keepdims=True)
    return wide - np.log(np.exp(wide).sum(-1, keepdims=True))


def joined(memories: Sequence[Memory]) -> Memory:
    """Return the memory of the streams of several, to be read together."""
    local, long = (
        [Ring.stacked(rings) for rings in zip(*kind, strict=True)]
        for kind in ([m.local for m in memories], [m.long for m in memories])
    )
    return Memory(np.concatenate([memory.recent for memory in memories]), local, long)


def _scale(x_D: np.ndarray) -> float:
    """Return what brings the root mean square of a vector to 1."""
    return 1 / math.sqrt(float(x_D @ x_D) / len(x_D) + TINY)


def _normed(x: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(TINY))


def _filtered(x_BTC: np.ndarray, taps_KC: np.ndarray) -> np.ndarray:
    """Filter each channel of [B, K - 1 + T, C] with its taps, the last for the present row."""
    count = x_BTC.shape[1] - len(taps_KC) + 1
    made = x_BTC[:, :count] * taps_KC[0]
    for place in range(1, len(taps_KC)):
        made += x_BTC[:, place : place + count] * taps_KC[place]
    return made
