"""What is punished as a grid, and what is not; what must not move against the picture."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from volute.training.motion import shifted
from volute.training.style_loss import grid


@pytest.mark.parametrize("cell", [4, 8])
def test_a_repeated_pattern_is_a_grid_and_ramps_and_noise_are_none(cell: int) -> None:
    rng = torch.Generator().manual_seed(0)
    pattern = torch.randn(1, 3, cell, cell, generator=rng)
    pattern -= pattern.mean((2, 3), keepdim=True)
    repeated = pattern.repeat(1, 1, 160 // cell, 160 // cell)
    assert grid(repeated, cell, 4).item() == pytest.approx(pattern.square().mean().item(), rel=1e-3)
    ramp = torch.linspace(-1, 1, 160).expand(1, 3, 160, 160)
    assert grid(ramp + 2 * ramp.mT, cell, 4) < 1e-10
    noise = torch.randn(1, 3, 160, 160, generator=rng)
    assert grid(noise, cell, 4) < 1.2 / 16


def test_only_what_does_not_follow_whole_pixels_is_unsteady() -> None:
    picture = torch.rand(1, 3, 64, 64)
    for seed in range(4):
        rng = torch.Generator().manual_seed(seed)
        follows = shifted(torch.tanh, picture, torch.tanh(picture), rng)
        assert follows == 0

    def in_squares(x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(F.avg_pool2d(x, 4), scale_factor=4.0)

    off = [
        shifted(in_squares, picture, in_squares(picture), torch.Generator().manual_seed(seed))
        for seed in range(4)
    ]
    assert max(off) > 1e-3
