"""The one training loop: every kind goes through it, counted in images, or bytes, shown.

Each step is a pure function of the state and that number, so a run that was
killed and resumed ends with the same bytes as one that was not, on a CPU with a `kimg` budget
(with `time`, schedules follow the clock; some CUDA kernels are not deterministic).
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

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
        self.group = self.recipe.group
        self.group.divide(self.recipe.items)
        counters = checkpoint.Counters()
        if self.group.first:
            counters = checkpoint.load(self.run.state, self.recipe)
        counters = checkpoint.share(self.recipe, counters)
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
        self._steps, self._said = 0, ("", "")
        if not self.group.first:
            return self._fit()
        self._log = Log(self.run.path, self.counters.shown)
        self._doctor = Doctor(self.recipe, self.feed, self.run.path)
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
            metrics, stopped = self._step(progress, start)
            now = self.counters.seconds  # the same in all processes, so that all do the same
            if now >= due["log"]:
                self._report(metrics | measured)
                self._examine(metrics)
                due["log"] = now + (LOG_S if now > LOG_S else 1.0)
            if now >= due["sample"]:
                self.sample()
                measured = self._evaluated()
                due["sample"] = now + min(SAMPLE_S, max(FIRST_SAMPLE_S, now / 4))
            if now >= due["save"]:
                self.save()
                self._keep()
                due["save"] = now + SAVE_S
            if stopped:
                self._report(metrics | measured)
                self.save()
                return False
        if self._steps:
            if self.group.first:
                self.emit(self._doctor.look(metrics, self.counters, self._steps))
            self.save()
            self._keep()
            self._report(metrics | self._evaluated())
            self.sample()
        return True

    def draw(self, count: int, shown: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return some of what is learned from: see `Feed.draw`."""
        return self.feed.draw(count, shown)

    def sample(self) -> None:
        """Write what the network makes now: a picture, or a text."""
        if not self.group.first:
            return
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
        self.recipe.gather()
        self._saved = self.counters
        self._heed(self._written())

    def _written(self) -> Verdict | None:
        """Write the state, or return the verdict on one that is not finite."""
        if not self.group.first:
            return None
        try:
            checkpoint.save(self.run.state, self.recipe, self.counters)
        except VoluteError as error:
            if "NaN" in error.what:
                return self._doctor.unstable(self.counters)
            raise
        return None

    def _heed(self, verdict: Verdict | None) -> None:
        """Raise what the first process says, in all of them."""
        told = self.group.tell(json.dumps(asdict(verdict) if verdict else {}).encode())
        if found := json.loads(told):
            raise DivergedError(Verdict(**found), self.counters, self.feed.unit, self.run)

    def _progress(self) -> float:
        if self.config.time_s:
            return self.counters.seconds / self.config.time_s
        return self.counters.shown / (self.config.kimg * 1000)

    def _step(self, progress: float, start: float) -> tuple[dict[str, float], bool]:
        """Take a step; return its metrics, and whether to stop now."""
        shown = self.counters.shown
        batch = self.feed.next(self.recipe.batch, shown, self.group.part)
        with self.group.step(), self._memory():
            metrics = self.recipe.step(*batch, progress, shown)
        metrics, seconds, stopped = self._agreed(metrics, time.perf_counter() - start)
        if not all(math.isfinite(value) for value in metrics.values()):
            self._heed(self._doctor.unstable(self.counters) if self.group.first else None)
        self.counters = checkpoint.Counters(shown + self.recipe.batch, seconds)
        self._steps += 1
        self._adapt(shown)
        return metrics, stopped

    @contextlib.contextmanager
    def _memory(self) -> Iterator[None]:
        """Say what helps where a step does not fit."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:  # of torch's errors one kind has a class
            if not isinstance(error, MemoryError | torch.OutOfMemoryError) and (
                "allocate memory" not in str(error)
            ):
                raise
            what = f"a batch of {self.recipe.batch} does not fit into memory"
            known = "" if self.config.recompute else ", or add -s recompute=true (a quarter slower)"
            raise VoluteError(what, f"Give a smaller -s batch={known}.") from error

    def _agreed(
        self, metrics: dict[str, float], seconds: float
    ) -> tuple[dict[str, float], float, bool]:
        """Return the mean metrics, the time of the first process, and whether any is to stop."""
        stopped, group = self.stop(), self.group
        if group.size == 1:
            return metrics, seconds, stopped
        mine = [seconds * group.first, float(stopped), *(v / group.size for v in metrics.values())]
        seconds, stops, *means = group.sum(torch.tensor(mine, dtype=torch.float64)).tolist()
        return dict(zip(metrics, means, strict=True)), seconds, stops > 0

    def _adapt(self, before: int) -> None:
        """Let the recipe look at what is held out, at set numbers of images shown."""
        now, every = self.counters.shown, self.recipe.looks
        if not every or before // every == now // every:
            return
        unseen = self.feed.unseen(LOOK, now)
        if not len(unseen[0]):
            return
        if self.group.first:
            self.recipe.adapt(self.draw(LOOK, now), unseen, now)
        self.group.share([b for module in self.recipe.modules.values() for b in module.buffers()])

    def _examine(self, metrics: dict[str, float]) -> None:
        """Ask the doctor, tell what is new, and end what is of no use."""
        verdict = None
        if self.group.first:
            verdict = self._doctor.look(metrics, self.counters, self._steps)
            self._tell(verdict)
        self._heed(verdict if verdict and verdict.level == "STOP" else None)

    def _tell(self, verdict: Verdict) -> None:
        if (verdict.level, verdict.cause) != self._said:
            self._said = (verdict.level, verdict.cause)
            self.emit(verdict)

    def _keep(self) -> None:
        """Trust the state before the newest: it has been all right since then."""
        if self.group.first and self._doctor.verdict.level == "OK":
            checkpoint.keep(self.run.state)

    def _evaluated(self) -> dict[str, float]:
        return self.recipe.evaluate(self.feed.held) if self.group.first else {}

    def _report(self, metrics: dict[str, float]) -> None:
        if not self.group.first:
            return
        counters = self.counters
        spent = counters.seconds - self._seconds_at_start
        rate = (counters.shown - self._shown_at_start) / spent if spent else 0.0
        line = {"seconds": round(counters.seconds, 3), "rate": rate}
        self._log.write(counters.shown, line | metrics)
        progress = min(1.0, self._progress())
        left = counters.seconds * (1 / progress - 1) if progress else 0.0
        self.emit(Progress(counters.shown, progress, rate, left, metrics, self.feed.unit))
