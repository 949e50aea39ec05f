"""What the verbs write carries the ID that its manifest names, also when that is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
from PIL import Image

import filming
import make_artefact
import volute
from filming import Recipe, film
from realdata import real_data
from running import Command
from volute import zoo
from volute.cli.outputs import save_animation
from volute.provenance import verify
from volute.provenance.verdict import Verdict

SHIPPED = zoo.HERE


@pytest.fixture(autouse=True)
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_artefact.make_upscaler(tmp_path / "zoo" / "tiny-up", 1)
    make_artefact.make_gan(tmp_path / "zoo" / "tiny-gan")
    monkeypatch.setattr(make_artefact, "SIZE", 64)
    make_artefact.make_vae(tmp_path / "zoo" / "tiny-vae", channels=3)
    for name in ("painter", "land-gan", "garments-gan"):
        (tmp_path / "zoo" / name).symlink_to(SHIPPED / name)


def drawn(channels: int = 3, width: int = 150, height: int = 110) -> np.ndarray:
    """Return uint8 [H, W, C]: a picture much like a photograph, and opacity that is not full."""
    sample = volute.load(SHIPPED / "land-gan").sample(1, seed=2)[0].resize((width, height))
    made = np.asarray(sample.convert({1: "L", 3: "RGB", 4: "RGBA"}[channels])).copy()
    if channels == 4:
        made[..., 3] = np.linspace(80, 255, width).astype(np.uint8)
    return made.reshape(height, width, channels)


def agreed(path: str | Path) -> Verdict:
    """Return the verdict on a file whose pixels carry the ID that its manifest names."""
    found = verify(path)
    assert found.manifest.state == "trusted"
    assert found.watermark.p_value <= 1e-6
    assert found.agrees
    return found


VERBS = {
    "sample land-gan -n 2 -o out": "out/001.png",
    "sample land-gan -n 4 --grid -o out.webp": "out.webp",
    "sample garments-gan --grid -o out.png": "out.png",
    "interpolate land-gan -n 2 --steps 3 -o out.gif": "out.gif",
    "interpolate land-gan -n 2 --steps 6 -o out.webp": "out.webp",
    "interpolate land-gan -n 2 --steps 2 -o out": "out/003.png",
    "reconstruct tiny-vae photo.png -o out.png": "out.png",
    "stylize photo.png --style wave -o out.png": "out.png",
    "upscale photo.png --model tiny-up -o out.tif": "out.tif",
}


@pytest.mark.parametrize("words", VERBS)
def test_an_output_is_found_by_its_pixels_when_it_is_saved_anew(
    command: Command, words: str
) -> None:
    Image.fromarray(drawn()).save("photo.png")
    assert command(*words.split()).code == 0
    made = agreed(VERBS[words])
    Image.open(VERBS[words]).convert("RGB").save("sent.jpg", quality=95)
    found = verify("sent.jpg")
    assert found.manifest.state == "absent"
    assert found.watermark.ident == made.watermark.ident
    assert found.watermark.p_value <= 1e-6
    assert found.agrees is None
    assert found.known.by == "watermark"
    assert found.known.record.deed == words.split()[0]


@pytest.mark.parametrize("words", ["stylize --style wave", "upscale --model tiny-up"])
def test_a_film_carries_one_id(
    command: Command, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = drawn(width=250, height=128)
    monkeypatch.setattr(filming, "picture", lambda k, high, long: wide[:, 3 * k : 3 * k + long])
    film(Path("film.mp4"), Recipe(size=(128, 160), pts=range(0, 30 * 512, 512)))
    assert command(*words.split(), "film.mp4", "-o", "out.mp4").code == 0
    agreed("out.mp4")
    assert verify("film.mp4").watermark.p_value > 1e-6
    told = command("verify", "out.mp4")
    assert "it agrees with the manifest" in told.out


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("verb", ["stylize --style wave", "upscale --model tiny-up"])
def test_depth_and_opacity_stay(command: Command, channels: int, verb: str) -> None:
    array = drawn(channels).astype(np.uint16) * 257
    kind = "grey16" if channels == 1 else "rgb16"
    pyvips.Image.new_from_array(array, interpretation=kind).write_to_file("deep.png")
    assert command(*verb.split(), "deep.png", "-o", "out.png").code == 0
    agreed("out.png")
    assert command(*verb.split(), "deep.png", "-o", "plain.png", "--unmarked").code == 0
    made, plain = (pyvips.Image.new_from_file(name).numpy() for name in ("out.png", "plain.png"))
    assert made.dtype == np.uint16
    error = made.astype(float) - plain
    assert 0.005 < error.reshape(*error.shape[:2], -1)[..., 0].std() / 65535 < 0.015
    if channels == 4:
        assert np.array_equal(made[..., 3], plain[..., 3])
    assert verify("plain.png").watermark.p_value > 1e-6


def test_floats_are_marked(command: Command) -> None:
    array = drawn().astype(np.float32) * 3 - 90
    pyvips.Image.new_from_array(array, interpretation="scrgb").write_to_file("a.tif")
    assert command("upscale", "a.tif", "--model", "tiny-up", "-o", "out.tif").code == 0
    found = verify("out.tif")
    assert found.manifest.history.watermark
    made = pyvips.Image.new_from_file("out.tif").numpy()
    unit = (made - made.min()) / (made.max() - made.min())
    pixels = Image.fromarray((unit * 255).astype(np.uint8))
    pixels.save("seen.png")
    assert f"{verify('seen.png').watermark.ident:04x}" == found.manifest.history.watermark


def test_small_pictures_are_signed_alone(command: Command) -> None:
    Image.fromarray(drawn()[:31, :31]).save("a.png")
    command("sample", "tiny-gan", "-n", 1, "-o", "s.png")
    command("stylize", "a.png", "--style", "wave", "-o", "b.png")
    command("upscale", "a.png", "--model", "tiny-up", "-o", "c.png")
    for name in ("s.png", "b.png", "c.png"):
        found = verify(name)
        assert (found.manifest.state, found.manifest.history.watermark) == ("trusted", "")
        assert found.watermark is None


def test_measurements_are_signed_alone(command: Command) -> None:
    path = real_data("satellite/rgb-byte-tenth.tif")
    command("upscale", path, "--model", "tiny-up", "-o", "out.tif")
    found = verify("out.tif").manifest
    assert (found.state, found.history.watermark) == ("trusted", "")


def test_a_mark_is_replaced_and_its_id_stays_in_the_history(command: Command) -> None:
    Image.fromarray(drawn()).save("photo.png")
    command("stylize", "photo.png", "--style", "wave", "-o", "a.png")
    command("upscale", "a.png", "--model", "tiny-up", "-o", "b.png")
    first, second = agreed("a.png"), agreed("b.png")
    (before,) = second.manifest.history.inputs
    assert before.watermark == f"{first.watermark.ident:04x}" != second.manifest.history.watermark


def test_the_id_of_another_picture_is_told(command: Command) -> None:
    Image.fromarray(drawn()).save("photo.png")
    command("upscale", "photo.png", "--model", "tiny-up", "-o", "a.png")
    model = volute.load("tiny-up")
    other = replace(model.origin("upscale", parent=Path("photo.png")), watermark=1)
    volute.provenance.sign("a.png", other)
    made = command("verify", "a.png")
    assert "; it differs from the manifest" in made.out
    assert json.loads(command("verify", "a.png", "--json").out)["agrees"] is False


def test_the_same_work_gives_the_same_pixels_and_id(command: Command) -> None:
    Image.fromarray(drawn()).save("photo.png")
    for name in ("a.png", "b.png"):
        command("sample", "land-gan", "-n", 1, "--seed", 3, "-o", f"s{name}")
        command("stylize", "photo.png", "--style", "wave", "-o", f"t{name}")
    for first, second in (("sa.png", "sb.png"), ("ta.png", "tb.png")):
        assert np.array_equal(*(np.asarray(Image.open(name)) for name in (first, second)))
        one, two = verify(first).manifest.history, verify(second).manifest.history
        assert one.watermark == two.watermark


def test_each_picture_of_a_set_has_its_own_id(command: Command) -> None:
    command("sample", "land-gan", "-n", 3, "-o", "s")
    command("interpolate", "land-gan", "-n", 2, "--steps", 2, "-o", "w")
    files = [*Path("s").iterdir(), *Path("w").iterdir()]
    assert len({verify(file).manifest.history.watermark for file in files}) == 7


@pytest.mark.parametrize("ending", ["gif", "webp"])
def test_every_frame_of_an_animation_can_be_read(command: Command, ending: str) -> None:
    frames = volute.load("land-gan").interpolate(2, steps=6, seed=1)
    origin = volute.load("land-gan").origin("interpolate", seed=1)
    save_animation(frames, Path(f"a.{ending}"), origin)
    told = agreed(f"a.{ending}").manifest.history.watermark
    with Image.open(f"a.{ending}") as made:
        for index in range(made.n_frames):
            made.seek(index)
            found = volute.provenance.watermark.read(np.asarray(made.convert("RGB")))
            assert f"{found.ident:04x}" == told
