"""Every network at every size: shapes, ranges, and an export that equals torch."""

from __future__ import annotations

import pytest
import torch

from volute.nets.blocks import channels_at, sides
from volute.nets.classic import ClassicDiscriminator, ClassicGenerator
from volute.nets.classifier import Classifier
from volute.nets.gan import Discriminator, Generator
from volute.nets.vae import CodeOf, Decoder, Encoder
from volute.training.export import check_parity, export_graphs
from volute.training.recipe import Exported, Graph

SIZES = (16, 20, 24, 28, 32, 48, 64, 112, 256)


@pytest.mark.parametrize("size", SIZES)
def test_sides_double_from_a_base_of_4_to_7(size: int) -> None:
    ladder = sides(size)
    assert ladder[-1] == size
    assert ladder[0] in range(4, 8)
    assert all(b == 2 * a for a, b in zip(ladder, ladder[1:], strict=False))


def test_channels_halve_with_each_doubling_and_stay_in_bounds() -> None:
    assert [channels_at(side, 128, 192) for side in (4, 7, 8, 14, 28, 64, 256)] == [
        192, 128, 128, 64, 32, 16, 16,
    ]  # fmt: skip


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("size", SIZES)
def test_generators_and_discriminators_fit_each_other(size: int, channels: int) -> None:
    latent, label = torch.randn(3, 8), torch.tensor([0, 1, 4])
    generator = Generator(size, channels, 5, latent=8, width=16, cap=24)
    made = generator(latent, label)
    assert made.shape == (3, channels, size, size)
    assert made.abs().max() <= 1
    assert Discriminator(size, channels, 5, width=16, cap=32)(made, label).shape == (3,)
    made = ClassicGenerator(size, channels, 8, width=16)(latent)
    assert made.shape == (3, channels, size, size)
    assert ClassicDiscriminator(size, channels, width=16)(made).shape == (3,)


def test_the_label_changes_picture_and_logit() -> None:
    generator = Generator(16, 1, 2, latent=8, width=16, cap=16).eval()
    discriminator = Discriminator(16, 1, 2, width=16, cap=16).eval()
    latent = torch.randn(1, 8)
    zero, one = (generator(latent, torch.tensor([k])) for k in (0, 1))
    assert not torch.allclose(zero, one)
    logits = [discriminator(zero, torch.tensor([k])) for k in (0, 1)]
    assert not torch.allclose(*logits)


@pytest.mark.parametrize("rungs", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [16, 28, 64])
def test_a_vae_code_is_one_vector_that_decodes(size: int, rungs: int) -> None:
    encoder = Encoder(size, 3, 16, 1, 6).eval()
    decoder = Decoder(size, 3, 16, 1, 6, rungs, 2).eval()
    pictures = torch.rand(2, 3, size, size) * 2 - 1
    code = CodeOf(encoder, decoder)(pictures)
    assert code.shape == (2, decoder.latent)
    assert decoder(code).shape == pictures.shape


def test_decoding_a_ladder_code_equals_reconstructing_in_one_go() -> None:
    torch.manual_seed(0)
    encoder, decoder = Encoder(28, 1, 32, 1, 6).eval(), Decoder(28, 1, 32, 1, 6, 2, 3).eval()
    for rung in decoder.rungs.values():
        torch.nn.init.normal_(rung.prior[-1].weight, 0, 0.2)
    pictures = torch.rand(4, 1, 28, 28) * 2 - 1
    top, features = encoder(pictures)
    whole, _, _ = decoder.descend(top.mean, {}, features)
    torch.testing.assert_close(
        decoder(CodeOf(encoder, decoder)(pictures)), whole, atol=1e-4, rtol=0
    )


def _shaken(network: torch.nn.Module) -> torch.nn.Module:
    """Give norms and zero-initialised layers the kind of values that training leaves."""
    torch.manual_seed(0)
    with torch.no_grad():
        for name, value in network.state_dict().items():
            if name.endswith("running_var"):
                value.copy_(torch.rand_like(value) + 0.5)
            elif value.is_floating_point():
                value.add_(0.05 * torch.randn_like(value))
    return network.eval()


def _vae(rungs: int) -> list[Graph]:
    encoder, decoder = Encoder(28, 1, 32, 1, 8), Decoder(28, 1, 32, 1, 8, rungs, 2)
    code = CodeOf(_shaken(encoder), _shaken(decoder))
    return [
        Graph("encoder", code.eval(), {"picture": torch.zeros(2, 1, 28, 28)}, "latent"),
        Graph("decoder", decoder, {"latent": torch.zeros(2, decoder.latent)}, "picture"),
    ]


def _gan(network: torch.nn.Module, conditional: bool = False) -> list[Graph]:
    inputs = {"latent": torch.zeros(2, 8)}
    if conditional:
        inputs["label"] = torch.zeros(2, dtype=torch.int64)
    return [Graph("generator", _shaken(network), inputs, "picture")]


def _classifier(size: int, blocks: int) -> list[Graph]:
    network = _shaken(Classifier(size, 3, 5, 8, 32, blocks, dropout=0.5))
    return [Graph("classifier", network, {"picture": torch.zeros(2, 3, size, size)}, "logits")]


@pytest.mark.parametrize("size", SIZES)
def test_a_classifier_takes_every_size_and_shows_its_maps(size: int) -> None:
    network = Classifier(size, 3, 5, width=8, cap=16)
    pictures = torch.rand(2, 3, size, size)
    assert network(pictures).shape == (2, 5)
    widths = [maps.shape[-1] for maps in network.maps(pictures)]
    assert widths == sorted(widths, reverse=True)
    assert 4 <= widths[-1] <= 7


@pytest.mark.parametrize(
    "graphs",
    [
        pytest.param(lambda: _gan(Generator(28, 1, 0, 8, 32, 48)), id="gan"),
        pytest.param(
            lambda: _gan(Generator(16, 4, 3, 8, 32, 48, 1), True), id="gan-classes-blocks"
        ),
        pytest.param(
            lambda: _gan(Generator(24, 3, 0, 8, 32, 48, 0, "transposed")), id="gan-transposed"
        ),
        pytest.param(lambda: _gan(ClassicGenerator(32, 3, 8, 32)), id="classic"),
        pytest.param(lambda: _vae(0), id="vae"),
        pytest.param(lambda: _vae(2), id="vae-ladder"),
        pytest.param(lambda: _classifier(28, 1), id="classifier"),
        pytest.param(lambda: _classifier(64, 2), id="classifier-blocks"),
    ],
)
def test_the_exported_graph_equals_torch_and_keeps_its_weights_outside(graphs) -> None:
    made = graphs()
    samples = torch.zeros(64, 1, 16, 16)
    models, weights = export_graphs(Exported(made, samples, latent=8, radius=1))
    assert check_parity(models, weights, made) < 1e-4
    assert sum(len(model) for model in models.values()) < 0.5 * len(weights)
