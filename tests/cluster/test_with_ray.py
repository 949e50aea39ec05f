"""What is told of Ray, and which one is joined; that it works is in `tests/cli/test_cluster.py`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from volute.cluster import with_ray

KILLED = """The actor died unexpectedly before finishing this task.
\tclass_name: Worker
\tactor_id: 1f
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit \
detail: Worker unexpectedly exits with a connection error code 2. End of file. Some common causes \
include: (1) the process was killed by the OOM killer"""
MISSING = """The actor with name Worker failed to import on the worker.

Traceback (most recent call last):
ModuleNotFoundError: No module named 'volute.cluster'
"""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (KILLED, "Worker unexpectedly exits with a connection error code 2. End of file"),
        (MISSING, "No module named 'volute.cluster'"),
        ("The node is gone.\nMore.", "The node is gone"),
    ],
)
def test_why_a_worker_died_is_one_line(text: str, reason: str) -> None:
    assert with_ray._reason(text) == reason


def test_a_ray_of_this_user_is_joined_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    current = tmp_path / "ray_current_cluster"
    monkeypatch.setattr(with_ray, "CURRENT", current)
    assert with_ray._running() is None
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        current.write_text(f"{address}\n")
        assert with_ray._running() == address
        owner = os.getuid()
        with monkeypatch.context() as other:
            other.setattr(os, "getuid", lambda: owner + 1)
            assert with_ray._running() is None
    assert with_ray._running() is None, "nobody listens there any more"
    current.write_text("nonsense\n")
    assert with_ray._running() is None


def test_a_token_is_for_the_time_of_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    monkeypatch.setattr(with_ray, "_GUARD", {})
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    tokens = []
    for _ in range(2):
        with with_ray._guarded():
            assert os.environ["RAY_AUTH_MODE"] == "token"
            tokens.append(os.environ["RAY_AUTH_TOKEN"])
    assert len(tokens[0]) == 64
    assert tokens[0] == tokens[1]  # Ray has read it, and goes by it as long as this process lives
    assert os.environ["RAY_AUTH_MODE"] == "disabled"
    assert "RAY_AUTH_TOKEN" not in os.environ


def test_a_ray_that_was_imported_before_guards_by_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setattr(with_ray, "_GUARD", {})
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    with with_ray._guarded():
        assert "RAY_AUTH_TOKEN" not in os.environ


TWICE = """
import sys
from volute.cli import main
for out in ("first", "second"):
    sys.argv = "volute upscale in --model photo-x2-fast --cluster ray -o".split() + [out]
    try:
        main()
    except SystemExit as ended:
        assert not ended.code, ended.code
"""


@pytest.mark.long
def test_two_batches_of_one_process_each_have_a_ray(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    (tmp_path / "in").mkdir()
    Image.new("RGB", (16, 12)).save(tmp_path / "in" / "a.png")
    subprocess.run([sys.executable, "-c", TWICE], cwd=tmp_path, check=True, timeout=300)
    assert [(tmp_path / out / "a.png").exists() for out in ("first", "second")] == [True, True]
