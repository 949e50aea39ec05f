"""Gradient checkpointing: the same numbers from less memory."""

from __future__ import annotations

import copy
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import nn

from shapes import TINY
from volute.errors import UsageError, VoluteError
from volute.jobs import resume, train
from volute.nets.gan import Discriminator, Generator
from volute.recipes.gan import GanRecipe
from volute.training.adversarial import relativistic, score_pairs
from volute.training.recompute import recompute


def _pair() -> tuple[Generator, Discriminator]:
    torch.manual_seed(0)
    return Generator(32, 3, 0, 16, 32, 48, 2), Discriminator(32, 3, 0, 32, 64, 2)


def _after_a_step(generator: nn.Module, discriminator: nn.Module) -> list[torch.Tensor]:
    """Return gradients, with those of gradients in them, and running statistics."""
    rng = torch.Generator().manual_seed(1)
    fake = generator(torch.randn(4, 16, generator=rng))
    real = torch.rand(4, 3, 32, 32, generator=rng) * 2 - 1
    on_real, on_fake, penalty = score_pairs(
        lambda x, _: discriminator(x), real, fake.detach(), None, 2
    )
    (relativistic(on_real, on_fake) + penalty).backward()
    discriminator(fake).sum().backward()
    found = [p.grad for net in (generator, discriminator) for p in net.parameters()]
    return [*(g for g in found if g is not None), *generator.buffers()]


def _held(work: nn.Module, x: torch.Tensor) -> int:
    """Return the bytes that are kept for the gradient."""
    seen: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        work(x)
    own = {p.untyped_storage().data_ptr() for p in work.parameters()}
    return sum(size for place, size in seen.items() if place not in own)


def test_gradients_and_statistics_are_the_same_from_a_third_of_the_memory() -> None:
    plain = _pair()
    lean = copy.deepcopy(plain)
    assert sum(recompute(network) for network in lean) == 2
    for old, new in zip(_after_a_step(*plain), _after_a_step(*lean), strict=True):
        assert torch.equal(old, new)
    assert 3 * _held(lean[0], torch.randn(4, 16)) < _held(plain[0], torch.randn(4, 16))
    assert list(lean[0].state_dict()) == list(plain[0].state_dict())


@pytest.mark.parametrize("kind", ["gan", pytest.param("vae", marks=pytest.mark.long)])
def test_a_training_ends_with_the_same_weights(kind: str, shapes_npz: Path, tmp_path: Path) -> None:
    weights = []
    for name in (False, True):
        settings = {**TINY[kind], "blocks": 1, "recompute": name}
        run = train(kind, shapes_npz, kimg=0.4, out=tmp_path / str(name), settings=settings)
        weights.append((run.model / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_what_is_no_chain_of_layers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("To be, or not to be. " * 400)
    with pytest.raises(UsageError, match="nothing in the networks of lm can be computed again"):
        train("lm", tmp_path / "text.txt", kimg=1, out=tmp_path / "r", settings={"recompute": True})


def test_too_little_memory_is_said_with_what_helps(shapes_npz: Path, tmp_path: Path) -> None:
    full = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")
    run = tmp_path / "run"
    with (
        patch.object(GanRecipe, "step", side_effect=full),
        pytest.raises(VoluteError, match="does not fit into memory") as told,
    ):
        train("gan", shapes_npz, kimg=0.2, out=run, settings=TINY["gan"])
    assert "-s recompute=true" in told.value.hint
    again = resume(run, settings={"recompute": True})
    assert again.config.recompute
