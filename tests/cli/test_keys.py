"""`volute keys`: what is made, shown, imported; the first use of all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from make_artefact import make_gan
from running import Command
from signing import SAMPLED, picture
from volute.provenance import certificates, keys, sign, verify


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VOLUTE_CONFIG", str(tmp_path / "own"))
    return tmp_path / "own"


def test_keys_are_made_on_first_use_and_said_so(
    command: Command, tmp_path: Path, config: Path
) -> None:
    make_gan(tmp_path / "zoo" / "tiny-gan")
    first = command("sample", "tiny-gan", "-n", 2)
    assert first.code == 0
    assert first.err.startswith("keys     made keys to sign with, valid to 20")
    assert len(first.err.splitlines()) == 1
    assert command("sample", "tiny-gan", "-n", 2).err == ""
    assert verify("tiny-gan-seed0/000.png").manifest.state == "trusted"


def test_unmarked_needs_no_keys(command: Command, tmp_path: Path, config: Path) -> None:
    make_gan(tmp_path / "zoo" / "tiny-gan")
    made = command("sample", "tiny-gan", "-n", 2, "--unmarked")
    assert made.err == "unmarked what is written here does not say that a model made it\n"
    assert not config.exists()
    assert verify("tiny-gan-seed0/000.png").manifest.state == "absent"


def test_init_and_show(command: Command, config: Path) -> None:
    assert command("keys", "show").code == 1
    assert command("keys", "show", "--pem").code == 1
    assert command("keys", "init", "--organization", "Our museum").code == 0
    assert command("keys", "init").code == 2
    shown = command("keys", "show")
    assert "signer     Our museum (made here), valid to 20" in shown.out
    assert "trusted    nobody else\ntimestamp  none\n" in shown.out
    assert command("keys", "init", "--timestamp", "https://tsa.example.org").code == 0
    assert command("keys", "init", "--timestamp", "tsa.example.org").code == 2
    told = json.loads(command("keys", "show", "--json").out)
    assert told["timestamp"] == "https://tsa.example.org"
    assert told["organization"] == "Our museum"
    assert command("keys", "init", "--overwrite").code == 0
    assert "trusted    Our museum (" in command("keys", "show").out
    everything = "".join(
        str(command("keys", "show", *how)) for how in [(), ("--json",), ("--pem",)]
    )
    assert "PRIVATE" not in everything


def test_others_can_be_trusted(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    sign(picture(Path("a.png")), SAMPLED)
    Path("ours.pem").write_text(command("keys", "show", "--pem").out)
    monkeypatch.setenv("VOLUTE_CONFIG", str(tmp_path / "another"))
    assert "manifest    intact: " in command("verify", "a.png").out
    made = command("keys", "import", "--trust", "ours.pem")
    assert (made.code, made.out[:22]) == (0, "trusted  volute user (")
    assert "manifest    trusted: " in command("verify", "a.png").out


def test_a_signer_is_imported_from_two_files(command: Command, config: Path) -> None:
    museum = certificates.new_signer(certificates.new_authority("Museum"))
    Path("chain.pem").write_bytes(museum.chain_pem)
    Path("key.pem").write_bytes(museum.key_pem)
    made = command("keys", "import", "chain.pem", "key.pem")
    assert made.out.startswith("signer   Museum, valid to 20")
    assert "signer     Museum (imported)" in command("keys", "show").out
    assert keys.credentials().chain == museum.chain
    refused = command("keys", "import", "chain.pem")
    assert (refused.code, len(refused.err.splitlines())) == (2, 2)
    assert command("keys", "import", "none.pem").code == 2
