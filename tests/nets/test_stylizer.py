"""The style network: how far a pixel reaches, where it starts, and that its forms agree."""

from __future__ import annotations

import pytest
import torch

from volute.nets.stylizer import (
    MULTIPLE,
    Halved,
    Modulator,
    Painter,
    Plain,
    StyleEncoder,
    paint,
    radius,
)


def painter(blocks: int = 1, seed: int = 0) -> Painter:
    torch.manual_seed(seed)
    return Painter(code=8, width=8, blocks=blocks, bank=2)


def awake(network: Painter) -> Painter:
    """Undo that it starts close to the identity."""
    with torch.no_grad():
        for kernels in network.kernels:
            kernels.normal_(std=0.3)
        network.mix.weight.normal_(std=0.3)
    return network


@pytest.mark.parametrize("blocks", [1, 2, 3])
def test_a_pixel_reaches_no_further_than_the_radius(blocks: int) -> None:
    network, reach = awake(painter(blocks)).double(), radius(blocks)
    assert reach % MULTIPLE == 0
    kernels = network(torch.randn(1, 8, dtype=torch.double))[0]
    side = 2 * reach + 5 * MULTIPLE
    x = torch.rand(1, 3, side, side, dtype=torch.double)
    for at in range(reach + MULTIPLE, reach + 2 * MULTIPLE):
        changed = x.clone()
        changed[:, :, at, at] += 1
        moved = (paint(changed, kernels) - paint(x, kernels)).abs().amax((0, 1)).amax(1)
        (touched,) = torch.where(moved > 0)
        assert touched.min() >= at - reach
        assert touched.max() <= at + reach
        assert touched.max() - touched.min() > reach, "the radius is said too large"


def test_it_starts_close_to_the_identity_and_styles_differ() -> None:
    network = painter()
    x = torch.rand(2, 3, 32, 48) * 2 - 1
    one, two = network(torch.randn(2, 8))
    assert (paint(x, one) - x).abs().mean() < 0.5
    assert (paint(x, one) - paint(x, two)).abs().mean() > 1e-3


def test_an_even_picture_is_painted_evenly() -> None:
    kernels = awake(painter().double())(torch.randn(1, 8, dtype=torch.double))[0]
    even = torch.tensor([0.3, -0.5, 0.8], dtype=torch.double)[None, :, None, None]
    made = paint(even.expand(1, 3, 64, 64), kernels, mirrored=True)
    assert made.std((2, 3)).max() < 1e-12
    assert (made - even).abs().max() > 1e-3


def test_flat_kernels_plain_network_and_painter_agree() -> None:
    network = awake(painter())
    codes = torch.randn(3, 8)
    flat = network.flat(codes)
    x = torch.rand(2, 3, 24, 16)
    for row, kernels in zip(flat, network(codes), strict=True):
        plain = Plain(kernels)
        torch.testing.assert_close(plain(x), paint(x, kernels))
        torch.testing.assert_close(
            torch.cat([p.flatten() for p in plain.state_dict().values()]), row
        )


def test_mixed_codes_give_mixed_kernels() -> None:
    network = awake(painter())
    codes = torch.randn(2, 8)
    mixed = network.flat((0.3 * codes[0] + 0.7 * codes[1])[None])
    flat = network.flat(codes)
    torch.testing.assert_close(mixed[0], 0.3 * flat[0] + 0.7 * flat[1], rtol=1e-4, atol=1e-5)


def test_half_precision_on_disk_changes_little() -> None:
    network = awake(painter())
    codes = torch.randn(2, 8)
    whole = network.flat(codes).detach()
    halved = Halved(Modulator(network))
    assert {p.dtype for p in halved.state_dict().values()} == {torch.half}
    torch.testing.assert_close(halved(codes).detach(), whole, rtol=2e-2, atol=2e-2)
    assert halved(codes).dtype == torch.float32


def test_the_encoder_takes_any_size_and_tells_textures_apart() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(8)
    smooth, rough = torch.zeros(1, 3, 64, 64), torch.rand(1, 3, 64, 64) * 2 - 1
    same = encoder(torch.rand(1, 3, 200, 128) * 2 - 1)
    near, far = (same - encoder(rough)).norm(), (encoder(smooth) - encoder(rough)).norm()
    assert near < 0.5 * far
    assert encoder(torch.zeros(2, 3, 32, 33)).shape == (2, 8)
