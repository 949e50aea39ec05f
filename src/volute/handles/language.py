"""`LanguageModel`: the handle of an `lm` artefact. Texts or bytes in, bytes out, shown as UTF-8."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from volute.engine.artefact import Artefact
from volute.engine.counts import Counts
from volute.engine.language import Network, log_softmax
from volute.engine.memory import Memory, joined
from volute.engine.tokens import BYTES, Tokens
from volute.errors import DataError, UsageError, VoluteError
from volute.handles.handle import Handle
from volute.handles.writing import Piece, Sampling, Shown
from volute.paths import atomic_file

CHUNK = 2048
"""Bytes that are read at once; of more kinds of symbols, accordingly fewer."""
START = b"\n"
"""Stands for a prompt that is empty."""
COUNTS = "counts."
"""Before the names of the n-gram model's tensors."""
PAIRS = "bpe.pairs"
"""The tensor of the pairs that make up tokens."""
Prompt = str | bytes


@dataclass(frozen=True)
class Score:
    """How well a model predicts a text."""

    nats: np.ndarray
    """float64 [T]: -ln of the probability of each byte, or token, after those before it."""
    ends: np.ndarray
    """int64 [T]: how many bytes of the text end with each."""

    @property
    def bits_per_byte(self) -> float:
        """Mean surprise; 8 is none the wiser."""
        return float(self.nats.sum() / (self.ends[-1] * math.log(2))) if len(self.nats) else 0.0


class LanguageModel(Handle):
    """Continues texts, and says how likely they are."""

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        super().__init__(artefact)
        if not artefact.config.settings.get("filters"):
            raise VoluteError(f"{artefact.path} does not say its filters", "Export it anew.")

    @property
    def labels(self) -> tuple[str, ...]:
        """The kinds of texts that it was told apart."""
        return self.info.classes

    @cached_property
    def _network(self) -> Network:
        layers = len(self.info.settings["filters"])
        names = Network.names(layers, kinds=bool(self.labels))
        weights = self._artefact.tensors([f"lm.{name}" for name in names])
        tokens = self._tokens(len(weights["lm.bytes.weight"]))
        return Network(weights, layers, "lm.", self._counts(), tokens)

    def _tokens(self, count: int) -> Tokens:
        if not self.info.settings.get("bpe"):
            return Tokens()
        try:
            tokens = Tokens(self._artefact.tensors([PAIRS])[PAIRS])
            if len(tokens) != count:
                raise ValueError(f"the network has {count} symbols, not {len(tokens)}")
        except ValueError as error:
            what = f"cannot use {self._artefact.path}: {error}"
            raise VoluteError(what, "The model is damaged. Export it anew.") from error
        return tokens

    def _counts(self) -> Counts | None:
        if self.labels or not self.info.settings.get("expert"):
            return None
        trust = self._artefact.tensors([f"{COUNTS}trust"])[f"{COUNTS}trust"]
        names = Counts.names(len(trust) - 1)
        tensors = self._artefact.tensors([COUNTS + name for name in names])
        return Counts({name: tensors[COUNTS + name] for name in names})

    @overload
    def write(
        self, prompt: Prompt = "", *, tokens: int = 200, label: str = "", **sampling: object
    ) -> str: ...
    @overload
    def write(
        self, prompt: Sequence[Prompt], *, tokens: int = 200, label: str = "", **sampling: object
    ) -> list[str]: ...
    def write(
        self,
        prompt: Prompt | Sequence[Prompt] = "",
        *,
        tokens: int = 200,
        label: str = "",
        **sampling: object,
    ) -> str | list[str]:
        """Return how a text goes on.

        Args:
            prompt: how it begins; several are continued side by side.
            tokens: how many to write, at most: bytes, of which a letter of English is one, or
                byte pairs, if it learned them. From 200 on the text is marked, unless `unmarked`
                or at temperature 0; `volute.verify` finds the mark.
            label: one of `labels`, for a text of that kind.
            **sampling: temperature, top_p, min_p, stop, seed, unmarked and key, as of `Sampling`.

        Returns:
            What comes after the prompt; for several, a list.

        Raises:
            UsageError: for settings out of range.
            MissingExtraError: if it learned byte pairs, and `tokenizers` is not installed.
        """
        if isinstance(prompt, str | bytes):
            return "".join(self.stream(prompt, tokens=tokens, label=label, **sampling))
        drafts = [self.begin(one, label) for one in prompt]
        return Draft.together(drafts, tokens, Sampling.make(sampling)) if drafts else []

    def stream(
        self, prompt: Prompt = "", *, tokens: int = 200, label: str = "", **sampling: object
    ) -> Iterator[str]:
        """Yield what `write` returns, as it comes, in whole characters."""
        return self.begin(prompt, label).stream(tokens=tokens, **sampling)

    def begin(self, prompt: Prompt = "", label: str = "") -> Draft:
        """Return a text that can be continued, forked and saved.

        Raises:
            UsageError: if there is no such label.
        """
        if label and label not in self.labels:
            hint = f"There are: {', '.join(self.labels)}" if self.labels else "Write without."
            raise UsageError(f"{self.info.name} knows no texts of the class {label}", hint)
        return Draft.of(self._network, prompt, (self.labels.index(label) + 1) if label else 0)

    def load(self, path: str | Path) -> Draft:
        """Return a draft that was saved.

        Raises:
            DataError: if the file is none, or of another model.
        """
        try:
            tensors = load_file(path)
            logits, used = tensors.pop("logits"), tensors.pop("used").tolist()
            memory = self._network.blank()
            memory.fill(tensors)
            if not 0 <= memory.kind[0] <= len(self.labels):
                raise ValueError("kind")
            if logits.shape != (len(self._network.tokens),):
                raise ValueError("logits")
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            what = f"{path} is no draft of {self.info.name}"
            raise DataError(what, "Save one with draft.save(path).") from error
        return Draft(self._network, memory, logits, dict.fromkeys(used))

    def score(self, text: Prompt | np.ndarray) -> Score:
        """Return how surprising each byte, or token, is to the model, after those before it.

        Args:
            text: a text, or its bytes as uint8 [N], which may be mapped from disk.
        """
        data = np.frombuffer(_bytes(text), np.uint8) if isinstance(text, str | bytes) else text
        return scored(self._network, data, np.frombuffer(START, np.uint8))


