"""Which class a picture belongs to: the rule for folders, and names for numbers.

The rule for folders, whatever holds them: the class is the name at the deepest folder level, of
those that every picture has, at which names differ. Pictures that lie above all class folders have
no class and are left out, unless they are at least as many as those inside: then there are none.
"""

from __future__ import annotations

import os.path
from collections.abc import Sequence
from dataclasses import dataclass

from volute.errors import UsageError

_SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation", "dev", "eval"}
_PER_CLASS = 4


@dataclass(frozen=True)
class Labelling:
    """A class for each picture (None: it has none), the classes in order, the rule in words."""

    labels: list[str | None]
    order: list[str]
    note: str = ""


def by_folder(names: Sequence[str]) -> Labelling:
    """Apply the rule for folders to relative names with `/` between their parts."""
    folders = [name.split("/")[:-1] for name in names]
    root = len(os.path.commonprefix(folders))
    inner = [folder[root:] for folder in folders]
    inside = [folder for folder in inner if folder]
    if not inside:
        return _unlabelled(names)
    if 2 * len(inside) <= len(inner):
        return _unlabelled(names, "no classes: most pictures lie beside the subfolders")
    for level in reversed(range(min(len(folder) for folder in inside))):
        found = sorted({folder[level] for folder in inside})
        if len(found) > 1:
            return _named(names, inner, level, found)
    return _unlabelled(names)


def _named(names: Sequence[str], inner: list[list[str]], level: int, found: list[str]) -> Labelling:
    if {name.lower() for name in found} <= _SPLITS:
        return _unlabelled(names, f"no classes: {', '.join(found)} are parts of one set")
    if len(names) < _PER_CLASS * len(found):
        few = f"{len(found)} subfolders for {len(names)} pictures"
        return _unlabelled(names, f"no classes: {few} are too many to be classes")
    note = "classes are the subfolders (to ignore them: -s data.labels=false)"
    return Labelling([folder[level] if folder else None for folder in inner], found, note)


def by_number(labels: Sequence[str | int], names: tuple[str, ...]) -> Labelling:
    """Name the labels that a source states: numbers by `names`, or as they are; texts stay.

    Raises:
        UsageError: there are numbers that `names` does not reach, or texts and `names` too.
    """
    found = sorted(set(labels), key=lambda label: (isinstance(label, str), label))
    if not names and len(labels) < _PER_CLASS * len(found):
        few = f"{len(found)} labels for {len(labels)} pictures"
        return Labelling([""] * len(labels), [], f"no classes: {few} are too many to be classes")
    if not names:
        return Labelling([str(label) for label in labels], [str(label) for label in found])
    numbers = [label for label in found if isinstance(label, int)]
    if len(numbers) < len(found):
        raise UsageError("data.classes names numbered labels, but these labels are names already")
    if numbers and not 0 <= numbers[0] <= numbers[-1] < len(names):
        text = f"data.classes has {len(names)} names, but the labels go"
        raise UsageError(f"{text} from {numbers[0]} to {numbers[-1]}", "Names count from label 0.")
    return Labelling([names[int(label)] for label in labels], [names[n] for n in numbers])


def _unlabelled(names: Sequence[str], note: str = "") -> Labelling:
    return Labelling(["" for _ in names], [], note)
