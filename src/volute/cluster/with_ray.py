"""Workers as Ray actors. Only here Ray is used.

A Ray that is there is used: the one this process has joined, that of `RAY_ADDRESS`, or one that the
same user started on this computer with `ray start`. Else one is started here for the batch, for
this computer alone: on 127.0.0.1, with a token of its own, without dashboard and usage statistics.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from volute.cluster.task import Died, Said, Task
from volute.cluster.worker import CPUS, Site, Worker
from volute.engine.session import own_cores
from volute.errors import MissingExtraError, VoluteError
from volute.events import Emit, Note

LOOK_S = 5.0
"""Seconds after which it is looked anew at how many machines there are."""
STORE = 100 << 20
"""Bytes of shared memory of a Ray that is started here: files do not go through it."""
CURRENT = Path("/tmp/ray/ray_current_cluster")
"""Where `ray start` writes the address."""
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "^"}
"""No statistics; and what Ray would print on standard output, it leaves out."""
_GUARD: dict[str, str] = {}
"""How Rays that are started here are guarded: Ray reads it once in a process, for all of them."""


@contextlib.contextmanager
def crew(task: Task, site: Site, emit: Emit) -> Iterator[RayCrew]:
    """Give workers for a task, and let them go at the end, however that comes.

    Args:
        task: what they do.
        site: what they share with this process.
        emit: is told which Ray it is.

    Raises:
        MissingExtraError: if Ray is not installed.
        VoluteError: if it cannot be joined or started.
    """
    with joined(emit) as ray:
        workers = RayCrew(ray, task, site)
        try:
            yield workers
        finally:
            workers.close()


class RayCrew:
    """See `pool.Crew`."""

    def __init__(self, ray: Any, task: Task, site: Site) -> None:
        self._ray = ray
        options = {"num_cpus": CPUS, "max_restarts": 0, "max_task_retries": 0}
        self._make = ray.remote(Worker).options(**options)
        self._given = task, site
        self._numbers = itertools.count()
        self._actors: dict[int, Any] = {}
        self._calls: dict[Any, int] = {}
        self._room, self._looked = 0, -LOOK_S

    def room(self) -> int:
        """See `pool.Crew`."""
        if time.monotonic() - self._looked >= LOOK_S:
            self._room = int(self._ray.cluster_resources().get("CPU", 0)) // CPUS
            self._looked = time.monotonic()
        return self._room

    def start(self) -> int:
        """See `pool.Crew`."""
        number = next(self._numbers)
        self._actors[number] = self._make.remote(*self._given)
        self._calls[self._actors[number].ready.remote()] = number
        return number

    def give(self, worker: int, item: Any) -> None:
        """See `pool.Crew`."""
        self._calls[self._actors[worker].do.remote(item)] = worker

    def said(self) -> Sequence[tuple[int, Said]]:
        """See `pool.Crew`."""
        heard, _ = self._ray.wait(list(self._calls), timeout=LOOK_S)
        return [(self._calls.pop(call), self._answer(call)) for call in heard]

    def stop(self, worker: int) -> None:
        """See `pool.Crew`."""
        self._ray.kill(self._actors.pop(worker))
        self._calls = {call: number for call, number in self._calls.items() if number != worker}

    def close(self) -> None:
        """Let all go."""
        for worker in list(self._actors):
            self.stop(worker)

    def _answer(self, call: Any) -> Said:
        errors = self._ray.exceptions
        try:
            return self._ray.get(call)
        except errors.RayTaskError:
            raise  # a defect of ours
        except errors.RayError as error:
            return Died(_reason(str(error)))


def _reason(text: str) -> str:
    """Return the part of what Ray tells of a death that says why, in one line."""
    found = re.search(
        r"(?:exit detail|Error): (.+?)(?:\. There are some|\. Some common|\n|$)", text
    )
    return " ".join((found[1] if found else text.splitlines()[0]).split()).rstrip(".")


@contextlib.contextmanager
def joined(emit: Emit) -> Iterator[Any]:
    """Give Ray, joined or started, and leave it as it was found."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if "ray" in sys.modules and _imported().is_initialized():
        yield _imported()
        return
    address = os.environ.get("RAY_ADDRESS") or _running() or "local"
    with contextlib.ExitStack() as stack:
        how: dict[str, Any] = {"address": address}
        if address == "local":
            stack.enter_context(_guarded())
            how |= {"num_cpus": own_cores(), "include_dashboard": False}
            how |= {"_node_ip_address": "127.0.0.1", "object_store_memory": STORE}
            how |= {"_temp_dir": stack.enter_context(_scratch())}
        ray = _imported()
        said = f"starting one here for {own_cores()} workers" if len(how) > 1 else f"at {address}"
        emit(Note("ray", said))
        stack.callback(ray.shutdown)
        _begin(ray, how)
        yield ray


def _imported() -> Any:
    try:
        import ray
    except ModuleNotFoundError as error:
        if error.name != "ray":
            raise
        raise MissingExtraError("--cluster ray needs ray", "cluster") from error
    return ray


def _begin(ray: Any, how: dict[str, Any]) -> None:
    ended = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**how, log_to_driver=False, logging_level="ERROR")
    except Exception as error:  # Ray raises plain ones too
        told = f"cannot join Ray at {how['address']}"
        what = "cannot start Ray here" if how["address"] == "local" else told
        reason = " ".join(str(error).split())[:300]
        hint = (
            "Check RAY_ADDRESS; `ray stop` clears what a crash left. --shard does it without Ray."
        )
        raise VoluteError(f"{what}: {reason}", hint) from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, ended)  # Ray has set its own


def _running() -> str | None:
    """Return the address of a Ray that this user, no other, has started here and that answers."""
    try:
        if hasattr(os, "getuid") and CURRENT.stat().st_uid != os.getuid():
            return None
        address = CURRENT.read_text().strip()
        host, _, port = address.rpartition(":")
        socket.create_connection((host.strip("[]"), int(port)), timeout=2).close()
    except (OSError, ValueError):  # what a crash left names a port where nothing is
        return None
    return address


def _scratch() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for Ray's logs and sockets, whose names must be short."""
    short = None if sys.platform == "win32" else "/tmp"
    return tempfile.TemporaryDirectory(prefix="volute-", dir=short, ignore_cleanup_errors=True)


@contextlib.contextmanager
def _guarded() -> Iterator[None]:
    """Let a Ray that is started listen to this computer alone, and to who inherits a token."""
    if "ray" in sys.modules and not _GUARD:  # it has read its settings: it guards by its own
        yield
        return
    if not _GUARD:
        _GUARD.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)})
        _GUARD["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"  # else 127.0.0.1 is not taken as such
    before = {name: os.environ.get(name) for name in _GUARD}
    os.environ.update(_GUARD)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
