from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from make_artefact import make_gan, make_upscaler, make_vae
from running import Command


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path) -> None:
    make_gan(tmp_path / "zoo" / "tiny-gan", channels=3, classes=("bag", "[red]coat[/red]"))
    vae = make_vae(tmp_path / "zoo" / "tiny-vae")
    (vae.path / "metrics.json").write_text('{"frechet": 12.3456, "note": "text"}')


def test_the_list_is_recorded(command: Command, snapshot: SnapshotAssertion) -> None:
    assert str(command("models")) == snapshot


def test_the_list_as_json(command: Command) -> None:
    listed = json.loads(command("models", "--json").out)
    assert [model["name"] for model in listed] == ["tiny-gan", "tiny-vae"]
    assert listed[0]["descriptor"]["kind"] == "gan"


def test_info(command: Command, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    result = command("info", "tiny-vae")
    assert str(result).replace(str(tmp_path), "HERE") == snapshot
    told = json.loads(command("info", "tiny-vae", "--json").out)
    assert told["metrics"] == {"frechet": 12.3456}
    assert told["path"] == str(tmp_path / "zoo" / "tiny-vae")


def test_a_terminal_gets_a_table(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert "16 drawings | made for tests" in command("models").out
    assert "bag, [red]coat[/red]" in command("info", "tiny-gan").out


def test_no_such_model(command: Command) -> None:
    result = command("info", "tiny")
    assert result.code == 2
    assert "there is no model tiny" in result.err


def test_a_model_of_any_size_says_so(command: Command, tmp_path: Path) -> None:
    make_upscaler(tmp_path / "zoo" / "tiny-up", 1)
    (line,) = (line for line in command("models").out.splitlines() if "upscale" in line)
    assert "  any  " in line
    assert "0 px" not in line
