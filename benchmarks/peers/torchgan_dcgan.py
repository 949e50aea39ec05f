"""torchgan's DCGAN for a time: its own trainer, networks and optimisers of its first tutorial.

That tutorial is on 32 px grey digits; its losses here are those of DCGAN. Pictures of 28 px get a
border of 2 px, which samples lose again. Patched: an argument that torchvision has renamed since.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator

import numpy as np
import peer
import torch
from torch.utils.data import DataLoader, TensorDataset

peer.patch_torchvision()
os.environ["TENSORBOARD_LOGGING"] = "0"

import torchvision  # noqa: E402

make_grid = torchvision.utils.make_grid


def grid(*given: object, **named: object) -> torch.Tensor:
    """Make a grid by the argument's new name."""
    if "range" in named:
        named["value_range"] = named.pop("range")
    return make_grid(*given, **named)


torchvision.utils.make_grid = grid

from torchgan.losses import MinimaxDiscriminatorLoss, MinimaxGeneratorLoss  # noqa: E402
from torchgan.models import DCGANDiscriminator, DCGANGenerator  # noqa: E402
from torchgan.trainer import Trainer  # noqa: E402

BATCH, BORDER = 64, 2


class Counted(DataLoader):
    """A loader that counts what it gives, and ends the training."""

    budget: peer.Budget

    def __iter__(self) -> Iterator[list[torch.Tensor]]:
        for batch in super().__iter__():
            yield batch
            self.budget.count(len(batch[0]))


def main() -> None:
    arguments = peer.parse(__doc__)
    with np.load(arguments.data) as data:
        train = torch.from_numpy(data["x_train"][:, None]) / 127.5 - 1
    padded = torch.nn.functional.pad(train, [BORDER] * 4, value=-1.0)
    loader = Counted(
        TensorDataset(padded, torch.zeros(len(padded))), batch_size=BATCH, shuffle=True
    )
    with tempfile.TemporaryDirectory() as folder:
        losses = [MinimaxGeneratorLoss(), MinimaxDiscriminatorLoss()]
        trainer = Trainer(
            networks(),
            losses,
            sample_size=64,
            epochs=10_000,
            device=torch.device("cpu"),
            checkpoints=f"{folder}/gan",
            recon=f"{folder}/images",
        )
        loader.budget = peer.Budget(arguments.seconds)
        with contextlib.suppress(peer.OutOfTimeError):
            trainer(loader)
    peer.save(arguments.out, loader.budget, torchgan=sampled(trainer.generator, arguments.n))


def networks() -> dict[str, dict]:
    leaky = torch.nn.LeakyReLU(0.2)
    common = {"step_channels": 32, "nonlinearity": leaky}
    generator = {"encoding_dims": 100, "out_channels": 1, "last_nonlinearity": torch.nn.Tanh()}
    critic = {"in_channels": 1, "last_nonlinearity": leaky}

    def adam(lr: float) -> dict:
        return {"name": torch.optim.Adam, "args": {"lr": lr, "betas": (0.5, 0.999)}}

    return {
        "generator": {"name": DCGANGenerator, "args": common | generator, "optimizer": adam(1e-4)},
        "discriminator": {
            "name": DCGANDiscriminator,
            "args": common | critic,
            "optimizer": adam(3e-4),
        },
    }


@torch.no_grad()
def sampled(generator: torch.nn.Module, n: int) -> np.ndarray:
    generator.eval()
    made = [generator(torch.randn(len(part), 100)) for part in torch.arange(n).split(500)]
    inside = torch.cat(made)[..., BORDER:-BORDER, BORDER:-BORDER]
    return peer.to_bytes((inside + 1) / 2)


if __name__ == "__main__":
    main()
