from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from make_artefact import external, make_gan
from volute.engine.session import TITLES, Engine, Session, own_cores, physical_cores
from volute.errors import VoluteError

SECRET = np.arange(4, dtype=np.float32)


@pytest.fixture(params=list(TITLES))
def engine(request: pytest.FixtureRequest) -> Engine:
    pytest.importorskip(request.param)
    return Engine(request.param)


def graph_on(location: str) -> bytes:
    """A graph y = x + w whose w lies at `location`."""
    shape = ["n", 4]
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "w"], ["y"])],
        "hostile",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [external("w", [4], location, 0, 16)],
    )
    opsets = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inside, outside = tmp_path / "model", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    SECRET.tofile(inside / "weights.safetensors")
    SECRET.tofile(outside / "secret.bin")
    os.symlink(outside / "secret.bin", inside / "link.bin")
    os.symlink(outside, inside / "linked")
    return inside


def test_external_data_beside_the_graph(folder: Path, engine: Engine) -> None:
    (folder / "g.onnx").write_bytes(graph_on("weights.safetensors"))
    session = Session(folder / "g.onnx", threads=1, engine=engine)
    result = session.run({"x": np.ones((1, 4), np.float32)})
    assert result.tolist() == [[1, 2, 3, 4]]


@pytest.mark.parametrize(
    "location",
    [
        "../elsewhere/secret.bin",
        "{outside}/secret.bin",
        "{inside}/weights.safetensors",
        "/etc/passwd",
        "link.bin",
        "linked/secret.bin",
        "missing.bin",
        "",
        "*/_ORT_MEM_ADDR_/*",
    ],
)
def test_external_data_anywhere_else_is_refused(
    folder: Path, location: str, engine: Engine
) -> None:
    place = location.format(outside=folder.parent / "elsewhere", inside=folder)
    (folder / "g.onnx").write_bytes(graph_on(place))
    session = Session(folder / "g.onnx", threads=1, engine=engine)
    known = f"is not a graph that {TITLES[engine.name]} can load"
    with pytest.raises(VoluteError, match=known) as caught:
        session.run({"x": np.ones((1, 4), np.float32)})
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("content", [b"", b"not a graph", b"\x08\x0a" * 500, b"\x89PNG\r\n\x1a\n"])
def test_a_file_that_is_no_graph(
    tmp_path: Path, content: bytes, engine: Engine, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "g.onnx").write_bytes(content)
    with pytest.raises(VoluteError, match=r"g\.onnx is not a graph"):
        Session(tmp_path / "g.onnx", engine=engine).run({})
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"latent": np.zeros((1, 3), np.float32)},
        {"latent": np.zeros((1, 8), np.float64)},
        {"latent": np.zeros((1, 8), np.float32), "more": np.zeros(1, np.float32)},
    ],
)
def test_inputs_that_do_not_fit(
    tmp_path: Path,
    inputs: dict[str, np.ndarray],
    engine: Engine,
    capfd: pytest.CaptureFixture[str],
) -> None:
    session = Session(make_gan(tmp_path / "gan").graph("generator"), threads=1, engine=engine)
    session.run({"latent": np.zeros((2, 8), np.float32)})  # nothing of it may stay
    with pytest.raises(VoluteError, match=r"generator\.onnx cannot run: ") as caught:
        session.run(inputs)
    assert "\n" not in caught.value.what
    assert capfd.readouterr() == ("", "")


def test_the_session_is_made_on_the_first_run(tmp_path: Path) -> None:
    session = Session(tmp_path / "absent.onnx")
    assert session.threads == physical_cores()
    with pytest.raises(VoluteError):
        session.run({})
    assert 1 <= physical_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize(
    ("text", "cores"), [("1", 1), ("9999", None), ("0", None), ("x", None), ("", None)]
)
def test_cores_can_be_dealt_out(
    text: str, cores: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLUTE_THREADS", text)
    assert own_cores() == (cores or physical_cores())


def graph_of(folder: Path, node: onnx.NodeProto, output: onnx.ValueInfoProto) -> Session:
    """A graph without inputs."""
    opsets = [helper.make_opsetid("", 20)]
    model = helper.make_model(
        helper.make_graph([node], "odd", [], [output]), opset_imports=opsets, ir_version=10
    )
    (folder / "odd.onnx").write_bytes(model.SerializeToString())
    return Session(folder / "odd.onnx", threads=1)


def test_what_is_no_array_of_numbers_is_refused(tmp_path: Path) -> None:
    sequence = graph_of(
        tmp_path,
        helper.make_node("SequenceEmpty", [], ["y"], dtype=TensorProto.FLOAT),
        helper.make_tensor_sequence_value_info("y", TensorProto.FLOAT, None),
    )
    with pytest.raises(VoluteError, match="gave a list, not an array of numbers"):
        sequence.run({})
    texts = graph_of(
        tmp_path,
        helper.make_node("Constant", [], ["y"], value_strings=["a", "b"]),
        helper.make_tensor_value_info("y", TensorProto.STRING, [2]),
    )
    with pytest.raises(VoluteError, match="gave texts, not an array of numbers"):
        texts.run({})


def test_many_threads_load_a_graph_once(tmp_path: Path) -> None:
    session = Session(make_gan(tmp_path / "gan").graph("generator"), threads=1)
    load, loaded, both = session._load, [], threading.Barrier(2)

    def slow() -> Any:
        loaded.append(1)
        time.sleep(0.05)
        return load()

    def ask(number: int) -> Any:
        both.wait(20)
        return session.shape("latent")

    with patch.object(session, "_load", slow), ThreadPoolExecutor(2) as pool:
        shapes = list(pool.map(ask, range(2)))
    assert shapes[0] == shapes[1] != []
    assert len(loaded) == 1
