"""`volute.verify` on manifests: its four states, strangers' files, what is broken or hostile."""

from __future__ import annotations

import io
import random
import time
import zipfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import volute
from filming import Recipe, film
from realdata import real_data
from signing import SAMPLED, WEIGHTS, picture
from volute.errors import DataError
from volute.provenance import (
    Origin,
    carriers,
    certificates,
    detector,
    history,
    keys,
    library,
    sign,
    trust,
    verify,
    watermark,
)
from volute.provenance.history import Step
from volute.provenance.verdict import Known


def test_the_three_findings_are_apart(config: Path, tmp_path: Path) -> None:
    text, photo = tmp_path / "a.txt", picture(tmp_path / "a.png")
    text.write_text("Once upon a time.")
    for file in (text, photo):
        plain = volute.verify(file)
        assert (plain.manifest.state, plain.known) == ("absent", None)
        sign(file, SAMPLED)
        signed = volute.verify(file)
        assert (signed.manifest.state, signed.watermark) == ("trusted", plain.watermark)
        assert signed.detector == (None if file == text else detector.TOO_SMALL)
        assert isinstance(signed.known, Known)
        assert (signed.known.by, signed.known.record.file) == ("manifest", file.name)
    assert volute.verify(photo).watermark is None
    assert volute.verify(text).watermark is not None


def test_a_file_is_known_by_its_bytes_when_its_manifest_is_gone(
    config: Path, tmp_path: Path
) -> None:
    text = tmp_path / "a.txt"
    text.write_text("Once upon a time.")
    sign(text, SAMPLED)
    carriers.beside(text).unlink()
    known = verify(text.rename(tmp_path / "other.txt")).known
    assert known is not None
    assert (known.by, known.record.file, known.record.model) == ("bytes", "a.txt", "tiny-gan")


