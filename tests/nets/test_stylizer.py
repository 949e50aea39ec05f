"""The style network: how far a pixel reaches, where it starts, and that its forms agree."""

from __future__ import annotations

import pytest
import torch

from volute.nets.halved import Halved
from volute.nets.painter import Painter
from volute.nets.style_encoder import StyleEncoder
from volute.nets.stylizer import (
    MULTIPLE,
    Modulator,
    Plain,
    flat,
    measure,
    paint,
    radius,
    scaled,
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
    kernels = network(torch.randn(1, 8, dtype=torch.double))
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
    x = (torch.rand(1, 3, 32, 48) * 2 - 1).expand(2, -1, -1, -1)
    one, two = paint(x, network(torch.randn(2, 8)))
    assert (one - x[0]).abs().mean() < 0.5
    assert (one - two).abs().mean() > 1e-3


def test_an_even_picture_is_painted_evenly() -> None:
    kernels = awake(painter().double())(torch.randn(1, 8, dtype=torch.double))
    even = torch.tensor([0.3, -0.5, 0.8], dtype=torch.double)[None, :, None, None]
    made = paint(even.expand(1, 3, 64, 64), kernels, mirrored=True)
    assert made.std((2, 3)).max() < 1e-12
    assert (made - even).abs().max() > 1e-3


def test_each_picture_is_painted_by_its_style_alone_and_by_its_plain_kernels() -> None:
    network = awake(painter().double())
    codes = torch.randn(3, 8, dtype=torch.double)
    x = torch.rand(6, 3, 32, 24, dtype=torch.double) * 2 - 1
    kernels = network(codes)
    made, _, scales = measure(x, kernels)
    for index in range(6):
        own, alone = network(codes[index // 2 :][:1]), x[index : index + 1]
        torch.testing.assert_close(measure(alone, own)[0][0], made[index])
        plain = scaled(kernels, scales, index)
        torch.testing.assert_close(paint(alone, plain, mirrored=True)[0], made[index])


@pytest.mark.parametrize(("gain", "shift"), [(0.3, 0.0), (0.5, -0.4), (1.0, 0.3)])
def test_brightness_and_contrast_of_a_picture_do_not_matter(gain: float, shift: float) -> None:
    kernels = awake(painter().double())(torch.randn(1, 8, dtype=torch.double))
    x = torch.rand(1, 3, 64, 64, dtype=torch.double) * 2 - 1
    made, changed = (measure(each, kernels)[0] for each in (x, gain * x + shift))
    assert (changed - made).std() < 0.05 * made.std()
    assert (paint(gain * x + shift, kernels) - paint(x, kernels)).std() > 0.1 * made.std()


def test_a_flat_picture_stays_flat() -> None:
    """Noise of one level in 255 is not blown up to full contrast."""
    kernels = awake(painter().double())(torch.randn(1, 8, dtype=torch.double))
    x = torch.rand(1, 3, 64, 64, dtype=torch.double) * 2 - 1
    flat_one = measure(0.2 + x / 255, kernels)[0]
    assert flat_one.std() < 0.5 * measure(x, kernels)[0].std()


def test_flat_kernels_plain_network_and_painter_agree() -> None:
    network = awake(painter().double())
    x = torch.rand(2, 3, 24, 16, dtype=torch.double)
    for code in torch.randn(3, 1, 8, dtype=torch.double):
        kernels = network(code)
        plain = Plain(kernels)
        torch.testing.assert_close(plain(x), paint(x, kernels))
        parts = [p.flatten() for p in plain.state_dict().values()]
        torch.testing.assert_close(torch.cat(parts), flat(kernels))


def test_mixed_codes_give_mixed_kernels() -> None:
    network = awake(painter())
    codes = torch.randn(2, 8)
    mixed = flat(network((0.3 * codes[0] + 0.7 * codes[1])[None]))
    one, two = (flat(network(code[None])) for code in codes)
    torch.testing.assert_close(mixed, 0.3 * one + 0.7 * two, rtol=1e-4, atol=1e-5)


def test_half_precision_on_disk_changes_little() -> None:
    network = awake(painter())
    code, picture = torch.randn(1, 8), torch.rand(1, 3, 32, 32) * 2 - 1
    whole = Modulator(network)(code, picture).detach()
    halved = Halved(Modulator(network))
    assert {p.dtype for p in halved.state_dict().values()} == {torch.half}
    made = halved(code, picture).detach()
    torch.testing.assert_close(made, whole, rtol=2e-2, atol=2e-2)
    assert made.dtype == torch.float32


def test_the_encoder_takes_any_size_and_tells_textures_apart() -> None:
    torch.manual_seed(0)
    encoder = StyleEncoder(8)
    smooth, rough = torch.zeros(1, 3, 64, 64), torch.rand(1, 3, 64, 64) * 2 - 1
    same = encoder(torch.rand(1, 3, 200, 128) * 2 - 1)
    near, far = (same - encoder(rough)).norm(), (encoder(smooth) - encoder(rough)).norm()
    assert near < 0.5 * far
    assert encoder(torch.zeros(2, 3, 32, 33)).shape == (2, 8)
