"""pythae's VAE for a time: its own pipeline, networks for 28 px grey, two of its samplers.

Learning rate, batch and latent are those of its benchmark on MNIST. It stands as it is when the
time is up, because its best epoch would be chosen by a loss on what it learned from. Bits per
dimension are bounded by the function that measures volute's own (`volute.recipes.likelihood`).
The mixture is fitted to the codes of 10,000 training pictures.
"""

from __future__ import annotations

import contextlib
import tempfile

import numpy as np
import peer
import torch

peer.patch_torchvision()

from pythae.models import VAE, VAEConfig  # noqa: E402
from pythae.models.nn.benchmarks.mnist import (  # noqa: E402
    Decoder_Conv_AE_MNIST,
    Encoder_Conv_VAE_MNIST,
)
from pythae.pipelines import TrainingPipeline  # noqa: E402
from pythae.samplers import (  # noqa: E402
    GaussianMixtureSampler,
    GaussianMixtureSamplerConfig,
    NormalSampler,
)
from pythae.trainers import BaseTrainerConfig  # noqa: E402
from pythae.trainers.training_callbacks import TrainingCallback  # noqa: E402

from volute.nets.vae import Posterior  # noqa: E402
from volute.recipes.likelihood import pair_bits  # noqa: E402

BATCH, FITTED = 100, 10_000


class Stop(TrainingCallback):
    """Counts the steps of pythae's trainer, and ends it."""

    def __init__(self, budget: peer.Budget) -> None:
        self.budget = budget

    def on_train_step_end(self, training_config: BaseTrainerConfig, **told: object) -> None:
        """Count one step."""
        self.budget.count(BATCH)


class Pair:
    """pythae's networks as volute's likelihood asks for them, with pictures in [-1, 1]."""

    rung_shapes: dict[int, tuple[int, ...]] = {}

    def __init__(self, model: VAE) -> None:
        self.model, self.decoder = model, self

    def encoder(self, x_BCHW: torch.Tensor) -> tuple[Posterior, dict[int, torch.Tensor]]:
        """Return q(z|x)."""
        found = self.model.encoder((x_BCHW + 1) / 2)
        return Posterior(found.embedding, found.log_covariance / 2), {}

    def descend(self, z_BZ: torch.Tensor, *_: object) -> tuple[torch.Tensor, list, list]:
        """Return the means of the pixels."""
        return 2 * self.model.decoder(z_BZ).reconstruction - 1, [], []


def main() -> None:
    arguments = peer.parse(__doc__)
    with np.load(arguments.data) as data:
        train, test = data["x_train"][:, None] / np.float32(255), data["x_test"][..., None]
    config = VAEConfig(input_dim=(1, 28, 28), latent_dim=16)
    networks = {"encoder": Encoder_Conv_VAE_MNIST(config), "decoder": Decoder_Conv_AE_MNIST(config)}
    model = VAE(config, **networks)
    budget = train_for(model, train, arguments.seconds, arguments.seed)
    model.eval()
    mixture = GaussianMixtureSampler(model, GaussianMixtureSamplerConfig(n_components=10))
    mixture.fit(train[:FITTED])
    drawn = {
        f"pythae-{name}": peer.to_bytes(sampler.sample(num_samples=arguments.n, batch_size=500))
        for name, sampler in {"normal": NormalSampler(model), "mixture": mixture}.items()
    }
    bits = pair_bits(Pair(model), test[: peer.coded(arguments.n)], arguments.seed)
    peer.save(arguments.out, budget, **drawn, bits=np.array(bits))


def train_for(model: VAE, train: np.ndarray, seconds: float, seed: int) -> peer.Budget:
    with tempfile.TemporaryDirectory() as folder:
        training = BaseTrainerConfig(
            output_dir=folder,
            no_cuda=True,
            learning_rate=1e-3,
            per_device_train_batch_size=BATCH,
            num_epochs=10_000,
            seed=seed,
        )
        pipeline = TrainingPipeline(model=model, training_config=training)
        budget = peer.Budget(seconds)
        with contextlib.suppress(peer.OutOfTimeError):
            pipeline(train_data=train, callbacks=[Stop(budget)])
    return budget


if __name__ == "__main__":
    main()
