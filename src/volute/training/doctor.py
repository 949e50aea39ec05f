"""Looks after a training: measures signs, keeps them, and says in words how it goes.

Weights are looked at whenever a line is logged. What costs more, such as features of made pictures,
is done as often as `SHARE` of the time allows. Nothing of it changes the training.
"""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import asdict
from pathlib import Path

from volute.events import Verdict
from volute.paths import explained
from volute.training.checkpoint import Counters
from volute.training.feed import Feed
from volute.training.recipe import PictureRecipe, Recipe
from volute.training.symptoms import Row, judge, unstable
from volute.training.vitals import Gallery, Weights

FILE = "doctor.jsonl"
SHARE = 0.02
"""Of the time of training, that looking may cost."""
FIRST_S = 8.0
"""Seconds of training before pictures are looked at."""


class Doctor:
    """Judges one training as it goes.

    Args:
        recipe: what learns.
        feed: what it learns from.
        folder: the run's, for `doctor.jsonl`: a line for each verdict, with the signs it rests on.
    """

    def __init__(self, recipe: Recipe, feed: Feed, folder: Path) -> None:
        self._recipe, self._feed, self._path = recipe, feed, folder / FILE
        self._weights = Weights(recipe)
        self._gallery = None
        if isinstance(recipe, PictureRecipe) and recipe.from_noise:
            self._gallery = Gallery(recipe, feed)
        self._rows: list[Row] = []
        self._spent, self._looked, self._steps = 0.0, -1.0, 0
        self.verdict = Verdict("OK", "It has just begun.")

    def concerns(self) -> list[Verdict]:
        """Say what is unusual about data and settings, before anything is learned."""
        found = self._feed.concerns() + self._recipe.concerns()
        for verdict in found:
            self._write(verdict, {"shown": 0, "seconds": 0.0})
        return found

    def look(self, metrics: dict[str, float], counters: Counters, steps: int) -> Verdict:
        """Judge by what the step logged and by what there is time to measure.

        Args:
            metrics: of the last step.
            counters: images shown and seconds of training so far.
            steps: taken since this process began.
        """
        start = time.perf_counter()
        row: Row = {"shown": counters.shown, "seconds": counters.seconds, **metrics}
        if steps > self._steps:
            row |= self._weights.signs(steps - self._steps)
            self._steps = steps
        if self._looked < 0:
            self._looked = counters.seconds
        since = counters.seconds - self._looked
        if self._gallery and self._spent <= SHARE * since:
            row |= self._gallery.own(counters.shown)
        if self._gallery and since >= FIRST_S and self._spent <= SHARE * since:
            row |= self._gallery.signs(counters.shown)
        self._spent += time.perf_counter() - start
        row["looking"] = self._spent / since if since else 0.0
        self._rows.append(row)
        self.verdict = judge(self._rows)
        self._write(self.verdict, row)
        return self.verdict

    def unstable(self, counters: Counters) -> Verdict:
        """Return the verdict on values that are no longer finite, and write it down."""
        row: Row = {"shown": counters.shown, "seconds": counters.seconds}
        self.verdict = unstable([*self._rows, row])
        self._write(self.verdict, row)
        return self.verdict

    def _write(self, verdict: Verdict, row: Row) -> None:
        line = asdict(verdict) | {"signs": {name: round(value, 5) for name, value in row.items()}}
        with explained(self._path), self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")


def last_word(folder: Path) -> str:
    """Return the last verdict on the run in `folder`, in words, or nothing."""
    path = folder / FILE
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    for text in reversed(lines):
        with contextlib.suppress(ValueError, KeyError):
            line = json.loads(text)
            return f"{line['level']}: {line['reason']}"
    return ""
