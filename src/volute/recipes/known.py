"""What real pictures score that a detector did not learn from: others are judged by it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import nn

from volute.provenance.detector import SMALL, native
from volute.training import alike
from volute.training.alike import as_bytes, as_floats
from volute.training.recipe import Held

DRAWS = 2
"""Ways that each held-out picture goes."""
ENOUGH = 100
"""Scores from which a subfolder is judged by itself."""


def scores_of_real(
    network: nn.Module, held: Held, draw: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the scores of held-out pictures as wholes and as small crops, and their sources.

    Each picture is looked at as `volute.provenance.detector` does it, after it was edited and saved
    like those that are learned from.
    """
    scores: dict[tuple[str, int], list[float]] = {}
    for image, label in _images(held):
        for _ in range(DRAWS):
            pixels = np.asarray(alike.drawn(draw)(image))
            for size, crops in (("large", native(pixels)), ("small", [_one(pixels, draw)])):
                with torch.no_grad():
                    logits = network(as_floats(np.stack(crops)))
                scores.setdefault((size, label), []).append(float(np.median(logits.numpy())))
    return by_source(scores)


def by_source(scores: dict[tuple[str, int], list[float]]) -> dict[str, np.ndarray]:
    """Return scores of real pictures [n] and where each is from [n], for each size.

    Sources with too few of them are one.
    """
    tensors: dict[str, np.ndarray] = {}
    for size in ("large", "small"):
        parts = {label: values for (which, label), values in scores.items() if which == size}
        apart = min(len(values) for values in parts.values()) >= ENOUGH
        labels = [label if apart else 0 for label, values in parts.items() for _ in values]
        values = [value for values in parts.values() for value in values]
        tensors[f"{size}.scores"] = np.array(values, np.float32)
        tensors[f"{size}.sources"] = np.array(labels, np.int32)
    return tensors


def auc(real: np.ndarray, made: np.ndarray) -> float:
    """Return how likely a made picture scores higher than a real one."""
    order = np.searchsorted(np.sort(real), made, "left") + np.searchsorted(
        np.sort(real), made, "right"
    )
    return float(order.mean() / (2 * len(real)))


def _images(held: Held) -> Iterator[tuple[Image.Image, int]]:
    for pictures, labels in held():
        for pixels, label in zip(as_bytes(pictures), labels.tolist(), strict=True):
            yield Image.fromarray(pixels), label


def _one(pixels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return a small crop from anywhere."""
    top, left = (int(draw.integers(side - SMALL + 1)) for side in pixels.shape[:2])
    return pixels[top : top + SMALL, left : left + SMALL]
