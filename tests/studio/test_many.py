"""Many clients, and every call of the OpenAPI document with whatever fits its shape."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image

import volute
from serving import Client, apart

CLIENTS = 64


def test_64_clients_sample_at_once_and_each_gets_its_own(client: Client) -> None:
    async def all_at_once() -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=CLIENTS)
        async with httpx.AsyncClient(
            base_url=client.base_url, timeout=30, limits=limits
        ) as several:
            asked = [
                several.post("/api/v1/sample/picture", json={"model": "garments-gan", "seed": seed})
                for seed in range(CLIENTS)
            ]
            return await asyncio.gather(*asked)

    answers = apart(all_at_once)
    assert Counter(one.status_code for one in answers) == {200: CLIENTS}
    for seed, answer in enumerate(answers):
        made = np.asarray(Image.open(io.BytesIO(answer.content)), int)
        expected = np.asarray(volute.sample("garments-gan", seed=seed)[0], int)
        assert abs(made - expected).max() <= 1


def test_64_clients_queue_at_once_and_none_is_lost(client: Client) -> None:
    async def all_at_once() -> list[str]:
        async with httpx.AsyncClient(base_url=client.base_url, timeout=30) as several:
            asked = [
                several.post(
                    "/api/v1/sample",
                    json={"model": "garments-gan", "n": 1, "seed": seed},
                    headers={"x-volute-client": str(seed)},
                )
                for seed in range(CLIENTS)
            ]
            return [one.json()["id"] for one in await asyncio.gather(*asked)]

    jobs = [client.ended(name) for name in apart(all_at_once)]
    assert Counter(job["state"] for job in jobs) == {"done": CLIENTS}
    assert len({job["results"][0] for job in jobs}) == CLIENTS


@pytest.mark.parametrize("examples", [5, pytest.param(80, marks=pytest.mark.long)])
def test_whatever_is_asked_the_server_does_not_fail(own: Client, examples: int) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    torch.set_flush_denormal(False)  # a library that other tests load turns it on
    document = own.get("/api/v1/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    base = str(own.base_url).rstrip("/")
    failed: list[str] = []
    limits = settings(
        max_examples=examples,
        phases=[Phase.generate],
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    for found in schema.get_all_operations():
        operation: Any = found.ok()

        def call(case: Any) -> None:
            answer = case.call(base_url=base, timeout=20)
            if answer.status_code >= 500 and answer.status_code not in (501, 503):
                failed.append(f"{case.method} {answer.request.url} {case.body!r}: {answer.text}")

        if operation.path not in ("/api/v1/jobs/{ident}/events",):
            limits(given(case=operation.as_strategy())(call))()
    assert failed == []
