"""`--cluster ray`: the same files, ledger and lines as without, whatever dies.

Most tests have a crew in this process in place of Ray; those with Ray start one for all of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dividing import made, upscale
from make_artefact import make_classifier, make_gan, make_upscaler
from make_stylizer import shared_stylizer
from running import Command
from sharding import serving, tar
from volute import zoo
from volute.cluster import with_ray
from volute.events import silent

PICTURES, MORE = 9, 80
SLOW = Path(zoo.__file__).parent / "photo-x2"


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLUTE_THREADS", "2")
    monkeypatch.setenv("VIPS_CONCURRENCY", "2")
    make_gan(tmp_path / "gan", channels=3)
    make_upscaler(tmp_path / "up", 1)
    make_classifier(tmp_path / "classes")
    rng = np.random.default_rng(0)
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for index in range(PICTURES):
        pixels = rng.integers(0, 256, (12, 10, 3), np.uint8)
        folder = tmp_path / "in" / ("deep" if index % 2 else "")
        Image.fromarray(pixels).save(folder / f"{index}.png")


@pytest.fixture(scope="module")
def ray() -> Iterator[Any]:
    """Give a Ray: the one of `RAY_ADDRESS`, else one that is started as for a batch."""
    if find_spec("ray") is None:
        pytest.skip("the extra cluster is not installed")
    with with_ray.joined(silent) as ray:
        yield ray


def ledger(folder: str) -> list[dict[str, Any]]:
    lines = (Path(folder) / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def settled(folder: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the last word on each source, without its folder; there must be one of a kind."""
    last = [entry for entry in ledger(folder) if entry["status"] != "begun"]
    named = {(Path(e["source"]).name, e["status"]): {**e, "out": Path(e["out"]).name} for e in last}
    assert len(named) == len(last)
    return named


