"""`Classifier`: the handle of a `classify` artefact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import overload

import numpy as np

from volute.engine.artefact import Artefact
from volute.engine.session import Engine
from volute.errors import UsageError, VoluteError
from volute.handles.handle import Handle
from volute.handles.pictures import Picture, Pictures, opened, several, squared, to_floats

BATCH = 64  # bounds the memory of one run of the graph


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one picture or text."""

    label: str
    """The most probable class."""
    index: int
    probability: float
    """Calibrated on held-out pictures: of ten answers at 0.9, nine should be right."""
    certain: bool
    """False where the model abstains: the probability is under the threshold, or that is 1."""
    ranking: tuple[tuple[str, float], ...]
    """The most probable classes with their probabilities, best first."""


class Classifier(Handle):
    """Tells which of its classes a picture shows, with a calibrated probability."""

    role = "classifier"

    def __init__(
        self, artefact: Artefact, threads: int | None = None, engine: Engine | None = None
    ) -> None:
        super().__init__(artefact, engine)
        self._graph = self.session(self.role, threads)

    @overload
    def classify(
        self, pictures: Picture, *, top: int = 1, threshold: float | None = None
    ) -> Prediction: ...
    @overload
    def classify(
        self, pictures: Pictures, *, top: int = 1, threshold: float | None = None
    ) -> Prediction | list[Prediction]: ...
    def classify(
        self, pictures: Pictures, *, top: int = 1, threshold: float | None = None
    ) -> Prediction | list[Prediction]:
        """Classify one picture, or a list or [n, H, W, C] array of them.

        Each is cropped to its central square and resized to the model's size.

        Args:
            pictures: as `Autoencoder.reconstruct` takes them.
            top: how many classes the `ranking` names, from 1.
            threshold: probability in [0, 1] under which an answer is not certain; None for the
                model's own.

        Returns:
            One prediction for a single picture, a list for several.

        Raises:
            UsageError: for what is no picture, or a value outside its range.
            DataError: if a file cannot be read.
        """
        limit = checked(top, self.info.threshold if threshold is None else threshold)
        rows = self.probabilities(pictures)
        found = [predicted(row, self.classes, top, limit) for row in rows]
        return found if several(pictures) else found[0]

    def probabilities(self, pictures: Pictures) -> np.ndarray:
        """Return the calibrated probabilities: float32 [n, classes], for one picture [1, classes].

        Args:
            pictures: as in `classify`.
        """
        if isinstance(pictures, list | tuple) and len(pictures) > BATCH:  # not all open at once
            starts = range(0, len(pictures), BATCH)
            parts = [self.probabilities(pictures[start : start + BATCH]) for start in starts]
            return np.concatenate(parts)
        pixels, _ = opened(pictures)
        starts = range(0, len(pixels), BATCH)
        return np.concatenate([self._run(pixels[start : start + BATCH]) for start in starts])

    def _run(self, pixels: list[np.ndarray]) -> np.ndarray:
        about = self.info.descriptor
        ready = np.stack([squared(array, about.size, about.channels) for array in pixels])
        logits = self._graph.run({"picture": to_floats(ready)})
        if logits.shape != (len(pixels), len(self.classes)) or not np.isfinite(logits).all():
            reason = f"{list(logits.shape)} logits, or some that are not numbers"
            raise VoluteError(f"{self._graph.path} gave {reason}", "Export the model anew.")
        return chances(logits)


def checked(top: int, threshold: float) -> float:
    """Return the threshold.

    Raises:
        UsageError: if it or `top` is outside its range.
    """
    if top < 1 or not 0 <= threshold <= 1:
        raise UsageError(
            f"top = {top}, threshold = {threshold} cannot be",
            "top is 1 or more, threshold lies in [0, 1].",
        )
    return threshold


def chances(logits_NK: np.ndarray) -> np.ndarray:
    """Return the probabilities that logits stand for: [N, K]."""
    shares = np.exp(logits_NK - logits_NK.max(1, keepdims=True))
    return shares / shares.sum(1, keepdims=True)


def predicted(row: np.ndarray, classes: tuple[str, ...], top: int, threshold: float) -> Prediction:
    """Return what one row of probabilities says."""
    order = np.argsort(-row, kind="stable")
    best = int(order[0])
    return Prediction(
        label=classes[best],
        index=best,
        probability=float(row[best]),
        certain=bool(row[best] >= threshold and threshold < 1),
        ranking=tuple((classes[index], float(row[index])) for index in order[:top]),
    )
