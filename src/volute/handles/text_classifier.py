"""`TextClassifier`: the handle of a `classify` artefact that reads texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import overload

import numpy as np

from volute.engine.artefact import Artefact
from volute.engine.texts import Network, names, plain
from volute.errors import DataError, VoluteError
from volute.handles.classifier import Prediction, chances, checked, predicted
from volute.handles.handle import Handle

Text = str | bytes | Path
"""A text, its bytes, or the path of a file that holds it."""
MARK = 4
"""Most bytes that say how a file is encoded, or that a character has."""


class TextClassifier(Handle):
    """Tells which of its classes a text belongs to, with a calibrated probability."""

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        super().__init__(artefact)
        settings = artefact.config.settings
        length, members = settings.get("length"), settings.get("members")
        if not (isinstance(length, int) and isinstance(members, int) and min(length, members) > 0):
            raise VoluteError(f"{artefact.path} does not say what it reads", "Export it anew.")
        self._length, self._members = length, members

    @cached_property
    def _network(self) -> Network:
        tensors = self._artefact.tensors([f"classifier.{name}" for name in names(self._members)])
        return Network(tensors, self._length, "classifier.")

    @overload
    def classify(
        self, texts: Text, *, top: int = 1, threshold: float | None = None
    ) -> Prediction: ...
    @overload
    def classify(
        self, texts: Sequence[Text], *, top: int = 1, threshold: float | None = None
    ) -> list[Prediction]: ...
    def classify(
        self, texts: Text | Sequence[Text], *, top: int = 1, threshold: float | None = None
    ) -> Prediction | list[Prediction]:
        """Classify one text, or several.

        Args:
            texts: a `str`, `bytes`, or the `Path` of a file; or a list of them. Of each the first
                bytes are read, as many as were learned from. An empty one is never certain.
            top: how many classes the `ranking` names, from 1.
            threshold: probability in [0, 1] under which an answer is not certain; None for the
                model's own.

        Returns:
            One prediction for a single text, a list for several.

        Raises:
            UsageError: for a value outside its range.
            DataError: if a file cannot be read, or holds no text.
        """
        limit = checked(top, self.info.threshold if threshold is None else threshold)
        single = isinstance(texts, Text)
        data = self._data([texts] if isinstance(texts, Text) else texts)
        rows = chances(self._logits(data)) if data else []
        found = [
            predicted(row, self.classes, top, limit if text.strip() else 1.0)
            for row, text in zip(rows, data, strict=True)
        ]
        return found[0] if single else found

    def probabilities(self, texts: Text | Sequence[Text]) -> np.ndarray:
        """Return the calibrated probabilities: float32 [n, classes]."""
        return chances(self._logits(self._data([texts] if isinstance(texts, Text) else texts)))

    def features(self, texts: Text | Sequence[Text]) -> np.ndarray:
        """Return the strongest answer of each convolution: float32 [n, features], at least 0."""
        return self._network.features(self._data([texts] if isinstance(texts, Text) else texts))

    def _data(self, texts: Sequence[Text]) -> list[bytes]:
        return [self._bytes(text) for text in texts]

    def _bytes(self, text: Text) -> bytes:
        if isinstance(text, Path):
            return _start(text, 2 * self._length + MARK)
        return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")

    def _logits(self, data: list[bytes]) -> np.ndarray:
        logits = self._network.logits(data)
        if logits.shape != (len(data), len(self.classes)) or not np.isfinite(logits).all():
            reason = f"{list(logits.shape)} logits, or some that are not numbers"
            raise VoluteError(f"{self._artefact.path} gave {reason}", "Export the model anew.")
        return logits


def _start(file: Path, length: int) -> bytes:
    """Return the start of a file, as UTF-8 where it has a mark that says its encoding."""
    try:
        with file.open("rb") as stream:
            data = plain(stream.read(length))
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error
    if b"\0" in data:
        raise DataError(f"{file} is no text: it has zero bytes", "Save it as plain text, UTF-8.")
    return data
