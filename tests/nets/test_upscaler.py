"""The super-resolution network: what folding keeps, how far a pixel reaches, where it starts."""

from __future__ import annotations

import pytest
import torch

from volute.nets.upscaler import Upscaler, folded


def noisy(scale: int, bands: int = 3, blocks: int = 2) -> Upscaler:
    """Return a network with random weights everywhere, also where learning starts from zero."""
    torch.manual_seed(0)
    network = Upscaler(bands, 8, blocks, scale)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return network.eval()


def picture(height: int, width: int, bands: int = 3) -> torch.Tensor:
    return torch.rand(1, bands, height, width, generator=torch.Generator().manual_seed(1)) * 2 - 1


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("bands", [1, 3, 5])
def test_folding_changes_nothing_not_even_at_the_border(scale: int, bands: int) -> None:
    network, x = noisy(scale, bands), picture(9, 14, bands)
    small = folded(network)
    count = sum(p.numel() for p in small.parameters())
    assert count < 0.3 * sum(p.numel() for p in network.parameters())
    with torch.no_grad():
        made = network(x)
        assert made.shape == (1, bands, 9 * scale, 14 * scale)
        torch.testing.assert_close(small(x), made, rtol=1e-4, atol=1e-5)


def test_it_starts_as_nearest_enlargement() -> None:
    torch.manual_seed(0)
    network, x = Upscaler(3, 8, 2, 2), picture(5, 6)
    nearest = torch.nn.functional.interpolate(x, scale_factor=2, mode="nearest")
    with torch.no_grad():
        torch.testing.assert_close(network(x), nearest)


@pytest.mark.parametrize("blocks", [0, 1, 3])
def test_a_pixel_reaches_as_far_as_the_radius_says_and_no_farther(blocks: int) -> None:
    network = noisy(2, 1, blocks)
    side = 2 * network.radius + 5
    middle = side // 2
    x = picture(side, side, 1).requires_grad_()
    network(x)[0, 0, 2 * middle, 2 * middle].backward()
    assert x.grad is not None
    rows = torch.nonzero(x.grad[0, 0].abs().sum(1))[:, 0]
    assert (rows.min().item(), rows.max().item()) == (
        middle - network.radius,
        middle + network.radius,
    )
