"""The one training loop: every kind goes through it, counted in images, or bytes, shown.

Each step is a pure function of the state and that number, so a run that was
killed and resumed ends with the same bytes as one that was not, on a CPU with a `kimg` budget
(with `time`, schedules follow the clock; some CUDA kernels are not deterministic).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from volute.errors import VoluteError
from volute.events import Emit, Progress, Saved, Verdict
from volute.paths import atomic_file
from volute.training import checkpoint
from volute.training.doctor import Doctor
from volute.training.feed import Feed
from volute.training.log import Log
from volute.training.recipe import LOOK, Recipe
from volute.training.run import Run, RunConfig
from volute.training.shown import to_image

LOG_S, FIRST_SAMPLE_S, SAMPLE_S, SAVE_S = 5.0, 10.0, 60.0, 60.0


class DivergedError(VoluteError):
    """The doctor said STOP; the last sound state is on disk.

    Attributes:
        verdict: why, and what to try.
        counters: how far it had come.
    """

    def __init__(
        self, verdict: Verdict, counters: checkpoint.Counters, unit: str, run: Run
    ) -> None:
        self.verdict, self.counters = verdict, counters
        reason = verdict.reason[0].lower() + verdict.reason[1:].rstrip(".")
        super().__init__(
            f"training stopped at {counters.shown:,} {unit}: {reason}",
            f"{verdict.advice} Go on from the last sound state: volute resume {run.path}",
        )


@dataclass
class Loop:
    """One run in progress. `stop()` is asked after each step whether to save and end early."""

    run: Run
    config: RunConfig
    recipe: Recipe
    feed: Feed
    emit: Emit
    stop: Callable[[], bool]
    since_s: float = 0.0
    """Seconds of training so far, if more than the state knows of: some were thrown away."""

    def __post_init__(self) -> None:
        counters = checkpoint.load(self.run.state, self.recipe)
        self.counters = replace(counters, seconds=max(counters.seconds, self.since_s))
        self.feed.begin(self.recipe)
        self._shown_at_start = self.counters.shown
        self._saved: checkpoint.Counters | None = None
        self._seconds_at_start = self.counters.seconds

    def fit(self) -> bool:
        """Train until the budget is spent; return False if `stop()` ended it early.

        Raises:
            DivergedError: if the doctor says STOP.
        """
        self._log = Log(self.run.path, self.counters.shown)
        self._doctor = Doctor(self.recipe, self.feed, self.run.path)
        self._steps, self._said = 0, ("", "")
        for verdict in [] if self.counters.shown else self._doctor.concerns():
            self.emit(verdict)
        try:
            return self._fit()
        finally:
            self._log.close()

    def _fit(self) -> bool:
        start = time.perf_counter() - self.counters.seconds
        due = dict.fromkeys(("log", "sample", "save"), self.counters.seconds)
        due["sample"] += FIRST_SAMPLE_S
        due["save"] += SAVE_S
        metrics: dict[str, float] = {}
        measured: dict[str, float] = {}
        while (progress := self._progress()) < 1:
            metrics = self._step(progress)
            self.counters = replace(self.counters, seconds=time.perf_counter() - start)
            now = self.counters.seconds
            if now >= due["log"]:
                self._report(metrics | measured)
                self._examine(metrics)
                due["log"] = now + (LOG_S if now > LOG_S else 1.0)
            if now >= due["sample"]:
                self.sample()
                measured = self.recipe.evaluate(self.feed.held)
                due["sample"] = now + min(SAMPLE_S, max(FIRST_SAMPLE_S, now / 4))
            if now >= due["save"]:
                self.save()
                self._keep()
                due["save"] = now + SAVE_S
            if self.stop():
                self._report(metrics | measured)
                self.save()
                return False
        if metrics:
            self.emit(self._doctor.look(metrics, self.counters, self._steps))
            self.save()
            self._keep()
            self._report(metrics | self.recipe.evaluate(self.feed.held))
            self.sample()
        return True

    def draw(self, count: int, shown: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what is learned from after `shown`: see `Feed.draw`."""
        return self.feed.draw(count, shown)

    def sample(self) -> None:
        """Write what the network makes now: a picture, or a text."""
        made = self.recipe.show(self.draw)
        words = isinstance(made, str)
        path = self.run.path / "samples" / f"{self.counters.shown:09d}.{'txt' if words else 'png'}"
        with atomic_file(path) as part:
            if isinstance(made, str):
                part.write_text(made, encoding="utf-8")
            else:
                to_image(made).save(part)
        self._log.show(self.counters.shown, made)
        self.emit(Saved(path, "sample"))

    def save(self) -> None:
        """Write the state, once for each number of them: the one before stays beside it."""
        if self.counters == self._saved:
            return
        try:
            checkpoint.save(self.run.state, self.recipe, self.counters)
            self._saved = self.counters
        except VoluteError as error:
            if "NaN" in error.what:
                raise self._diverged(self._doctor.unstable(self.counters)) from error
            raise

    def _progress(self) -> float:
        if self.config.time_s:
            return self.counters.seconds / self.config.time_s
        return self.counters.shown / (self.config.kimg * 1000)

    def _step(self, progress: float) -> dict[str, float]:
        shown = self.counters.shown
        metrics = self.recipe.step(*self.draw(self.recipe.batch, shown), progress, shown)
        if not all(math.isfinite(value) for value in metrics.values()):
            raise self._diverged(self._doctor.unstable(self.counters))
        self.counters = replace(self.counters, shown=shown + self.recipe.batch)
        self._steps += 1
        self._adapt(shown)
        return metrics

    def _adapt(self, before: int) -> None:
        """Let the recipe look at what is held out, at set numbers of images shown."""
        now, every = self.counters.shown, self.recipe.looks
        if not every or before // every == now // every:
            return
        unseen = self.feed.unseen(LOOK, now)
        if len(unseen[0]):
            self.recipe.adapt(self.draw(LOOK, now), unseen, now)

    def _examine(self, metrics: dict[str, float]) -> None:
        """Ask the doctor, tell what is new, and end what is of no use."""
        verdict = self._doctor.look(metrics, self.counters, self._steps)
        self._tell(verdict)
        if verdict.level == "STOP":
            raise self._diverged(verdict)

    def _tell(self, verdict: Verdict) -> None:
        if (verdict.level, verdict.cause) != self._said:
            self._said = (verdict.level, verdict.cause)
            self.emit(verdict)

    def _keep(self) -> None:
        """Trust the state before the newest: it has been all right since then."""
        if self._doctor.verdict.level == "OK":
            checkpoint.keep(self.run.state)

    def _diverged(self, verdict: Verdict) -> DivergedError:
        return DivergedError(verdict, self.counters, self.feed.unit, self.run)

    def _report(self, metrics: dict[str, float]) -> None:
        counters = self.counters
        spent = counters.seconds - self._seconds_at_start
        rate = (counters.shown - self._shown_at_start) / spent if spent else 0.0
        line = {"seconds": round(counters.seconds, 3), "rate": rate}
        self._log.write(counters.shown, line | metrics)
        progress = min(1.0, self._progress())
        left = counters.seconds * (1 / progress - 1) if progress else 0.0
        self.emit(Progress(counters.shown, progress, rate, left, metrics, self.feed.unit))
