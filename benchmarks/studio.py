"""How fast the studio answers, alone and to 64 at once, and what it takes.

    python benchmarks/studio.py                       # 3 min; the server runs beside, on all cores
    python benchmarks/studio.py --requests 1000       # 1 min

The table that `docs/api.md` quotes. Times are those of a client on the same computer.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import io
import json
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image
from websockets.asyncio.client import connect

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
CLIENTS, SECONDS, CAMERA = 64, 10.0, (480, 360)
Row = tuple[str, str, str]


def started(folder: Path) -> tuple[subprocess.Popen[str], str, float]:
    """Start a studio; return it, its URL, and the seconds until it answered."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "volute", "studio", str(folder), "--port", "0", "--no-browser"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    found = re.search(r"http://\S+", server.stdout.readline())
    assert found, "it did not start"
    return server, found[0], time.perf_counter() - begun


def page(client: httpx.Client, seconds: float) -> Iterator[Row]:
    """Measure what a first visit loads: the page and all that it names, once."""
    begun = time.perf_counter()
    seen, wanted, total = set[str](), ["/"], 0
    while wanted:
        path = wanted.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = client.get(path, headers={"accept-encoding": "gzip"})
        packed = "gzip" in answer.headers.get("content-encoding", "")
        total += len(gzip.compress(answer.content)) if packed else len(answer.content)
        kind = answer.headers.get("content-type", "")
        if "html" in kind or "javascript" in kind or "css" in kind:
            names = re.findall(
                r"""(?:src=|href=|from |import |url\()["']?([^"')\s>]+)""", answer.text
            )
            here = answer.url
            local = [
                here.join(name) for name in names if not name.startswith(("#", "data:", "http"))
            ]
            wanted += [url.path for url in local if not url.path.startswith("/api")]
    spent = time.perf_counter() - begun
    yield "server up", f"{seconds:.2f} s", ""
    yield f"page, {len(seen)} files", f"{spent * 1000:.0f} ms, {total / 1000:.0f} kB", "1 s, 150 kB"


def slider(client: httpx.Client, model: str) -> Iterator[Row]:
    """Measure a moved slider: the picture redrawn."""
    client.get(f"/api/v1/models/{model}/directions", timeout=60)
    times = []
    for step in range(100):
        point = {"seed": 1, "sliders": [step / 50 - 1, 0.5]}
        body = {"model": model, "point": point}
        times.append(timed(lambda body=body: client.post("/api/v1/redraw", json=body)))
    median, high = np.percentile(times[5:], [50, 95])
    yield f"slider, {model}", f"{median:.0f} ms (95%: {high:.0f})", "60 ms"


async def many(base: str, model: str, rounds: int) -> list[Row]:
    """Measure 64 clients that ask for one picture each, beside one that is alone."""
    address = base.removeprefix("http://")
    host, _, port = address.partition(":")
    lines = [await asyncio.open_connection(host, int(port)) for _ in range(CLIENTS)]

    async def one(seed: int) -> float:
        """Ask on a line of its own, by hand: a library's client takes longer than the server."""
        read, write = lines[seed % CLIENTS]
        begun = time.perf_counter()
        body = json.dumps({"model": model, "seed": seed}).encode()
        kind = f"host: {address}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}"
        write.write(f"POST /api/v1/sample/picture HTTP/1.1\r\n{kind}\r\n\r\n".encode() + body)
        head = (await read.readuntil(b"\r\n\r\n")).lower()
        found = re.search(rb"content-length: (\d+)", head)
        assert found, head
        data = await read.readexactly(int(found[1]))
        assert head.startswith(b"http/1.1 200"), data
        assert data.startswith(b"\x89PNG"), data
        return (time.perf_counter() - begun) * 1000

    for seed in range(5):
        await one(seed)
    alone = float(np.median([await one(seed) for seed in range(5 * rounds)]))
    times = [await asyncio.gather(*map(one, range(CLIENTS))) for _ in range(rounds)]
    for _, write in lines:
        write.close()
    high = float(np.median([np.percentile(each, 99) for each in times]))
    told = f"{alone:.1f} ms alone, p99 of {CLIENTS} at once {high:.0f} ms: {high / alone:.1f} times"
    return [(f"sample, {model}", told, "20 times")]


