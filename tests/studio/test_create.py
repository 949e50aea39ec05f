"""Samples, sliders, walks."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from websockets.sync.client import connect

import volute
from make_artefact import make_gan
from serving import Client, signed
from volute.handles import Generator, load_sampler
from volute.handles.directions import measured


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


def test_samples_are_those_of_the_model_signed_and_kept(client: Client) -> None:
    job = client.make("sample", model="garments-gan", n=5, seed=3, classes=["bag", "coat"])
    assert job["state"] == "done"
    expected = volute.sample("garments-gan", 5, seed=3, classes=["bag", "coat"])
    for index, name in enumerate(job["results"]):
        result = client.get(f"/api/v1/results/{name}").json()
        answer = client.get(result["file"])
        assert answer.headers["content-type"] == "image/png"
        assert np.array_equal(pixels(answer.content), np.asarray(expected[index]))
        assert result["about"] == {"index": index, "class": ["bag", "coat"][index % 2], "of": 5}
        file = client.studio.space.root / "results" / result["name"]
        assert signed(file) == "trusted"
    listed = client.get("/api/v1/results", params={"job": job["id"]}).json()
    assert [one["id"] for one in listed["results"]] == job["results"][::-1]


def test_a_result_is_made_again_from_its_record_and_from_its_manifest(client: Client) -> None:
    job = client.make("sample", model="land-gan", n=3, seed=8)
    name = job["results"][2]
    first = client.get(f"/api/v1/results/{name}/file").content
    dropped = client.upload("found.png", first)
    ways = (
        client.get(f"/api/v1/results/{name}/again").json(),
        client.post("/api/v1/again", json={"file": dropped["id"]}).json(),
    )
    for again in ways:
        answer = client.post(again["route"], json=again["request"])
        assert answer.status_code == 201
        made = client.get(answer.json()["file"]).content
        assert np.array_equal(pixels(made), pixels(first))


def test_a_few_pictures_come_at_once_and_signed(client: Client, tmp_path: Path) -> None:
    answer = client.post("/api/v1/sample/picture", json={"model": "garments-gan", "seed": 1})
    file = tmp_path / "one.png"
    file.write_bytes(answer.content)
    assert signed(file) == "trusted"
    assert np.array_equal(
        pixels(answer.content), np.asarray(volute.sample("garments-gan", seed=1)[0])
    )
    several = client.post("/api/v1/sample/picture", json={"model": "garments-gan", "n": 9})
    assert pixels(several.content).shape == (3 * 142 - 2,) * 2
    assert not list((client.studio.space.root / ".studio").glob("*.png"))


def test_sliders_move_a_picture_and_share_walks_between_two(client: Client) -> None:
    def drawn(**how: Any) -> np.ndarray:
        answer = client.post("/api/v1/redraw", json={"model": "garments-gan", **how})
        assert answer.status_code == 200, answer.text
        return pixels(answer.content).astype(int)

    told = client.get("/api/v1/models/garments-gan/directions").json()
    assert told["count"] == len(told["shares"]) == 12
    assert list(told["shares"]) == sorted(told["shares"], reverse=True)
    still, point = drawn(point={"seed": 1}), {"seed": 1, "sliders": [2]}
    assert np.array_equal(still, drawn(point={"seed": 1, "sliders": [0, 0]}))
    assert abs(drawn(point=point) - still).mean() > 3
    there = drawn(point={"seed": 5, "label": "Bag"})
    toward = {"point": {"seed": 1}, "toward": {"seed": 5, "label": "Bag"}}
    assert np.array_equal(drawn(**toward, share=0), still)
    assert np.array_equal(drawn(**toward, share=1), there)
    assert abs(drawn(**toward, share=0.5) - there).mean() > 3


def test_a_walk_is_an_animation(client: Client) -> None:
    points = [{"seed": 1}, {"seed": 2, "sliders": [1]}]
    job = client.make("interpolate", model="garments-gan", points=points, steps=3, form="gif")
    result = client.get(f"/api/v1/results/{job['results'][0]}").json()
    film = Image.open(io.BytesIO(client.get(result["file"]).content))
    assert (film.n_frames, result["role"]) == (6, "animation")
    assert signed(client.studio.space.root / "results" / result["name"]) == "trusted"


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"model": "nope"}, 404, "no model nope"),
        ({"model": "../zoo/bard"}, 404, "no model"),
        ({"model": "bard"}, 400, "make pictures"),
        ({"model": "garments-gan", "n": 0}, 422, "n:"),
        ({"model": "garments-gan", "n": 10**9}, 422, "n:"),
        ({"model": "garments-gan", "truncation": 0}, 422, "truncation"),
        ({"model": "garments-gan", "classes": ["hat"]}, 400, "no class hat"),
        ({"model": "land-gan", "seed": -1}, 422, "seed"),
        ({"model": "garments-gan", "wrong": 1}, 422, "wrong"),
        ([], 422, "request"),
    ],
)
def test_what_cannot_be_sampled_is_told(client: Client, body: Any, status: int, words: str) -> None:
    answer = client.post("/api/v1/sample", json=body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert words in answer.json()["detail"]


def test_more_sliders_than_there_are_is_told(client: Client) -> None:
    body = {"model": "garments-gan", "point": {"sliders": [1] * 40}}
    assert client.post("/api/v1/redraw", json=body).status_code == 400


def test_events_tell_of_each_picture_as_it_comes(client: Client) -> None:
    with connect(f"{client.socket}/events") as socket:
        job = client.make("sample", model="garments-gan", n=3)
        seen = []
        while not seen or seen[-1]["data"].get("state") != "done":
            told = json.loads(socket.recv(10))
            seen += [told] if told["job"] == job["id"] else []
    kinds = [one["type"] for one in seen]
    assert kinds == ["job", "job", "result", "result", "result", "job"]
    assert [one["data"]["id"] for one in seen[2:5]] == job["results"]
    stream = client.get(f"/api/v1/jobs/{job['id']}/events").text
    assert stream.count("event: result\n") == 3
    assert stream.endswith("event: end\ndata: {}\n\n")
    later = client.get(f"/api/v1/jobs/{job['id']}/events", headers={"last-event-id": "4"}).text
    assert later.count("event: result\n") == 1


def test_directions_are_orthonormal_and_those_of_most_change(tmp_path: Path) -> None:
    found = measured(Generator(make_gan(tmp_path / "gan", channels=3)))
    assert np.allclose(found.vectors @ found.vectors.T, np.eye(len(found.vectors)), atol=1e-5)
    handle = load_sampler("garments-gan")
    found, z = measured(handle), handle.latents(24, seed=4)
    still = handle.decode(z, classes=["Bag"])

    def change(direction: np.ndarray) -> float:
        moved = handle.decode(z + 2 * direction, classes=["Bag"])
        pairs = zip(still, moved, strict=True)
        return float(
            np.mean([abs(np.asarray(a, int) - np.asarray(b, int)).mean() for a, b in pairs])
        )

    random = np.random.default_rng(0).standard_normal(z.shape[1])
    random /= np.linalg.norm(random)
    assert change(found.vectors[0]) > 1.5 * change(random.astype(np.float32))
