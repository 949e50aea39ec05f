"""Data sets, trainings in a process of their own, and what becomes of them."""

from __future__ import annotations

import io
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from make_artefact import make_gan
from serving import Client, serving
from shapes import TINY, shapes
from volute.studio import trainings
from volute.studio.trainings import last_verdict, read_log


def filled(client: Client, count: int = 40) -> str:
    """Upload a data set of two classes; return its name."""
    name = client.post("/api/v1/datasets", json={"name": "shapes"}).json()["name"]
    pictures, labels = shapes(count)
    for number, (pixels, label) in enumerate(zip(pictures, labels, strict=True)):
        held = io.BytesIO()
        Image.fromarray(pixels).save(held, "PNG")
        path = f"{'disc' if label == 0 else 'bar'}/{number}.png"
        url = f"/api/v1/{name.replace('data/', 'datasets/')}/files"
        assert client.post(url, params={"path": path}, content=held.getvalue()).status_code == 204
    return name


def test_a_data_set_is_uploaded_checked_and_deleted(own: Client) -> None:
    name = filled(own)
    assert own.post("/api/v1/datasets", json={"name": "shapes"}).json()["name"] == "data/shapes-2"
    broken = {"path": "disc/../../../x/broken.png"}
    own.post("/api/v1/datasets/shapes/files", params=broken, content=b"no picture")
    root = own.studio.space.root
    assert not (root / "x").exists()
    listed = {one["name"]: one for one in own.get("/api/v1/datasets").json()}
    assert listed[name]["files"] == 41
    job = own.make("datasets/check", dataset=name)
    assert job["state"] == "done", job["problem"]
    answer = job["answer"]
    assert answer["report"]["usable"] == 40
    assert set(answer["report"]["classes"]) == {"bar", "disc"}
    assert any("broken.png" in line for line in answer["left_out"])
    sheet = Image.open(io.BytesIO(own.get(answer["sheet"]).content))
    assert sheet.width > 300
    assert own.delete("/api/v1/datasets/shapes").status_code == 204
    assert not (root / name).exists()


@pytest.mark.parametrize("name", ["../..", "/etc", ".studio", "data/../../..", "nothing", "a\0b"])
def test_data_lie_in_the_workspace(client: Client, name: str) -> None:
    for route, more in (("datasets/check", {}), ("train", {"kind": "gan"})):
        answer = client.post(f"/api/v1/{route}", json={"dataset": name, **more})
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"kind": "cat"}, 422),
        ({"time": "forever"}, 422),
        ({"settings": {"content": "/etc"}}, 404),
        ({"settings": {"-o": "/tmp/x"}}, 400),
        ({"settings": {"texts": "../../secret.txt"}}, 404),
        ({"settings": {"start": "/etc"}}, 404),
        ({"settings": {"teacher": "../elsewhere"}}, 404),
        ({"settings": {"tutor": "/etc"}}, 404),
    ],
)
def test_what_cannot_be_trained_is_told(client: Client, changes: Any, status: int) -> None:
    body = {"kind": "gan", "dataset": "data", **changes}
    assert client.post("/api/v1/train", json=body).status_code == status


