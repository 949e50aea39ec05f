"""Small requests to one model at one time are run through it together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from PIL import Image

from volute.handles.sampling import BATCH, Sampler

T = TypeVar("T")
WORKERS = 2
"""Batches at a time."""


@dataclass(eq=False)
class _Asked:
    """One request: latents [n, latent], labels [n] or None, and who waits for the pictures."""

    latents: np.ndarray
    labels: np.ndarray | None
    answer: asyncio.Future[list[Image.Image]]


@dataclass(eq=False)
class _Line:
    """What waits for one model."""

    waiting: list[_Asked] = field(default_factory=list)
    busy: int = 0


class Batcher:
    """Decodes latents; what arrives while a model is busy goes through it as one batch."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, "studio-batch")
        self._lines: dict[Sampler, _Line] = {}

    async def decode(
        self, handle: Sampler, latents: np.ndarray, labels: np.ndarray | None
    ) -> list[Image.Image]:
        """Return the pictures at latents [n, latent] with labels [n]; n of 1 to 16.

        Raises:
            VoluteError: as the handle does.
        """
        line = self._lines.setdefault(handle, _Line())
        asked = _Asked(latents, labels, asyncio.get_running_loop().create_future())
        line.waiting.append(asked)
        self._start(handle, line)
        return await asked.answer

    async def finish(self, work: Callable[[], T]) -> T:
        """Do what is left to do with pictures, such as signing, on the same few threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Take no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, handle: Sampler, line: _Line) -> None:
        """Hand over what waits, if there is a worker left for this model."""
        while line.waiting and line.busy < WORKERS:
            batch = _taken(line.waiting)
            line.busy += 1
            work = asyncio.get_running_loop().run_in_executor(self._pool, _decoded, handle, batch)
            work.add_done_callback(lambda made, batch=batch: self._done(handle, line, batch, made))
        if not line.waiting and not line.busy:
            self._lines.pop(handle, None)

    def _done(
        self,
        handle: Sampler,
        line: _Line,
        batch: list[_Asked],
        made: asyncio.Future[list[Image.Image]],
    ) -> None:
        line.busy -= 1
        error = None if made.cancelled() else made.exception()
        pictures = [] if made.cancelled() or error else made.result()
        for asked in batch:
            own, pictures = pictures[: len(asked.latents)], pictures[len(asked.latents) :]
            if asked.answer.done():  # whoever asked has gone
                continue
            if error is not None:
                asked.answer.set_exception(error)
            elif made.cancelled():
                asked.answer.cancel()
            else:
                asked.answer.set_result(own)
        self._start(handle, line)


def _taken(waiting: list[_Asked]) -> list[_Asked]:
    """Take the first requests that fit into one batch."""
    batch, count = [waiting.pop(0)], 0
    count = len(batch[0].latents)
    while waiting and count + len(waiting[0].latents) <= BATCH:
        batch.append(waiting.pop(0))
        count += len(batch[-1].latents)
    return batch


def _decoded(handle: Sampler, batch: list[_Asked]) -> list[Image.Image]:
    latents = np.concatenate([asked.latents for asked in batch])
    labels = [asked.labels for asked in batch if asked.labels is not None]
    classes = np.concatenate(labels).tolist() if labels else None
    return handle.decode(latents, classes=classes)
