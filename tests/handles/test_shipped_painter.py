"""`painter`: small, as good as said, exact, steady, and silent about where it was made."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import volute
from volute import zoo
from volute.handles import Stylizer
from volute.measure.motion import pan, temporal_error
from volute.training.device import choose
from volute.training.style_loss import StyleJudge

DATA = Path(os.environ.get("VOLUTE_DATA", Path(__file__).parents[3] / "shared" / "data"))
STYLES = {
    "doesburg", "hoitsu", "kandinsky", "matisse", "mona-lisa", "mondrian", "monet", "scream",
    "starry-night", "turner", "udnie", "wave",
}  # fmt: skip
STYLE, CONTENT = 0.62, 0.75
"""The most that it may lose, with some room."""
pytestmark = pytest.mark.skipif("painter" not in zoo.shipped(), reason="painter is not shipped yet")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no data in {DATA}: set VOLUTE_DATA")


@pytest.fixture(scope="module")
def painter() -> Stylizer:
    model = volute.load("painter")
    assert isinstance(model, Stylizer)
    return model


def photo(side: int, index: int = 0) -> np.ndarray:
    file = sorted((DATA / "photos").iterdir())[index]
    picture = Image.open(file).convert("RGB")
    scale = side / min(picture.size)
    size = round(picture.width * scale), round(picture.height * scale)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))[:side, :side].copy()


def tensor(pixels_HWC: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels_HWC).permute(2, 0, 1)[None].float() / 127.5 - 1


def test_it_is_small_and_tells_nothing_of_where_it_was_made(painter: Stylizer) -> None:
    files = [file for file in (zoo.HERE / "painter").iterdir() if file.name != "samples.png"]
    assert sum(file.stat().st_size for file in files) <= 3_000_000
    for name in ("config.json", "README.md", "metrics.json"):
        text = (zoo.HERE / "painter" / name).read_text()
        assert "/tmp" not in text
        assert "/work" not in text
    assert set(painter.styles) == STYLES
    assert painter.info.descriptor.tiling_exact


@needs_data
def test_it_paints_as_well_as_is_said(painter: Stylizer) -> None:
    judge = StyleJudge(choose("cpu", "float32", 1), "")
    lost = []
    for index, file in enumerate(sorted((DATA / "style" / "paintings").iterdir())[::3]):
        picture = Image.open(file).convert("RGB")
        picture.thumbnail((512, 512))
        content = photo(256, 7 * index)
        made = painter.stylize(content, style=picture)
        said = [judge.said(tensor(np.array(picture)))]
        found = judge.by_eye(tensor(made), tensor(content), said)
        lost.append([part.item() for part in found])
    style, kept = np.mean(lost, 0)
    assert style < STYLE
    assert kept < CONTENT


@needs_data
def test_styles_differ_from_each_other_and_strength_fades_to_nothing(painter: Stylizer) -> None:
    content = photo(128, 3)
    made = [painter.stylize(content, style=name).astype(float) for name in painter.styles]
    for index, one in enumerate(made):
        for other in made[:index]:
            assert np.abs(one - other).mean() > 4
    steps = [
        np.abs(painter.stylize(content, style="wave", strength=s).astype(float) - content).mean()
        for s in (0.0, 0.05, 0.5, 1.0)
    ]
    assert steps == sorted(steps)
    assert steps[1] < 0.5 * steps[3]


@needs_data
def test_tiles_leave_no_trace(painter: Stylizer) -> None:
    content = photo(1200, 11)
    whole = painter.stylize(content, style="starry-night", memory=8 << 30)
    tiled = painter.stylize(content, style="starry-night", memory=256 << 20)
    assert np.array_equal(whole, tiled)


@needs_data
def test_a_moving_picture_is_painted_as_it_moves(painter: Stylizer) -> None:
    film, half_of_microast = pan(photo(320, 5), 256, count=3), 0.043
    style = painter.style("wave", like=film.frames[0])
    error = temporal_error(lambda frame: painter.stylize(frame, style=style), film)
    assert error < half_of_microast


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("size", [(1, 1), (9, 200), (128, 192)])
def test_what_is_plain_stays_plain(painter: Stylizer, level: int, size: tuple[int, int]) -> None:
    for style in ("wave", "mondrian", "kandinsky"):
        made = painter.stylize(np.full((*size, 3), level, np.uint8), style=style)
        assert made.std((0, 1)).max() < 2
