"""`volute verify`: what is found in texts, pictures and folders; reports, exit codes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import volute
from make_artefact import make_gan, make_lm, make_upscaler
from running import Command
from signing import SAMPLED, picture
from volute import zoo
from volute.provenance import detector, keys, sign

SHIPPED = zoo.HERE
MARKED = "marked   volute verify finds it (--unmarked leaves it out)\n"
UNMARKED = "unmarked what is written here does not say that a model made it\n"


@pytest.fixture
def marked(command: Command, tmp_path: Path) -> Path:
    model = make_lm(tmp_path / "tiny-lm").path
    made = command("write", model, "--tokens", 600, "--seed", 1)
    assert made.err == MARKED
    Path("marked.txt").write_text(made.out, encoding="utf-8")
    return Path("marked.txt")


def test_a_marked_text_is_found(command: Command, marked: Path) -> None:
    made = command("verify", marked)
    assert made.code == 0
    manifest, watermark, detector = made.out.splitlines()
    assert manifest == "manifest    absent: no manifest, neither in the file nor beside it"
    assert watermark.startswith("watermark   p = ")
    assert watermark.endswith(
        " places: written, at least in part, by a volute model with the public key"
    )
    assert detector == "detector    not looked for"
    told = json.loads(command("verify", marked, "--json").out)
    mark = volute.verify(marked).watermark
    assert mark is not None
    assert told["file"] == "marked.txt"
    found = {"found": True, "p_value": mark.p_value, "counted": mark.counted}
    assert told["watermark"] == found
    assert (told["manifest"]["state"], told["detector"], told["known"]) == ("absent", None, None)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (("--unmarked",), UNMARKED),
        (("--tokens", 199), ""),
        (("--temperature", 0, "--tokens", 200), ""),
    ],
)
def test_what_is_not_marked_says_nothing(
    command: Command, tmp_path: Path, how: tuple, said: str
) -> None:
    model = make_lm(tmp_path / "tiny-lm").path
    made = command("write", model, "--seed", 1, *how)
    assert made.err == said
    Path("a.txt").write_text(made.out, encoding="utf-8")
    assert "\nwatermark   no evidence (p = " in command("verify", "a.txt").out
    told = json.loads(command("write", model, *how, "--json").out)
    assert [entry["marked"] for entry in told] == [False]


def test_the_others_are_done(command: Command, marked: Path) -> None:
    Path("a.png").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    Path("short.txt").write_text("abc")
    made = command("verify", "a.png", "none.txt", "short.txt", marked)
    assert made.code == 1
    assert made.err == "failed   none.txt: No such file or directory\n"
    lines = made.out.splitlines()
    assert lines[::4] == ["a.png", "short.txt", "marked.txt"]
    assert lines[2] == "watermark   not looked for"
    assert lines[6] == "watermark   no evidence (the text is too short)"
    assert command("verify").code == 2


def test_a_history_is_a_tree(command: Command, tmp_path: Path) -> None:
    make_gan(tmp_path / "zoo" / "tiny-gan")
    make_upscaler(tmp_path / "model", 1)
    command("sample", "tiny-gan", "-n", 1, "-o", "a.png")
    command("upscale", "a.png", "--model", tmp_path / "model", "-o", "b.png")
    lines = command("verify", "b.png").out.splitlines()
    assert lines[0] == (
        "manifest    trusted: as it was signed by volute user, whom this computer trusts"
    )
    assert lines[1].startswith("            upscale with tiny-upscaler (enhanced by an algorithm, ")
    assert lines[2].startswith(
        "              from: sample with tiny-gan (made by a model, volute 0"
    )
    assert lines[2].endswith("Z, trusted)")
    assert lines[6].startswith("ledger      its manifest is that of b.png, made here on 20")


def test_broken_manifests_are_an_exit_code(command: Command) -> None:
    sign(picture(Path("a.png")), SAMPLED)
    assert command("verify", "a.png", "none.png").code == 1
    Path("a.png").write_bytes(Path("a.png").read_bytes() + b"\0")
    made = command("verify", "a.png", "none.png")
    assert made.code == 5
    assert "manifest    broken: the file was changed after it was signed" in made.out


def test_folders_json_and_a_report(command: Command) -> None:
    Path("in/sub").mkdir(parents=True)
    evil = Path("in/<img src=x>.png")
    sign(picture(evil), SAMPLED)
    Path("in/sub/a.txt").write_text("Once")
    sign("in/sub/a.txt", SAMPLED)
    Image.new("L", (9, 9)).save("in/plain.png")
    made = command("verify", "in", "--json", "--html", "report.html")
    assert made.code == 0
    told = [json.loads(line) for line in made.out.splitlines()]
    assert [(one["file"], one["manifest"]["state"]) for one in told] == [
        (str(evil), "trusted"),
        ("in/plain.png", "absent"),
        ("in/sub/a.txt", "trusted"),
    ]
    assert told[0]["manifest"]["history"]["generation"]["model"] == "tiny-gan"
    page = Path("report.html").read_text(encoding="utf-8")
    assert "&lt;img src=x&gt;.png" in page
    assert "<img src=x" not in page
    assert page.count("<dt>detector</dt><dd>not looked for</dd>") == 1
    assert page.count("<dt>detector</dt><dd>unsure: a picture of under 64 px") == 2
    assert page.count("absence proves nothing") == 2
    assert "sample with tiny-gan (made by a model" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert command("verify", "in", "--html", "report.html").code == 2
    assert command("verify", "in", "--html", "report.html", "--overwrite").code == 0


def test_names_of_files_do_not_reach_the_terminal_as_they_are(command: Command) -> None:
    name = "a\x1b[2J.png"
    sign(picture(Path(name)), SAMPLED)
    Path("b.png").write_bytes(Path(name).read_bytes())
    made = command("verify", name, "b.png")
    assert "\x1b" not in made.out
    assert "b.png\n" in made.out


def test_a_key_that_others_can_read_stops_with_one_line(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOLUTE_CONFIG", str(tmp_path / "own"))
    keys.init()
    for name in ("signer.pem", "authority.pem"):
        (tmp_path / "own" / "keys" / name).chmod(0o644)
    make_gan(tmp_path / "zoo" / "tiny-gan")
    Path("a.txt").write_text("Once")
    for words in (["sample", "tiny-gan"], ["keys", "show"], ["verify", "a.txt", "a.txt"]):
        made = command(*words)
        assert made.code == 1
        assert made.err.startswith("error: ")
        assert "can be read by others: its mode is 0644" in made.err
        assert len(made.err.splitlines()) == 2
    assert list(Path().rglob("*.png")) == []
    assert command("sample", "tiny-gan", "--unmarked").code == 0
    assert command("keys", "init", "--overwrite").code == 0
    assert command("sample", "tiny-gan", "-o", "again").code == 0


@pytest.mark.skipif("trace" not in zoo.shipped(), reason="trace is not shipped yet")
def test_traces_are_the_third_finding(command: Command, tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    for name in ("mark", "trace"):
        (tmp_path / "zoo" / name).symlink_to(SHIPPED / name)
    x = np.add.outer(np.arange(130), np.arange(140)).astype(np.uint8)
    Image.fromarray(x).save("a.png")
    told = detector.look_at(Path("a.png"))
    lines = command("verify", "a.png").out.splitlines()
    assert lines[2:] == [f"detector    {told.answer}: {told.basis}", f"{'':12}{told.limits}"]
    assert json.loads(command("verify", "a.png", "--json").out)["detector"] == asdict(told)
    Image.fromarray(x).save("a.jpg", quality=40)
    told = json.loads(command("verify", "a.jpg", "--json").out)["detector"]
    assert (told["answer"], told["p_value"]) == ("unsure", None)
