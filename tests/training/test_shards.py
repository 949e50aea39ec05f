"""Training from shards: resumed as uninterrupted, by several processes, from a poor server."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import fsspec
import numpy as np
import pytest
from safetensors.numpy import load_file

from shapes import TINY, shapes
from sharding import png, serving, shards, tar, written
from volute.data import members, windows
from volute.errors import DataError, UsageError
from volute.events import Event, Note, silent
from volute.exports import export_run
from volute.jobs import resume, train
from volute.learned import opened
from volute.training.run import Run, RunConfig
from volute.training.streamed import ShardFeed

sys.path.insert(0, str(Path(__file__).parent))
from together import do, launch


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "WAIT_S", 0.0)
    monkeypatch.setattr(windows, "WINDOW", 64)  # so that a short run goes through several


def state(run: Run) -> dict[str, np.ndarray]:
    return load_file(run.state / "newest.safetensors")


def after(steps: int) -> Callable[[], bool]:
    counted = itertools.count(1)
    return lambda: next(counted) == steps


@pytest.mark.parametrize("kind", ["gan", pytest.param("classify", marks=pytest.mark.long)])
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path: Path, kind: str) -> None:
    source = written(tmp_path / "set", shards(5, 40))
    how = {"kimg": 0.48, "settings": TINY[kind]}
    whole = train(kind, source, out=tmp_path / "whole", **how)
    parted = train(kind, source, out=tmp_path / "parted", stop=after(7), **how)
    assert parted.metrics["shown"] == 7 * 16
    resume(parted.path, stop=after(10))
    resume(parted.path)
    one, other = state(whole), state(parted)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)
    model = "model/weights.safetensors"
    assert (whole.path / model).read_bytes() == (parted.path / model).read_bytes()
    assert whole.config.source == source


def test_two_processes_learn_what_one_does_and_go_on_as_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "WINDOW", 2048)  # as it is in the other processes
    source = written(tmp_path / "set", shards(4, 40))

    def work(by: str, kimg: float) -> dict[str, object]:
        how = {"kind": "vae", "source": source, "kimg": kimg, "settings": TINY["vae"]}
        return {"do": "train", "with": {**how, "out": str(tmp_path / by)}}

    def rest(by: str) -> dict[str, object]:
        return {"do": "resume", "with": {"path": str(tmp_path / by), "kimg": 0.192}}

    do([work("one", 0.096), rest("one")])
    launch([work("two", 0.096), work("crossed", 0.096), rest("two")], tmp_path)
    do([rest("crossed")])
    one = state(Run(tmp_path / "one"))
    for by in ("two", "crossed"):
        other = state(Run(tmp_path / by))
        for name, value in one.items():
            assert np.allclose(value, other[name], rtol=1e-3, atol=1e-5), (by, name)


def test_from_a_server_that_breaks_off_the_same_is_learned(tmp_path: Path) -> None:
    tars = shards(4, 40)
    here = train(
        "vae",
        written(tmp_path / "set", tars),
        kimg=0.16,
        out=tmp_path / "here",
        settings=TINY["vae"],
    )
    events: list[Event] = []
    with serving(tars) as server:
        server.cuts = 2
        run = train(
            "vae",
            f"{server.url}/s-{{000..003}}.tar",
            kimg=0.16,
            out=tmp_path / "there",
            settings=TINY["vae"],
            emit=lambda event: (setattr(server, "cuts", 1), events.append(event))[1],
        )
    one, other = state(here), state(run)
    assert all(np.array_equal(one[name], other[name]) for name in one)
    said = [event.text for event in events if isinstance(event, Note) and event.topic == "data"]
    assert said[0] == f"looking for {server.url}/s-{{000..003}}.tar"
    assert "in memory: 2 x 64 pictures of 4 shards, 0.0 MB" in said
    config = (run.path / "config.toml").read_text(encoding="utf-8")
    assert "s-{000..003}.tar" in config
    assert "160 pictures in 4 shards" in (run.model / "README.md").read_text(encoding="utf-8")


def test_other_shards_are_refused_with_the_difference_or_accepted(tmp_path: Path) -> None:
    system, tars = fsspec.filesystem("memory"), shards(3, 40)
    for number, content in enumerate(tars):
        system.pipe(f"/changing/s-{number:03d}.tar", content)
    source = "memory://changing/s-{000..002}.tar"
    run = train("classify", source, kimg=0.16, out=tmp_path / "run", settings=TINY["classify"])
    assert 0 <= run.metrics["held_out_accuracy"] <= 1
    system.pipe("/changing/s-002.tar", shards(3, 50)[2])
    with pytest.raises(DataError, match=r"1 changed \(s-002.tar\)"):
        resume(run.path, kimg=0.32)
    with pytest.raises(DataError, match=r"1 changed"):
        export_run(run.path, tmp_path / "model")
    resume(run.path, kimg=0.32, accept_data=True)
    assert run.metrics["shown"] == 320


def test_classes_that_the_first_pictures_lack_are_learned_if_they_are_named(tmp_path: Path) -> None:
    pictures, labels = shapes(160)
    order = np.argsort(labels, kind="stable")[::-1]  # a tar of bars, then of both, then of discs
    found = [(f"{i}.png", png(pictures[n]), labels[n]) for i, n in enumerate(order)]
    tars = [
        tar([m for name, c, label in found[k : k + 40] for m in _labelled(name, c, label)])
        for k in range(0, 160, 40)
    ]
    with patch("volute.data.shards.LOOKED", 40):
        how = {"kimg": 0.16, "out": tmp_path / "run"}
        settings = TINY["classify"] | {"data": {"classes": ["disc", "bar"]}}
        source = written(tmp_path / "set", tars)
        with pytest.raises(DataError, match="two classes"):
            train("classify", source, settings=TINY["classify"], **how)
        config = RunConfig.make(
            {"kind": "classify", "source": source, "preset": "tiny", "size": 16}
            | {"data": settings["data"]}
        )
        feed = opened(config, silent)
        assert isinstance(feed, ShardFeed)
        (one, other) = feed.facts.counts
        assert one == other == pytest.approx(80, rel=0.2)  # by size, and tars are padded
        assert set(feed._dataset.labels) == {1}
        run = train("classify", source, settings=settings, **how)
    assert run.metrics["shown"] == 160


def _labelled(name: str, content: bytes, label: int) -> list[tuple[str, bytes]]:
    return [(name, content), (name.replace("png", "cls"), str(label).encode())]


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("style", {"width": 8, "blocks": 1, "patch": 32, "steady": 0, "start": ""}),
        pytest.param("watermark", {"held_out": 0.2}, marks=pytest.mark.long),
        pytest.param("detector", {"held_out": 0.3}, marks=pytest.mark.long),
    ],
)
def test_photographs_go_by_for_other_kinds(
    tmp_path: Path, kind: str, settings: dict[str, object]
) -> None:
    rng = np.random.default_rng(0)
    side = 96 if kind == "style" else 272
    photographs = rng.integers(0, 256, (32, side, side, 3), np.uint8)
    tars = [
        tar([(f"{n}.png", png(photographs[n])) for n in range(k, k + 8)]) for k in range(0, 32, 8)
    ]
    source: object = written(tmp_path / "set", tars)
    how: dict[str, Any] = {
        "kimg": 0.032,
        "settings": {"batch": 4, "threads": 1, "precision": "float32"} | settings,
        "preset": "own" if kind == "style" else "tiny",
    }
    if kind == "style":
        (tmp_path / "painting.png").write_bytes(png(photographs[0]))
        how["settings"] |= {"content": source}
        how["size"], source = 64, tmp_path / "painting.png"
    whole = train(kind, source, out=tmp_path / "whole", **how)
    parted = train(kind, source, out=tmp_path / "parted", stop=after(3), **how)
    resume(parted.path)
    one, other = state(whole), state(parted)
    assert [name for name in one if not np.array_equal(one[name], other[name])] == []
    assert whole.model.exists()


def test_tars_that_are_not_a_pattern_are_refused(tmp_path: Path) -> None:
    written(tmp_path, shards(2, 20))
    tars = sorted(tmp_path.glob("*.tar"))
    with pytest.raises(UsageError, match="not 2") as error:
        train("gan", tars, kimg=0.1, out=tmp_path / "run")
    assert "in quotes" in error.value.hint
    assert not (tmp_path / "run").exists()
