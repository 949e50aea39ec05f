"""Uploads: limits, hostile names and contents, previews."""

from __future__ import annotations

import errno
import io
import os
import socket
import time
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
import pytest
from PIL import Image

from realdata import real_data
from serving import Client, serving
from volute.studio import workspace
from volute.studio.workspace import safe_name


def photo(width: int = 40, height: int = 30, form: str = "PNG") -> bytes:
    rng = np.random.default_rng(0)
    held = io.BytesIO()
    Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8)).save(held, form)
    return held.getvalue()


def test_an_upload_comes_back_as_it_was(client: Client) -> None:
    told = client.upload("a photo.png", photo())
    assert (told["kind"], told["name"], told["bytes"]) == ("photo", "a photo.png", len(photo()))
    assert client.get(f"/api/v1/files/{told['id']}").content == photo()
    shown = client.get(told["preview"], params={"side": 16})
    assert Image.open(io.BytesIO(shown.content)).size == (16, 12)
    assert told in client.get("/api/v1/files").json()
    assert client.delete(f"/api/v1/files/{told['id']}").status_code == 204
    assert client.get(f"/api/v1/files/{told['id']}").status_code == 404


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/etc/passwd", "passwd"),
        ("..", "file"),
        ("a\0b\n.png", "a-b-.png"),
        (".ssh", "ssh"),
        ("x" * 500 + ".png", "x" * 120 + ".png"),
        ("\u1e70" * 500 + ".png", "\u1e70" * 40 + ".png"),
        ("<script>.svg", "script-.svg"),
        ("\u2028\ud800", "file"),
    ],
)
def test_names_stay_in_their_folder(given: str, safe: str) -> None:
    assert safe_name(given) == safe


def test_what_is_sent_is_never_a_page(client: Client) -> None:
    for name in ("page.html", "picture.svg", "code.js"):
        told = client.upload(name, b"<html><script>alert(1)</script></html>")
        answer = client.get(f"/api/v1/files/{told['id']}")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["content-disposition"].startswith("attachment")


def test_a_file_or_all_files_together_have_a_limit(tmp_path: Path) -> None:
    limits = {"upload": 10_000, "space": 25_000}
    with serving(tmp_path / "work", limits=limits) as client:
        answer = client.post("/api/v1/files", params={"name": "a"}, content=b"x" * 10_001)
        assert answer.status_code == 413
        for _ in range(2):
            last = client.upload("a", b"x" * 10_000)
        answer = client.post("/api/v1/files", params={"name": "a"}, content=b"x" * 9_000)
        assert answer.status_code == 413
        assert "folder uploads" in answer.json()["hint"]
        client.delete(f"/api/v1/files/{last['id']}")
        last = client.upload("a", b"x" * 9_000)
        rmtree(tmp_path / "work" / "uploads" / last["id"])  # by hand
        client.upload("a", b"x" * 9_500)
        left = sorted(file.name for file in (tmp_path / "work" / "uploads").rglob("*.part"))
        assert left == []


def test_an_upload_that_breaks_off_leaves_nothing(own: Client) -> None:
    place = own.base_url.host, own.base_url.port
    with socket.create_connection(place) as raw:
        head = f"POST /api/v1/files?name=a HTTP/1.1\r\nHost: 127.0.0.1:{place[1]}\r\n"
        raw.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode() + b"x" * 5000)
        time.sleep(0.2)
    time.sleep(0.3)
    assert list((own.studio.space.root / "uploads").iterdir()) == []


def test_an_upload_that_stands_still_is_ended(own: Client, monkeypatch: Any) -> None:
    monkeypatch.setattr(workspace, "IDLE_S", 0.1)
    place = own.base_url.host, own.base_url.port
    with socket.create_connection(place) as raw:
        head = f"POST /api/v1/files?name=a HTTP/1.1\r\nHost: 127.0.0.1:{place[1]}\r\n"
        raw.sendall(f"{head}Content-Length: 100000\r\n\r\n".encode() + b"x" * 5000)
        assert raw.recv(100).startswith(b"HTTP/1.1 422")
    assert list((own.studio.space.root / "uploads").iterdir()) == []


def test_a_full_disk_is_told_and_leaves_nothing(own: Client, monkeypatch: Any) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(workspace.Path, "replace", full)
        answer = own.post("/api/v1/files", params={"name": "a"}, content=b"x")
    assert answer.status_code == 507
    assert "No space left" in answer.json()["detail"]
    assert str(own.studio.space.root) not in answer.text
    assert [f for f in (own.studio.space.root / "uploads").rglob("*") if f.is_file()] == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("medical/imageio_dicom/dicom_file01.dcm", "dicom"),
        ("medical/nilearn/mni152_t1.nii.gz", "nifti"),
        ("satellite/RGB.byte.tif", "geotiff"),
        ("satellite/all-nodata.tif", "geotiff"),
    ],
)
def test_what_no_browser_shows_has_a_preview(client: Client, name: str, kind: str) -> None:
    path = real_data(name)
    told = client.upload(path.name, path.read_bytes())
    assert told["kind"] == kind
    answer = client.get(told["preview"], params={"side": 128})
    assert answer.status_code == 200, answer.text
    image = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert max(image.shape[:2]) <= 128
    assert "nodata" in name or image.std() > 10


def test_hostile_pictures_are_refused_in_words(client: Client) -> None:
    files = sorted(real_data("hostile/go_fuzz").rglob("corpus/*"))[::61]
    files += sorted(real_data("hostile/image_png").rglob("*.png"))[::37]
    assert len(files) > 8
    for file in files:
        told = client.upload(file.name, file.read_bytes())
        for answer in (
            client.get(f"/api/v1/files/{told['id']}/preview", params={"side": 64}),
            client.post("/api/v1/styles", params={"name": "x.png"}, content=file.read_bytes()),
        ):
            assert answer.status_code in (200, 201, 400, 413, 422), (file, answer.text)
            assert str(client.studio.space.root) not in answer.text
    for style in client.get("/api/v1/styles").json():
        if style["own"]:
            client.delete(f"/api/v1/styles/{style['name']}")


def test_a_bomb_is_refused(client: Client) -> None:
    held = io.BytesIO()
    Image.new("1", (11_000, 11_000)).save(held, "PNG")
    told = client.upload("bomb.png", held.getvalue())
    assert (told["kind"], told["preview"]) == ("photo", "")
    answer = client.get(f"/api/v1/files/{told['id']}/preview")
    assert answer.status_code == 422
    assert "pixels" in answer.json()["detail"] or "limit" in answer.json()["detail"]


@pytest.mark.parametrize("name", ["..%2f..%2fetc%2fpasswd", "0" * 15, "g" * 16, "0" * 16])
def test_an_id_is_an_id(client: Client, name: str) -> None:
    for path in ("files", "results", "jobs"):
        assert client.get(f"/api/v1/{path}/{name}").status_code in (404, 422)
