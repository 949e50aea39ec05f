"""Train a VAE on pictures.

    volute train vae fashion_mnist.npz --time 10m

The decoder's deviation is the one that fits best at each step, in closed form, so that there is
no beta to tune (Rybkin, Daniilidis and Levine 2021, "sigma-VAE", equation 6). Divergences are
summed over latents, the likelihood over pixels, both averaged over the batch.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from volute.config import Config
from volute.nets.vae import CodeOf, Decoder, Encoder, Posterior
from volute.recipes.density import fit_mixture
from volute.training.augment import flip
from volute.training.device import Device
from volute.training.draws import normal
from volute.training.ema import Average
from volute.training.optimiser import set_rate
from volute.training.recipe import (
    Batch,
    DataFacts,
    Draw,
    Exported,
    Graph,
    Held,
    PictureRecipe,
    portable,
    seeded,
)


class VaeSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    latent: int = Field(32, ge=2, le=512)
    """Length of the top latent."""
    width: int = Field(128, ge=16, le=1024)
    """Channels at 8 px, in both networks."""
    blocks: int = Field(1, ge=0, le=8)
    """Residual blocks at each resolution below full size."""
    rungs: int = Field(0, ge=0, le=6)
    """Resolutions, from the base up, that carry a latent map of their own."""
    ladder: int = Field(4, ge=1, le=64)
    """Channels of each latent map."""
    batch: int = Field(64, ge=4, le=4096)
    lr: float = Field(1e-3, gt=0)
    lr_end: float = Field(0.02, gt=0, le=1)
    weight_decay: float = Field(0.01, ge=0)
    warmup: float = Field(0.1, ge=0, lt=1)
    """Share of the budget over which the divergence's weight rises to 1."""
    free_bits: float = Field(0.5, ge=0)
    """Divergence that each group of latents may keep for free, in nats."""
    components: int = Field(20, ge=1, le=200)
    """Gaussians of the ex-post density."""
    ema_kimg: float = Field(10.0, gt=0)
    flip: bool = False
    """Mirror pictures at random: only if the data allow it."""


PRESETS: dict[str, dict[str, object]] = {
    "tiny": {"width": 64},
    "small": {},
    "base": {"width": 192, "blocks": 2, "rungs": 2},
    "large": {"width": 384, "blocks": 3, "rungs": 3, "batch": 128, "lr": 5e-4},
}


class Pair(nn.Module):
    """Encoder and decoder as one network, so that they share an optimiser and an average."""

    def __init__(self, settings: VaeSettings, facts: DataFacts) -> None:
        super().__init__()
        common = (facts.size, facts.channels, settings.width, settings.blocks, settings.latent)
        self.encoder = Encoder(*common)
        self.decoder = Decoder(*common, settings.rungs, settings.ladder)


