from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from running import Command
from shapes import TINY, shapes
from volute.jobs import train


@pytest.fixture
def run(command: Command) -> Path:
    here = Path.cwd()
    pictures, labels = shapes(60)
    np.savez(here / "shapes.npz", x_train=pictures, y_train=labels)
    Image.fromarray(pictures[0]).save(here / "one.png")
    settings = TINY["classify"] | {"data": {"classes": ["disc", "bar"]}}
    return train(
        "classify", here / "shapes.npz", kimg=0.32, out=here / "run", settings=settings
    ).path


def test_it_writes_a_page_with_every_picture_beside_it(run: Path, command: Command) -> None:
    done = command("features", "run", "one.png", "-o", "seen")
    assert done.code == 0, done.err
    page = Path("seen/index.html").read_text(encoding="utf-8")
    for name in ("picture", "grad-cam", "occlusion", "stage-1", "stage-2", "stage-3"):
        assert f'src="{name}.png"' in page
        assert Path(f"seen/{name}.png").exists()
    assert "nine patches of the data" in page
    assert "Its answer: " in page
    assert "seen is there already" in command("features", "run", "one.png", "-o", "seen").err


@pytest.mark.long
def test_a_model_alone_takes_its_patches_from_elsewhere_or_has_none(
    run: Path, command: Command
) -> None:
    assert command("features", "run/model", "one.png", "-o", "seen").code == 0
    assert "nine patches" not in Path("seen/index.html").read_text(encoding="utf-8")
    done = command("features", "run/model", "one.png", "--data", "shapes.npz", "-o", "more")
    assert done.code == 0
    assert "nine patches" in Path("more/index.html").read_text(encoding="utf-8")


def test_what_cannot_be_shown_is_refused(run: Path, command: Command) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), np.uint8)
    np.savez("colour.npz", x_train=pictures)
    refused = command("features", "run", "one.png", "--data", "colour.npz", "-s", "data.mode=RGB")
    assert "gives 3 channels, the model has 1" in refused.err
    assert command("features", "run", "absent.png").code == 4
