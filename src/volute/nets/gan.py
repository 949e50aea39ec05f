"""The generator and the discriminator of the `gan` kind, 16 to 256 px.

Compute sits at low resolution: convolutions run before each upsampling, and full resolution has
few channels. On a CPU that is what decides how far a training gets in its minutes
(`docs/log.md`). The discriminator has no normalisation, as R1 and R2 penalties need (Huang et
al. 2024, "The GAN is dead; long live the GAN!"); the generator's batch norm folds into its
convolutions when it runs.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from volute.nets.blocks import Residual, Upsample, channels_at, maps_by_side, sides

Resampling = Literal["bilinear", "transposed"]


class Generator(nn.Module):
    """Make pictures from noise: latent [B, latent] (and label [B]) to [B, channels, size, size].

    Args:
        size: side of the picture in pixels, `base * 2**k` with base in 4..7.
        channels: 1 grey, 3 RGB, 4 RGBA.
        classes: number of classes, 0 for an unconditional network.
        latent: length of the noise vector, standard normal.
        width: channels at 8 px; they halve with each doubling of the side, from `cap` down to 32.
        blocks: residual blocks at each resolution below half size.
        resampling: `bilinear` interpolation, or `transposed` convolutions.
    """

    def __init__(
        self,
        size: int,
        channels: int,
        classes: int,
        latent: int = 64,
        width: int = 128,
        cap: int = 192,
        blocks: int = 0,
        resampling: Resampling = "bilinear",
    ) -> None:
        super().__init__()
        base, *above = sides(size)
        before = channels_at(base, width, cap)
        seed = min(cap, 2 * before)
        self.linear = nn.Linear(latent, seed * base * base)
        self.embed = nn.Embedding(classes, seed * base * base) if classes else None
        if self.embed is not None:  # drowned in a larger one, the noise would never be listened to
            nn.init.normal_(self.embed.weight, std=0.1)
        self.shape = (seed, base, base)
        stages: list[nn.Module] = [nn.BatchNorm2d(seed), nn.ReLU()]
        stages += _convolve(seed, before)
        for side in above:
            after = max(channels_at(side, width, cap), min(width, 32))
            if side <= size // 2:
                stages += [Residual(before, nn.BatchNorm2d, 0.0) for _ in range(blocks)]
            transposed = resampling == "transposed"
            stages += [] if transposed else [Upsample()]
            stages += _convolve(before, after, transposed)
            before = after
        stages += [nn.Conv2d(before, channels, 3, padding=1), nn.Tanh()]
        self.body = nn.Sequential(*stages)

    def forward(self, latent: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        """Return pictures in (-1, 1)."""
        seed = self.linear(latent)
        if self.embed is not None:
            seed = seed + self.embed(label)
        return self.body(seed.unflatten(1, self.shape))


def _convolve(before: int, after: int, transposed: bool = False) -> list[nn.Module]:
    layer = (
        nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
        if transposed
        else nn.Conv2d(before, after, 3, padding=1)
    )
    return [layer, nn.BatchNorm2d(after), nn.ReLU()]


class Discriminator(nn.Module):
    """Score how real pictures look: [B, channels, size, size] (and label [B]) to logits [B].

    Strided convolutions halve the side down to 4 px or less; `blocks` residual blocks follow each
    but the first and the last. With classes, the logit is that of the picture's own class
    (Mescheder et al. 2018, section 5).
    """

    def __init__(
        self,
        size: int,
        channels: int,
        classes: int,
        width: int = 128,
        cap: int = 256,
        blocks: int = 0,
    ) -> None:
        super().__init__()
        halves = [side for side in sides(size)[-2::-1] if side > 4]
        before = channels
        stages: list[nn.Module] = []
        for side in halves:
            after = channels_at(side, width, cap)
            stages += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
            if side != halves[0]:
                stages += [Residual(after, None, 0.2) for _ in range(blocks)]
            before = after
        self.features = nn.Sequential(*stages)
        last = (halves[-1] + 1) // 2
        self.head = nn.Sequential(
            nn.Conv2d(before, cap, 3, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(cap * last * last, max(1, classes)),
        )
        _initialise(self)

    def forward(self, x_BCHW: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        """Return one logit for each picture."""
        logits = self.head(self.features(x_BCHW))  # [B, classes]
        return logits.gather(1, label[:, None])[:, 0] if label is not None else logits[:, 0]

    def maps(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Return the features at each resolution [B, C, H, W], from fine to coarse."""
        return maps_by_side([*self.features.children(), *self.head[:2].children()], x_BCHW)

    def decide(self, last_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits [B, classes] that the features of the last stage give."""
        return self.head[2:](last_BCHW)


def _initialise(network: nn.Module) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            if module.weight.any():
                nn.init.kaiming_normal_(module.weight, 0.2)
            assert module.bias is not None
            nn.init.zeros_(module.bias)
