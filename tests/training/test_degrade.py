"""Spoiled pictures: nothing at strength 0, more with more, any size, always the same."""

from __future__ import annotations

import pytest
import torch

from volute.training.degrade import degrade


def pictures(channels: int = 3) -> torch.Tensor:
    rng = torch.Generator().manual_seed(1)
    rough = torch.rand(6, channels, 12, 12, generator=rng) * 2 - 1
    return torch.nn.functional.interpolate(rough, (90, 108), mode="bicubic").clamp(-1, 1)


def spoiled(x: torch.Tensor, scale: int, strength: float, seed: int = 0) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return degrade(x, scale, torch.full((len(x),), strength), rng)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("scale", [2, 3])
def test_strength_says_how_far_from_the_reduction(channels: int, scale: int) -> None:
    x = pictures(channels)
    plain = torch.nn.functional.interpolate(
        x, (90 // scale, 108 // scale), mode="bicubic", antialias=True
    )
    assert torch.equal(spoiled(x, scale, 0), plain.clamp(-1, 1))
    errors = [
        sum(float((spoiled(x, scale, s, k) - plain).abs().mean()) for k in range(4))
        for s in (0.1, 0.5, 1.0)
    ]
    assert 0 < errors[0] < errors[1] < errors[2]
    assert errors[2] / 4 < 0.2


def test_the_generator_decides() -> None:
    x = pictures()
    assert torch.equal(spoiled(x, 2, 0.7), spoiled(x, 2, 0.7))
    assert not torch.equal(spoiled(x, 2, 0.7), spoiled(x, 2, 0.7, 1))
