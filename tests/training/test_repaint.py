"""Files repainted by optimisation keep what they say; films and nonsense are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import volute
from filming import Recipe, film
from volute.errors import DataError, UsageError
from volute.events import Event, Progress
from volute.provenance import verify
from volute.training.repaint import repaint_file

RED = np.full((64, 64, 3), (200, 20, 20), np.uint8)
RED[::4] = (120, 0, 0)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    alpha = np.full((48, 64, 1), 255, np.uint8)
    alpha[:, :10] = 90
    exif = Image.Exif()
    exif[0x010E] = "a garden"
    path = tmp_path / "photo.png"
    Image.fromarray(np.concatenate([pixels, alpha], 2)).save(path, exif=exif)
    return path


def test_colours_change_and_the_rest_stays(photo: Path) -> None:
    events: list[Event] = []
    out = photo.with_name("made.png")
    repaint_file(photo, out, style=RED, side=64, steps=24, emit=events.append)
    before, after = Image.open(photo), Image.open(out)
    assert after.getexif()[0x010E] == "a garden"
    old, new = np.asarray(before).astype(int), np.asarray(after).astype(int)
    assert np.array_equal(old[..., 3], new[..., 3])
    assert (new - old)[..., 1].mean() < -20
    assert new[..., 0].mean() > new[..., 1].mean() + 15
    assert any(isinstance(event, Progress) and event.fraction == 1 for event in events)
    assert {path.name for path in photo.parent.iterdir()} == {"photo.png", "made.png"}


def test_a_mask_and_no_strength_leave_pixels_alone(photo: Path) -> None:
    mask = np.zeros((48, 64), bool)
    mask[:24] = True
    out = photo.with_name("half.png")
    repaint_file(photo, out, style=RED, side=64, steps=6, mask=mask)
    old, new = np.asarray(Image.open(photo)), np.asarray(Image.open(out))
    assert np.array_equal(old[24:], new[24:])
    assert not np.array_equal(old[:24], new[:24])
    repaint_file(photo, photo.with_name("none.png"), style=RED, strength=0.0)
    assert np.array_equal(old, np.asarray(Image.open(photo.with_name("none.png"))))


def test_what_is_made_is_marked(photo: Path) -> None:
    volute.load("land-gan").sample(1, seed=2)[0].resize((160, 120)).save(photo)
    out = photo.with_name("made.png")
    repaint_file(photo, out, style=RED, side=64, steps=4)
    assert verify(out).agrees
    repaint_file(photo, out, style=RED, side=64, steps=4, unmarked=True)
    assert verify(out).watermark.p_value > 1e-6


def test_what_cannot_be_is_refused_and_leaves_nothing(photo: Path) -> None:
    folder = photo.parent
    source = film(folder / "film.mkv", Recipe())
    with pytest.raises(UsageError, match="would take days"):
        repaint_file(source, folder / "out.mkv", style=RED)
    with pytest.raises(UsageError, match="strength = 2"):
        repaint_file(photo, folder / "out.png", style=RED, strength=2)
    with pytest.raises(UsageError, match="too small"):
        repaint_file(photo, folder / "out.png", style=RED, side=8)
    (folder / "text.jpg").write_text("no picture")
    with pytest.raises(DataError, match=r"text\.jpg"):
        repaint_file(folder / "text.jpg", folder / "out.png", style=RED)
    assert not list(folder.glob("out*"))
