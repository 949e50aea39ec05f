from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from make_artefact import config, make_gan, make_vae
from volute.engine import artefact as module
from volute.engine.artefact import ArtefactConfig, open_artefact, write_artefact
from volute.errors import UsageError, VoluteError


@pytest.fixture
def gan(tmp_path: Path) -> Path:
    return make_gan(tmp_path / "tiny-gan").path


def change_config(folder: Path, **values: object) -> None:
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def test_what_is_written_is_read_again(gan: Path) -> None:
    opened = open_artefact(gan)
    assert opened.config == config("gan", "tiny-gan")
    assert opened.graph("generator").is_file()
    names = {"LICENSE", "README.md", "config.json", "generator.onnx", "metrics.json"}
    assert {file.name for file in gan.iterdir()} == names | {"weights.safetensors"}
    assert (gan / "LICENSE").read_text() == "CC0-1.0\n"


def test_tensors_are_read_by_name(tmp_path: Path) -> None:
    vae = make_vae(tmp_path / "vae")
    tensors = vae.tensors(["density.weights", "ones"])
    assert tensors["density.weights"].tolist() == [0.25, 0.75]
    assert tensors["ones"].dtype == np.float32
    with pytest.raises(VoluteError, match=r"no tensor density\.nothing"):
        vae.tensors(["density.nothing"])


def test_metrics_are_numbers(tmp_path: Path) -> None:
    about = config("gan")
    metrics = {"frechet": 12.5, "note": "text\x1b[31m"}
    written = write_artefact(tmp_path / "m", about, {"generator": b"x"}, {}, metrics, None, {})
    assert written.metrics() == {"frechet": 12.5}
    (tmp_path / "m" / "metrics.json").unlink()
    assert written.metrics() == {}


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        write_artefact(tmp_path / "m", config("gan"), {"generator": b""}, {}, {"x": {1}}, None, {})
    assert list(tmp_path.iterdir()) == []


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a model: it has no config"):
        open_artefact(tmp_path / "nothing")


def test_newer_format_is_told_before_its_unknown_settings(gan: Path) -> None:
    change_config(gan, format_version=2, holograms=True)
    with pytest.raises(VoluteError, match="made by a newer volute") as caught:
        open_artefact(gan)
    assert caught.value.hint == "Update with: pip install -U volute"


@pytest.mark.parametrize("text", ["", "{", "[1]", '"x"', "\xff", "[" * 100_000, '{"a": NaN}'])
def test_config_that_is_none(gan: Path, text: str) -> None:
    (gan / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(VoluteError, match=r"config\.json"):
        open_artefact(gan)


@pytest.mark.parametrize(
    "name",
    ["../x.onnx", "/etc/x.onnx", "a/b.onnx", "a\\b.onnx", "..", ".onnx", "C:x.onnx", "x.onnx\n"],
)
def test_graphs_are_confined_to_the_folder(gan: Path, name: str) -> None:
    change_config(gan, graphs={"generator": name})
    with pytest.raises(VoluteError, match="plain file name that ends in .onnx"):
        open_artefact(gan)


@pytest.mark.parametrize(
    ("key", "value"),
    [("latent", -1), ("latent", 10**9), ("latent", 0), ("density", 9), ("surprise", 1)],
)
def test_settings_out_of_range(gan: Path, key: str, value: object) -> None:
    change_config(gan, **{key: value})
    with pytest.raises(VoluteError, match=r"config\.json: "):
        open_artefact(gan)


@given(st.text())
def test_names_become_file_names_and_texts_stay_on_one_line(text: str) -> None:
    about = config("gan").model_dump()
    made = ArtefactConfig.make({**about, "name": text, "classes": [text], "preset": text})
    assert not set(made.name) & set('/\\:*?"<>|\0\n')
    assert made.name.strip(" .") == made.name != ""
    assert len(made.preset.splitlines()) <= 1
    assert "\x1b" not in made.classes[0]
    made.model_dump_json().encode()


@pytest.mark.parametrize("name", ["generator.onnx", "weights.safetensors"])
def test_missing_file_is_named(gan: Path, name: str) -> None:
    (gan / name).unlink()
    with pytest.raises(VoluteError, match=f"{name}: the file is missing"):
        open_artefact(gan)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_truncated_weights_are_found_at_every_length(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.getbasetemp() / "truncated"
    if not folder.exists():
        make_gan(folder)
        (folder / "whole").write_bytes((folder / "weights.safetensors").read_bytes())
    whole = (folder / "whole").read_bytes()
    length = data.draw(st.integers(0, len(whole) - 1))
    (folder / "weights.safetensors").write_bytes(whole[:length])
    with pytest.raises(VoluteError, match=r"weights\.safetensors"):
        open_artefact(folder)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"1",
        b'{"a": 1}',
        b'{"a": {"data_offsets": []}}',
        b"\xff",
        b'{"a":{"data_offsets":"xy"}}',
    ],
)
def test_headers_that_are_none(gan: Path, header: bytes) -> None:
    content = len(header).to_bytes(8, "little") + header
    (gan / "weights.safetensors").write_bytes(content)
    with pytest.raises(VoluteError, match=r"header is not safetensors"):
        open_artefact(gan)


def test_longer_weights_are_refused_too(gan: Path) -> None:
    with (gan / "weights.safetensors").open("ab") as stream:
        stream.write(b"more")
    with pytest.raises(VoluteError, match=r"has \d+ of \d+ bytes"):
        open_artefact(gan)


def test_sizes_are_limited(gan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_GRAPH", 100)
    with pytest.raises(VoluteError, match="the limit is 0 MB"):
        open_artefact(gan)


def test_unknown_role(gan: Path) -> None:
    with pytest.raises(VoluteError, match="has no decoder graph"):
        open_artefact(gan).graph("decoder")
