"""Small requests to one model at one time are run through it together."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from volute.handles.sampling import BATCH, Sampler

WORKERS = 2
"""Batches at a time."""
Finish = Callable[[list[Image.Image]], bytes]


@dataclass(eq=False)
class _Asked:
    """One request: latents [n, latent], labels [n] or None, what becomes of the pictures, for whom.

    Whoever asked may go: then the answer is cancelled.
    """

    latents: np.ndarray
    labels: np.ndarray | None
    finish: Finish
    answer: asyncio.Future[bytes]

    def settle(self, made: bytes | BaseException) -> None:
        """Answer, on the loop."""
        if self.answer.done():
            return
        if isinstance(made, BaseException):
            self.answer.set_exception(made)
        else:
            self.answer.set_result(made)


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

    async def made(
        self, handle: Sampler, latents: np.ndarray, labels: np.ndarray | None, finish: Finish
    ) -> bytes:
        """Return what `finish` makes of the pictures at latents [n, latent] with labels [n].

        It works on the same few threads, so that no crowd of them signs. n is 1 to 16.

        Raises:
            VoluteError: as the handle and `finish` do.
        """
        line = self._lines.setdefault(handle, _Line())
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        line.waiting.append(_Asked(latents, labels, finish, answer))
        self._start(handle, line)
        return await answer

    def close(self) -> None:
        """Take no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, handle: Sampler, line: _Line) -> None:
        """Hand over what waits, if there is a worker left for this model."""
        loop = asyncio.get_running_loop()
        while line.waiting and line.busy < WORKERS:
            batch = _taken(line.waiting)
            line.busy += 1
            work = loop.run_in_executor(self._pool, _work, handle, batch, loop)
            work.add_done_callback(lambda ended, batch=batch: self._done(handle, line, batch))
        if not line.waiting and not line.busy:
            self._lines.pop(handle, None)

    def _done(self, handle: Sampler, line: _Line, batch: list[_Asked]) -> None:
        line.busy -= 1
        for asked in batch:  # those that the end of the server left
            asked.answer.cancel()
        self._start(handle, line)


def _taken(waiting: list[_Asked]) -> list[_Asked]:
    """Take the first requests that fit into one batch."""
    batch, count = [waiting.pop(0)], 0
    count = len(batch[0].latents)
    while waiting and count + len(waiting[0].latents) <= BATCH:
        batch.append(waiting.pop(0))
        count += len(batch[-1].latents)
    return batch


def _work(handle: Sampler, batch: list[_Asked], loop: asyncio.AbstractEventLoop) -> None:
    """Draw a batch, then finish one request after the other, each answered when it is done."""
    with contextlib.suppress(RuntimeError):  # the server has ended
        try:
            pictures = _decoded(handle, batch)
        except Exception as error:  # it belongs to those who asked, whatever it is
            for asked in batch:
                loop.call_soon_threadsafe(asked.settle, error)
            return
        for asked in batch:
            own, pictures = pictures[: len(asked.latents)], pictures[len(asked.latents) :]
            if not asked.answer.done():  # whoever asked is still there
                loop.call_soon_threadsafe(asked.settle, _finished(asked, own))


def _finished(asked: _Asked, own: list[Image.Image]) -> bytes | Exception:
    try:
        return asked.finish(own)
    except Exception as error:  # as above
        return error


def _decoded(handle: Sampler, batch: list[_Asked]) -> list[Image.Image]:
    latents = np.concatenate([asked.latents for asked in batch])
    labels = [asked.labels for asked in batch if asked.labels is not None]
    classes = np.concatenate(labels).tolist() if labels else None
    return handle.decode(latents, classes=classes)
