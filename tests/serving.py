"""A studio that really listens, and a client of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import httpx
import uvicorn

from volute.provenance import carriers
from volute.provenance.history import look
from volute.studio.app import create
from volute.studio.context import Studio
from volute.studio.settings import Settings

Result = TypeVar("Result")
ENDED = ("done", "failed", "cancelled", "interrupted")


class Client(httpx.Client):
    """Calls a studio, and waits for its jobs."""

    def __init__(self, base: str, studio: Studio, **how: Any) -> None:
        super().__init__(base_url=base, timeout=30, **how)
        self.studio = studio

    def make(self, route: str, **body: Any) -> dict[str, Any]:
        """Post a request for a job; return the job when it has ended."""
        answer = self.post(f"/api/v1/{route}", json=body)
        assert answer.status_code == 202, answer.text
        return self.ended(answer.json()["id"])

    def ended(self, job: str) -> dict[str, Any]:
        """Wait for a job."""
        until = time.monotonic() + 180
        while time.monotonic() < until:
            told = self.get(f"/api/v1/jobs/{job}").json()
            if told["state"] in ENDED:
                return told
            time.sleep(0.02)
        raise AssertionError(f"the job has not ended: {told}")

    def upload(self, name: str, data: bytes) -> dict[str, Any]:
        """Upload a file."""
        answer = self.post("/api/v1/files", params={"name": name}, content=data)
        assert answer.status_code == 201, answer.text
        return answer.json()

    @property
    def socket(self) -> str:
        """Where WebSockets are."""
        return f"ws{str(self.base_url).removeprefix('http').rstrip('/')}/api/v1"


def signed(file: Path) -> str:
    """Return what the manifest of a file is worth, without looking for marks."""
    return look(file, carriers.mime_of(file)).state


@contextlib.contextmanager
def serving(folder: Path, **changes: Any) -> Iterator[Client]:
    """Serve a workspace at a free port while the block runs."""
    app = create(Settings.make({"folder": folder, **changes}))
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server does not start"
            time.sleep(0.01)
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with Client(base, app.state.studio) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


def apart(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run in a thread of its own: a browser that is open elsewhere leaves a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(work())).result()