def test_a_stranger_is_not_trusted_until_asked_for(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = picture(tmp_path / "a.png")
    keys.init("Museum")
    sign(file, SAMPLED)
    pem = keys.authority_pem()
    monkeypatch.setenv("VOLUTE_CONFIG", str(tmp_path / "another"))
    assert verify(file).manifest.basis == (
        "as it was signed by Museum, but who that is, nobody vouches for"
    )
    new = picture(tmp_path / "b.png")
    sign(new, Origin("upscale", "x", WEIGHTS, parent=file))
    found = verify(new).manifest
    assert (found.state, found.history.inputs[0].state) == ("trusted", "intact")
    trust.import_pem(pem)
    assert verify(file).manifest.state == "trusted"


def test_nothing_is_trusted_that_only_a_stranger_says(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    sign(old, SAMPLED)
    mine = keys.authority_pem()
    monkeypatch.setenv("VOLUTE_CONFIG", str(tmp_path / "stranger"))
    trust.import_pem(mine)
    sign(new, Origin("upscale", "x", WEIGHTS, parent=old))
    assert verify(new).manifest.history.inputs[0].state == "trusted"
    monkeypatch.setenv("VOLUTE_CONFIG", str(config))
    found = verify(new).manifest
    assert (found.state, found.history.inputs[0].state) == ("intact", "intact")


def test_an_expired_certificate_leaves_the_file_intact(config: Path, tmp_path: Path) -> None:
    stranger = certificates.new_authority("Stranger")
    trust.import_pem(stranger.chain_pem)
    keys.import_signer(certificates.new_signer(stranger, timedelta(seconds=2)).pem)
    file = picture(tmp_path / "a.png")
    sign(file, SAMPLED)
    assert verify(file).manifest.state == "trusted"
    time.sleep(3.1)  # certificates know whole seconds
    found = verify(file).manifest
    assert found.state == "intact"
    assert "the certificate has expired" in found.basis
    data = bytearray(file.read_bytes())
    data[-30] ^= 1
    file.write_bytes(data)
    assert verify(file).manifest.state == "broken"


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.gif", "a.avif", "a.mp4"])
def test_damaged_files_get_a_verdict(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    if name == "a.mp4":
        film(file, Recipe(pts=range(0, 1500, 512)))
    else:
        picture(file)
    sign(file, SAMPLED)
    whole, rng = file.read_bytes(), random.Random(name)
    told = verify(file).manifest
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.choice([1, 2, 8])):
            place = rng.randrange(len(data) - 4)
            kind = rng.randrange(4)
            if kind == 0:
                data[place] = rng.randrange(256)
            elif kind == 1:
                data[place : place + 4] = rng.choice(
                    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\0\0"]
                )
            elif kind == 2:
                del data[place : place + rng.choice([1, 4, 100])]
            else:
                data[place:place] = rng.randbytes(rng.choice([1, 4, 40]))
        file.write_bytes(data)
        found = verify(file).manifest
        assert found.state in ("absent", "broken") or found == told
        assert found.basis.isprintable()
    for length in (0, 1, 10, 100, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:length])
        assert verify(file).manifest.state in ("absent", "broken")


def test_damaged_manifests_beside_a_file_get_a_verdict(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("Once upon a time.")
    sign(file, SAMPLED)
    beside = carriers.beside(file)
    whole, rng = beside.read_bytes(), random.Random(1)
    told = verify(file).manifest
    for content in (b"", b"\0", b"text", whole[:500], whole + b"x", whole * 2, rng.randbytes(5000)):
        beside.write_bytes(content)
        assert verify(file).manifest in (told, verify(file).manifest)
        assert verify(file).manifest.state == "broken" or content.startswith(whole)
    for _ in range(200):
        data = bytearray(whole)
        data[rng.randrange(len(data))] = rng.randrange(256)
        beside.write_bytes(data)
        found = verify(file).manifest
        assert found.state == "broken" or found == told
    assert verify(beside).manifest.state in ("absent", "broken")


def test_a_picture_of_20_000_pixels(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    pyvips.Image.black(20_000, 20_000).pngsave(str(file))
    sign(file, SAMPLED)
    assert verify(file).manifest.state == "trusted"


def test_formats_that_volute_does_not_write(config: Path, tmp_path: Path) -> None:
    """An SVG and a ZIP, signed by c2pa itself; they are known by their endings alone."""
    svg = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0h9"/></svg>'
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.txt", "Once")
    drawn = {"action": "c2pa.created", "digitalSourceType": library.IPTC + "digitalCreation"}
    actions = {"label": "c2pa.actions.v2", "data": {"actions": [drawn]}}
    for name, data in {"a.svg": svg, "a.zip": buffer.getvalue()}.items():
        file = tmp_path / name
        file.write_bytes(data)
        job = library.Job({"assertions": [actions]}, file.suffix[1:], inside=True)
        library.sign(job, file, keys.credentials(), keys.anchors())
        found = verify(file).manifest
        assert (found.state, found.place) == ("trusted", "inside")
        assert found.history.actions[0].source == "digitalCreation"
        assert (found.history.deed, found.history.generation) == ("", None)
        (tmp_path / "a.txt").write_bytes(file.read_bytes())
        assert verify(tmp_path / "a.txt").manifest.state in ("absent", "broken")


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    for name, said in {"none": "No such file", "": "Is a directory"}.items():
        with pytest.raises(DataError, match=said) as caught:
            verify(tmp_path / name)
        assert "\n" not in caught.value.what


@pytest.mark.parametrize("name", ["photos", "land"])
def test_photographs_have_none(name: str) -> None:
    files = [file for file in sorted(real_data(name).rglob("*.jp*g"))[:20] if file.is_file()]
    if not files:
        pytest.skip(f"no photographs in {name}")
    for file in files:
        assert verify(file).manifest.state == "absent"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_subnormal=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["active_manifest", "manifests", "validation_results", "activeManifest", "failure"]
                + ["code", "ingredients", "assertions", "label", "data", "actions", "a", "success"]
                + ["ingredientDeltas", "validationDeltas", "url", "signature_info", "parameters"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(told=st.dictionaries(st.sampled_from(["active_manifest", "manifests"]), JSON) | JSON)
def test_any_json_gets_a_verdict(told: Any) -> None:
    found = history._judged(told if isinstance(told, dict) else {"manifests": told}, "inside")
    assert found.state in ("broken", "intact")
    assert found.basis.isprintable()


def steps(step: Step) -> int:
    return 1 + sum(map(steps, step.inputs))


def test_a_hostile_history_is_cut_short() -> None:
    loop = {"active_manifest": "urn:a", "relationship": "parentOf"}
    name = "\x1b[2J" + "n" * 10_000
    manifest = {
        "ingredients": [loop] * 1000,
        "claim_generator_info": [{"name": name, "version": "1"}],
        "signature_info": {"issuer": name},
        "assertions": [
            {"label": "c2pa.actions", "data": {"actions": [{"action": "x\ny"}] * 10_000}},
            {"label": "volute.generation", "data": {"model": name, "deep": {"a": 1}, "seed": 1}},
        ],
    }
    told = {
        "active_manifest": "urn:a",
        "manifests": {"urn:a": manifest},
        "validation_state": "Valid",
    }
    found = history._judged(told, "inside")
    assert found.history is not None
    assert steps(found.history) <= history.STEPS
    assert found.history.signer.isprintable()
    assert len(found.history.signer) <= history.LINE
    assert len(found.history.actions) <= history.LISTED
    assert found.history.actions[0].name == "x y"
    assert set(found.history.generation or {}) == {"model", "seed"}


def test_an_id_in_the_pixels_outlasts_the_manifest(tmp_path: Path) -> None:
    photo = Image.open(sorted(Path(real_data("photos")).iterdir())[0]).convert("RGB")
    marked = watermark.embed(np.asarray(photo.resize((640, 480))), 0xBEEF)
    Image.fromarray(marked).save(tmp_path / "a.png")
    sign(tmp_path / "a.png", replace(SAMPLED, watermark=0xBEEF))
    Image.open(tmp_path / "a.png").save(tmp_path / "sent.jpg", quality=80)
    before, after = verify(tmp_path / "a.png"), verify(tmp_path / "sent.jpg")
    assert (before.manifest.state, after.manifest.state) == ("trusted", "absent")
    for one in (before, after):
        assert isinstance(one.watermark, watermark.Found)
        assert one.watermark.ident == 0xBEEF
        assert one.watermark.p_value < 1e-6
    assert after.known is not None
    assert (after.known.by, after.known.record.file) == ("watermark", "a.png")
    other = verify(tmp_path / "sent.jpg", key=b"another")
    assert isinstance(other.watermark, watermark.Found)
    assert other.watermark.p_value > 1e-6
    assert other.known is None


def test_marks_are_not_looked_for_in_what_is_small_or_broken(tmp_path: Path) -> None:
    Image.new("RGB", (63, 200)).save(tmp_path / "a.png")
    Image.new("RGB", (300, 200)).save(tmp_path / "b.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:60])
    for name in ("a.png", "b.png"):
        assert verify(tmp_path / name).watermark is None
