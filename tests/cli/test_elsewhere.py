"""Batches over what lies under a URL or in tars: the same results, names, lines and ledger."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dividing import made
from make_artefact import make_classifier, make_upscaler
from running import Command, Result
from sharding import Server, png, serving, tar
from volute.provenance.manifest import Origin, sign

PICTURES = 8


@pytest.fixture(autouse=True)
def own_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOLUTE_THREADS", "2")
    monkeypatch.setenv("VIPS_CONCURRENCY", "2")


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """Give a folder `in`, and what lies in it by name."""
    make_upscaler(tmp_path / "up", 1)
    rng = np.random.default_rng(0)
    names = [f"{'deep/' * (index % 2)}{index}.png" for index in range(PICTURES)]
    content = {name: png(rng.integers(0, 256, (12, 10, 3), np.uint8)) for name in names}
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content[name])
    return content


@pytest.fixture
def server(files: dict[str, bytes]) -> Iterator[Server]:
    """Serve the folder, and two tars of it with labels between."""
    labels = [("0.cls", b"7"), ("0.json", b"{}")]
    items = list(files.items())
    with serving([tar([*items[:5], *labels]), tar(items[5:])]) as server:
        server.files |= {f"/in/{name}": content for name, content in files.items()}
        yield server


def upscale(command: Command, tmp_path: Path, url: object, out: str, *more: object) -> Result:
    return command("upscale", url, "--model", tmp_path / "up", "-o", out, "--unmarked", *more)


def flat(folder: str) -> dict[str, bytes]:
    """Return what was made, without the folder of the tar that it came from."""
    return {name.partition("/")[2]: content for name, content in made(folder).items()}


def statuses(result: Result) -> Counter[str]:
    return Counter(json.loads(line)["status"] for line in result.out.splitlines())


def ledger(folder: str) -> list[dict[str, Any]]:
    return [json.loads(x) for x in Path(folder, "ledger.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("cluster", [(), ("--cluster", "ray")])
def test_the_same_as_of_a_folder(
    command: Command, tmp_path: Path, server: Server, dying: list[int], cluster: tuple[str, ...]
) -> None:
    dying[0] = 6
    upscale(command, tmp_path, tmp_path / "in", "here")
    (tmp_path / "tars").mkdir()
    for name in ("s-000.tar", "s-001.tar"):
        (tmp_path / "tars" / name).write_bytes(server.files[f"/{name}"])
    sources = {
        "url": f"{server.url}/in/",
        "tars": f"{server.url}/s-{{000..001}}.tar",
        "local": tmp_path / "tars" / "s-{000..001}.tar",
    }
    for out, source in sources.items():
        first = upscale(command, tmp_path, source, out, *cluster)
        if cluster and first.code:  # three workers died of one
            first = upscale(command, tmp_path, source, out, *cluster)
        assert first.code == 0, first
        assert (made(out) if out == "url" else flat(out)) == made("here")
        done = Counter(entry["source"] for entry in ledger(out) if entry["status"] == "ok")
        assert sorted(done.values()) == [1] * PICTURES
        server.asked.clear()
        again = upscale(command, tmp_path, source, out, "--json", *cluster)
        assert statuses(again) == {"skipped": PICTURES}
        assert not [asked for asked in server.asked if "GET" in asked and ".png" in asked]
    assert "left out by their endings: 1 .cls, 1 .json" in first.err
    assert sorted(made("tars"))[0] == "s-000/0.png"
    names = {entry["source"] for entry in ledger("tars")}
    assert f"{server.url}/s-001.tar/deep/7.png" in names


def test_what_changed_or_failed_is_done_again_and_nothing_else(
    command: Command, tmp_path: Path, server: Server
) -> None:
    url = f"{server.url}/in/"
    held = server.files["/in/deep/3.png"]
    server.files["/in/deep/3.png"] = held[:40]
    first = upscale(command, tmp_path, url, "out")
    assert first.code == 1
    assert f"failed   {url}deep/3.png: " in first.err
    assert "/tmp" not in first.err
    (failed,) = [entry for entry in ledger("out") if entry["status"] == "failed"]
    assert failed["source"] == f"{url}deep/3.png"
    assert "volute-" not in failed["reason"]
    server.files["/in/deep/3.png"] = held
    server.files["/in/0.png"] = server.files["/in/2.png"] + b"more"
    again = upscale(command, tmp_path, url, "out", "--json", "--overwrite")
    assert statuses(again) == {"ok": PICTURES}
    last = upscale(command, tmp_path, url, "out", "--json")
    assert statuses(last) == {"skipped": PICTURES}


def test_parts_of_what_lies_elsewhere_are_the_whole(
    command: Command, tmp_path: Path, server: Server
) -> None:
    url = f"{server.url}/s-{{000..001}}.tar"
    upscale(command, tmp_path, url, "whole")
    counts = [
        sum(
            statuses(
                upscale(command, tmp_path, url, "parts", "--json", "--shard", f"{n}/3")
            ).values()
        )
        for n in (1, 2, 3)
    ]
    assert sum(counts) == PICTURES
    assert made("parts") == made("whole")


def test_one_file_by_url_lies_beside_as_one_here_would(
    command: Command, tmp_path: Path, server: Server
) -> None:
    one = command("upscale", f"{server.url}/in/2.png", "--model", tmp_path / "up", "--unmarked")
    assert one.code == 0, one
    assert Path("2-x2.png").exists()
    assert not list(Path().rglob("ledger.jsonl"))


def test_signed_with_what_the_source_said(command: Command, tmp_path: Path, server: Server) -> None:
    command("upscale", tmp_path / "in/2.png", "--model", tmp_path / "up", "-o", "made.png")
    server.files["/in/2.png"] = Path("made.png").read_bytes()
    url = f"{server.url}/in/2.png"
    assert command("upscale", url, "--model", tmp_path / "up", "-o", "again.png").code == 0
    told = json.loads(command("verify", "again.png", "--json").out)
    assert told["manifest"]["state"] == "trusted"
    (parent,) = told["manifest"]["history"]["inputs"]
    assert parent["generation"]["model"] == told["manifest"]["history"]["generation"]["model"]


@pytest.mark.parametrize("cluster", [(), ("--cluster", "ray")])
def test_verify_and_classify_by_url(
    command: Command,
    tmp_path: Path,
    files: dict[str, bytes],
    server: Server,
    dying: list[int],
    cluster: tuple[str, ...],
) -> None:
    make_classifier(tmp_path / "classes")
    for verb in (["classify", tmp_path / "classes"], ["verify"]):
        shown = [
            command(*verb, source, "--json", *cluster)
            for source in (tmp_path / "in", f"{server.url}/in/", f"{server.url}/s-{{000..001}}.tar")
        ]
        here, there, tars = [
            [json.loads(line) for line in result.out.splitlines()] for result in shown
        ]
        assert [one.pop("file") for one in there] == [
            one.pop("file").replace(f"{tmp_path}/in/", f"{server.url}/in/") for one in here
        ]
        assert here == there
        tars = [one for one in tars if one["file"].endswith(".png")]  # verify looks at labels too
        names = {one.pop("file").partition(".tar/")[2] for one in tars}
        assert (names, sorted(map(str, tars))) == (set(files), sorted(map(str, here)))
    server.files["/in/2.png"] = b"\x89PNG broken"
    broken = command("classify", tmp_path / "classes", f"{server.url}/in/", *cluster)
    assert broken.code == 1
    assert f"failed   {server.url}/in/2.png: broken PNG" in broken.err


def test_a_manifest_beside_a_file_is_brought_with_it(
    command: Command, tmp_path: Path, server: Server
) -> None:
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear reader.")
    sign(letter, Origin("write", "bard", "0" * 64))
    content = {name: (tmp_path / name).read_bytes() for name in ("letter.txt", "letter.txt.c2pa")}
    server.files |= {f"/texts/{name}": held for name, held in content.items()}
    server.files["/t.tar"] = tar(list(content.items()))
    for name in ("texts/", "texts/letter.txt", "texts/*.txt", "t.tar"):
        told = command("verify", f"{server.url}/{name}", "--json")
        (line,) = told.out.splitlines()
        assert json.loads(line)["manifest"]["state"] == "trusted"
    del server.files["/texts/letter.txt.c2pa"]
    alone = command("verify", f"{server.url}/texts/letter.txt", "--json")
    assert json.loads(alone.out)["manifest"]["state"] == "absent"


def test_what_cannot_be_is_one_line(
    command: Command, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = upscale(command, tmp_path, tmp_path / "in", "s3://bucket/large")
    assert (to.code, "-o s3://bucket/large: results are written to this computer" in to.err) == (
        2,
        True,
    )
    secret = upscale(command, tmp_path, "s3://me:hush@bucket/x.png", "out")
    assert (secret.code, "hush" in secret.err) == (2, False)
    url = f"{server.url}/in/"
    monkeypatch.setenv("VOLUTE_OFFLINE", "1")
    server.asked.clear()
    offline = upscale(command, tmp_path, url, "out")
    assert offline.code == 1
    assert f"error: {url} is not fetched: VOLUTE_OFFLINE is set" in offline.err
    assert upscale(command, tmp_path, (tmp_path / "in").as_uri(), "out").code == 0
    assert not server.asked
    monkeypatch.delenv("VOLUTE_OFFLINE")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    for verb in (["upscale", "--model", tmp_path / "up"], ["verify"]):
        missing = command(*verb, url)
        assert missing.code == 3
        assert 'pip install "volute[remote]"' in missing.err
        assert "files by URL need fsspec" in missing.err


def test_a_killed_batch_goes_on(tmp_path: Path, server: Server) -> None:
    rng = np.random.default_rng(1)
    for index in range(30):
        content = png(rng.integers(0, 256, (160, 160, 3), np.uint8))
        server.files[f"/in/more{index}.png"] = content
    line = [sys.executable, "-m", "volute", "upscale", f"{server.url}/in/", "--unmarked"]
    line += ["-o", "out", "--json"]
    quiet: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": tmp_path}
    quiet["env"] = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    (tmp_path / "temporary").mkdir()
    batch = subprocess.Popen(line, **quiet)
    kept = tmp_path / "out" / "ledger.jsonl"
    while not (kept.exists() and '"ok"' in kept.read_text()):
        assert batch.poll() is None, batch.communicate()[1]
        time.sleep(0.05)
    batch.send_signal(signal.SIGKILL)
    batch.communicate()
    before = kept.read_text().count('"ok"')
    assert 0 < before < 30 + PICTURES
    again = subprocess.run(line, **quiet, check=False)
    assert again.returncode == 0, again.stderr
    assert statuses(Result(0, again.stdout.decode(), ""))["skipped"] == before
    done = Counter(e["source"] for e in ledger(str(tmp_path / "out")) if e["status"] == "ok")
    assert sorted(done.values()) == [1] * (30 + PICTURES)
    assert len(list((tmp_path / "temporary").iterdir())) <= 1, "what the killed one had in hand"
