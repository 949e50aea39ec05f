"""`volute studio` and `volute serve`, from the outside."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from running import Command
from volute.cli import studio
from volute.errors import MissingExtraError

pytest.importorskip("fastapi")


def test_without_the_extra_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("uvicorn", "volute.studio.server"):
        monkeypatch.setitem(sys.modules, name, None)

    def missing(name: str) -> None:
        raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(MissingExtraError) as error:
        studio._server()
    assert error.value.exit_code == 3
    assert 'pip install "volute[studio]"' in error.value.hint


def test_a_taken_or_bad_place_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    told = command("studio", tmp_path / "file", "--no-browser", "--port", 0)
    assert (told.code, "is not a folder" in told.err) == (2, True)
    told = command("serve", tmp_path / "work", "--host", "203.0.113.1", "--port", 0)
    assert (told.code, "cannot listen" in told.err) == (2, True)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_interrupted(tmp_path: Path, end: signal.Signals) -> None:
    line = [sys.executable, "-m", "volute", "studio", str(tmp_path / "work")]
    line += ["--port", "0", "--no-browser"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, **pipes) as server:
        found = re.search(r"http://127\.0\.0\.1:\d+", server.stdout.readline())
        assert found
        base = found[0]
        with urllib.request.urlopen(f"{base}/api/v1/health") as answer:
            assert json.load(answer)["status"] == "ok"
        body = json.dumps({"model": "land-gan", "n": 1024}).encode()
        how = {"content-type": "application/json"}
        asked = urllib.request.Request(f"{base}/api/v1/sample", body, how)
        with urllib.request.urlopen(asked) as answer:
            job = json.load(answer)["id"]
        time.sleep(0.2)
        server.send_signal(end)
        _, told = server.communicate(timeout=60)
    assert (server.returncode, f"stopped  sample {job}" in told) == (0, True), told


def test_it_ends_without_a_word_while_pages_are_open(tmp_path: Path) -> None:
    from websockets.sync.client import connect

    line = [sys.executable, "-m", "volute", "studio", str(tmp_path / "work")]
    line += ["--port", "0", "--no-browser"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, **pipes) as server:
        found = re.search(r"127\.0\.0\.1:\d+", server.stdout.readline())
        assert found
        at = f"ws://{found[0]}/api/v1"
        with (
            connect(f"{at}/events"),
            connect(f"{at}/events") as gone,
            connect(f"{at}/live") as live,
        ):
            live.send(json.dumps({"styles": [{"name": "wave"}]}))
            assert json.loads(live.recv())["type"] == "ready"
            gone.socket.close()
            server.send_signal(signal.SIGTERM)
            _, told = server.communicate(timeout=60)
    assert told == ""
