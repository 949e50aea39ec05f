"""Enlarging, writing, verifying, models: each as its verb does it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import volute
from make_artefact import make_gan
from realdata import real_data
from serving import Client, signed
from volute.provenance import watermark


def photo() -> bytes:
    held = io.BytesIO()
    rows, columns = np.mgrid[:40, :60]
    pixels = np.stack([rows * 6, columns * 4, rows + columns], 2).astype(np.uint8)
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


def test_a_photograph_is_enlarged_with_the_map_of_what_was_invented(client: Client) -> None:
    told = client.upload("house.png", photo())
    job = client.make("upscale", file=told["id"], model="photo-x2-fast")
    assert job["state"] == "done", job["problem"]
    large, chart = (client.get(f"/api/v1/results/{name}").json() for name in job["results"])
    expected = volute.load("photo-x2-fast").upscale(Image.open(io.BytesIO(photo())))
    made = np.asarray(Image.open(io.BytesIO(client.get(large["file"]).content)))
    assert abs(made.astype(int) - np.asarray(expected, int)).mean() < 2
    marked = watermark.embed(np.asarray(expected), watermark.read(made).ident)
    assert abs(made.astype(int) - marked).max() <= 1
    assert (large["width"], large["height"], large["role"]) == (120, 80, "file")
    assert 0 <= large["about"]["invented"] <= 1
    assert chart["role"] == "map"
    assert signed(client.studio.space.root / "results" / large["name"]) == "trusted"


@pytest.mark.parametrize(
    ("name", "ending"),
    [("medical/pydicom", ".dcm"), ("medical/nibabel", ".nii"), ("satellite", ".tif")],
)
def test_other_formats_stay_what_they_are(client: Client, name: str, ending: str) -> None:
    files = sorted(real_data(name).rglob(f"*{ending}"), key=lambda file: file.stat().st_size)
    for file in files:
        told = client.upload(file.name, file.read_bytes())
        job = client.make("upscale", file=told["id"], model="photo-x2-fast")
        if job["state"] == "done":
            break
        assert job["problem"]["status"] in (422, 400), job["problem"]
    result = client.get(f"/api/v1/results/{job['results'][0]}").json()
    assert result["name"].endswith(ending)
    shown = client.get(result["preview"], params={"side": 64})
    assert shown.headers["content-type"] == "image/png"
    again = client.upload("again" + ending, client.get(result["file"]).content)
    assert again["kind"] == told["kind"]


def test_a_text_comes_piece_by_piece_with_its_surprise(client: Client) -> None:
    body = {"model": "bard", "prompt": "ROMEO:", "tokens": 80, "seed": 1, "temperature": 0.7}
    job = client.make("write", **body)
    expected = volute.write("bard", "ROMEO:", tokens=80, seed=1, temperature=0.7)
    assert job["answer"] == {"text": "ROMEO:" + expected, "marked": False}
    stream = client.get(f"/api/v1/jobs/{job['id']}/events").text.splitlines()
    told = [json.loads(line[6:]) for line in stream if line.startswith('data: {"type":"text"')]
    pieces = [piece for one in told for piece in one["data"]["pieces"]]
    assert "".join(piece["text"] for piece in pieces) == expected
    bits = sum(piece["bits"] for piece in pieces)
    read = volute.load("bard").score("ROMEO:" + expected)
    assert bits == pytest.approx(read.nats[6:].sum() / np.log(2), rel=0.02)
    result = client.get(f"/api/v1/results/{job['results'][0]}").json()
    assert client.get(result["file"]).text == "ROMEO:" + expected + "\n"
    assert client.get(f"/api/v1/results/{result['id']}/manifest").status_code == 200
    assert signed(client.studio.space.root / "results" / result["name"]) == "trusted"


def test_writing_is_cancelled_in_the_middle(client: Client) -> None:
    body = {"model": "bard", "tokens": 20_000}
    job = client.post("/api/v1/write", json=body).json()
    with client.stream("GET", f"/api/v1/jobs/{job['id']}/events") as stream:
        for line in stream.iter_lines():
            if line == "event: text":
                break
    client.post(f"/api/v1/jobs/{job['id']}/cancel")
    told = client.ended(job["id"])
    assert (told["state"], told["results"]) == ("cancelled", [])


def test_the_surprise_of_a_text_is_told(client: Client) -> None:
    body = {"model": "bard", "text": "To be, or n\u00f6t"}
    told = client.post("/api/v1/score", json=body).json()
    assert "".join(piece["text"] for piece in told["pieces"]) == body["text"]
    total = sum(piece["bits"] for piece in told["pieces"])
    assert told["bits_per_byte"] == pytest.approx(total / len(body["text"].encode()), rel=1e-3)


def test_three_findings_and_the_history_of_a_file(client: Client) -> None:
    made = client.make("sample", model="garments-gan", n=1, seed=4)["results"][0]
    painted = client.make("stylize", file=made, styles=[{"name": "wave"}])["results"][0]
    told = client.post("/api/v1/verify", json={"file": painted}).json()
    assert told["manifest"]["state"] == "trusted"
    assert told["history"]["deed"] == "stylize"
    (source,) = told["history"]["inputs"]
    assert (source["deed"], source["generation"]["seed"]) == ("sample", 4)
    assert told["known"]["by"] == "manifest"
    plain = client.upload("plain.png", photo())
    told = client.post("/api/v1/verify", json={"file": plain["id"]}).json()
    assert (told["manifest"]["state"], told["history"]) == ("absent", None)
    assert client.post("/api/v1/again", json={"file": plain["id"]}).status_code == 422
    broken = bytearray(client.get(f"/api/v1/results/{painted}/file").content)
    broken[-40] ^= 255
    file = client.upload("broken.png", bytes(broken))
    assert (
        client.post("/api/v1/verify", json={"file": file["id"]}).json()["manifest"]["state"]
        != "trusted"
    )


def test_models_tell_what_they_are(client: Client) -> None:
    listed = {one["name"]: one for one in client.get("/api/v1/models").json()}
    assert set(volute.models()) <= set(listed)
    assert listed["painter"]["own_styles"] is True
    assert listed["photo-x2-robust"]["strength"] is True
    card = client.get("/api/v1/models/land-gan").json()
    assert card["config"]["descriptor"]["size"] == card["size"] == 64
    assert card["licence"] in card["card"]
    whole = client.get("/api/v1/models/land-gan/samples.png")
    assert whole.headers["content-type"] == "image/png"
    small = client.get("/api/v1/models/land-gan/samples.png?side=320")
    assert small.headers["content-type"] == "image/webp"
    assert max(Image.open(io.BytesIO(small.content)).size) <= 320
    assert len(small.content) < len(whole.content) / 4


def test_a_browser_keeps_what_stays_and_asks_for_what_changes(client: Client) -> None:
    def kept(path: str) -> str:
        answer = client.get(path)
        assert answer.status_code == 200
        return answer.headers["cache-control"]

    file = client.upload("house.png", photo())
    assert "immutable" in kept(f"/api/v1/files/{file['id']}")
    assert "immutable" in kept(f"/api/v1/files/{file['id']}/preview")
    result = client.post("/api/v1/keep", json={"model": "garments-gan"}).json()
    assert "immutable" in kept(result["file"])
    assert "immutable" in kept(result["preview"])
    assert "max-age=3600" in kept("/api/v1/styles/wave/thumbnail")
    assert "max-age=3600" in kept("/api/v1/models/land-gan/samples.png")
    mark = client.get("/app.js").headers["etag"]
    assert kept("/app.js") == kept("/") == "no-cache"
    assert client.get("/app.js", headers={"if-none-match": mark}).status_code == 304


def test_a_model_goes_out_and_comes_in(own: Client) -> None:
    data = own.get("/api/v1/models/garments-gan/export").content
    file = own.upload("my gan.zip", data)
    info = own.post("/api/v1/models", json={"file": file["id"]})
    assert (info.status_code, info.json()["name"]) == (201, "my-gan")
    second = own.post("/api/v1/models", json={"file": file["id"], "name": "garments-gan"})
    assert second.json()["name"] == "garments-gan-2"
    one, other = (
        own.make("sample", model=name, n=1, seed=2)["results"][0]
        for name in ("my-gan", "garments-gan")
    )
    files = [own.get(f"/api/v1/results/{name}/file").content for name in (one, other)]
    shown = [np.asarray(Image.open(io.BytesIO(data))) for data in files]
    assert np.array_equal(*shown)
    assert own.delete("/api/v1/models/my-gan").status_code == 204
    assert own.post("/api/v1/sample", json={"model": "my-gan"}).status_code == 404
    assert own.delete("/api/v1/models/garments-gan").status_code == 409


def hostile(folder: Path) -> dict[str, dict[str, bytes]]:
    path = make_gan(folder / "gan").path
    good = {file.name: file.read_bytes() for file in path.iterdir()}
    config = json.loads(good["config.json"])
    out = {**config, "graphs": {"generator": "../../../evil.onnx"}}
    return {
        "empty": {},
        "no config": {"model.onnx": b""},
        "half": {"config.json": good["config.json"]},
        "no json": {**good, "config.json": b"{"},
        "graph outside": {**good, "config.json": json.dumps(out).encode()},
        "path outside": {f"../../{name}": data for name, data in good.items()},
        "cut weights": {**good, "weights.safetensors": good["weights.safetensors"][:-9]},
    }


def test_hostile_zips_are_refused_and_leave_nothing(own: Client, tmp_path: Path) -> None:
    for name, files in hostile(tmp_path).items():
        held = io.BytesIO()
        with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, data in files.items():
                archive.writestr(each, data)
        file = own.upload(f"{name}.zip", held.getvalue())
        answer = own.post("/api/v1/models", json={"file": file["id"]})
        outside = name == "path outside"  # the names are confined: it is a good model then
        assert answer.status_code == (201 if outside else 422), (name, answer.text)
    kept = [path.name for path in (own.studio.space.root / "models").iterdir()]
    assert kept == ["path-outside"]
    told = own.upload("a.zip", b"no zip")
    assert own.post("/api/v1/models", json={"file": told["id"]}).status_code == 422


def test_a_model_that_goes_while_it_is_used_is_told(own: Client, tmp_path: Path) -> None:
    file = own.upload("gone.zip", own.get("/api/v1/models/land-gan/export").content)
    own.post("/api/v1/models", json={"file": file["id"]})
    job = own.post("/api/v1/sample", json={"model": "gone", "n": 60}).json()
    assert own.delete("/api/v1/models/gone").status_code == 204
    told = own.ended(job["id"])
    assert told["state"] in ("done", "failed")
    assert told["state"] == "done" or "gone" in told["problem"]["detail"]
    for name in told["results"]:
        assert own.get(f"/api/v1/results/{name}/file").status_code == 200
    assert own.post("/api/v1/sample/picture", json={"model": "gone"}).status_code == 404
    assert own.get("/api/v1/health").status_code == 200


def test_metrics_count_what_was_done(own: Client) -> None:
    own.make("sample", model="garments-gan", n=1)
    text = own.get("/metrics").text
    assert 'volute_jobs_total{state="done"} 1' in text
    assert 'volute_requests_total{method="POST",route="/api/v1/sample",status="202"} 1' in text
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(float(line.rpartition(" ")[2]) >= 0 for line in lines)


def test_the_server_says_what_it_is(client: Client) -> None:
    assert client.get("/api/v1/health").json() == {"status": "ok", "version": volute.__version__}
    assert client.get("/api/v1/ready").json()["ready"] is True
    assert client.get("/api/v1/about").json()["folder"] == "work"
    assert b"<html" in client.get("/").content
    answer: Any = client.get("/api/v1/nothing")
    assert (answer.status_code, answer.json()["title"]) == (404, "Not found")
    assert client.post("/api/v1/health").status_code == 405
