"""What the handles share that work on pictures of any size, tile by tile in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from volute.engine.artefact import Artefact
from volute.engine.session import Engine, own_cores
from volute.engine.tiles import Tick
from volute.errors import UsageError
from volute.events import Emit, Progress
from volute.handles.handle import Handle
from volute.media.raster import ArrayCanvas, ArrayRaster, Levels, Raster, Run
from volute.paths import resident

MEMORY = 1 << 30
LEAST = 256 << 20
WIDTH, WIDEST = 64, 1024
"""Channels that are reckoned with where a model does not say, and the most that one may say."""
SHORT = 2.0
"""Seconds of work that go by without a word."""


class Tiled(Handle):
    """A handle that works on several tiles at once."""

    def __init__(
        self, artefact: Artefact, threads: int | None = None, engine: Engine | None = None
    ) -> None:
        super().__init__(artefact, engine)
        if threads is not None and threads < 1:
            raise UsageError(f"threads = {threads} is no number of threads")
        self._workers = own_cores() if threads is None else threads

    def _width(self) -> int:
        """Return how many channels the network has at most, as far as the model says."""
        width = self.info.settings.get("width")
        return width if isinstance(width, int) and 0 < width <= WIDEST else WIDTH

    def _fitting(self, memory: int, each: int) -> int:
        """Return how many pixels of `each` bytes a tile may have, all workers in `memory`."""
        if memory < LEAST:
            what = f"memory = {memory / (1 << 20):,.0f} MB is too little"
            raise UsageError(what, f"Give {LEAST >> 20} MB or more.")
        return int(max(memory - resident(), memory / 4) * 0.75 / (each * (self._workers + 1)))


def watch(emit: Emit) -> Callable[[Raster, int, int], Tick]:
    """Return what gives the `tick` of each part of a piece of work that begins now."""
    start = time.monotonic()

    def part_of(raster: Raster, part: int, parts: int) -> Tick:
        size = raster.height * raster.width * parts / 1e6

        def tick(share: float) -> None:
            done = (part + share) / parts
            spent = time.monotonic() - start
            if spent < SHORT:
                return
            left, rate = spent * (1 - done) / done, size * done / spent
            emit(Progress(round(size * done), done, rate, left, unit="megapixels"))

        return tick

    return part_of


def worked(array: np.ndarray, scale: int, run: Run) -> np.ndarray:
    """Return what `run` makes of an array [H, W] or [H, W, C]: the same, `scale` times as large.

    Raises:
        UsageError: for what is no picture.
    """
    raster = as_raster(array)
    height, width = array.shape[:2]
    made = np.empty((scale * height, scale * width, *array.shape[2:]), array.dtype)
    if raster.masked:  # what is none stays so
        made[:] = array.repeat(scale, 0).repeat(scale, 1)
    run(raster, ArrayCanvas(made[None] if array.ndim == 2 else made.transpose(2, 0, 1)))
    return made


def as_raster(array: np.ndarray) -> ArrayRaster:
    """Return an array [H, W] or [H, W, C] as what is worked on.

    Raises:
        UsageError: for what is no picture.
    """
    if array.ndim not in (2, 3) or 0 in array.shape:
        raise UsageError(f"an array of shape {list(array.shape)} is no picture [H, W, C]")
    planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
    count = len(planes)
    kind = {"rgb": count in (3, 4), "alpha": count in (2, 4)}
    finite = np.isfinite(planes) if array.dtype.kind == "f" else None
    valid = None if finite is None or finite.all() else finite
    return ArrayRaster(planes, _levels(array.dtype), valid=valid, **kind)


def _levels(dtype: np.dtype) -> Levels:
    if dtype in (np.uint8, np.uint16):
        return Levels.fixed(dtype, 0, np.iinfo(dtype).max)
    if dtype.kind == "f":
        return Levels.fixed(dtype, 0, 1)
    raise UsageError(f"an array of {dtype} is no picture", "Give uint8, uint16, or floats in 0..1.")
