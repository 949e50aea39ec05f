"""A set of shards as the loop asks for it: what is learned goes by, what is looked at stays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from volute.data import Dataset, DataSettings, Sampler, Shards
from volute.data.listing import Listing
from volute.data.windows import Form, Plan, Windows, planned
from volute.events import Emit, Note
from volute.training.feed import ALL, HELD_BATCH, HELD_SEED, PictureFeed
from volute.training.recipe import Batch, Recipe

HELD, HELD_BYTES = 2048, 64 << 20
"""Squares that are held out, at most, in number and bytes."""
HELD_SHARE = 0.5
"""Of the last shard, that is held out at most."""


class ShardFeed(PictureFeed):
    """Pictures of shards; those of the first look stand for all where pictures are looked at.

    Args:
        shards: the set.
        sample: its first pictures, packed.
        settings: how they were packed.
        emit: is told what is held in memory, and what is skipped.
    """

    def __init__(self, shards: Shards, sample: Dataset, settings: DataSettings, emit: Emit) -> None:
        classes = settings.classes or sample.classes
        shown = sample.classes or [name for name in (sample.report.only,) if name in classes]
        numbers = np.array([classes.index(name) for name in shown] or [0], np.int64)
        super().__init__(replace(sample, classes=classes, labels=numbers[sample.labels]))
        self._shards, self._settings, self._emit = shards, settings, emit
        share = sample.report.share
        seen = len(np.unique(sample.sources))
        self._tiles, self._whole = len(sample.pictures) / seen, seen / share
        count = round(len(sample.pictures) / share)
        about = "about " if share < 1 else ""
        self.size = f"{about}{count:,} pictures in {len(shards.shards):,} shards"
        self.facts = replace(self.facts, pictures=count, counts=self._counts(count))

    def begin(self, recipe: Recipe) -> None:
        """Hold out the beginning of the last shard, and deal out the rest among the processes."""
        self._place, self._group = recipe.device.torch, recipe.group
        plan = self._planned(recipe)
        report = self._dataset.report
        numbered = bool(self._settings.classes)
        form = Form(report.size, report.mode, report.crop, self.classes, numbered)
        self._windows = Windows(
            self._shards.shards, plan, form, lambda line: self._emit(Note("data", line))
        )
        alone = plan.held if plan.shards == 1 else 0
        self._kept = np.flatnonzero(self._dataset.sources >= alone)
        self._sampler = Sampler(len(self._kept), recipe.seed)
        self._begun = False
        nothing = np.empty((0, *self._dataset.pictures.shape[1:]), np.uint8)
        self._aside = self._windows.held() if plan.held else (nothing, np.empty(0, np.int64))

    def next(self, count: int, shown: int, part: slice = ALL) -> Batch:
        """Return the next `count` after `shown`, or `part` of them."""
        if not self._begun:
            self._begun = True
            self._emit(Note("data", self._memory()))
        positions = shown + np.arange(count)[part]
        return self.batch(*self._windows.at(positions, part.step or 1))

    @property
    def listing(self) -> Listing:
        """Name, size and mark of each shard."""
        return self._shards.listing()

    @property
    def learned(self) -> int:
        """How many are learned from, about."""
        return max(1, self.facts.pictures - len(self._aside[0]))

    def unseen(self, count: int, shown: int) -> Batch:
        """Return up to `count` of what is held out, others each time."""
        squares, labels = self._aside
        count = min(count, len(squares))
        order = Sampler(max(len(squares), 1), HELD_SEED)
        index = order.indices(shown // HELD_BATCH * count, count)
        return self.batch(squares[index], labels[index])

    def held(self) -> Iterator[Batch]:
        """Give what is held out, in batches."""
        squares, labels = self._aside
        for start in range(0, len(squares), HELD_BATCH):
            end = start + HELD_BATCH
            yield self.batch(squares[start:end], labels[start:end])

    def _counts(self, count: int) -> tuple[int, ...]:
        """Return the pictures of each class, about; all alike if the first lack one."""
        found = np.bincount(self._dataset.labels, minlength=len(self.classes))[: len(self.classes)]
        if not len(found):
            return ()
        scaled = (
            found * (count / found.sum())
            if found.all()
            else np.full(len(found), count / len(found))
        )
        return tuple(int(number) for number in np.maximum(np.round(scaled), 2))

    def _planned(self, recipe: Recipe) -> Plan:
        weights, pictures = self._shards.weights, self._dataset.pictures
        square = pictures[0].nbytes
        last = self._whole * weights[-1] / sum(weights)
        most = min(HELD, HELD_BYTES // square) / min(self._tiles, 16)
        held = round(min(recipe.held_out * self._whole, most, HELD_SHARE * last))
        held = max(1, held) if recipe.held_out else 0
        each = self._whole / len(weights)
        group, count = recipe.group, len(weights)
        return planned(count, each, self._tiles, square, held, group.size, recipe.seed)

    def _memory(self) -> str:
        plan = self._windows.plan
        count = plan.size * plan.lanes // self._group.size
        megabytes = 2 * count * self._dataset.pictures[0].nbytes / 1e6
        return f"in memory: 2 x {count:,} pictures of {plan.lanes} shards, {megabytes:,.1f} MB"