class VaeRecipe(PictureRecipe):
    """The encoder, the decoder and their step; see `volute.training.recipe.Recipe`."""

    settings: VaeSettings
    from_noise = True
    compiles = True

    def __init__(self, settings: VaeSettings, facts: DataFacts, device: Device, seed: int) -> None:
        super().__init__(settings, facts, device, seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.pair = Pair(settings, facts)
        device.place(self.pair)
        self.modules = {"vae": self.pair}
        self.averages = {"vae": Average(self.pair, settings.ema_kimg * 1000)}
        self.optimisers = {
            "vae": torch.optim.AdamW(
                self.pair.parameters(), lr=settings.lr, weight_decay=settings.weight_decay
            )
        }

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Take one step on the negative evidence bound, in nats for each picture."""
        rng = self.stream(shown)
        optimiser = self.optimisers["vae"]
        set_rate(optimiser, self.settings.lr, progress, self.settings.lr_end)
        pictures = flip(pictures, rng) if self.settings.flip else pictures
        made, divergences = self._reconstruct(self.pair, pictures, rng)
        mean_square = self.group.mean((made - pictures).square().mean())
        log_deviation = -6 + F.softplus(0.5 * mean_square.log() + 6)
        gaussian = 0.5 * mean_square / (2 * log_deviation).exp() + log_deviation
        likelihood = pictures[0].numel() * (gaussian + 0.5 * math.log(2 * math.pi))
        paid = sum(d.clamp(min=self.settings.free_bits) for d in divergences)
        rise = min(1.0, progress / self.settings.warmup) if self.settings.warmup else 1.0
        loss = likelihood + rise * paid
        optimiser.zero_grad(set_to_none=True)
        self.group.backward(loss, self.pair.parameters())
        nn.utils.clip_grad_norm_(self.pair.parameters(), 200.0 * math.sqrt(pictures[0].numel()))
        optimiser.step()
        count = len(pictures) * self.group.size
        self.averages["vae"].update(self.pair, count, shown + count)
        return {
            "loss": loss.item(),
            "kl": sum(d.item() for d in divergences),
            "rmse": mean_square.sqrt().item(),
        }

    def vitals(self, seen: Batch, unseen: Batch, shown: int) -> dict[str, float]:
        """Return the share of the top latent that is in use.

        That is, whose mean varies by more than 0.01 over pictures (Burda, Grosse and Salakhutdinov
        2016, "Importance weighted autoencoders", section 5.3).
        """
        return {"active": (self._top(seen).mean.float().var(0) > 0.01).float().mean().item()}

    def made(self, seen: Batch, shown: int) -> torch.Tensor:
        """Return pictures from codes drawn as those of pictures seen lie: as a Gaussian.

        The prior would not do: much of it belongs to no picture, and is left out after training.
        """
        rng = seeded(self.device.torch, self.seed, shown, 0xD0C)
        top = self._top(seen)
        codes = top.sample(normal(top.mean.shape, rng)).float()
        count = len(codes)
        shares = normal((count, count), rng) / math.sqrt(max(count - 1, 1))
        drawn = codes.mean(0) + shares @ (codes - codes.mean(0))
        lower = normal((count, self.pair.decoder.latent - codes.shape[1]), rng)
        with torch.no_grad(), self.device.autocast():
            return self.pair.decoder(torch.cat([drawn, lower], 1)).float().clamp(-1, 1)

    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return reconstructions of the first half and samples from the prior for the rest."""
        pair = self._averaged()
        half = len(pictures) // 2
        rng = seeded(self.device.torch, self.seed, 0x5EED)
        shape = (len(pictures) - half, pair.decoder.latent)
        code = normal(shape, rng)
        with torch.no_grad():
            kept = CodeOf(pair.encoder, pair.decoder)(pictures[:half])
            return pair.decoder(torch.cat([kept, code])).clamp(-1, 1)

    def export(self, draw: Draw, held: Held) -> Exported:
        """Fit the density of the top latent and give encoder and decoder."""
        pair = cast(Pair, portable(self._averaged()))
        mixture = fit_mixture(self._codes(pair, draw), self.settings.components, seed=self.seed)
        size, channels = self.facts.size, self.facts.channels
        picture = torch.zeros(2, channels, size, size)
        code = torch.zeros(2, pair.decoder.latent)
        rng = np.random.default_rng(self.seed)
        drawn = np.concatenate(
            [mixture.sample(64, rng), rng.standard_normal((64, pair.decoder.latent))], 1
        )[:, : pair.decoder.latent]
        return Exported(
            [
                Graph(
                    "encoder", CodeOf(pair.encoder, pair.decoder), {"picture": picture}, "latent"
                ),
                Graph("decoder", pair.decoder, {"latent": code}, "picture"),
            ],
            _decode(pair.decoder, drawn),
            latent=pair.decoder.latent,
            radius=size,
            density=self.settings.latent,
            tensors={
                "density.weights": mixture.weights.astype(np.float32),
                "density.means": mixture.means.astype(np.float32),
                "density.factors": mixture.factors.astype(np.float32),
            },
        )

    def _top(self, batch: Batch) -> Posterior:
        """Return where the codes of pictures lie."""
        with torch.no_grad(), self.device.autocast():
            return self.pair.encoder(batch[0].contiguous(memory_format=torch.channels_last))[0]

    def _averaged(self) -> Pair:
        network = self.averages["vae"].network
        assert isinstance(network, Pair)
        return network

    def _codes(self, pair: Pair, draw: Draw, count: int = 8192) -> np.ndarray:
        """Sample the aggregate posterior of the top latent: [count, latent]."""
        rng = seeded(torch.device("cpu"), self.seed, 0xC0DE)
        codes = []
        with torch.no_grad():
            for _ in range(0, count, 256):
                posterior, _ = pair.encoder(draw(256)[0].cpu())
                codes.append(posterior.sample(normal(posterior.mean.shape, rng)).numpy())
        return np.concatenate(codes)

    def _reconstruct(
        self, pair: Pair, pictures: torch.Tensor, rng: torch.Generator
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return sampled reconstructions and the mean divergence of each group of latents."""
        with self.device.autocast():
            pictures = pictures.contiguous(memory_format=torch.channels_last)
            top, features = self.fast(pair.encoder)(pictures)
            z_BZ = top.sample(normal(top.mean.shape, rng))
            noise = {
                side: normal((len(pictures), *shape), rng)
                for side, shape in pair.decoder.rung_shapes.items()
            }
            made, _, lower = self.fast(pair.decoder.descend)(z_BZ, noise, features)
        zero = top.mean.new_zeros(())
        groups = [posterior.divergence(zero, zero) for posterior in (top, *lower)]
        means = [self.group.mean(group.flatten(1).sum(1).mean()) for group in groups]
        return made.float(), means


def _decode(decoder: Decoder, code_BZ: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return decoder(torch.from_numpy(code_BZ.astype(np.float32))).clamp(-1, 1)
