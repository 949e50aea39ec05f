"""Data sets, trainings in a process of their own, and what becomes of them."""

from __future__ import annotations

import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from serving import Client, serving
from shapes import TINY, shapes
from volute.studio.doctor import doctor
from volute.studio.trainings import read_log


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
    ],
)
def test_what_cannot_be_trained_is_told(client: Client, changes: Any, status: int) -> None:
    body = {"kind": "gan", "dataset": "data", **changes}
    assert client.post("/api/v1/train", json=body).status_code == status


def test_what_the_training_refuses_is_told_in_its_words(own: Client) -> None:
    job = own.make("train", kind="gan", dataset=filled(own, 3), time="1s", settings={"wdth": 3})
    assert job["state"] == "failed"
    assert "wdth" in job["problem"]["detail"]
    assert "width" in job["problem"]["hint"]


def test_a_training_is_watched_stopped_resumed_and_used(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    with serving(tmp_path / "work") as own:
        settings = {key: value for key, value in TINY["gan"].items() if key != "threads"}
        body = {"kind": "gan", "dataset": filled(own), "time": "10m", "name": "my shapes"}
        job = own.post("/api/v1/train", json=body | {"settings": {**settings, "threads": 1}}).json()
        run = job["request"]["run"]
        until = time.monotonic() + 40
        while time.monotonic() < until and not read_log(tmp_path / "work" / "runs" / run):
            assert own.get(f"/api/v1/jobs/{job['id']}").json()["state"] in ("waiting", "running")
            time.sleep(0.1)
        while not (progress := own.get(f"/api/v1/jobs/{job['id']}").json()["progress"]):
            time.sleep(0.1)
        assert {"d_loss", "g_loss"} <= set(progress["metrics"])
        told = own.get(f"/api/v1/runs/{run}").json()
        assert (told["state"], told["job"], told["kind"]) == ("running", job["id"], "gan")
        assert own.delete(f"/api/v1/runs/{run}").status_code == 409
        own.post(f"/api/v1/runs/{run}/stop")
        assert own.ended(job["id"])["state"] == "cancelled"
        told = own.get(f"/api/v1/runs/{run}").json()
        assert (told["state"], told["resumable"], told["model"]) == ("stopped", True, "")
        assert told["log"]
        assert told["doctor"]["verdict"] in ("OK", "WATCH", "STOP")
        assert own.post(f"/api/v1/runs/{run}/stop").status_code == 409
        made = own.make(f"runs/{run}/export")
        assert made["state"] == "done", made["problem"]
        sampled = own.make("sample", model=run, n=2)
        assert sampled["state"] == "done", sampled["problem"]
        again = own.post(f"/api/v1/runs/{run}/resume", json={"time": "10m"}).json()
        while not (tmp_path / "work" / "runs" / run / "log.jsonl").exists():
            time.sleep(0.1)
        time.sleep(1)
    # the server has ended: the training has saved its state, and can go on
    with serving(tmp_path / "work") as own:
        assert own.get(f"/api/v1/jobs/{again['id']}").json()["state"] == "interrupted"
        told = own.get(f"/api/v1/runs/{run}").json()
        assert (told["state"], told["resumable"], told["model"]) == ("done", True, run)
        assert own.delete(f"/api/v1/runs/{run}").status_code == 204
        assert own.get("/api/v1/runs").json() == []


def line(**values: float) -> dict[str, float]:
    return {"shown": 1.0, "seconds": 1.0, **values}


@pytest.mark.parametrize(
    ("log", "verdict"),
    [
        ([], "OK"),
        ([line(loss=9.0)] * 4, "OK"),
        ([line(loss=1.0)] * 9 + [line(loss=float("nan"))], "STOP"),
        ([line(d_loss=0.69, g_loss=0.7)] * 9, "OK"),
        ([line(d_loss=0.1, g_loss=3.0)] * 9, "WATCH"),
        ([line(d_loss=0.01, g_loss=9.0)] * 9, "STOP"),
        ([line(loss=2 - n / 50) for n in range(60)], "OK"),
        ([line(loss=1.0)] * 60, "WATCH"),
        ([line(loss=1.0)] * 30 + [line(loss=2.0)] * 30, "WATCH"),
    ],
)
def test_the_doctor(log: list[dict[str, float]], verdict: str) -> None:
    assert doctor(log).verdict == verdict


def test_a_log_that_was_torn_is_read(tmp_path: Path) -> None:
    good = json.dumps({"shown": 1, "loss": 2.0})
    (tmp_path / "log.jsonl").write_bytes(f'{good}\n"no"\n{good[:9]}\xff\n{good}'.encode("latin-1"))
    assert read_log(tmp_path) == [{"shown": 1, "loss": 2.0}] * 2
    assert np.array_equal(len(read_log(tmp_path / "nothing")), 0)
