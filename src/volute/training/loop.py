"""The one training loop: every kind goes through it, counted in images shown.

Each step is a pure function of the state and the number of images shown, so a run that was
killed and resumed ends with the same bytes as one that was not, on a CPU with a `kimg` budget
(with `time`, schedules follow the clock; some CUDA kernels are not deterministic).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

from volute.data import Dataset, Sampler, split
from volute.errors import VoluteError
from volute.events import Emit, Progress, Saved
from volute.paths import atomic_file
from volute.training import checkpoint
from volute.training.log import Log
from volute.training.recipe import Recipe
from volute.training.run import Run, RunConfig

LOG_S, FIRST_SAMPLE_S, SAMPLE_S, SAVE_S = 5.0, 10.0, 60.0, 60.0
HELD_BATCH = 256


class DivergedError(VoluteError):
    """A loss or weight became NaN; the state on disk is the last good one."""

    def __init__(self, shown: int, run: Run) -> None:
        saved = any(run.state.glob("*.safetensors"))
        again = (
            f"Go on from the last good state: volute resume {run.path}" if saved else "Try again"
        )
        super().__init__(
            f"training became unstable at {shown:,} images: a value is NaN or infinite",
            f"{again} with half the learning rate (-s lr=...), or for a GAN with four times gamma "
            "(-s gamma=...).",
        )


@dataclass
class Loop:
    """One run in progress. `stop()` is asked after each step whether to save and end early."""

    run: Run
    config: RunConfig
    recipe: Recipe
    dataset: Dataset
    emit: Emit
    stop: Callable[[], bool]

    def __post_init__(self) -> None:
        self.counters = checkpoint.load(self.run.state, self.recipe)
        self.kept, self._held = split(
            self.dataset.labels, self.dataset.sources, self.recipe.held_out
        )
        self.sampler = Sampler(len(self.kept), self.config.seed)
        self._shown_at_start = self.counters.shown
        self._saved: checkpoint.Counters | None = None
        self._seconds_at_start = self.counters.seconds

    def fit(self) -> bool:
        """Train until the budget is spent; return False if `stop()` ended it early.

        Raises:
            DivergedError: if a loss or weight is not finite.
        """
        self._log = Log(self.run.path, self.counters.shown)
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
                due["log"] = now + (LOG_S if now > LOG_S else 1.0)
            if now >= due["sample"]:
                self.sample()
                measured = self.recipe.evaluate(self.held)
                due["sample"] = now + min(SAMPLE_S, max(FIRST_SAMPLE_S, now / 4))
            if now >= due["save"]:
                self.save()
                due["save"] = now + SAVE_S
            if self.stop():
                self._report(metrics | measured)
                self.save()
                return False
        if metrics:
            self.save()
            self._report(metrics | self.recipe.evaluate(self.held))
            self.sample()
        return True

    def draw(self, count: int, shown: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
        """Return training pictures [count, C, H, W] in [-1, 1] and labels, from `shown` on."""
        return self._pick(self.kept[self.sampler.indices(shown, count)])

    def held(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Give the held-out pictures and their labels in batches."""
        for start in range(0, len(self._held), HELD_BATCH):
            yield self._pick(self._held[start : start + HELD_BATCH])

    def _pick(self, index: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        order = np.argsort(index, kind="stable")
        pictures = np.empty((len(index), *self.dataset.pictures.shape[1:]), np.uint8)
        pictures[order] = self.dataset.pictures[index[order]]
        place = self.recipe.device.torch
        x_BHWC = torch.from_numpy(pictures).to(place, torch.float32).div_(127.5).sub_(1)
        labels = torch.from_numpy(self.dataset.labels[index]).to(place)
        return x_BHWC.permute(0, 3, 1, 2), labels

    def sample(self) -> None:
        """Write a grid: real pictures on the left, what the network makes on the right."""
        pictures, labels = self.draw(64)
        made = self.recipe.preview(pictures, labels)
        path = self.run.path / "samples" / f"{self.counters.shown:09d}.png"
        side_by_side = np.concatenate([grid(pictures), grid(made)], 1)
        with atomic_file(path) as part:
            to_image(side_by_side).save(part)
        self._log.picture(self.counters.shown, side_by_side)
        self.emit(Saved(path, "sample"))

    def save(self) -> None:
        """Write the state, once for each number of images: the one before stays beside it."""
        if self.counters == self._saved:
            return
        try:
            checkpoint.save(self.run.state, self.recipe, self.counters)
            self._saved = self.counters
        except VoluteError as error:
            if "NaN" in error.what:
                raise DivergedError(self.counters.shown, self.run) from error
            raise

    def _progress(self) -> float:
        if self.config.time_s:
            return self.counters.seconds / self.config.time_s
        return self.counters.shown / (self.config.kimg * 1000)

    def _step(self, progress: float) -> dict[str, float]:
        shown = self.counters.shown
        pictures, labels = self.draw(self.recipe.batch, shown)
        metrics = self.recipe.step(pictures, labels, progress, shown)
        if not all(math.isfinite(value) for value in metrics.values()):
            raise DivergedError(shown, self.run)
        self.counters = replace(self.counters, shown=shown + len(pictures))
        return metrics

    def _report(self, metrics: dict[str, float]) -> None:
        counters = self.counters
        spent = counters.seconds - self._seconds_at_start
        rate = (counters.shown - self._shown_at_start) / spent if spent else 0.0
        line = {"seconds": round(counters.seconds, 3), "rate": rate}
        self._log.write(counters.shown, line | metrics)
        progress = min(1.0, self._progress())
        left = counters.seconds * (1 / progress - 1) if progress else 0.0
        self.emit(Progress(counters.shown, progress, rate, left, metrics))


def grid(x_BCHW: torch.Tensor) -> np.ndarray:
    """Lay pictures in [-1, 1] out as a square grid: uint8 [H, W, C]."""
    side = math.isqrt(len(x_BCHW))
    pixels = ((x_BCHW[: side * side].float().cpu() + 1) * 127.5).round().clamp(0, 255)
    rows_HWC = pixels.to(torch.uint8).unflatten(0, (side, side)).permute(0, 3, 1, 4, 2)
    return rows_HWC.flatten(0, 1).flatten(1, 2).numpy()


def to_image(pixels_HWC: np.ndarray) -> Image.Image:
    """Return a PIL picture of uint8 [H, W, C]; grey has one channel."""
    return Image.fromarray(pixels_HWC[..., 0] if pixels_HWC.shape[2] == 1 else pixels_HWC)
