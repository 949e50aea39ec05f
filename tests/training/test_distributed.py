"""Two processes train as one does: gradients, draws, state, stops, errors."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file
from torch import nn

from make_language import TEXT
from shapes import TINY
from teachers import coloured, teachers
from volute.errors import UsageError
from volute.training.distributed import ALONE, Group
from volute.training.draws import Stream, normal, some, uniform
from volute.training.joint import JointBatchNorm
from volute.training.run import Run, read_log

sys.path.insert(0, str(Path(__file__).parent))
from together import Work, do, launch

GAN = {"width": 32, "latent": 16, "batch": 16, "gamma": 1.0}
STEPS: dict[str, tuple[str, Work]] = {
    "penalties": ("gan", {**GAN, "augment": False}),
    "augmented": ("gan", {**GAN, "augment": True, "flip": True}),
    "classic": ("gan", {**GAN, "networks": "classic", "augment": False}),
    "vae": ("vae", {"width": 32, "latent": 8, "batch": 16, "rungs": 1}),
    "classify": ("classify", {"width": 8, "cap": 32, "batch": 16, "turn": True}),
}
RUNS: dict[str, tuple[str, Work]] = {
    "gan": ("gan", {**TINY["gan"], "augment": False}),
    "gan-augmented": ("gan", {**TINY["gan"], "augment": True}),
    "vae": ("vae", TINY["vae"]),
    "classify": ("classify", TINY["classify"]),
}
PLAIN = {"threads": 1, "precision": "float32"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, shapes_npz: Path) -> Path:
    """All that is compared, made by one process (`one-`) and by two (`two-`)."""
    folder = tmp_path_factory.mktemp("together")
    alike = [
        {"do": "gradients", "with": {"kind": kind, "settings": over, "out": f"{name}.grad"}}
        for name, (kind, over) in STEPS.items()
    ]
    alike += [_train(kind, shapes_npz, 0.096, over, name) for name, (kind, over) in RUNS.items()]
    begun = [_train("vae", shapes_npz, 0.032, TINY["vae"], "resumed")]
    rest = [{"do": "resume", "with": {"path": "resumed", "kimg": 0.096}}]
    one, two = _placed(folder, "one", alike + begun), _placed(folder, "two", alike + begun)
    do(one)
    ill = _train("vae", shapes_npz, 0.096, {**TINY["vae"], "lr": 1e9}, "ill")
    two += _placed(folder, "two", [ill])
    launch([*two, *_placed(folder, "one", rest), *_placed(folder, "two", _others(folder))], folder)
    do(_placed(folder, "two", rest))
    return folder


def _train(kind: str, source: object, kimg: float, settings: Work, out: str, **more: Any) -> Work:
    values = {"kind": kind, "source": source, "kimg": kimg, "settings": settings, "out": out}
    return {"do": "train", "with": json.loads(json.dumps({**values, **more}, default=str))}


def _placed(folder: Path, by: str, works: list[Work]) -> list[Work]:
    placed = []
    for work in works:
        values = dict(work["with"])
        for name in ("out", "path"):
            if name in values:
                values[name] = str(folder / f"{by}-{values[name]}")
        placed.append({"do": work["do"], "with": values})
    return placed


def _others(folder: Path) -> list[Work]:
    """Return two steps of each other kind."""
    small, large = folder / "small.npz", folder / "large.npz"
    np.savez(small, x=coloured(24, 96))
    np.savez(large, x=coloured(16, 256))
    text, table = folder / "text.txt", folder / "table.csv"
    text.write_text(TEXT, encoding="utf-8")
    rows = "".join(f"it is {word} {i},{word}\n" for i in range(30) for word in ("dog", "cat"))
    table.write_text(f"text,label\n{rows}", encoding="utf-8")
    upscale = {"width": 8, "blocks": 1, "batch": 8, "patch": 12, "adversarial": 0.01, **PLAIN}
    style = {
        "width": 8,
        "blocks": 1,
        "bank": 2,
        "code": 8,
        "batch": 4,
        "patch": 32,
        "start": "",
        **PLAIN,
    }
    lm = {"width": 16, "filters": [4, 8], "rows": [64, 64, 64, 64], "part": 4, "expert": 0}
    lm |= {"batch": 4, "length": 32, **PLAIN}
    texts = {"length": 64, "members": 1, "width": 8, "stem": 8, "part": 4, "maps": 4, **PLAIN}
    texts |= {"words": 64, "grams": [64, 64, 64, 64], "bag": 64, "batch": 10}
    mark = {"preset": "tiny", "settings": {"batch": 4, "bits": 8, **PLAIN}}
    detector = {"preset": "tiny", "settings": {"batch": 4, **PLAIN}}
    extractor = {**teachers(folder / "teachers"), "batch": 4}
    painting = folder / "painting.png"
    Image.fromarray(coloured(1, 96)[0]).save(painting)
    return [
        _train("upscale", small, 0.016, upscale, "upscale", size=96),
        _train("style", painting, 0.008, {**style, "content": str(small)}, "style", size=64),
        _train("lm", text, 0.256, lm, "lm"),
        _train("classify", table, 0.02, texts, "texts"),
        _train("watermark", large, 0.008, out="watermark", **mark),
        _train("detector", large, 0.008, out="detector", **detector),
        _train("extractor", small, 0.008, extractor, "extractor", size=128),
    ]


@pytest.mark.parametrize("name", STEPS)
def test_gradients_are_those_of_one_process(folder: Path, name: str) -> None:
    one, two = (load_file(folder / f"{by}-{name}.grad") for by in ("one", "two"))
    assert one.keys() == two.keys()
    largest = max(np.abs(value).max() for value in one.values())
    strict = name == "penalties"
    for key, value in one.items():
        # what batch norm makes zero is rounding alone; the generator comes after a step
        limit = 1e-6 if strict and key.startswith("discriminator") else 2e-5
        assert np.abs(value - two[key]).max() <= limit * max(1.0, largest), key


@pytest.mark.parametrize("name", RUNS)
def test_a_run_ends_with_the_weights_of_one_process(folder: Path, name: str) -> None:
    _assert_alike(folder / f"one-{name}", folder / f"two-{name}")


def test_a_run_goes_on_with_another_number_of_processes(folder: Path) -> None:
    _assert_alike(folder / "one-resumed", folder / "two-resumed")  # begun and ended crosswise
    assert Run(folder / "one-resumed").metrics["shown"] == 96


def _assert_alike(first: Path, second: Path) -> None:
    one, two = (load_file(path / "state" / "newest.safetensors") for path in (first, second))
    assert one.keys() == two.keys()
    networks = {".".join(name.split(".")[:2]) for name in one}
    for network in networks:
        names = [name for name in one if name.startswith(f"{network}.")]
        a, b = (np.concatenate([t[n].ravel() for n in names]).astype(float) for t in (one, two))
        assert np.linalg.norm(a - b) <= 1e-5 * np.linalg.norm(a), network
    logs = [read_log(path / "log.jsonl")[-1] for path in (first, second)]
    for key in {"loss", "d_loss", "g_loss", "rmse", "accuracy"} & logs[0].keys():
        assert logs[0][key] == pytest.approx(logs[1][key], rel=1e-3, abs=1e-5)


@pytest.mark.parametrize(
    "name", ["upscale", "style", "lm", "texts", "watermark", "detector", "extractor"]
)
def test_each_kind_learns_in_two_processes(folder: Path, name: str) -> None:
    run = Run(folder / f"two-{name}")
    state = load_file(run.state / "newest.safetensors")
    assert all(np.isfinite(value).all() for value in state.values())
    assert run.metrics["shown"] == run.config.kimg * 1000
    assert run.config.threads == 1


def test_what_streams_remember_is_gathered(folder: Path) -> None:
    state = load_file(folder / "two-lm" / "state" / "newest.safetensors")
    recent = state["module.carried.recent"]
    assert len(recent) == 4
    assert recent.any(axis=1).all()
    text = TEXT.encode()
    assert all(bytes(row.astype(np.uint8)) in text for row in recent)


def test_stop_and_healing_are_those_of_all(folder: Path) -> None:
    run = Run(folder / "two-ill")
    assert run.config.healed.startswith("lr 1000000000.0 -> 0.001")
    assert run.metrics["shown"] == 96


def test_an_error_of_one_ends_all_and_is_told_once(shapes_npz: Path, tmp_path: Path) -> None:
    work = _train("vae", shapes_npz, 1, TINY["vae"], str(tmp_path / "run"))
    first, second = launch([{**work, "do": "unlucky"}], tmp_path, code=1)
    assert second.strip().endswith("VoluteError: out of luck")
    assert first.strip().endswith("PeerError")


def test_processes_draw_what_one_draws() -> None:
    def stream(rank: int, size: int) -> Stream:
        rng = Stream("cpu")
        rng.manual_seed(5)
        rng.group = Group(rank, size)
        return rng

    whole = normal((12, 3), stream(0, 1))
    for rank in range(3):
        assert torch.equal(normal((4, 3), stream(rank, 3)), whole[rank::3])
    rng = stream(0, 1)
    with some(12, 0.5, rng, each=2) as chosen:
        drawn = uniform((2, len(chosen)), rng, 1)
    after = torch.rand(1, generator=rng)
    found = {}
    for rank in range(3):
        rng = stream(rank, 3)
        with some(4, 0.5, rng, each=2) as mine:
            part = uniform((2, len(mine)), rng, 1)
        assert torch.equal(torch.rand(1, generator=rng), after)
        for place, column in zip(mine.tolist(), part.T, strict=True):
            found[2 * (place // 2 * 3 + rank) + place % 2] = column
    assert sorted(found) == chosen.tolist()
    assert torch.equal(torch.stack([found[i] for i in sorted(found)], 1), drawn)


def test_a_batch_that_does_not_divide_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="a batch of 16 does not divide among 3 processes") as said:
        Group(0, 3).divide(16)
    assert "batch=15" in said.value.hint
    ALONE.divide(17)


def _torchrun(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.Popen(
        [*command, "-m", "volute", *map(str, arguments)],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=subprocess.PIPE,
        text=True,
    )


def test_torchrun_trains_and_ctrl_c_saves(shapes_npz: Path, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    settings = [f"-s{key}={value}" for key, value in TINY["vae"].items()]
    child = _torchrun("train", "vae", shapes_npz, "--time", "10m", "-o", run.path, *settings)
    deadline = time.monotonic() + 120
    while not run.metrics:
        assert child.poll() is None, child.stderr.read() if child.stderr else ""
        assert time.monotonic() < deadline
        time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    said = child.communicate(timeout=60)[1]
    assert said.count("Continue: volute resume") == 1, said
    assert said.count("budget") == 1
    assert (run.state / "newest.safetensors").exists()


@pytest.mark.long
def test_an_error_of_all_is_told_once(tmp_path: Path) -> None:
    child = _torchrun("train", "vae", tmp_path / "nothing", "--kimg", "1", "-o", tmp_path / "run")
    said = child.communicate(timeout=120)[1]
    assert child.returncode
    assert said.count("error: ") == 1, said


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_joint_batch_norm_is_batch_norm(kind: torch.dtype) -> None:
    group = Group()
    group.joined = True
    draw = torch.Generator().manual_seed(0)
    plain, shared = nn.BatchNorm2d(5), nn.BatchNorm2d(5)
    shared.__class__, shared.group = JointBatchNorm, group  # type: ignore[assignment]
    start = (3 + 2 * torch.randn(6, 5, 4, 4, generator=draw)).to(kind)
    goal = torch.randn(6, 5, 4, 4, generator=draw)
    found = []
    for layer in (plain, shared):
        with torch.no_grad():
            layer.weight.copy_(torch.linspace(0.5, 2, 5))
        x = start.clone().requires_grad_(True)
        made = layer(x)
        (made.float() * goal).sum().backward()
        assert made.dtype == kind
        found.append([made, x.grad, layer.weight.grad, *layer.buffers()])
    for one, two in zip(*found, strict=True):
        near = 2e-5 if kind == torch.float32 else 3e-2
        torch.testing.assert_close(two.float(), one.float(), rtol=near, atol=near)
