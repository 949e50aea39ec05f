"""Every verb that writes signs what it writes, unless told not to; so do the handles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import volute
from filming import Recipe, film
from make_artefact import make_gan, make_lm, make_upscaler, make_vae
from running import Command
from signing import picture
from volute import zoo
from volute.engine.artefact import open_artefact
from volute.handles import Stylizer, Upscaler
from volute.provenance import sign, verify
from volute.provenance.history import Step


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path) -> None:
    make_gan(tmp_path / "zoo" / "tiny-gan", channels=3)
    make_vae(tmp_path / "zoo" / "tiny-vae")
    make_lm(tmp_path / "zoo" / "tiny-lm")
    make_upscaler(tmp_path / "zoo" / "tiny-up", 1)
    for name in ("painter", "mark", "trace"):
        (tmp_path / "zoo" / name).symlink_to(SHIPPED / name)


SHIPPED = zoo.HERE
VERBS = {
    "sample tiny-gan -n 2 -o out": "out/001.png",
    "sample tiny-gan -n 2 --grid -o out.webp": "out.webp",
    "sample tiny-gan -n 1 -o out.jpg": "out.jpg",
    "interpolate tiny-gan -n 2 --steps 2 -o out.gif": "out.gif",
    "interpolate tiny-gan -n 2 --steps 2 -o out.webp": "out.webp",
    "interpolate tiny-gan -n 2 --steps 2 -o out": "out/003.png",
    "reconstruct tiny-vae photo.png -o out.png": "out.png",
    "stylize photo.png --style wave -o out.png": "out.png",
    "stylize film.mp4 --style wave -o out.mp4": "out.mp4",
    "upscale photo.png --model tiny-up -o out.tif": "out.tif",
    "upscale film.mkv --model tiny-up -o out.mkv": "out.mkv",
    "write tiny-lm --prompt Once --tokens 30 --seed 1 -o out.txt": "out.txt",
}


@pytest.mark.parametrize("words", VERBS)
def test_what_is_written_is_signed_unless_unmarked(command: Command, words: str) -> None:
    picture(Path("photo.png"))
    for name in ("film.mp4", "film.mkv"):
        film(Path(name), Recipe(pts=range(0, 1500, 512)))
    before = set(Path().iterdir())
    assert command(*words.split()).code == 0
    found = verify(VERBS[words]).manifest
    assert found.state == "trusted"
    assert found.history is not None
    assert found.history.deed == words.split()[0]
    assert len(found.history.inputs) == (words.split()[0] in ("reconstruct", "stylize", "upscale"))
    beside = Path(VERBS[words]).suffix in (".txt", ".mkv")
    assert found.place == ("beside" if beside else "inside")
    for path in set(Path().iterdir()) - before:
        path.rename(f"signed-{path.name}")
    made = command(*words.split(), "--unmarked")
    assert made.code == 0
    assert "unmarked what is written here does not say that a model made it\n" in made.err
    assert verify(VERBS[words]).manifest.state == "absent"
    assert not list(Path().glob("out*.c2pa"))


def test_no_other_way_writes_unsigned(command: Command) -> None:
    picture(Path("photo.png"))
    command("sample", "tiny-gan", "-n", 3)
    command("stylize", "photo.png", "tiny-gan-seed0", "--style", "wave", "-o", "painted")
    files = [*Path("tiny-gan-seed0").iterdir(), *Path("painted").rglob("*.png")]
    assert len(files) == 7
    assert {verify(file).manifest.state for file in files} == {"trusted"}


def test_the_same_seed_gives_the_same_pixels(command: Command) -> None:
    for name in ("a.png", "b.png"):
        command("sample", "tiny-gan", "-n", 1, "--seed", 3, "-o", name)
    pixels = [np.asarray(Image.open(name)) for name in ("a.png", "b.png")]
    assert np.array_equal(*pixels)
    for name in ("c.png", "d.png"):
        command("sample", "tiny-gan", "-n", 1, "--seed", 3, "--unmarked", "-o", name)
    assert Path("c.png").read_bytes() == Path("d.png").read_bytes()


def test_model_hash_and_parameters_are_told(command: Command, tmp_path: Path) -> None:
    command("sample", "tiny-gan", "-n", 2, "--seed", 7, "--truncation", 0.5, "-o", "out")
    made = verify("out/001.png").manifest.history.generation
    digest = open_artefact(tmp_path / "zoo" / "tiny-gan").digest
    assert made == {
        "model": "tiny-gan",
        "sha256": digest,
        "engine": "onnxruntime float32",
        "seed": 7,
        "truncation": 0.5,
        "index": 1,
    }


def test_a_text_is_what_it_is_on_the_screen(command: Command) -> None:
    words = ("write", "tiny-lm", "--prompt", "Größe", "--tokens", 250, "--seed", 1)
    shown = command(*words)
    saved = command(*words, "-o", "a.txt")
    assert saved.out == "saved    a.txt\n"
    assert Path("a.txt").read_text(encoding="utf-8") == shown.out
    assert "signed   a.txt: the manifest lies beside it, in a.txt.c2pa" in saved.err
    assert "Größe".encode() not in Path("a.txt.c2pa").read_bytes()
    assert command(*words, "-o", "a.txt").code == 2
    assert command(*words, "--prompt", "b", "-o", "b.txt").code == 2
    assert json.loads(command(*words, "-o", "c.txt", "--json").out) == {"out": "c.txt"}


def test_handles_sign_what_they_write(command: Command) -> None:
    photo, style = picture(Path("photo.png")), picture(Path("style.png"))
    painter, larger = volute.load("painter"), volute.load("tiny-up")
    assert isinstance(painter, Stylizer)
    assert isinstance(larger, Upscaler)
    mix = painter.style({"wave": 1, style: 2})
    painter.stylize_file(photo, "a.png", style=mix, strength=0.5)
    larger.upscale_file("a.png", "b.jpg", faithful=True)
    step = verify("b.jpg").manifest.history
    assert (step.deed, step.generation["faithful"]) == ("upscale", True)
    (before,) = step.inputs
    assert before.generation["style"] == "of a picture"
    assert before.generation["strength"] == 0.5
    assert [one.role for one in before.inputs] == ["parentOf", "inputTo"]
    painter.stylize_file(photo, "c.png", style="wave", unmarked=True)
    larger.upscale_file(photo, "d.png", unmarked=True)
    assert {verify(name).manifest.state for name in ("c.png", "d.png")} == {"absent"}


def test_manifests_beside_files_are_not_worked_on(command: Command) -> None:
    Path("in").mkdir()
    film(Path("a.mkv"), Recipe(pts=range(0, 1500, 512)))
    command("upscale", "a.mkv", "--model", "tiny-up", "-o", "in/b.mkv")
    assert Path("in/b.mkv.c2pa").exists()
    made = command("upscale", "in", "--model", "tiny-up", "-o", "out")
    assert made.code == 0
    step: Step = verify("out/b.mkv").manifest.history
    assert step.inputs[0].state == "trusted"


def test_what_was_made_in_memory_can_be_signed_later(command: Command) -> None:
    model = volute.load("tiny-gan")
    model.sample(1, seed=3)[0].save("bag.png")
    assert verify("bag.png").manifest.state == "absent"
    sign("bag.png", model.origin("sample", {"truncation": 1.0}, seed=3))
    found = verify("bag.png").manifest
    assert (found.state, found.history.generation["seed"]) == ("trusted", 3)
