"""Killed and resumed equals uninterrupted, byte for byte."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shapes import TINY
from volute.jobs import resume, train
from volute.training import loop


def _settings(kind: str) -> list[str]:
    return [f"-s{key}={value}" for key, value in TINY[kind].items()]


def _start(arguments: list[str]) -> subprocess.Popen[bytes]:
    code = "from volute.training import loop; loop.SAVE_S = 0.3;from volute.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def _wait_for_state(run: Path, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while not (run / "state" / "newest.safetensors").exists():
        assert child.poll() is None, child.stderr.read().decode() if child.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("kind", ["gan", pytest.param("vae", marks=pytest.mark.long), "classify"])
def test_killed_at_random_and_resumed_equals_uninterrupted(
    kind: str, shapes_npz: Path, tmp_path: Path
) -> None:
    _kill_and_compare(kind, shapes_npz, tmp_path, kimg=6.4, kills=2)


def _kill_and_compare(kind: str, source: Path, folder: Path, kimg: float, kills: int) -> None:
    whole = train(kind, source, kimg=kimg, out=folder / "whole", settings=TINY[kind])
    run = folder / "killed"
    child = _start(
        ["train", kind, str(source), "--kimg", str(kimg), "-o", str(run), *_settings(kind)]
    )
    rng = random.Random(kind)
    for _ in range(kills):
        _wait_for_state(run, child)
        time.sleep(rng.uniform(0.0, 1.2))
        child.send_signal(signal.SIGKILL)
        child.communicate()
        child = _start(["resume", str(run)])
    _, errors = child.communicate(timeout=300)
    assert child.returncode == 0, errors.decode()
    name = "state/newest.safetensors"
    assert _tensors(whole.path / name) == _tensors(run / name)
    name = "model/weights.safetensors"
    assert (whole.path / name).read_bytes() == (run / name).read_bytes()


def _tensors(path: Path) -> bytes:
    """Return the bytes behind the header, which also holds the seconds spent."""
    data = path.read_bytes()
    return data[8 + int.from_bytes(data[:8], "little") :]


def test_ctrl_c_saves_says_how_to_go_on_and_exits_130(shapes_npz: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ["train", "gan", str(shapes_npz), "--time", "10m", "-o", str(run)]
    child = _start([*arguments, *_settings("gan")])
    _wait_for_state(run, child)
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert f"volute resume {run}" in errors.decode()


def test_a_torn_newest_state_falls_back_to_the_previous(
    shapes_npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_S", 0.2)
    settings = TINY["gan"]
    run = train("gan", shapes_npz, kimg=3.2, out=tmp_path / "run", settings=settings)
    expected = _tensors(run.state / "newest.safetensors")
    newest = run.state / "newest.safetensors"
    newest.write_bytes(newest.read_bytes()[:1000])
    assert (run.state / "previous.safetensors").exists()
    resume(run.path)
    assert _tensors(newest) == expected


def test_a_finished_run_learns_on_with_a_larger_budget(shapes_npz: Path, tmp_path: Path) -> None:
    settings = TINY["vae"]
    run = train("vae", shapes_npz, kimg=0.32, out=tmp_path / "run", settings=settings)
    resume(run.path, kimg=0.64)
    assert run.metrics["shown"] == 640
    assert run.config.kimg == 0.64


@pytest.mark.long
@pytest.mark.parametrize("kind", ["gan", "vae", "classify"])
def test_killed_fifteen_times(kind: str, shapes_npz: Path, tmp_path: Path) -> None:
    _kill_and_compare(kind, shapes_npz, tmp_path, kimg=60.0, kills=15)
