"""What a language model remembers of the texts it reads: the last rows that each filter saw."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


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
    """uint8 or uint16 [B, R]: their last symbols."""
    kind: np.ndarray
    """int64 [B]: what kind of text each is; 0: any."""
    local: list[Ring]
    long: list[Ring]

    def fork(self) -> Memory:
        """Return a copy that goes its own way."""
        return copy.deepcopy(self)

    def tensors(self) -> dict[str, np.ndarray]:
        """Return all of it by name, to be kept in a file."""
        rings = {"local": self.local, "long": self.long}
        kept = {f"{kind}.{i}": r.rows for kind, of in rings.items() for i, r in enumerate(of)}
        return kept | {"recent": self.recent, "kind": self.kind}

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
        self.recent, self.kind = tensors["recent"], tensors["kind"]
        for kind, rings in (("local", self.local), ("long", self.long)):
            for index, ring in enumerate(rings):
                ring.fill(tensors[f"{kind}.{index}"])


def joined(memories: Sequence[Memory]) -> Memory:
    """Return the memory of the streams of several, to be read together."""
    local, long = (
        [Ring.stacked(rings) for rings in zip(*kind, strict=True)]
        for kind in ([m.local for m in memories], [m.long for m in memories])
    )
    recent, kind = (
        np.concatenate(of) for of in ([m.recent for m in memories], [m.kind for m in memories])
    )
    return Memory(recent, kind, local, long)