CHILD = """
import json, os, pathlib, shutil, signal, sys, threading, time
arguments, stop = sys.argv[1:], threading.Event()
signal.signal(signal.SIGINT, lambda *_: stop.set())
threading.Thread(target=lambda: (os.read(0, 1), stop.set()), daemon=True).start()
if arguments[2:] and arguments[2].endswith("bad"):
    sys.exit(print("error: bad is no data set\\n  Give a good one.", file=sys.stderr) or 4)
run = pathlib.Path(arguments[arguments.index("-o") + 1] if "-o" in arguments else arguments[1])
if arguments[0] == "export":
    sys.exit(shutil.copytree(os.environ["TINY_GAN"], run / "model") and 0)
(run / "samples").mkdir(parents=True, exist_ok=True)
(run / "config.toml").write_text('kind = "gan"\\nsource = "/x/y"\\nsize = 16\\ntime_s = 9.0\\n')
print("data     40 images", file=sys.stderr, flush=True)
log = run / "log.jsonl"
shown = len(log.read_text().splitlines()) if log.exists() else 0
while not stop.wait(0.02):
    shown += 1
    line = {"shown": shown, "seconds": shown, "rate": 9, "d_loss": 0.6, "g_loss": 0.8}
    with log.open("a") as stream:
        stream.write(json.dumps(line) + "\\n")
    sample = run / "samples" / f"{shown // 50:09}.png"
    sample.exists() or sample.write_bytes(b"png")
(run / "state").mkdir(exist_ok=True)
(run / "state" / "newest").write_text(str(shown))
sys.exit(130)
"""


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have something quick in place of the child that trains."""
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    monkeypatch.setattr(trainings, "CHILD", (sys.executable, str(script)))
    monkeypatch.setenv("TINY_GAN", str(make_gan(tmp_path / "gan").path))


def begun(client: Client, **settings: Any) -> tuple[dict[str, Any], str]:
    """Start a training, wait for its first numbers; return its job and its run."""
    body = {"kind": "gan", "dataset": "data/shapes", "time": "10m", "name": "my shapes"}
    job = client.post("/api/v1/train", json=body | {"settings": settings}).json()
    while not (told := client.get(f"/api/v1/jobs/{job['id']}").json())["progress"]:
        assert told["state"] in ("waiting", "running"), told["problem"]
        time.sleep(0.05)
    return told, job["request"]["run"]


def watched(client: Client, **settings: Any) -> str:
    """Train, look, stop, export, use, resume; return the job that runs."""
    job, run = begun(client, **settings)
    assert {"d_loss", "g_loss"} <= set(job["progress"]["metrics"])
    told = client.get(f"/api/v1/runs/{run}").json()
    assert (told["state"], told["job"], told["kind"]) == ("running", job["id"], "gan")
    assert client.delete(f"/api/v1/runs/{run}").status_code == 409
    assert client.post(f"/api/v1/runs/{run}/resume", json={}).status_code == 409
    assert client.post(f"/api/v1/runs/{run}/stop").status_code == 200
    assert client.ended(job["id"])["state"] == "cancelled"
    told = client.get(f"/api/v1/runs/{run}").json()
    assert (told["state"], told["resumable"], told["model"]) == ("stopped", True, "")
    assert told["doctor"]["verdict"] in ("OK", "WATCH", "STOP")
    assert len(told["log"]) > 0
    assert client.post(f"/api/v1/runs/{run}/stop").status_code == 409
    made = client.make(f"runs/{run}/export")
    assert made["state"] == "done", made["problem"]
    assert client.make("sample", model=run, n=2)["state"] == "done"
    again = client.post(f"/api/v1/runs/{run}/resume", json={"time": "10m"}).json()
    lines = len(told["log"])
    while len(client.get(f"/api/v1/runs/{run}").json()["log"]) <= lines:
        time.sleep(0.05)
    return again["id"]


def test_a_training_is_watched_stopped_used_and_resumed(tmp_path: Path, quick: None) -> None:
    with serving(tmp_path / "work") as client:
        filled(client, 4)
        last = watched(client)
        events = client.get("/api/v1/runs/my-shapes-1").json()["samples"]
        address, _, of = events[0]["url"].partition("?of=")
        assert address == "/api/v1/runs/my-shapes-1/samples/000000000.png"
        assert int(of) > 0
        assert client.get(events[0]["url"]).content == b"png"
        assert client.get("/api/v1/runs").json()[0]["id"] == "my-shapes-1"
    with serving(tmp_path / "work") as client:  # the server has ended: the state is saved
        assert client.get(f"/api/v1/jobs/{last}").json()["state"] == "interrupted"
        told = client.get("/api/v1/runs/my-shapes-1").json()
        assert (told["state"], told["resumable"]) == ("done", True)
        saved = tmp_path / "work" / "runs" / "my-shapes-1" / "state" / "newest"
        assert int(saved.read_text()) == len(read_log(saved.parents[1]))
        assert client.delete("/api/v1/runs/my-shapes-1").status_code == 204
        assert client.get("/api/v1/runs").json() == []


def test_a_child_ends_when_its_server_is_killed(tmp_path: Path, quick: None) -> None:
    with serving(tmp_path / "work") as client:
        filled(client, 4)
        begun(client)
        state = tmp_path / "work" / "runs" / "my-shapes-1" / "state"
        (child,) = trainings.CHILDREN
        assert child.stdin is not None
        child.stdin.close()  # as when this process is gone
        while not state.exists():
            time.sleep(0.05)


def test_what_the_training_refuses_is_told_in_its_words(own: Client, quick: None) -> None:
    own.post("/api/v1/datasets", json={"name": "bad"})
    job = own.make("train", kind="gan", dataset="data/bad")
    assert job["state"] == "failed"
    assert job["problem"]["detail"] == "bad is no data set"
    assert job["problem"]["hint"] == "Give a good one."


@pytest.mark.long
def test_a_real_training_is_watched_stopped_used_and_resumed(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with serving(tmp_path / "work") as client:
        filled(client)
        last = watched(client, **TINY["gan"])
    with serving(tmp_path / "work") as client:
        assert client.get(f"/api/v1/jobs/{last}").json()["state"] == "interrupted"
        assert client.get("/api/v1/runs/my-shapes-1").json()["resumable"] is True
        job = client.make("train", kind="gan", dataset="data/shapes", settings={"wdth": 3})
        assert "wdth" in job["problem"]["detail"]
        assert "width" in job["problem"]["hint"]


def test_the_doctors_last_word_is_read(tmp_path: Path) -> None:
    assert last_verdict(tmp_path).verdict == "OK"
    said = {"level": "WATCH", "reason": "Odd.", "advice": "Wait.", "cause": "odd", "signs": {}}
    text = json.dumps(said)
    (tmp_path / "doctor.jsonl").write_text(f"{text.replace('WATCH', 'OK')}\n{text}\n{text[:20]}")
    found = last_verdict(tmp_path)
    assert (found.verdict, found.words, found.try_next) == ("WATCH", "Odd.", "Wait.")


def test_a_log_that_was_torn_is_read(tmp_path: Path) -> None:
    good = json.dumps({"shown": 1, "loss": 2.0})
    (tmp_path / "log.jsonl").write_bytes(f'{good}\n"no"\n{good[:9]}\xff\n{good}'.encode("latin-1"))
    assert read_log(tmp_path) == [{"shown": 1, "loss": 2.0}] * 2
    assert np.array_equal(len(read_log(tmp_path / "nothing")), 0)