class Draft:
    """A text in progress: what the model remembers of it, and what it expects next."""

    def __init__(
        self,
        network: Network,
        memory: Memory,
        logits: np.ndarray,
        used: dict[int, None] | None = None,
    ) -> None:
        self._network, self._memory = network, memory
        self._logits, self._used = logits, used or {}

    @classmethod
    def of(cls, network: Network, prompt: Prompt, kind: int = 0) -> Draft:
        """Return a text that begins with a prompt, of a kind from 1 on, or 0: of any."""
        memory = network.blank()
        memory.kind[:] = kind
        nothing = np.zeros(len(network.tokens), np.float32)
        return cls(network, memory, nothing).read(_bytes(prompt) or START)

    def read(self, text: Prompt) -> Draft:
        """Append a text of your own; return the draft."""
        for part in _chunks(self._network, np.frombuffer(_bytes(text), np.uint8)):
            self._logits = self._network.read(part[None], self._memory)[0, -1]
        return self

    def stream(self, *, tokens: int = 200, **sampling: object) -> Iterator[str]:
        """Write on; yield whole characters as they come. Settings are those of `Sampling`."""
        return (piece.text for piece in self.spell(tokens=tokens, **sampling))

    def spell(self, *, tokens: int = 200, **sampling: object) -> Iterator[Piece]:
        """Write on as `stream` does; yield each piece with how little it was expected."""
        how = Sampling.make(sampling)
        _check_tokens(tokens)
        return self._spell(tokens, how)

    def write(self, *, tokens: int = 200, **sampling: object) -> str:
        """Write on, and return what is new. Settings are those of `Sampling`."""
        return "".join(self.stream(tokens=tokens, **sampling))

    def fork(self) -> Draft:
        """Return a copy that goes its own way."""
        return Draft(self._network, self._memory.fork(), self._logits, self._used.copy())

    def save(self, path: str | Path) -> None:
        """Keep it in a file; `LanguageModel.load` gives it back."""
        with atomic_file(Path(path)) as part:
            own = {"logits": self._logits, "used": np.array(list(self._used), np.uint32)}
            save_file(self._memory.tensors() | own, part)

    @staticmethod
    def together(drafts: Sequence[Draft], tokens: int, how: Sampling) -> list[str]:
        """Write on several drafts side by side, each with draws of its own."""
        _check_tokens(tokens)
        network, memory = drafts[0]._network, joined([draft._memory for draft in drafts])
        logits = np.stack([draft._logits for draft in drafts])
        draws = [how.draws(number) for number in range(len(drafts))]
        shown = [Shown(how.stop) for _ in drafts]
        symbols = network.tokens
        marks = [how.mark(tokens, draft._used.copy(), symbols) for draft in drafts]
        texts: list[list[str]] = [[] for _ in drafts]
        for _ in range(tokens):
            chosen = [how.choose(*of) for of in zip(logits, draws, marks, strict=True)]
            for symbol, text, screen in zip(chosen, texts, shown, strict=True):
                text.append(screen.add(symbols.bytes[symbol]))
            if all(screen.stopped for screen in shown):
                break
            logits = network.read(np.array(chosen, symbols.dtype)[:, None], memory)[:, 0]
        return ["".join(text) + screen.end() for text, screen in zip(texts, shown, strict=True)]

    def _spell(self, tokens: int, how: Sampling) -> Iterator[Piece]:
        symbols, draw, shown = self._network.tokens, how.draws(0), Shown(how.stop)
        mark, nats = how.mark(tokens, self._used, symbols), 0.0
        for _ in range(tokens):
            symbol = how.choose(self._logits, draw, mark)
            nats -= float(log_softmax(self._logits[None])[0, symbol])
            text = shown.add(symbols.bytes[symbol])
            one = np.array([[symbol]], symbols.dtype)
            self._logits = self._network.read(one, self._memory)[0, 0]
            if text:
                yield Piece(text, nats / math.log(2))
                nats = 0.0
            if shown.stopped:
                return
        if rest := shown.end():
            yield Piece(rest, nats / math.log(2))


