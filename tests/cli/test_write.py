"""`volute write` and `volute score`: texts on the screen, as JSON, as a page; what fails."""

from __future__ import annotations

import json
import re
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from make_artefact import make_gan, make_lm
from running import Command

TEXT = "Größe 3, 🐑 & <b>so</b> on.\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_lm(tmp_path / "tiny-lm").path


def test_a_text_stands_behind_its_prompt(command: Command, model: Path) -> None:
    one = command("write", model, "--prompt", "Once", "--tokens", 30, "--seed", 1)
    assert one.code == 0
    assert one.out.startswith("Once")
    assert 10 < len(one.out) <= 4 + 30 + 1
    again = command("write", model, "--prompt", "Once", "--tokens", 30, "--seed", 1)
    assert again.out == one.out


def test_several_prompts_and_json(command: Command, model: Path) -> None:
    common = ("--prompt", "a", "--prompt", "b", "--tokens", 9, "--temperature", 0)
    told = json.loads(command("write", model, *common, "--json").out)
    assert [entry["prompt"] for entry in told] == ["a", "b"]
    plain = command("write", model, *common).out
    assert plain == "".join(f"{entry['prompt']}{entry['text']}\n\n" for entry in told)


def test_a_score_and_its_page(command: Command, model: Path) -> None:
    Path("a.txt").write_text(TEXT * 20, encoding="utf-8")
    made = command("score", model, "a.txt", "--html", "a.html")
    assert made.code == 0
    assert f"bits per byte of {20 * len(TEXT.encode())} bytes" in made.out
    page = Path("a.html").read_text(encoding="utf-8")
    shown = page[page.index("<pre") : page.index("</pre>")]
    assert unescape(re.sub("<[^>]*>", "", shown)) == TEXT * 20
    told = json.loads(command("score", model, "a.txt", "--json").out)
    assert len(told["nats"]) == told["bytes"] == 20 * len(TEXT.encode())
    assert command("score", model, "a.txt", "--html", "a.html").code == 2


def test_a_model_of_byte_pairs(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = np.array([[ord("s"), ord("o")], [ord("o"), ord("n")]], np.int32)
    model = make_lm(tmp_path / "pairs", pairs=pairs).path
    assert "258 tokens" in command("info", model).out
    Path("a.txt").write_text(TEXT, encoding="utf-8")
    pytest.importorskip("tokenizers", reason="needs the extra bpe")
    told = json.loads(command("score", model, "a.txt", "--json").out)
    assert len(told["nats"]) == len(told["ends"]) == told["bytes"] - 2
    assert told["ends"][-1] == told["bytes"] == len(TEXT.encode())
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    made = command("write", model, "--prompt", "so")
    assert made.code == 3
    assert 'pip install "volute[bpe]"' in made.err


@pytest.mark.parametrize("content", [b"", b"x", b"\xff\xfe\x00" * 9])
def test_any_bytes_are_scored(command: Command, model: Path, content: bytes) -> None:
    Path("a.bin").write_bytes(content)
    made = command("score", model, "a.bin", "--html", "a.html")
    assert made.code == 0
    assert f"of {len(content)} bytes" in made.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--temperature", "inf"), "temperature"),
        (("--temperature", "-1"), "temperature"),
        (("--top-p", "0"), "top_p"),
        (("--tokens", "0"), "tokens"),
        (("--seed", "-1"), "seed"),
        (("--class", "cow"), "knows no texts of the class cow"),
    ],
)
def test_what_cannot_be_is_refused(
    command: Command, model: Path, arguments: tuple[str, str], said: str
) -> None:
    made = command("write", model, *arguments)
    assert made.code == 2
    assert said in made.err
    assert made.out == ""


def test_what_is_not_there_or_cannot_write(command: Command, model: Path, tmp_path: Path) -> None:
    assert "there is no text none.txt" in command("score", model, "none.txt").err
    gan = make_gan(tmp_path / "gan").path
    assert "cannot write" in command("write", gan).err
