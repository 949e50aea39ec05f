"""Pictures repainted, the gallery, the camera."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from serving import Client, serving, signed

WAVE = {"styles": [{"name": "wave"}]}


def picture(width: int = 64, height: int = 48, form: str = "PNG", shade: int = 0) -> bytes:
    rows, columns = np.mgrid[:height, :width]
    planes = [rows * 255 // height, columns * 255 // width, rows * 0 + shade]
    held = io.BytesIO()
    Image.fromarray(np.stack(planes, 2).astype(np.uint8)).save(held, form, quality=90)
    return held.getvalue()


def test_a_photograph_is_repainted_in_its_own_format(client: Client) -> None:
    told = client.upload("house.jpg", picture(form="JPEG"))
    mix = [{"name": "wave", "weight": 3}, {"name": "monet", "weight": 1}]
    job = client.make("stylize", file=told["id"], styles=mix, strength=0.9)
    assert job["state"] == "done", job["problem"]
    result = client.get(f"/api/v1/results/{job['results'][0]}").json()
    assert result["name"].startswith("house-wave75-monet25")
    assert (result["width"], result["height"], result["media_type"]) == (64, 48, "image/jpeg")
    made = Image.open(io.BytesIO(client.get(result["file"]).content))
    before = Image.open(io.BytesIO(picture(form="JPEG")))
    assert abs(np.asarray(made, int) - np.asarray(before, int)).mean() > 10
    assert signed(client.studio.space.root / "results" / result["name"]) == "trusted"
    again = client.get(f"/api/v1/results/{result['id']}/again").json()
    assert client.post(again["route"], json=again["request"]).status_code == 202


def test_one_may_paint_with_a_picture_of_ones_own(own: Client) -> None:
    added = own.post("/api/v1/styles", params={"name": "my, own.png"}, content=picture(shade=200))
    assert (added.status_code, added.json()["name"]) == (201, "my- own")
    listed = own.get("/api/v1/styles").json()
    assert [one["name"] for one in listed if one["own"]] == ["my- own"]
    for style in (listed[0], listed[-1]):
        shown = own.get(style["thumbnail"]).content
        assert Image.open(io.BytesIO(shown)).size == (128, 128)
    told = own.upload("a.png", picture())
    job = own.make("stylize", file=told["id"], styles=[{"name": "my- own"}])
    assert job["state"] == "done", job["problem"]
    assert own.delete("/api/v1/styles/my- own").status_code == 204
    body = {"file": told["id"], "styles": [{"name": "my- own"}]}
    assert own.post("/api/v1/stylize", json=body).status_code == 404


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"model": "garments-gan"}, 400),
        ({"styles": []}, 422),
        ({"styles": [{"name": "wave", "weight": 0}]}, 422),
        ({"styles": [{"name": "../../etc/passwd"}]}, 404),
        ({"strength": 2}, 422),
        ({"file": "0" * 16}, 404),
    ],
)
def test_what_cannot_be_painted_is_told(client: Client, changes: Any, status: int) -> None:
    told = client.upload("a.png", picture())
    body = {"file": told["id"], **WAVE, **changes}
    assert client.post("/api/v1/stylize", json=body).status_code == status


def test_what_is_no_picture_fails_in_words(client: Client) -> None:
    told = client.upload("a.png", b"this is no picture")
    job = client.make("stylize", file=told["id"], **WAVE)
    assert job["state"] == "failed"
    assert job["problem"]["status"] == 422
    assert job["results"] == []


def frame(socket: ClientConnection) -> tuple[dict[str, Any], Image.Image]:
    data = socket.recv(20)
    assert isinstance(data, bytes), data
    (length,) = struct.unpack("<I", data[:4])
    told = json.loads(data[4 : 4 + length])
    return told, Image.open(io.BytesIO(data[4 + length :]))


def begun(client: Client, **how: Any) -> ClientConnection:
    socket = connect(f"{client.socket}/live", max_size=None)
    socket.send(json.dumps(WAVE | how))
    assert json.loads(socket.recv(20))["type"] == "ready"
    return socket


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "raw"])
def test_a_camera_is_painted_frame_by_frame(client: Client, form: str) -> None:
    data = picture(96, 72, "PNG" if form == "raw" else form)
    if form == "raw":
        rgba = np.asarray(Image.open(io.BytesIO(data)).convert("RGBA"))
        data = b"VRAW" + struct.pack("<HH", 96, 72) + rgba.tobytes()
    with begun(client) as socket:
        for index in range(3):
            socket.send(data)
            told, image = frame(socket)
            assert (told["index"], told["dropped"], image.size) == (index, 0, (96, 72))
    before = np.asarray(Image.open(io.BytesIO(picture(96, 72))), int)
    assert abs(np.asarray(image, int) - before).mean() > 10


def test_only_the_newest_frame_is_painted(client: Client) -> None:
    with begun(client) as socket:
        for shade in range(40):
            socket.send(picture(96, 72, "JPEG", shade))
        told: dict[str, Any] = {"index": -1}
        painted = 0
        while told["index"] < 39:
            told, _ = frame(socket)
            painted += 1
        assert told["dropped"] == 40 - painted
        assert painted < 40


def test_the_style_changes_while_the_camera_runs(client: Client) -> None:
    with begun(client) as socket:
        socket.send(picture(96, 72, "JPEG"))
        _, painted = frame(socket)
        socket.send(json.dumps(WAVE | {"strength": 0.0}))
        while not isinstance(socket.recv(20), str):
            pass
        socket.send(picture(96, 72, "JPEG"))
        _, plain = frame(socket)
    before = np.asarray(Image.open(io.BytesIO(picture(96, 72, "JPEG"))), int)
    assert abs(np.asarray(plain, int) - before).mean() < 3
    assert abs(np.asarray(painted, int) - before).mean() > 10


@pytest.mark.parametrize(
    "message",
    [
        b"no picture",
        b"VRAW\xff\xff\xff\xff",
        picture(96, 72, "PNG"),
        picture(3000, 2000, "JPEG"),
        '{"styles": []}',
        '{"styles": [{"name": "nope"}]}',
        '{"model": "bard", "styles": [{"name": "wave"}]}',
        "[" * 100_000,
        "null",
    ],
    ids=range(9),
)
def test_hostile_messages_end_the_camera_in_words(client: Client, message: str | bytes) -> None:
    with begun(client) as socket:
        socket.send(message)
        told = json.loads(socket.recv(20))
        assert told["type"] == "problem"
        assert 400 <= told["problem"]["status"] < 500
        with pytest.raises(ConnectionClosed):
            socket.recv(20)


def test_cameras_are_bounded_and_let_go(tmp_path: Path) -> None:
    with serving(tmp_path / "other", limits={"live": 1}) as client:
        with begun(client), connect(f"{client.socket}/live") as second:
            assert "too many" in json.loads(second.recv(10))["problem"]["detail"]
        for _ in range(200):
            if not client.studio.cameras:
                break
            client.get("/api/v1/health")
        with begun(client) as socket:
            socket.send(picture(96, 72, "JPEG"))
            frame(socket)
