"""What a run learns from, as the loop asks for it: the next batch, and what is held out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from volute.data import Dataset, Sampler, split
from volute.data.encoded import encoded, reached
from volute.data.text import Text
from volute.data.twins import twins
from volute.events import Verdict
from volute.training.recipe import Batch, DataFacts, Recipe

HELD_BATCH = 256
HELD_SEED = 1
TWINS = 0.3
"""Share of pictures with a near twin that is said."""
HELD_TEXT, MOST_TEXT = 0.1, 1 << 20
"""Share of a text, at its end, that is held out, and how many bytes at most."""
CONTEXT = 4096
"""Bytes before what is held out that are read first."""
ALL = slice(None)


class Feed(Protocol):
    """Data in the order in which they are learned."""

    facts: DataFacts
    classes: tuple[str, ...]
    key: str
    """Changes whenever the data do."""
    unit: str
    """What is counted."""
    size: str
    """How much there is, in words."""
    lines: list[str]
    """What a person should know of the data."""
    report: str
    """All that there is to know."""

    def begin(self, recipe: Recipe) -> None:
        """Get ready for a recipe: how it divides the data, its seed and its device."""
        ...

    def next(self, count: int, shown: int, part: slice = ALL) -> Batch:
        """Return the next `count` pictures or symbols to learn, after `shown`.

        A pure function of both. `part` says which of the pictures, or of the windows of a text.
        """
        ...

    def draw(self, count: int, shown: int) -> Batch:
        """Return `count` of those that are learned from, to be looked at; likewise."""
        ...

    @property
    def learned(self) -> int:
        """How much is learned from."""
        ...

    def concerns(self) -> list[Verdict]:
        """Say what is unusual about the data."""
        ...

    def unseen(self, count: int, shown: int) -> Batch:
        """Return up to `count` of what is held out, others each time: a pure function of both."""
        ...

    def held(self) -> Iterator[Batch]:
        """Give what is held out."""
        ...


class Shuffled(ABC):
    """Things with labels, each epoch in another order."""

    _kept: np.ndarray
    _held: np.ndarray
    _sampler: Sampler

    @property
    def learned(self) -> int:
        """How many are learned from."""
        return len(self._kept)

    def concerns(self) -> list[Verdict]:
        """Say what is unusual about the data."""
        return []

    @abstractmethod
    def pick(self, index: np.ndarray) -> Batch:
        """Return the things of these numbers, and their labels."""

    def next(self, count: int, shown: int, part: slice = ALL) -> Batch:
        """Return the next `count` after `shown`, or `part` of them."""
        return self.pick(self._kept[self._sampler.indices(shown, count)[part]])

    def draw(self, count: int, shown: int) -> Batch:
        """Return `count` of those that are learned from."""
        return self.pick(self._kept[self._sampler.indices(shown, count)])

    def unseen(self, count: int, shown: int) -> Batch:
        """Return up to `count` of what is held out, others each time."""
        count = min(count, len(self._held))
        order = Sampler(max(len(self._held), 1), HELD_SEED)
        return self.pick(self._held[order.indices(shown // HELD_BATCH * count, count)])

    def held(self) -> Iterator[Batch]:
        """Give what is held out, in batches."""
        for start in range(0, len(self._held), HELD_BATCH):
            yield self.pick(self._held[start : start + HELD_BATCH])


class PictureFeed(Shuffled):
    """Packed pictures, each epoch in another order."""

    unit = "images"

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.classes, self.key = dataset.classes, dataset.key
        self.lines, self.report = dataset.report.lines(), dataset.report.text()
        self.size = f"{len(dataset.pictures):,} pictures"
        counts = np.bincount(dataset.labels, minlength=len(dataset.classes))
        self.facts = DataFacts(
            size=dataset.size,
            channels=dataset.channels,
            classes=len(dataset.classes),
            pictures=len(dataset.pictures),
            counts=tuple(int(count) for count in counts),
        )

    def concerns(self) -> list[Verdict]:
        """Say whether all pictures are of one class, or many of them nearly the same."""
        found, only = [], self._dataset.report.only
        if only:
            reason = f"All pictures are of one class, {only}: what is made will be too."
            found.append(Verdict("WATCH", reason, "Add the other classes.", "one class"))
        share = twins(self._dataset.pictures)
        if share > TWINS:
            reason = f"{share:.0%} of the pictures have a near twin: there are fewer than it seems."
            found.append(Verdict("WATCH", reason, "Leave out what repeats.", "duplicates"))
        return found

    def begin(self, recipe: Recipe) -> None:
        """Hold out the share that the recipe says, of each class and source."""
        dataset, self._place = self._dataset, recipe.device.torch
        self._kept, self._held = split(dataset.labels, dataset.sources, recipe.held_out)
        self._sampler = Sampler(len(self._kept), recipe.seed)

    def pick(self, index: np.ndarray) -> Batch:
        """Return pictures [N, C, H, W] in [-1, 1], and their labels [N]."""
        order = np.argsort(index, kind="stable")
        pictures = np.empty((len(index), *self._dataset.pictures.shape[1:]), np.uint8)
        pictures[order] = self._dataset.pictures[index[order]]
        return self.batch(pictures, self._dataset.labels[index])

    def batch(self, pictures: np.ndarray, labels: np.ndarray) -> Batch:
        """Return uint8 [N, H, W, C] and their labels [N] as a batch, where it is learned."""
        place = self._place
        as_bytes = torch.from_numpy(pictures)
        if place.type == "cuda":  # a copy that does not wait, of a quarter of the size
            as_bytes = as_bytes.pin_memory().to(place, non_blocking=True)
        x_BHWC = as_bytes.to(place, torch.float32).div_(127.5).sub_(1)
        return x_BHWC.permute(0, 3, 1, 2), torch.from_numpy(labels).to(place)


class TextFeed:
    """A text in parallel streams: each goes on where it was, and begins anew at the end."""

    unit = "bytes"

    def __init__(self, text: Text, name: str) -> None:
        data = text.data
        held = min(len(data) - int((1 - HELD_TEXT) * len(data)), MOST_TEXT)
        self._text, self._held = data[: len(data) - held], data[len(data) - held :]
        self.key, self.classes, self._ends, self._kinds = text.key, text.kinds, text.ends, text.kind
        texts = f" in {text.texts:,} texts" if text.texts > 1 else ""
        self.size = f"{len(data):,} bytes"
        first = f"{self.size}{texts}, the last {held:,} held out"
        self.lines = [first, *text.notes]
        self.report = "\n".join([name, *self.lines]) + "\n"
        self.facts = DataFacts(
            1, 1, len(self.classes), len(data), text=self._text, held_text=self._held
        )

    def begin(self, recipe: Recipe) -> None:
        """Take the length of its windows from the recipe, and what is learned in place of bytes."""
        self._length, self._place = recipe.settings.length, recipe.device.torch
        self._learned, self.unit = self._text[recipe.spared :], f"{recipe.tokens.unit}s"
        if len(recipe.tokens.pairs):
            self._learned = encoded(self._learned, self.key, recipe.tokens)
            if self.classes:
                self._ends = reached(self._learned, recipe.tokens, self._ends)

    def draw(self, count: int, shown: int) -> Batch:
        """Return what is next: it is at hand."""
        return self.next(count, shown)

    def next(self, count: int, shown: int, part: slice = ALL) -> Batch:
        """Return windows int64 [B, T + 1], the last symbol of each the first of the next.

        And the kind of text of each symbol, likewise, from 1 on; empty where all are alike.
        """
        streams, step = count // self._length, shown // count
        text = self._learned
        first = np.arange(streams)[part, None] * (len(text) // streams) + step * self._length
        place = (first + np.arange(self._length + 1)) % len(text)
        kinds = np.zeros(0, np.int64)
        if self.classes:
            kinds = self._kinds[np.searchsorted(self._ends, place, side="right")]
        windows = torch.from_numpy(text[place].astype(np.int64))
        return windows.to(self._place), torch.from_numpy(kinds).to(self._place)

    @property
    def learned(self) -> int:
        """How many symbols are learned from."""
        return len(self._learned)

    def concerns(self) -> list[Verdict]:
        """Find nothing: texts are looked at when they are read."""
        return []

    def unseen(self, count: int, shown: int) -> Batch:
        """Return none: what is held out of a text is measured as a whole."""
        return torch.zeros(0), torch.zeros(0)

    def held(self) -> Iterator[Batch]:
        """Give what is held out, uint8 [N], and the bytes before it."""
        before = self._text[max(0, len(self._text) - CONTEXT) :]
        yield torch.from_numpy(self._held.copy()), torch.from_numpy(before.copy())
