"""How the next symbol is chosen, and how bytes become characters on a screen."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import BeforeValidator, Field

from volute.config import Config
from volute.engine.tokens import Tokens
from volute.handles.spelling import Spelling, drawn
from volute.provenance.text_mark import Mark

MARKED = 200
"""Symbols (bytes, or tokens of several) asked for from which on a text is marked."""


def _several(given: object) -> object:
    return (given,) if isinstance(given, str) else given


@dataclass(frozen=True)
class Piece:
    """Some characters that were written."""

    text: str
    """Whole characters."""
    bits: float
    """How little their symbols were expected, at temperature 1 and without a mark."""


class Sampling(Config):
    """Settings of writing."""

    temperature: float = Field(0.8, ge=0, allow_inf_nan=False)
    """1 is as likely as the model says; lower is safer; 0 always takes the likeliest symbol."""
    top_p: float = Field(1.0, gt=0, le=1)
    """Only the likeliest symbols count that together have this probability."""
    min_p: float = Field(0.02, ge=0, lt=1)
    """Only symbols count that have this share of the probability of the likeliest one."""
    stop: Annotated[tuple[str, ...], BeforeValidator(_several)] = ()
    """Texts before which the writing ends."""
    seed: int | None = Field(None, ge=0)
    """Of the draws; without it, each time others."""
    unmarked: bool = False
    """Leave out the mark that says that a model wrote the text."""
    key: bytes | None = None
    """Of the mark; without it, the public one."""

    def marks(self, tokens: int) -> bool:
        """Return whether a text is marked for which so many symbols are asked."""
        return tokens >= MARKED and not self.unmarked and self.temperature > 0

    def mark(self, count: int, used: dict[int, None], tokens: Tokens) -> Mark | Spelling | None:
        """Return what marks a text of so many symbols; `used` are contexts that it used before."""
        if not self.marks(count):
            return None
        mark = Mark(self.key, used)
        return Spelling(tokens.trie, mark) if len(tokens.pairs) else mark

    def draws(self, number: int) -> np.random.Generator:
        """Return the source of chance for one of several texts."""
        return np.random.default_rng(None if self.seed is None else (self.seed, number))

    def choose(
        self, logits: np.ndarray, draws: np.random.Generator, mark: Mark | Spelling | None = None
    ) -> int:
        """Return a symbol by its logits [V], marked."""
        if self.temperature == 0:
            return int(logits.argmax())
        likely = np.exp((logits.astype(np.float64) - logits.max()) / self.temperature)
        likely[likely < self.min_p] = 0
        if self.top_p < 1:
            order = np.argsort(-likely, kind="stable")
            before = np.cumsum(likely[order]) - likely[order]
            likely[order[before >= self.top_p * likely.sum()]] = 0
        if isinstance(mark, Spelling):
            return mark.draw(likely, draws)
        symbol = drawn(likely if mark is None else mark.weigh(likely), draws)
        if mark is not None:
            mark.add(symbol)
        return symbol


class Shown:
    """Turns bytes into whole characters, and stops before what ends a text.

    Args:
        stop: texts that end it; what may be the beginning of one is held back.
    """

    def __init__(self, stop: tuple[str, ...]) -> None:
        self._stop = tuple(text for text in stop if text)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.stopped = False

    def add(self, data: bytes) -> str:
        """Take bytes; return the characters that are certain now."""
        return "" if self.stopped else self._certain(self._decoder.decode(data))

    def end(self) -> str:
        """Return what was held back, when there are no more bytes."""
        if self.stopped:
            return ""
        text = self._certain(self._decoder.decode(b"", final=True))
        return text if self.stopped else text + self._held

    def _certain(self, new: str) -> str:
        text = self._held + new
        places = [place for stop in self._stop if (place := text.find(stop)) >= 0]
        if places:
            self.stopped, self._held = True, ""
            return text[: min(places)]
        held = max((_begun(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]


def _begun(text: str, stop: str) -> int:
    """Return how many characters at the end of a text begin `stop`."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