async def camera(base: str, style: str) -> list[Row]:
    """Measure a camera whose frames come 30 times a second."""
    frames = list(_frames())
    sent: dict[int, float] = {}
    waits, painted, told = [], 0, {}
    async with connect(f"ws{base.removeprefix('http')}/api/v1/live", max_size=None) as socket:
        await socket.send(json.dumps({"styles": [{"name": style}], "fps": 30}))
        await socket.recv()

        async def send() -> None:
            begun = time.perf_counter()
            for index in range(100_000):
                sent[index] = time.perf_counter()
                await socket.send(frames[index % len(frames)])
                await asyncio.sleep(max(0, begun + (index + 1) / 30 - time.perf_counter()))

        sending = asyncio.create_task(send())
        begun = time.perf_counter()
        while (now := time.perf_counter()) < begun + SECONDS + 3:
            data = await socket.recv()
            (length,) = struct.unpack("<I", data[:4])
            told = json.loads(data[4 : 4 + length])
            if now > begun + 3:  # the resolution has settled
                painted += 1
                waits.append((time.perf_counter() - sent[told["index"]]) * 1000)
        sending.cancel()
    rate = painted / SECONDS
    median, high = np.percentile(waits, [50, 95])
    size = f"{CAMERA[0]} x {CAMERA[1]}, painted at {told['side']} px"
    rows = [(f"camera, {size}", f"{rate:.1f} frames/s", "20 frames/s")]
    return [*rows, ("from frame to picture", f"{median:.0f} ms (95%: {high:.0f})", "150 ms")]


def memory(client: httpx.Client, pid: int, requests: int) -> Iterator[Row]:
    """Measure the memory of the server over many requests of several kinds."""
    kinds: list[Callable[[int], Any]] = [
        lambda n: client.post(
            "/api/v1/redraw", json={"model": "garments-gan", "point": {"seed": n}}
        ),
        lambda n: client.post("/api/v1/sample/picture", json={"model": "garments-gan", "seed": n}),
        lambda n: client.post("/api/v1/sample", json={"model": "garments-gan", "n": 1, "seed": n}),
        lambda n: client.get("/api/v1/jobs?limit=10"),
        lambda n: client.get("/api/v1/results?limit=10"),
        lambda n: client.get("/api/v1/models/nope"),
    ]
    sizes = []
    for number in range(requests):
        answer = kinds[number % len(kinds)](number)
        assert answer.status_code < 500, answer.text
        if number % (requests // 5) == requests // 5 - 1:
            while client.get("/api/v1/ready").json()["waiting"]:
                time.sleep(0.1)
            sizes.append(_resident(pid))
    told = ", ".join(f"{size:.0f}" for size in sizes)
    yield f"MB after each fifth of {requests:,} requests", told, "flat"


def timed(call: Callable[[], httpx.Response]) -> float:
    """Return the milliseconds of a call that must succeed."""
    begun = time.perf_counter()
    answer = call()
    assert answer.status_code == 200, answer.text
    return (time.perf_counter() - begun) * 1000


def _frames() -> Iterator[bytes]:
    """Yield JPEGs of a photograph that moves a little."""
    photo = next(iter(sorted((DATA / "photos").glob("*.jpg"))), None)
    image = Image.effect_noise(CAMERA, 60) if photo is None else Image.open(photo)
    large = image.convert("RGB").resize((CAMERA[0] + 16, CAMERA[1] + 16))
    for shift in [*range(16), *range(16, 0, -1)]:
        held = io.BytesIO()
        box = (shift, shift, shift + CAMERA[0], shift + CAMERA[1])
        large.crop(box).save(held, "JPEG", quality=80)
        yield held.getvalue()


def _resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--model", default="land-gan")
    requests, model = (values := parser.parse_args()).requests, values.model
    with tempfile.TemporaryDirectory() as folder:
        server, base, seconds = started(Path(folder))
        try:
            with httpx.Client(base_url=base, timeout=60) as client:
                rows = [*page(client, seconds), *slider(client, model)]
                rows += asyncio.run(many(base, "garments-gan", 10))
                rows += asyncio.run(many(base, model, 2))
                rows += asyncio.run(camera(base, "wave"))
                rows += list(memory(client, server.pid, requests))
        finally:
            server.terminate()
            server.wait(30)
    print(f"| {os.cpu_count()} cores | | target |\n|-|-|-|")
    for row in rows:
        print("|", " | ".join(row), "|")


if __name__ == "__main__":
    main()