def same_as_without(
    command: Command, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Hold all verbs to what they do without a cluster."""
    (tmp_path / "in/broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    here, there = (upscale(command, tmp_path, out, *c) for out, *c in (["a"], ["b", *RAY]))
    assert (here.code, there.code) == (1, 1)
    assert made("a") == made("b")
    assert len(made("a")) == PICTURES
    assert settled("a") == settled("b")
    told = [sorted(line for line in r.err.splitlines() if "fail" in line) for r in (here, there)]
    assert told[0] == told[1]
    again = upscale(command, tmp_path, "b", "--json", *RAY)
    found = Counter(json.loads(line)["status"] for line in again.out.splitlines())
    assert found == {"skipped": PICTURES, "failed": 1}
    for verb in (["classify", tmp_path / "classes"], ["verify"]):
        shown = [command(*verb, tmp_path / "in", "--json", *c) for c in ([], RAY)]
        assert shown[0].out == shown[1].out
        assert shown[0].out.count("\n") >= PICTURES
        assert shown[0].code == shown[1].code
    base = tmp_path_factory.getbasetemp()
    for out, *more in (["e"], ["f", *RAY]):
        painted = command(
            *("stylize", tmp_path / "in", "--style", "wave", "--model", shared_stylizer(base)),
            *("-o", out, "--unmarked", *more),
        )
        assert painted.code == 1, painted
    assert made("e") == made("f")
    assert len(made("e")) == PICTURES
    assert settled("e") == settled("f")
    for out, *more in (["c"], ["d", *RAY]):
        drawn = command("sample", tmp_path / "gan", "-n", 20, "-o", out, "--unmarked", *more)
        assert drawn.code == 0, drawn
    assert made("c") == made("d")
    assert len(made("c")) == 20


RAY = ("--cluster", "ray")


def test_the_same_as_without(
    command: Command, tmp_path: Path, dying: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    same_as_without(command, tmp_path, tmp_path_factory)


def test_the_same_as_without_on_ray(
    command: Command, tmp_path: Path, ray: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    same_as_without(command, tmp_path, tmp_path_factory)


def test_workers_bring_what_lies_elsewhere_on_ray(
    command: Command, tmp_path: Path, ray: Any
) -> None:
    files = {file.name: file.read_bytes() for file in sorted((tmp_path / "in").rglob("*.png"))}
    upscale(command, tmp_path, "here")
    with serving([tar([*files.items(), ("0.cls", b"3")])]) as server:
        server.files |= {f"/in/{name}": content for name, content in files.items()}
        for out, url in (("url", f"{server.url}/in/"), ("tar", f"{server.url}/s-000.tar")):
            how = ("--model", tmp_path / "up", "-o", out, "--unmarked", "--json", *RAY)
            first = command("upscale", url, *how)
            assert first.code == 0, first
            assert {Path(name).name: c for name, c in made(out).items()} == {
                Path(name).name: c for name, c in made("here").items()
            }
            again = [
                json.loads(x)["status"] for x in command("upscale", url, *how).out.splitlines()
            ]
            assert again == ["skipped"] * PICTURES


def test_whatever_dies_each_is_done_once(
    command: Command, tmp_path: Path, dying: list[int]
) -> None:
    dying[0] = 10
    part = Path("out/.0.png.abc_1234.png")
    part.parent.mkdir()
    part.write_bytes(b"half")
    first = upscale(command, tmp_path, "out", "--json", *RAY)
    statuses = Counter(json.loads(line)["status"] for line in first.out.splitlines())
    assert statuses.total() == PICTURES
    assert statuses["ok"] >= PICTURES - 3, "ten deaths cannot lose four"
    for line in first.out.splitlines():
        entry = json.loads(line)
        assert entry["status"] == "ok" or "3 workers died while they did it" in entry["reason"]
    dying[0] = 0
    upscale(command, tmp_path, "out", *RAY)
    done = Counter(e["source"] for e in ledger("out") if e["status"] == "ok")
    assert sorted(done.values()) == [1] * PICTURES
    upscale(command, tmp_path, "whole")
    assert made("out") == made("whole") | ({part.name: b"half"} if part.exists() else {})


def test_an_item_that_kills_is_named_and_leaves_nothing(
    command: Command, tmp_path: Path, dying: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for file in (tmp_path / "in").rglob("[1-9].png"):
        file.unlink()
    monkeypatch.setattr(random.Random, "random", lambda self: 0.0)
    dying[0] = 3
    part = Path("out/.0.png.abc_1234.png")
    part.parent.mkdir()
    part.write_bytes(b"half")
    result = upscale(command, tmp_path, "out", *RAY)
    assert result.code == 1
    assert "in/0.png: 3 workers died while they did it: shot" in result.err
    assert [entry["status"] for entry in ledger("out")] == ["begun"] * 3 + ["failed"]
    assert not part.exists()


def test_without_ray_it_is_one_line(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    result = upscale(command, tmp_path, "out", *RAY)
    assert result.code == 3
    assert 'pip install "volute[cluster]"' in result.err
    assert not Path("out").exists()


def test_there_is_no_other_cluster(command: Command, tmp_path: Path) -> None:
    for verb in (["upscale", "in"], ["classify", tmp_path / "classes", "in"], ["verify", "in"]):
        result = command(*verb, *(["--model", tmp_path / "up"] * (verb[0] == "upscale")),
                         "--cluster", "slurm")  # fmt: skip
        assert (result.code, "--cluster slurm is not known" in result.err) == (2, True)
    grid = command("sample", tmp_path / "gan", "--grid", *RAY)
    assert "--cluster has no meaning for one picture" in grid.err


@pytest.mark.long
def test_ten_workers_killed_at_random(command: Command, tmp_path: Path, ray: Any) -> None:
    rng = np.random.default_rng(0)
    for index in range(MORE):
        pixels = rng.integers(0, 256, (200, 200, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"more{index}.png")
    killed: list[int] = []
    over = threading.Event()
    killer = threading.Thread(target=kill, args=(killed, over))
    killer.start()
    result = command("upscale", tmp_path / "in", "--model", SLOW, "-o", "out", "--json", *RAY)
    over.set()
    killer.join()
    assert len(killed) == 10, f"the batch was too short: {result}"
    entries = [json.loads(line) for line in result.out.splitlines()]
    assert len(entries) == PICTURES + MORE
    done = Counter(e["source"] for e in ledger("out") if e["status"] == "ok")
    lost = [e for e in ledger("out") if e["status"] == "failed"]
    assert set(done.values()) == {1}
    assert len(done) + len(lost) == PICTURES + MORE
    assert all("3 workers died" in e["reason"] for e in lost)
    assert len(made("out")) == len(done), "no half files"
    command("upscale", tmp_path / "in", "--model", SLOW, "-o", "out", *RAY)
    done = Counter(e["source"] for e in ledger("out") if e["status"] == "ok")
    assert sorted(done.values()) == [1] * (PICTURES + MORE)


def goes_on(out: Path) -> bool:
    """Tell whether a first file is done."""
    kept = out / "ledger.jsonl"
    return kept.exists() and '"ok"' in kept.read_text()


def kill(killed: list[int], over: threading.Event) -> None:
    """Kill ten workers of this process's job, one after another, once it goes on."""
    from ray import get_runtime_context
    from ray._private.state import state

    while len(killed) < 10 and not over.wait(random.uniform(0.1, 0.5)):
        if not goes_on(Path("out")):
            continue
        job = get_runtime_context().get_job_id()
        actors = [one for one in state.actor_table(None).values() if one["JobID"] == job]
        alive = {one["Pid"] for one in actors if one["State"] == "ALIVE"} - set(killed)
        if alive:
            killed.append(random.choice(sorted(alive)))
            os.kill(killed[-1], signal.SIGKILL)


@pytest.mark.long
def test_an_interrupt_ends_it_and_it_goes_on(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for index in range(MORE):
        pixels = rng.integers(0, 256, (200, 200, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "in" / f"more{index}.png")
    line = [sys.executable, "-m", "volute", "upscale", "in", "-o", "out", *RAY]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "cwd": tmp_path}
    batch = subprocess.Popen(line, **quiet, start_new_session=True)
    while not goes_on(tmp_path / "out"):
        assert batch.poll() is None, batch.communicate()[1]
        time.sleep(0.1)
    batch.send_signal(signal.SIGTERM)
    assert batch.wait(60) in (1, 130)
    ended = [e["status"] for e in ledger(str(tmp_path / "out"))]
    assert 0 < ended.count("ok") < PICTURES + MORE
    assert subprocess.run(line, **quiet, check=False).returncode == 0
    done = Counter(e["source"] for e in ledger(str(tmp_path / "out")) if e["status"] == "ok")
    assert sorted(done.values()) == [1] * (PICTURES + MORE)
