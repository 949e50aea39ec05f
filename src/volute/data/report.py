"""What was found in the data, what was done with it, and what was left out and why."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from volute.config import Config

Kind = Literal["unreadable", "duplicate", "near-empty", "without class", "too small", "other"]

_WORDS: dict[Kind, tuple[str, str]] = {
    "duplicate": ("duplicate skipped", "duplicates skipped"),
    "unreadable": ("unreadable", "unreadable"),
    "near-empty": ("near-empty skipped", "near-empty skipped"),
    "too small": ("smaller than a tile", "smaller than a tile"),
    "without class": ("without a class skipped", "without a class skipped"),
    "other": ("other file", "other files"),
}


class LeftOut(Config):
    """One file, or one tile of it, that is not used."""

    name: str
    kind: Kind
    reason: str


class Report(Config):
    """All facts about a packed data set."""

    source: str
    """The folder or file, as the user named it."""
    images: int
    """Pictures found, broken ones included; other files are not counted."""
    usable: int
    """Pictures, or tiles of pictures, that are packed."""
    size: int
    mode: Literal["L", "RGB", "RGBA"]
    crop: Literal["centre", "tiles"]
    usual_side: int = 0
    """The side in px that nine pictures in ten reach, if the size was chosen by it; else 0."""
    smallest: tuple[int, int]
    """Width and height of the picture with the shortest side."""
    largest: tuple[int, int]
    """Width and height of the picture with the most pixels."""
    classes: dict[str, int]
    """Pictures of each class."""
    only: str = ""
    """The class that all pictures are of, if there is one class and no other."""
    changes: dict[str, int]
    """How many files were changed, by what was done."""
    notes: tuple[str, ...]
    share: float = 1.0
    """How much of the whole this is: of shards only the first pictures are looked at."""
    left_out: tuple[LeftOut, ...]

    def lines(self) -> list[str]:
        """Return the summary for the first lines of a training."""
        lines = [self._counts(), self._sizes()]
        if self.changes:
            lines.append(" · ".join(f"{spaced(n)} {what}" for what, n in self.changes.items()))
        if self.classes:
            lines.append(self._classes())
        return [*lines, *self.notes]

    def text(self) -> str:
        """Return `data.txt`: the summary, every class, every left-out file with its reason."""
        lines = [f"data: {self.source}", *self.lines()]
        if self.classes:
            lines += ["", "classes:", *(f"  {name}: {n}" for name, n in self.classes.items())]
        if self.left_out:
            lines += ["", f"left out ({len(self.left_out)}):", *self.left_out_lines()]
        return "\n".join([*lines, ""])

    def left_out_lines(self) -> list[str]:
        """Return one indented line for each left-out file."""
        return [f"  {item.name}: {item.reason}" for item in self.left_out]

    def _counts(self) -> str:
        unit = "" if self.crop == "centre" else f" tiles of {self.size}x{self.size}"
        parts = [plural(self.images, "image", "images"), f"{spaced(self.usable)}{unit} usable"]
        return " · ".join(parts + left_out_counts(self.left_out))

    def _sizes(self) -> str:
        small, large = (f"{spaced(w)}x{spaced(h)}" for w, h in (self.smallest, self.largest))
        sides = f"all {small}" if small == large else f"{small} to {large}"
        rule = "cut into tiles of" if self.crop == "tiles" else "centre square resized to"
        if self.crop == "centre" and self.smallest == self.largest == (self.size, self.size):
            rule = "kept at"
        colours = {"L": "grey (L)"}.get(self.mode, self.mode)
        lines = f"{sides} px, {rule} {self.size}x{self.size}, {colours}"
        if self.usual_side:
            lines += f" (most sides reach {spaced(self.usual_side)} px; another size: --size)"
        return lines

    def _classes(self) -> str:
        low, high = min(self.classes.values()), max(self.classes.values())
        if len(self.classes) <= 8:
            named = (f"{name} {spaced(n)}" for name, n in self.classes.items())
            return f"{len(self.classes)} classes: {', '.join(named)}"
        each = spaced(low) if low == high else f"{spaced(low)} to {spaced(high)}"
        return f"{len(self.classes)} classes of {each} pictures"


def left_out_counts(items: tuple[LeftOut, ...]) -> list[str]:
    """Return `9 duplicates skipped`, `3 unreadable`, ... for what was left out."""
    counts = Counter(item.kind for item in items)
    return [plural(counts[kind], *words) for kind, words in _WORDS.items() if counts[kind]]


def plural(number: int, one: str, many: str) -> str:
    """Return the number with its noun."""
    return f"{spaced(number)} {one if number == 1 else many}"


def spaced(number: int) -> str:
    """Return a number with its thousands apart: 33 600."""
    return f"{number:,}".replace(",", " ")
