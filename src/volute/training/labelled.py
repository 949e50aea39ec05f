"""Labelled texts as the loop asks for them."""

from __future__ import annotations

import numpy as np
import torch

from volute.data.labelled import Labelled
from volute.data.sampler import Sampler, split
from volute.engine.texts import packed
from volute.training.feed import Batch, Shuffled
from volute.training.recipe import DataFacts, Recipe

HELD = 0.1
"""Share of each class that is measured on and never learned from."""


class LabelledFeed(Shuffled):
    """Texts with their classes, each epoch in another order."""

    unit = "texts"

    def __init__(self, found: Labelled, name: str) -> None:
        self._texts, self._labels = found.texts, found.labels
        self.classes, self.key = found.classes, found.key
        self._kept, self._held = split(found.labels, np.arange(len(found.labels)), HELD)
        counts = np.bincount(found.labels)
        self.size = f"{len(found.texts):,} texts"
        first = (
            f"{self.size} of {len(counts)} classes, {counts.min():,} to "
            f"{counts.max():,} of each, {len(self._held):,} held out"
        )
        self.lines = [first, *found.notes]
        table = [
            f"{count:>9,}  {label}" for label, count in zip(found.classes, counts, strict=True)
        ]
        self.report = "\n".join([name, *self.lines, *table]) + "\n"
        self.facts = DataFacts(
            size=1,
            channels=1,
            classes=len(counts),
            pictures=len(found.texts),
            counts=tuple(int(count) for count in counts),
            held=self.held,
        )

    def begin(self, recipe: Recipe) -> None:
        """Take what a text is cut to from the recipe."""
        self._length, self._place = recipe.settings.length, recipe.device.torch
        self._sampler = Sampler(len(self._kept), recipe.seed)

    def pick(self, index: np.ndarray) -> Batch:
        """Return texts int16 [N, T], as `engine.texts.packed` has them, and labels [N]."""
        texts = packed([self._texts[number] for number in index], self._length)
        labels = torch.from_numpy(self._labels[index]).to(self._place)
        return torch.from_numpy(texts), labels
