"""A causal convolutional language model in NumPy: the same whether symbols come singly or together.

Symbols are bytes, or tokens of several (`volute.engine.tokens`). It remembers what its filters
reach back to and nothing else, so that its memory and the time for a symbol are constant.
`volute.nets.language` is the same network in torch, to learn with.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from volute.engine.counts import Counts
from volute.engine.memory import Memory, Ring
from volute.engine.tokens import Tokens

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


@dataclass(frozen=True)
class _Layer:
    inward: np.ndarray
    """[D, 3D]."""
    local: np.ndarray
    """[LOCAL, 3D]."""
    filter: np.ndarray
    """[K, D], that of the present symbol with the skip in it."""
    outward: np.ndarray
    widen: np.ndarray
    narrow: np.ndarray


class Network:
    """The network.

    Args:
        tensors: its weights, by the names of `volute.nets.language.ConvLm`.
        layers: how many layers it has.
        prefix: of the names.
        counts: an n-gram model whose predictions are mixed with those of the network.
        tokens: what its symbols stand for, of which it has V; None: the 256 bytes.
    """

    def __init__(
        self,
        tensors: Mapping[str, np.ndarray],
        layers: int,
        prefix: str = "",
        counts: Counts | None = None,
        tokens: Tokens | None = None,
    ) -> None:
        self.counts, self.tokens = counts, tokens or Tokens()
        self._recent = max(LONGEST - 1, counts.context if counts else 0)

        def wide(name: str) -> np.ndarray:
            return np.ascontiguousarray(tensors[prefix + name], np.float32)

        def turned(name: str) -> np.ndarray:
            return np.ascontiguousarray(wide(name).T)

        self._bytes = wide("bytes.weight")
        self._kinds = wide("kinds.weight") if f"{prefix}kinds.weight" in tensors else None
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
    def names(layers: int, kinds: bool = False) -> list[str]:
        """Return what the weights are called, of a model that knows kinds of texts or does not."""
        grams = [f"grams.{index}.weight" for index in range(LONGEST - SHORTEST + 1)]
        inside = ("inward.weight", "local", "filter", "skip", "outward.weight")
        inside += ("widen.weight", "narrow.weight")
        of_layers = [f"layers.{index}.{name}" for index in range(layers) for name in inside]
        ends = ["join.weight", *of_layers, "logits.weight", "logits.bias"]
        return ["bytes.weight", *(["kinds.weight"] if kinds else []), *grams, *ends]

    @property
    def reach(self) -> int:
        """Symbols before the present one that decide what comes next."""
        return self._recent + sum(len(one.filter) + LOCAL - 2 for one in self._layers)

    def blank(self, streams: int = 1) -> Memory:
        """Return the memory of streams that have seen nothing."""
        local = [Ring(streams, LOCAL, one.local.shape[1]) for one in self._layers]
        long = [Ring(streams, *one.filter.shape) for one in self._layers]
        recent = np.zeros((streams, self._recent), self.tokens.dtype)
        return Memory(recent, np.zeros(streams, np.int64), local, long)

    def read(self, text_BT: np.ndarray, memory: Memory) -> np.ndarray:
        """Return the logits of the symbol after each, float32 [B, T, V]; `memory` is brought on.

        With counts, logarithms of probabilities.

        Args:
            text_BT: of `tokens.dtype`, at least one symbol.
            memory: of as many streams.
        """
        seen = np.concatenate([memory.recent, text_BT], 1)
        memory.recent = seen[:, -self._recent :]
        if text_BT.shape == (1, 1):
            last = seen[0].tolist()
            logits = self._single(last, memory)
            if self.counts:
                logits = self.counts.mixed_single(logits, last)
            return logits[None, None]
        count = text_BT.shape[1]
        x = self._bytes[text_BT]
        if self._kinds is not None:
            x += self._kinds[memory.kind][:, None]
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
        logits: np.ndarray = _normed(x) @ self._logits + self._bias
        return self.counts.mixed(logits, seen) if self.counts else logits

    def _gram(self, index: int, rows: np.ndarray | int) -> np.ndarray:
        """Return what n-grams add to the channels, by their rows."""
        found: np.ndarray = self._grams[index][rows]
        return found if self._parts is None else found @ self._parts[index]

    def _single(self, seen: list[int], memory: Memory) -> np.ndarray:
        """Do the same for one symbol of one stream, the last of `seen`: [V], in few operations."""
        x = self._bytes[seen[-1]].copy()
        if self._kinds is not None:
            x += self._kinds[memory.kind[0]]
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
    """Return a row for the n-gram that ends at each symbol: int64 [B, T] under `rows`.

    Before the first one zeros are thought.
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
    for symbol in reversed(seen[-length:]):
        made += (symbol + 1) * factor
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