def scored(network: Network, text: np.ndarray, before: np.ndarray) -> Score:
    """Return how well a network predicts a text.

    Args:
        network: what predicts.
        text: uint8 [N].
        before: uint8, at least one: what stands before it.
    """
    memory, tokens = network.blank(), network.tokens
    logits = network.read(tokens.encode(before)[None], memory)[0, -1:]
    nats, sizes = [np.zeros(0)], [np.zeros(0, np.int64)]
    for part in _chunks(network, text):
        ahead = network.read(part[None], memory)[0]
        likely = log_softmax(np.concatenate([logits, ahead[:-1]]))
        nats.append(-likely[np.arange(len(part)), part])
        sizes.append(tokens.lengths[part])
        logits = ahead[-1:]
    return Score(np.concatenate(nats), np.concatenate(sizes).cumsum())


def _chunks(network: Network, text: np.ndarray) -> Iterator[np.ndarray]:
    """Give the symbols of a text, as many at a time as the network reads."""
    count = max(1, CHUNK * BYTES // len(network.tokens))
    for part in network.tokens.parts(text):
        for first in range(0, len(part), count):
            yield part[first : first + count]


def _bytes(text: Prompt) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def _check_tokens(tokens: int) -> None:
    if not (isinstance(tokens, int) and tokens > 0):
        raise UsageError(f"tokens = {json.dumps(tokens, default=str)} is no number of tokens")
