"""The feature network: what folding keeps, what a distance is, what gradients reach."""

from __future__ import annotations

import pytest
import torch

from volute.nets.extractor import Extractor, unit_distance


@pytest.fixture(scope="module")
def network() -> Extractor:
    """Return a network that has seen a few batches, so that its norms are not trivial."""
    torch.manual_seed(0)
    network = Extractor(8, (20, 40, 60, 150))
    for seed in range(3):
        network(pictures(4, seed))
    return network.eval()


def pictures(count: int, seed: int, height: int = 32, width: int = 32) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, height, width, generator=rng) * 2 - 1


def test_folding_keeps_lengths_angles_and_distances(network: Extractor) -> None:
    small, x = network.folded(), pictures(6, 9)
    with torch.no_grad():
        for large, folded in zip(network.spatial(x), small.spatial(x), strict=True):
            assert folded.shape[1] < large.shape[1]
            a, b = (t.permute(0, 2, 3, 1).flatten(0, 2).double() for t in (large, folded))
            torch.testing.assert_close(a @ a.T, b @ b.T, rtol=1e-3, atol=1e-3)
        a, b = network(x).double(), small(x).double()
        assert b.shape[1] < a.shape[1]
        torch.testing.assert_close(a @ a.T, b @ b.T, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(network.distance(x, x.flip(0)), small.distance(x, x.flip(0)))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (31, 50), (40, 9)])
def test_a_distance_is_zero_on_itself_symmetric_and_at_most_twelve(
    network: Extractor, height: int, width: int
) -> None:
    a, b = (pictures(3, seed, height, width) for seed in (1, 2))
    with torch.no_grad():
        assert network.distance(a, a).abs().max() < 1e-5
        there, back = network.distance(a, b), network.distance(b, a)
    torch.testing.assert_close(there, back)
    assert (there > 1e-3).all()
    assert (there <= 12).all()


def test_the_distance_is_the_squared_difference_of_unit_vectors() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = ([torch.randn(2, c, 5, 4, generator=rng) for c in (3, 7)] for _ in range(2))
    expected = torch.zeros(2)
    for x, y in zip(a, b, strict=True):
        gap = x / x.norm(dim=1, keepdim=True) - y / y.norm(dim=1, keepdim=True)
        expected += gap.square().sum(1).mean((1, 2))
    torch.testing.assert_close(unit_distance(a, b), expected)
    nothing = [torch.zeros(2, 3, 5, 4)]
    assert unit_distance(nothing, nothing).abs().max() == 0


def test_a_picture_can_be_pulled_towards_another_by_the_distance(network: Extractor) -> None:
    wanted = pictures(1, 3)
    x = pictures(1, 4).requires_grad_()
    before = network.distance(x, wanted).item()
    optimiser = torch.optim.Adam([x], lr=0.05)
    for _ in range(40):
        optimiser.zero_grad()
        network.distance(x, wanted).sum().backward()
        optimiser.step()
    assert network.distance(x, wanted).item() < 0.5 * before


def test_stages_halve_the_sides(network: Extractor) -> None:
    sides = [tuple(stage.shape[2:]) for stage in network.maps(pictures(1, 0, 64, 48))]
    assert sides == [(64, 48), (32, 24), (16, 12), (8, 6), (4, 3)]
