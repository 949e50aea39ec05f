"""Distortions: the shape and range stay, the draw alone decides, JPEG is what Pillow's is."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from teachers import coloured
from volute.training.distort import DISTORTIONS, distort, jpeg, mix


def floats(count: int, seed: int = 0, side: int = 64) -> torch.Tensor:
    return torch.from_numpy(coloured(count, side, seed)).permute(0, 3, 1, 2).float() / 127.5 - 1


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("change", DISTORTIONS, ids=lambda change: change.__name__)
def test_each_keeps_the_shape_and_changes_more_when_stronger(change) -> None:
    x = floats(6)
    errors = []
    for strength in (0.05, 0.95):
        changed = change(x, torch.full((6,), strength), seeded(1))
        assert changed.shape == x.shape
        assert torch.isfinite(changed).all()
        errors.append((changed - x).square().mean().item())
    assert 0 < errors[0] < errors[1]


def test_the_draw_alone_decides_and_every_picture_is_changed() -> None:
    x = floats(40)
    once = distort(x, seeded(3))
    assert torch.equal(once, distort(x, seeded(3)))
    assert not torch.equal(once, distort(x, seeded(4)))
    assert ((once - x).abs().flatten(1).amax(1) > 0).all()
    assert once.abs().max() <= 1


@pytest.mark.parametrize("quality", [10, 50, 90])
def test_jpeg_is_nearly_what_pillow_makes(quality: int) -> None:
    pixels = coloured(1, 64)[0]
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality, subsampling=0)
    theirs = np.asarray(Image.open(stream).convert("RGB"), np.float64)
    strength = torch.tensor([(95 - quality) / 92])
    ours = (jpeg(floats(1), strength, seeded(0)).clamp(-1, 1) + 1) * 127.5
    difference = ours[0].permute(1, 2, 0).numpy() - theirs
    lost = pixels.astype(np.float64) - theirs
    assert np.square(difference).mean() < 0.1 * np.square(lost).mean() + 1.0


def test_one_picture_alone_has_no_other_to_be_mixed_with_but_its_mirror() -> None:
    x = floats(1)
    mixed = mix(x, torch.ones(1), seeded(0))
    torch.testing.assert_close(mixed, (x + x.flip(3)) / 2)
