"""A tutor's paintings lie where the content lies, in the style that was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from realdata import real_data
from volute.errors import UsageError
from volute.training.device import choose
from volute.training.style_loss import StyleJudge
from volute.training.styles import Styles
from volute.training.tutor import Tutor


@pytest.fixture
def supply(tmp_path: Path) -> Styles:
    paths = []
    for name, colour in (("red", (200, 30, 30)), ("blue", (30, 30, 200))):
        pixels = np.full((96, 96, 3), 255, np.uint8)
        pixels[:, np.arange(96) // 8 % 2 == 0] = colour
        paths.append(str(tmp_path / f"{name}.png"))
        Image.fromarray(pixels).save(paths[-1])
    return Styles(tuple(paths), 0, 0, StyleJudge(choose("cpu", "float32"), "").said)


def test_it_paints_each_share_in_its_style_and_in_its_place(supply: Styles) -> None:
    tutor = Tutor(str(real_data("style/microast")), supply, choose("cpu", "float32"))
    blocks = torch.rand(4, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    content = blocks.repeat_interleave(16, 2).repeat_interleave(16, 3)
    made = [tutor.paint(content, [0, 1], torch.Generator().manual_seed(seed)) for seed in range(3)]
    red, blue = made[0][:2].mean((0, 2, 3)), made[0][2:].mean((0, 2, 3))
    assert red[0] > blue[0]
    assert blue[2] > red[2]
    for one, other in zip(made, made[1:], strict=False):
        apart = [(one - torch.roll(other, by, 3))[..., 8:-8].square().mean() for by in range(-5, 6)]
        assert np.argmin(apart) == 5


def test_a_folder_without_checkpoints_is_refused(supply: Styles, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not hold MicroAST"):
        Tutor(str(tmp_path), supply, choose("cpu", "float32"))
