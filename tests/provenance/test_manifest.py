"""Signing: every format by the official reader, each flipped byte, histories, what is not told."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvips
from PIL import Image

from filming import Recipe, content, film
from realdata import real_data
from signing import SAMPLED, WEIGHTS, active, assertion, noise, officially, picture
from volute.errors import VoluteError
from volute.events import Event
from volute.provenance import Origin, carriers, keys, ledger, sign, verify
from volute.provenance.history import look
from volute.provenance.manifest import ACTIONS, IPTC, signed_file, signed_png

MOST = 4096
"""Bytes that a manifest may add."""


def frames(path: Path) -> Path:
    first, *rest = (Image.fromarray(np.roll(noise(), n)) for n in range(3))
    first.save(path, save_all=True, append_images=rest, duration=40, loop=0)
    return path


def deep(path: Path) -> Path:
    array = noise().astype(np.uint16) * 257
    pyvips.Image.new_from_array(array, interpretation="rgb16").write_to_file(str(path))
    return path


MADE: dict[str, Any] = {
    "a.png": picture,
    "deep.png": deep,
    "a.jpg": picture,
    "a.webp": lambda path: picture(path, lossless=True),
    "a.avif": picture,
    "a.tif": picture,
    "deep.tif": deep,
    "a.gif": picture,
    "walk.gif": frames,
    "walk.webp": frames,
}


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        shown = []
        for number in range(getattr(image, "n_frames", 1)):
            image.seek(number)
            shown.append(np.asarray(image.convert("RGBA")))
    whole = pyvips.Image.new_from_file(str(path)).numpy()
    return np.concatenate([np.stack(shown).ravel(), whole.astype(np.uint16).ravel()])


@pytest.mark.parametrize("name", MADE)
def test_pictures_carry_it_and_keep_every_pixel(tmp_path: Path, name: str) -> None:
    file = MADE[name](tmp_path / name)
    size, before = file.stat().st_size, pixels(file)
    sign(file, SAMPLED)
    told = officially(file)
    assert told["validation_state"] == "Trusted"
    assert file.stat().st_size - size < MOST
    assert np.array_equal(pixels(file), before)
    assert list(tmp_path.iterdir()) == [file]
    (action,) = assertion(told, "c2pa.actions.v2")["actions"]
    assert action["action"] == "c2pa.created"
    assert action["digitalSourceType"] == IPTC + "trainedAlgorithmicMedia"
    assert assertion(told, "volute.generation") == {
        "model": "tiny-gan",
        "sha256": WEIGHTS,
        "seed": 5,
        "parameters": {"truncation": 0.7},
    }
    assert active(told)["claim_generator_info"][0]["name"] == "volute"
    assert "thumbnail" not in active(told)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.avi"])
def test_films_carry_it_and_keep_every_frame(tmp_path: Path, name: str) -> None:
    file = film(tmp_path / name, Recipe(pts=range(0, 6 * 512, 512)))
    before = content(file)
    sign(file, SAMPLED)
    assert officially(file)["validation_state"] == "Trusted"
    after = content(file)
    assert after.times == before.times
    assert all(map(np.array_equal, after.pictures, before.pictures))


def test_a_long_film_is_hashed_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("volute.provenance.library.LARGE", 1)
    monkeypatch.setattr("volute.provenance.library.PART", 1)
    file = film(tmp_path / "a.mp4", Recipe(size=(160, 240), pts=range(0, 20 * 512, 512)))
    sign(file, SAMPLED)
    assert officially(file)["validation_state"] == "Trusted"
    data = bytearray(file.read_bytes())
    data[data.rindex(b"mdat") + 2000] ^= 1
    file.write_bytes(data)
    assert verify(file).manifest.state == "broken"


BESIDE = {
    "scene.txt": lambda path: path.write_text("ROMEO:\nGrüße\n"),
    "film.mkv": lambda path: film(path, Recipe(pts=range(0, 1500, 512))),
    "a.bmp": picture,
    "odd.bin": lambda path: path.write_bytes(b"\0\1\2" * 50),
    "scan.dcm": lambda path: shutil.copy(real_data("medical/pydicom/CT_small.dcm"), path),
    "brain.nii": lambda path: shutil.copy(
        real_data("medical/nibabel/nibabel/tests/data/anatomical.nii"), path
    ),
    "map.tif": lambda path: shutil.copy(real_data("satellite/rgb-byte-tenth.tif"), path),
    "broken.png": lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200)),
}


@pytest.mark.parametrize("name", BESIDE)
def test_other_files_have_it_beside_them(tmp_path: Path, name: str) -> None:
    file, beside = tmp_path / name, tmp_path / f"{name}.c2pa"
    BESIDE[name](file)
    before, told = file.read_bytes(), []
    sign(file, SAMPLED, told.append)
    assert sorted(tmp_path.iterdir()) == [file, beside]
    assert file.read_bytes() == before
    assert [event.text for event in told] == [
        f"{name}: the manifest lies beside it, in {name}.c2pa"
    ]
    assert officially(file, beside)["validation_state"] == "Trusted"
    found = verify(file).manifest
    assert (found.state, found.place) == ("trusted", "beside")
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert verify(file).manifest.state == "broken"
    file.write_bytes(before)
    beside.rename(tmp_path / f"{file.stem}.c2pa")  # as other programs name it
    assert verify(file).manifest.state == "trusted"


def in_memory(file: Path, origin: Origin) -> None:
    """Sign a PNG as one that never lies on disk."""
    file.write_bytes(signed_png(file.read_bytes(), file.name, origin))


WAYS = pytest.mark.parametrize("way", [sign, in_memory])


@WAYS
def test_each_of_a_thousand_flipped_bytes_is_caught(tmp_path: Path, way: Any) -> None:
    file = tmp_path / "a.png"
    Image.fromarray(noise(512, 512)).save(file)
    plain = file.read_bytes()
    way(file, SAMPLED)
    whole = file.read_bytes()
    start = whole.index(b"caBX") - 4
    length = len(whole) - len(plain)
    assert whole[:start] + whole[start + length :] == plain
    places = np.random.default_rng(1).permutation(len(plain))[:1000]
    for place in np.where(places < start, places, places + length).tolist():
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        file.write_bytes(changed)
        found = look(file, carriers.mime_of(file))  # pixels are not looked at a thousand times
        assert found.state in ("broken", "absent"), place
        assert found.state == "broken" or place < start + 8, place
    for changed in (whole + b"\0", whole[:-1], whole[: len(whole) // 2]):
        file.write_bytes(changed)
        assert verify(file).manifest.state == "broken"


@WAYS
def test_what_is_flipped_in_the_manifest_changes_nothing_that_is_told(
    tmp_path: Path, way: Any
) -> None:
    file = picture(tmp_path / "a.png")
    way(file, SAMPLED)
    whole = file.read_bytes()
    told = verify(file).manifest
    start, length = whole.index(b"caBX") - 4, 0
    length = int.from_bytes(whole[start : start + 4], "big") + 12
    for place in np.random.default_rng(2).permutation(length)[:400].tolist():
        changed = bytearray(whole)
        changed[start + place] ^= 1
        file.write_bytes(changed)
        found = verify(file).manifest
        assert found.state in ("broken", "absent") or found == told, place


def test_a_moved_manifest_is_caught(tmp_path: Path) -> None:
    one, other = picture(tmp_path / "a.png"), tmp_path / "b.png"
    Image.fromarray(np.roll(noise(), 1, 0)).save(other)
    plain = one.read_bytes()
    sign(one, SAMPLED)
    whole = one.read_bytes()
    start, length = whole.index(b"caBX") - 4, len(whole) - len(plain)
    data = other.read_bytes()
    other.write_bytes(data[:start] + whole[start : start + length] + data[start:])
    found = verify(other).manifest
    assert found.state == "broken"
    assert "the manifest is that of another file" in found.basis


def test_a_history_goes_on_through_all_that_is_done(tmp_path: Path) -> None:
    sampled, style = picture(tmp_path / "a.png"), picture(tmp_path / "style.jpg")
    sign(sampled, SAMPLED)
    painted, large = picture(tmp_path / "b.webp"), picture(tmp_path / "c.tif")
    sign(painted, Origin("stylize", "painter", WEIGHTS, parent=sampled, inputs=(style,)))
    sign(large, Origin("upscale", "photo-x2", WEIGHTS, {"scale": 2}, parent=painted))
    told = officially(large)
    assert told["validation_state"] == "Trusted"
    assert len(told["manifests"]) == 3
    opened, done = assertion(told, "c2pa.actions.v2")["actions"]
    assert (opened["action"], done["action"]) == ("c2pa.opened", "c2pa.edited")
    assert done["digitalSourceType"] == IPTC + "algorithmicallyEnhanced"
    step = verify(large).manifest.history
    assert step is not None
    assert (step.deed, step.generation and step.generation["scale"]) == ("upscale", 2)
    (before,) = step.inputs
    assert (before.role, before.deed, before.state) == ("parentOf", "stylize", "trusted")
    assert [(one.role, one.deed, one.state) for one in before.inputs] == [
        ("parentOf", "sample", "trusted"),
        ("inputTo", "", "absent"),
    ]
    assert before.actions[-1].source == "compositeWithTrainedAlgorithmicMedia"


def test_a_history_that_lies_beside_its_file_goes_on_too(tmp_path: Path) -> None:
    text, made = tmp_path / "a.txt", picture(tmp_path / "b.png")
    text.write_text("Once upon a time.")
    sign(text, Origin("write", "bard", WEIGHTS))
    sign(made, Origin("upscale", "x", WEIGHTS, parent=text))
    (before,) = verify(made).manifest.history.inputs
    assert (before.deed, before.state) == ("write", "trusted")
    text.write_text("Twice upon a time.")
    sign(made, Origin("upscale", "x", WEIGHTS, parent=text))
    found = verify(made).manifest
    assert found.state == "trusted"
    assert found.history.inputs[0].state == "broken"


@pytest.mark.parametrize("damage", ["pixels", "manifest", "cut"])
def test_what_was_broken_before_stays_so_in_the_history(tmp_path: Path, damage: str) -> None:
    old, new = picture(tmp_path / "a.png"), picture(tmp_path / "b.png")
    sign(old, SAMPLED)
    data = bytearray(old.read_bytes())
    data[{"pixels": -40, "manifest": data.index(b"tiny-gan") + 2, "cut": 0}[damage]] ^= 1
    old.write_bytes(data[:-1000] if damage == "cut" else data)
    sign(new, Origin("upscale", "x", WEIGHTS, parent=old))
    found = verify(new).manifest
    assert found.state == "trusted"
    (before,) = found.history.inputs
    assert before.state == ("absent" if damage == "cut" else "broken")


def test_nothing_personal_goes_in(tmp_path: Path) -> None:
    home = tmp_path / "someone-secret"
    home.mkdir()
    old, style, new = (picture(home / f"private-{n}.png") for n in range(3))
    sign(new, Origin("stylize", "painter", WEIGHTS, parent=old, inputs=(style,)))
    text = home / "private.txt"
    text.write_text("Once")
    sign(text, Origin("write", "bard", WEIGHTS))
    for data in (new.read_bytes(), carriers.beside(text).read_bytes()):
        for word in (b"secret", b"private", b"tmp/", b"/home"):
            assert word not in data


def test_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/a.c2pa"
        file = picture(tmp_path / "a.jpg")
        words = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/'
        words += b'02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:dcterms="http://purl'
        words += (
            b'.org/dc/terms/" dcterms:provenance="' + url.encode() + b'"/></rdf:RDF></x:xmpmeta>'
        )
        packet = b"http://ns.adobe.com/xap/1.0/\0" + words
        data = file.read_bytes()
        segment = b"\xff\xe1" + (len(packet) + 2).to_bytes(2, "big") + packet
        file.write_bytes(data[:2] + segment + data[2:])
        found = verify(file).manifest
        assert found.state == "absent"
        assert found.basis == f"its manifest lies elsewhere, and is not fetched: {url}"
        new = picture(tmp_path / "b.png")
        sign(new, Origin("upscale", "x", WEIGHTS, parent=file))
        assert verify(new).manifest.state == "trusted"
        (before,) = verify(new).manifest.history.inputs
        assert before.reasons == ("the manifest lies elsewhere, and was not fetched",)
        with pytest.raises(TimeoutError):
            server.accept()


def test_the_pixels_mark_is_bound_and_found_again(config: Path, tmp_path: Path) -> None:
    file = picture(tmp_path / "a.png")
    sign(file, replace(SAMPLED, watermark=0x2A))
    told = officially(file)
    assert told["validation_state"] == "Trusted"
    binding = assertion(told, "c2pa.soft-binding")
    assert binding["alg"] == "volute.watermark"
    assert binding["blocks"][0]["value"] == "002a"
    actions = [one["action"] for one in assertion(told, "c2pa.actions.v2")["actions"]]
    assert actions == ["c2pa.created", "c2pa.watermarked.bound"]
    assert verify(file).manifest.history.watermark == "002a"
    record = ledger.find(watermark=0x2A)
    assert record is not None
    assert record.manifest == told["active_manifest"]
    assert record.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_parameters_come_back_as_they_were(tmp_path: Path) -> None:
    file = picture(tmp_path / "a.png")
    how = {"a": 0.1, "b": True, "c": "Größe", "d": -3, "e": 1 << 40}
    sign(file, Origin("sample", "m", WEIGHTS, how, seed=1 << 90))
    made = verify(file).manifest.history.generation
    assert made == {"model": "m", "sha256": WEIGHTS, "seed": str(1 << 90), **how}


def test_what_fails_leaves_what_was_there(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.txt"
    file.write_text("old")
    sign(file, SAMPLED)
    before = {path: path.read_bytes() for path in tmp_path.glob("a.*")}
    with contextlib.suppress(RuntimeError), signed_file(file, SAMPLED) as part:
        part.write_text("half")
        raise RuntimeError
    monkeypatch.setenv("VOLUTE_CONFIG", str(tmp_path / "a.txt"))  # a folder that cannot be
    begun = []
    with pytest.raises(VoluteError, match="cannot"), signed_file(file, SAMPLED):
        begun.append("work")
    assert not begun
    assert {path: path.read_bytes() for path in tmp_path.glob("*.*")} == before


def test_unmarked_means_so_and_takes_an_old_manifest_along(tmp_path: Path) -> None:
    for name in ("a.txt", "a.png"):
        file = tmp_path / name
        file.write_text("old")
        sign(file, SAMPLED)
        assert carriers.beside(file).exists()
        with signed_file(file, None) as part:
            part.write_text("new")
        assert verify(file).manifest.state == "absent"
        assert not carriers.beside(file).exists()
    with signed_file(tmp_path / "a.txt", SAMPLED) as part:
        part.write_text("text")
    with signed_file(tmp_path / "a.txt", SAMPLED) as part:  # now something that carries it
        picture(tmp_path / "b.png").replace(part)
    assert not carriers.beside(tmp_path / "a.txt").exists()


def test_a_full_ledger_is_told_and_the_picture_is_there(config: Path, tmp_path: Path) -> None:
    keys.init()
    ledger.path().mkdir()
    told: list[Event] = []
    file = picture(tmp_path / "a.png")
    sign(file, SAMPLED, told.append)
    assert "a.png is signed, but not in the ledger" in told[-1].text
    assert officially(file)["validation_state"] == "Trusted"


def test_every_deed_has_its_action(tmp_path: Path) -> None:
    parent = picture(tmp_path / "parent.png")
    for deed, (action, source) in ACTIONS.items():
        file = picture(tmp_path / f"{deed}.png")
        made_of = None if action == "c2pa.created" else parent
        sign(file, Origin(deed, "m", WEIGHTS, parent=made_of))
        done = assertion(officially(file), "c2pa.actions.v2")["actions"][-1]
        assert (done["action"], done["digitalSourceType"]) == (action, IPTC + source)


def test_large_files_are_signed_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("volute.provenance.library.HELD", 0)
    file = picture(tmp_path / "a.png")
    before = pixels(file)
    sign(file, SAMPLED)
    assert officially(file)["validation_state"] == "Trusted"
    assert np.array_equal(pixels(file), before)
    assert list(tmp_path.iterdir()) == [file]
    broken = tmp_path / "b.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    sign(broken, SAMPLED)
    assert sorted(tmp_path.iterdir()) == [file, broken, carriers.beside(broken)]


def test_a_very_large_picture_has_it_beside_it_and_a_film_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carriers, "LARGE", 1000)
    file, movie = picture(tmp_path / "a.png"), film(tmp_path / "a.mp4", Recipe())
    assert min(file.stat().st_size, movie.stat().st_size) > 1000
    for one in (file, movie):
        sign(one, SAMPLED)
    assert carriers.beside(file).exists()
    assert not carriers.beside(movie).exists()
    assert {verify(one).manifest.state for one in (file, movie)} == {"trusted"}


MEMORY = """
import sys
from pathlib import Path
from signing import SAMPLED, picture
from volute.provenance import sign
def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
folder = Path(sys.argv[1])
sign(picture(folder / "small.png"), SAMPLED)
with (folder / "large.bin").open("wb") as stream:
    stream.truncate(300 << 20)
