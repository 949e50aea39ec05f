"""`LanguageModel`: the handle of an `lm` artefact. Bytes in, bytes out, shown as UTF-8."""

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
from volute.engine.language import BYTES, Memory, Network, joined, log_softmax
from volute.errors import DataError, UsageError, VoluteError
from volute.handles.handle import Handle
from volute.handles.writing import Sampling, Shown
from volute.paths import atomic_file

CHUNK = 2048
"""Bytes that are read at once."""
START = b"\n"
"""Stands for a prompt that is empty."""
Prompt = str | bytes


@dataclass(frozen=True)
class Score:
    """How well a model predicts a text."""

    nats: np.ndarray
    """float64 [N]: -ln of the probability of each byte after those before it."""

    @property
    def bits_per_byte(self) -> float:
        """Mean surprise; 8 is none the wiser."""
        return float(self.nats.mean() / math.log(2)) if len(self.nats) else 0.0


class LanguageModel(Handle):
    """Continues texts, and says how likely they are."""

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        super().__init__(artefact)
        if not artefact.config.settings.get("filters"):
            raise VoluteError(f"{artefact.path} does not say its filters", "Export it anew.")

    @cached_property
    def _network(self) -> Network:
        layers = len(self.info.settings["filters"])
        names = Network.names(layers)
        return Network(self._artefact.tensors([f"lm.{name}" for name in names]), layers, "lm.")

    @overload
    def write(self, prompt: Prompt = "", *, tokens: int = 200, **sampling: object) -> str: ...
    @overload
    def write(
        self, prompt: Sequence[Prompt], *, tokens: int = 200, **sampling: object
    ) -> list[str]: ...
    def write(
        self, prompt: Prompt | Sequence[Prompt] = "", *, tokens: int = 200, **sampling: object
    ) -> str | list[str]:
        """Return how a text goes on.

        Args:
            prompt: how it begins; several are continued side by side.
            tokens: bytes to write, at most: a letter of English is one.
            **sampling: temperature, top_p, min_p, stop and seed, as of `Sampling`.

        Returns:
            What comes after the prompt; for several, a list.

        Raises:
            UsageError: for settings out of range.
        """
        if isinstance(prompt, str | bytes):
            return "".join(self.stream(prompt, tokens=tokens, **sampling))
        drafts = [self.begin(one) for one in prompt]
        return Draft.together(drafts, tokens, Sampling.make(sampling)) if drafts else []

    def stream(
        self, prompt: Prompt = "", *, tokens: int = 200, **sampling: object
    ) -> Iterator[str]:
        """Yield what `write` returns, as it comes, in whole characters."""
        return self.begin(prompt).stream(tokens=tokens, **sampling)

    def begin(self, prompt: Prompt = "") -> Draft:
        """Return a text that can be continued, forked and saved."""
        return Draft.of(self._network, prompt)

    def load(self, path: str | Path) -> Draft:
        """Return a draft that was saved.

        Raises:
            DataError: if the file is none, or of another model.
        """
        try:
            tensors = load_file(path)
            logits = tensors.pop("logits")
            memory = self._network.blank()
            memory.fill(tensors)
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            what = f"{path} is no draft of {self.info.name}"
            raise DataError(what, "Save one with draft.save(path).") from error
        return Draft(self._network, memory, logits)

    def score(self, text: Prompt | np.ndarray) -> Score:
        """Return how surprising each byte is to the model, after those before it.

        Args:
            text: a text, or its bytes as uint8 [N], which may be mapped from disk.
        """
        data = np.frombuffer(_bytes(text), np.uint8) if isinstance(text, str | bytes) else text
        return Score(scored(self._network, data, np.frombuffer(START, np.uint8)))


class Draft:
    """A text in progress: what the model remembers of it, and what it expects next."""

    def __init__(self, network: Network, memory: Memory, logits: np.ndarray) -> None:
        self._network, self._memory = network, memory
        self._logits = logits

    @classmethod
    def of(cls, network: Network, prompt: Prompt) -> Draft:
        """Return a text that begins with a prompt."""
        return cls(network, network.blank(), np.zeros(BYTES, np.float32)).read(
            _bytes(prompt) or START
        )

    def read(self, text: Prompt) -> Draft:
        """Append a text of your own; return the draft."""
        data = np.frombuffer(_bytes(text), np.uint8)[None]
        for first in range(0, data.shape[1], CHUNK):
            part = data[:, first : first + CHUNK]
            self._logits = self._network.read(part, self._memory)[0, -1]
        return self

    def stream(self, *, tokens: int = 200, **sampling: object) -> Iterator[str]:
        """Write on; yield whole characters as they come. Settings are those of `Sampling`."""
        how = Sampling.make(sampling)
        _check_tokens(tokens)
        return self._stream(tokens, how)

    def write(self, *, tokens: int = 200, **sampling: object) -> str:
        """Write on, and return what is new. Settings are those of `Sampling`."""
        return "".join(self.stream(tokens=tokens, **sampling))

    def fork(self) -> Draft:
        """Return a copy that goes its own way."""
        return Draft(self._network, self._memory.fork(), self._logits)

    def save(self, path: str | Path) -> None:
        """Keep it in a file; `LanguageModel.load` gives it back."""
        with atomic_file(Path(path)) as part:
            save_file(self._memory.tensors() | {"logits": self._logits}, part)

    @staticmethod
    def together(drafts: Sequence[Draft], tokens: int, how: Sampling) -> list[str]:
        """Write on several drafts side by side, each with draws of its own."""
        _check_tokens(tokens)
        network, memory = drafts[0]._network, joined([draft._memory for draft in drafts])
        logits = np.stack([draft._logits for draft in drafts])
        draws = [how.draws(number) for number in range(len(drafts))]
        shown = [Shown(how.stop) for _ in drafts]
        texts: list[list[str]] = [[] for _ in drafts]
        for _ in range(tokens):
            chosen = [how.choose(one, draw) for one, draw in zip(logits, draws, strict=True)]
            for byte, text, screen in zip(chosen, texts, shown, strict=True):
                text.append(screen.add(byte))
            if all(screen.stopped for screen in shown):
                break
            logits = network.read(np.array(chosen, np.uint8)[:, None], memory)[:, 0]
        return ["".join(text) + screen.end() for text, screen in zip(texts, shown, strict=True)]

    def _stream(self, tokens: int, how: Sampling) -> Iterator[str]:
        draw, shown = how.draws(0), Shown(how.stop)
        for _ in range(tokens):
            byte = how.choose(self._logits, draw)
            text = shown.add(byte)
            self._logits = self._network.read(np.array([[byte]], np.uint8), self._memory)[0, 0]
            if text:
                yield text
            if shown.stopped:
                return
        if rest := shown.end():
            yield rest


def scored(network: Network, text: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return -ln of the probability of each byte of a text, float64 [N].

    Args:
        network: what predicts.
        text: uint8 [N].
        before: uint8, at least one: what stands before it.
    """
    memory, nats = network.blank(), np.zeros(len(text))
    logits = network.read(before[None], memory)[0, -1:]
    for first in range(0, len(text), CHUNK):
        part = text[first : first + CHUNK]
        ahead = network.read(part[None], memory)[0]
        likely = log_softmax(np.concatenate([logits, ahead[:-1]]))
        nats[first : first + len(part)] = -likely[np.arange(len(part)), part]
        logits = ahead[-1:]
    return nats


def _bytes(text: Prompt) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text


def _check_tokens(tokens: int) -> None:
    if not (isinstance(tokens, int) and tokens > 0):
        raise UsageError(f"tokens = {json.dumps(tokens, default=str)} is no number of bytes")
