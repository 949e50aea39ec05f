from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest.mock import patch

import pytest

from make_artefact import make_gan, make_upscaler
from running import Command
from volute.engine import with_openvino
from volute.errors import VoluteError
from volute.provenance import verify


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_gan(tmp_path / "zoo" / "tiny-gan", channels=3)
    make_upscaler(tmp_path / "up", 1)
    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("volute.speed.limits.SECONDS", 0.0)


def test_figures_are_shown_kept_and_compared(command: Command, tmp_path: Path) -> None:
    options = ("--model", tmp_path / "up", "--json", "a.json", "--plot", "a.svg")
    shown = command("bench", *options)
    assert shown.code == 0, shown.err
    lines = shown.out.splitlines()
    assert "GFLOP/s on" in lines[1]
    assert lines[2].split()[:3] == ["model", "graph", "engine"]
    assert "onnxruntime float32" in lines[3]
    assert lines[-2:] == ["saved    a.json", "saved    a.svg"]
    kept = json.loads(Path("a.json").read_text())
    assert kept["rows"][0]["macs"] > 0
    again = command("bench", "--model", tmp_path / "up", "--against", "a.json", "--json", "a.json")
    assert again.out.splitlines()[2].split()[-1] == "times"
    assert again.out.endswith("saved    a-2.json\n")


def test_what_cannot_be_is_said_before_anything_is_measured(command: Command) -> None:
    with patch("volute.cli.bench._measured", side_effect=AssertionError):
        assert command("bench", "--plot", "a.pdf").code == 2
        assert command("bench", "--against", "none.json").code == 2
    assert "Did you mean tiny-gan?" in command("bench", "--model", "tiny-gam").err


def test_the_engine_is_chosen_and_told(command: Command) -> None:
    pytest.importorskip("openvino")
    command("sample", "tiny-gan", "-n", 1, "--engine", "openvino", "-o", "a.png")
    command("sample", "tiny-gan", "-n", 1, "--engine", "onnxruntime", "-o", "b.png")
    told = [verify(name).manifest.history.generation["engine"] for name in ("a.png", "b.png")]
    assert told == ["openvino float32", "onnxruntime float32"]
    wrong = command("sample", "tiny-gan", "--engine", "openvinu")
    assert (wrong.code, "Did you mean openvino?" in wrong.err) == (2, True)
    tested = command("sample", "tiny-gan", "-n", 1, "--engine", "auto", "-o", "c.png")
    assert tested.code == 0
    assert tested.err.startswith("engine   generator on ")


def test_without_the_extra(command: Command) -> None:
    with_openvino._core.cache_clear()
    with patch.dict(sys.modules, {"openvino": None}):
        asked = command("sample", "tiny-gan", "--engine", "openvino", "-o", "a.png")
        assert (asked.code, asked.out) == (3, "")
        assert 'pip install "volute[openvino]"' in asked.err
        made = command("sample", "tiny-gan", "-n", 1, "--engine", "auto", "-o", "a.png")
        assert made.code == 0
        assert "engine   onnxruntime float32: " in made.err
    with_openvino._core.cache_clear()


def test_a_damaged_model_is_named(command: Command, tmp_path: Path) -> None:
    (tmp_path / "up" / "upscaler.onnx").write_bytes(b"no graph")
    shown = command("bench", "--model", tmp_path / "up")
    assert shown.code == VoluteError.exit_code
    assert "upscaler.onnx" in shown.err
