"""Small requests that go through a model together: each gets its own, and only its own trouble."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

import volute
from serving import apart
from volute.errors import UsageError
from volute.studio.batcher import Batcher

COUNTS = (1, 3, 16, 2, 9, 1, 1, 16)


@pytest.fixture(scope="module")
def gan() -> volute.handles.Generator:
    return volute.load("garments-gan", threads=1)


def seen(images: list[Image.Image]) -> bytes:
    return b"".join(image.tobytes() for image in images)


def all_at_once(gan, finish) -> list[bytes | BaseException]:
    """Ask for several numbers of pictures at one time; the seed is the place."""

    async def ask() -> list[bytes | BaseException]:
        batcher = Batcher()
        asked = [
            batcher.made(gan, gan.latents(n, seed=seed), gan.labels(n, seed=seed), finish)
            for seed, n in enumerate(COUNTS)
        ]
        try:
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            batcher.close()

    return apart(ask)


def test_each_gets_its_own(gan) -> None:
    for seed, (made, n) in enumerate(zip(all_at_once(gan, seen), COUNTS, strict=True)):
        assert isinstance(made, bytes)
        expected = np.frombuffer(seen(gan.sample(n, seed=seed)), np.uint8).astype(int)
        assert abs(np.frombuffer(made, np.uint8) - expected).max() <= 1


def test_one_that_fails_takes_no_other_with_it(gan) -> None:
    def finish(images: list[Image.Image]) -> bytes:
        if len(images) == 9:
            raise UsageError("nine are too many")
        return seen(images)

    made = all_at_once(gan, finish)
    assert [n for one, n in zip(made, COUNTS, strict=True) if isinstance(one, UsageError)] == [9]
    assert sum(isinstance(one, bytes) for one in made) == len(COUNTS) - 1


def test_a_model_that_fails_is_told_to_all_and_the_next_are_served(gan, monkeypatch) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(type(gan), "decode", lambda *_, **__: 1 / 0)
        assert all(isinstance(one, ZeroDivisionError) for one in all_at_once(gan, seen))
    assert all(isinstance(one, bytes) for one in all_at_once(gan, seen))


def test_who_has_gone_is_not_worked_for(gan) -> None:
    finished: list[int] = []

    async def ask() -> None:
        batcher = Batcher()
        batcher._pool.shutdown()
        batcher._pool = ThreadPoolExecutor(1)
        latents, labels = gan.latents(1), gan.labels(1)
        asked = [
            asyncio.ensure_future(
                batcher.made(gan, latents, labels, lambda _, n=n: bytes(finished.append(n) or 1))
            )
            for n in range(4)
        ]
        await asyncio.sleep(0)
        asked[2].cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        batcher.close()

    apart(ask)
    assert finished == [0, 1, 3]