before = peak()
sign(folder / "large.bin", SAMPLED)
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_signing_takes_no_memory_for_a_large_file(tmp_path: Path) -> None:
    path = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    line = [sys.executable, "-c", MEMORY, str(tmp_path)]
    done = subprocess.run(
        line, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": path}
    )
    assert int(done.stdout) < 16 << 10


def test_nothing_heavy_is_imported_before_something_is_signed() -> None:
    code = "import sys, volute.handles, volute.cli.verify, volute.cli.keys\n"
    code += "print({'c2pa', 'cryptography'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_a_png_in_memory_is_signed_as_one_on_disk(tmp_path: Path) -> None:
    plain = picture(tmp_path / "plain.png")
    signed = signed_png(plain.read_bytes(), "called.png", SAMPLED)
    file = tmp_path / "signed.png"
    file.write_bytes(signed)
    told = officially(file)
    assert told["validation_state"] == "Trusted"
    assert assertion(told, "volute.generation")["seed"] == SAMPLED.seed
    assert (pixels(file) == pixels(plain)).all()
    found = ledger.find(sha256=hashlib.sha256(signed).hexdigest())
    assert found is not None
    assert found.file == "called.png"


@pytest.mark.parametrize("twice", [False, True])
def test_in_a_jpeg_it_lies_after_jfif_and_exif(tmp_path: Path, twice: bool) -> None:
    file, exif = tmp_path / "a.jpg", Image.Exif()
    exif[0x010E] = "a wave"
    Image.fromarray(noise()).save(file, exif=exif, dpi=(72, 72))
    for _ in range(1 + twice):
        sign(file, SAMPLED)
    whole = file.read_bytes()
    assert whole.index(b"Exif") < whole.index(b"\xff\xeb")
    told = officially(file)
    assert (told["validation_state"], len(told["manifests"])) == ("Trusted", 1)
    with Image.open(file) as image:
        assert image.getexif()[0x010E] == "a wave"
        assert image.info["dpi"] == (72, 72)


def test_many_threads_sign_at_once_on_the_first_day(config: Path, tmp_path: Path) -> None:
    plain = picture(tmp_path / "plain.png").read_bytes()

    def made(number: int) -> str:
        file = tmp_path / f"{number}.png"
        if number % 2:
            file.write_bytes(signed_png(plain, file.name, replace(SAMPLED, seed=number)))
        else:
            file.write_bytes(plain)
            sign(file, replace(SAMPLED, seed=number))
        told = officially(file)
        assert assertion(told, "volute.generation")["seed"] == number
        return told["validation_state"]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(made, range(48))) == {"Trusted"}
    assert len(ledger.path().read_text().splitlines()) == 48
