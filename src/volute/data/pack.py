"""From gathered squares to a pack: colour mode, classes, no duplicates, nothing near-empty."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections import Counter
from pathlib import Path

import numpy as np

from volute.data.classes import Labelling, by_folder, by_number
from volute.data.dataset import Writer
from volute.data.entry import Source
from volute.data.gather import Found, Scratch, gather
from volute.data.report import LeftOut, Report, left_out_counts, plural
from volute.data.settings import DataSettings
from volute.errors import DataError, UsageError
from volute.events import Emit
from volute.media.modes import CHANNELS, Mode
from volute.media.photo import FORMATS

VERSION = 2
"""Raised whenever the same files would give another pack."""
FEWEST = 16
EMPTY_SPREAD = 1.0
"""A square whose every channel has a standard deviation (0..255) below this is near-empty."""


def build(source: Source, settings: DataSettings, size: int, emit: Emit, folder: Path) -> None:
    """Fill the empty `folder` with the pack of `source`.

    Raises:
        DataError: fewer than 16 pictures are usable, or the source is damaged.
        UsageError: class names that do not fit the labels.
    """
    scratch = Scratch(folder, size)
    try:
        found = gather(source, settings, size, scratch, emit)
        mode = _choose_mode(settings, scratch.channels)
        labelling = _labelling(found, settings, source.foldered)
        writer = Writer(folder, (size, size, CHANNELS[mode]))
        try:
            kept = _Sieve(found, labelling, settings).write(scratch, mode, writer)
            _refuse_few(source, found, len(kept))
            classes, labels, only = _number_classes(labelling, found, kept)
            report = Report(
                source=source.name,
                images=found.images(),
                usable=len(kept),
                size=size,
                mode=mode,
                crop=settings.crop,
                smallest=found.smallest,
                largest=found.largest,
                classes=classes,
                only=only,
                changes=_changes(found, scratch.channels, kept, mode),
                notes=(*source.notes(), *filter(None, [labelling.note])),
                share=source.share,
                left_out=tuple(found.left_out),
            )
            sources = np.frombuffer(found.owners, np.int64)[kept]
            writer.close(labels, sources, report)
        finally:
            writer.discard()
    finally:
        scratch.close()


def _choose_mode(settings: DataSettings, channels: bytearray) -> Mode:
    if settings.mode != "auto":
        return settings.mode
    count = Counter(channels)
    if count[2] + count[4] > len(channels) / 2:
        return "RGBA"
    return "RGB" if count[3] + count[4] else "L"


def _labelling(found: Found, settings: DataSettings, foldered: bool) -> Labelling:
    stated = [label for label in found.labels if label is not None]
    if stated:
        named = by_number(stated, settings.classes)
        given = iter(named.labels)
        labels = [None if label is None else next(given) for label in found.labels]
        return Labelling(labels if named.order else [""] * len(labels), named.order, named.note)
    if settings.classes:
        hint = "Folders name their classes themselves: leave data.classes out."
        raise UsageError("data.classes names numbered labels, and there are none", hint)
    if settings.labels and foldered:
        return by_folder(found.names)
    return Labelling([""] * len(found.names), [])


class _Sieve:
    """Decides square by square what is packed."""

    def __init__(self, found: Found, labelling: Labelling, settings: DataSettings) -> None:
        self._found, self._labelling = found, labelling
        self._tiles, self._all = settings.crop == "tiles", settings.keep
        self._seen: dict[bytes, int] = {}

    def write(self, scratch: Scratch, mode: Mode, writer: Writer) -> list[int]:
        """Copy what is kept; return the indices of the kept squares."""
        kept: list[int] = []
        start = 0
        for block in scratch.blocks(mode):
            empty = near_empty(block)
            keep = [self._keeps(start + i, block[i], bool(empty[i])) for i in range(len(block))]
            writer.add(block if all(keep) else block[keep])
            kept += [start + i for i, kept_i in enumerate(keep) if kept_i]
            start += len(block)
        return kept

    def _keeps(self, index: int, square: np.ndarray, empty: bool) -> bool:
        if self._all:
            return True
        if self._labelling.labels[self._found.owners[index]] is None:
            hint = "lies beside the class folders, or states no class"
            hint += " (to use it: -s data.labels=false)"
            return self._leave_out(index, "without class", hint)
        if empty:
            return self._leave_out(index, "near-empty", "near-empty: almost one colour")
        digest = hashlib.blake2b(square.data, digest_size=16).digest()
        first = self._seen.setdefault(digest, index)
        if first != index:
            return self._leave_out(index, "duplicate", f"same pixels as {self._name(first)}")
        return True

    def _leave_out(self, index: int, kind: str, reason: str) -> bool:
        item = LeftOut.make({"name": self._name(index), "kind": kind, "reason": reason})
        self._found.left_out.append(item)
        return False

    def _name(self, index: int) -> str:
        owner = self._found.owners[index]
        name = self._found.names[owner]
        if not self._tiles:
            return name
        return f"{name}, tile {index - bisect_left(self._found.owners, owner) + 1}"


def near_empty(block: np.ndarray) -> np.ndarray:
    """Say of uint8 [n, H, W, C] which are almost one colour: bool [n]. Hidden colour is none."""
    sample = block[:, ::4, ::4]
    share = sample[0, ..., 0].size / block[0, ..., 0].size
    # The variance of the whole is at least the sample's times its share: the rest is settled.
    empty = share * _variance(sample) < EMPTY_SPREAD**2
    empty[empty] = _variance(block[empty]) < EMPTY_SPREAD**2
    return empty


def _variance(block: np.ndarray) -> np.ndarray:
    """Return the variance of the channel that varies most: float32 [n]."""
    number, height, width, channels = block.shape
    values = block.reshape(number, height * width, channels).astype(np.float32)
    if channels == 4:
        values[..., :3] *= values[..., 3:] / 255
    values -= values[:, :1]  # near-empty: all small now, so that float32 is exact enough
    mean = values.mean(axis=1)
    return (np.einsum("npc,npc->nc", values, values) / (height * width) - mean**2).max(axis=1)


def _number_classes(
    labelling: Labelling, found: Found, kept: list[int]
) -> tuple[dict[str, int], np.ndarray, str]:
    """Return the classes with their pictures, the labels, and the class if there is only one."""
    names = [labelling.labels[found.owners[index]] or "" for index in kept]
    count = Counter(names)
    classes = {name: count[name] for name in labelling.order if count[name]}
    if len(classes) < 2:
        return {}, np.zeros(len(kept), np.int64), next(iter(classes), "")
    number = {name: index for index, name in enumerate(classes)}
    return classes, np.array([number[name] for name in names], np.int64), ""


def _changes(found: Found, channels: bytearray, kept: list[int], mode: Mode) -> dict[str, int]:
    """Count the files in use, not their tiles, by what was done to them."""
    owners = np.frombuffer(found.owners, np.int64)[kept]
    kinds = np.frombuffer(channels, np.uint8)[kept]
    used = set(owners.tolist())
    coloured = set(owners[kinds >= 3].tolist())
    clear = set(owners[kinds % 2 == 0].tolist())
    count = Counter(change for file in used for change in found.changes[file])
    if mode == "L":
        count["colour made grey"] = len(coloured)
    else:
        count["grey made RGB"] = len(used - coloured)
    if mode == "RGBA":
        count["opaque given alpha"] = len(used - clear)
    else:
        count["transparent laid on white"] = len(clear)
    return {what: number for what, number in sorted(count.items()) if number}


def _refuse_few(source: Source, found: Found, usable: int) -> None:
    if usable >= FEWEST:
        return
    images = found.images()
    counts = ", ".join(left_out_counts(tuple(found.left_out)))
    pictures = [item for item in found.left_out if item.kind != "other"]
    examples = "; ".join(f"{item.name}: {item.reason}" for item in pictures[:3])
    hint = f"Left out: {counts}. {examples}".rstrip() if counts else "Add more pictures."
    kinds = Counter(item.kind for item in pictures)
    where = f"of the {images} pictures in {source.name}"
    if images == 0:
        what = f"{source.name} holds no pictures"
        hint = f"Subfolders are looked into; read are {', '.join(FORMATS)}. {hint}"
    elif images > 1 and kinds["unreadable"] == images:
        what = f"none {where} can be read"
    elif images > 1 and usable == 1 and kinds["duplicate"] == images - 1:
        what = f"all {where} are the same"
    elif images > 1 and usable == 0 and kinds["near-empty"] >= images:
        what = f"all {where} are near-empty: almost one colour each"
    else:
        usable_text = plural(usable, "usable picture", "usable pictures")
        what = f"{source.name} has {usable_text}; training needs at least {FEWEST}"
    raise DataError(what, hint)
