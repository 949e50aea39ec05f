from __future__ import annotations

import pytest
import torch

from volute.training.augment import turn
from volute.training.randaugment import OPERATIONS, randaugment
from volute.training.recipe import seeded

CPU = torch.device("cpu")


def pictures(channels: int = 3) -> torch.Tensor:
    return torch.rand(64, channels, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_no_operation_or_no_strength_leaves_pictures_as_they_are() -> None:
    x_BCHW = pictures()
    for operations, magnitude in ((0, 1.0), (len(OPERATIONS), 0.0)):
        changed = randaugment(x_BCHW, operations, magnitude, seeded(CPU, 1))
        torch.testing.assert_close(changed, x_BCHW, atol=1e-5, rtol=0)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_it_is_seeded_bounded_and_lets_gradients_through(channels: int) -> None:
    x_BCHW = pictures(channels).requires_grad_(True)
    one, same, other = (randaugment(x_BCHW, 3, 1.0, seeded(CPU, seed)) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert one.shape == x_BCHW.shape
    assert one.abs().max() <= 1
    if channels == 4:
        opaque = torch.cat([pictures(3), torch.ones(64, 1, 16, 16)], 1)
        assert randaugment(opaque, 11, 1.0, seeded(CPU, 1))[:, 3].min() > 0.999
    one.sum().backward()
    assert x_BCHW.grad is not None
    assert x_BCHW.grad.abs().sum() > 0


def test_as_many_operations_as_asked_for_hit_a_picture() -> None:
    """With one of eleven operations, four in eleven pictures only change colour."""
    x_BCHW = torch.zeros(4000, 1, 8, 8)
    x_BCHW[:, :, 2:6, 2:6] = 0.5
    changed = (randaugment(x_BCHW, 1, 1.0, seeded(CPU, 1)) - x_BCHW).abs().flatten(1).amax(1) > 1e-3
    assert 0.7 < changed.float().mean() < 0.95  # saturation of grey does nothing


def test_turning_gives_each_quarter_as_often() -> None:
    x_BCHW = pictures()[:1].expand(2000, -1, -1, -1)
    turned = turn(x_BCHW, seeded(CPU, 1))
    shares = [
        (turned == torch.rot90(x_BCHW, k, (2, 3))).flatten(1).all(1).float().mean().item()
        for k in range(4)
    ]
    assert shares == pytest.approx([0.25] * 4, abs=0.04)
