"""The textbook networks of the `classic` preset: DCGAN (Radford, Metz and Chintala 2016).

Transposed convolutions against strided ones, batch norm in both, weights from N(0, 0.02^2),
scaled to any size that the modern networks take. It is here for contrast and for teaching.
"""

from __future__ import annotations

import torch
from torch import nn

from volute.nets.blocks import channels_at, maps_by_side, sides


class ClassicGenerator(nn.Module):
    """Map latent [B, latent] to pictures [B, channels, size, size] in (-1, 1); no classes."""

    def __init__(self, size: int, channels: int, latent: int = 64, width: int = 256) -> None:
        super().__init__()
        base, *above = sides(size)
        before = channels_at(base, width, width)
        self.linear = nn.Linear(latent, before * base * base)
        self.shape = (before, base, base)
        stages: list[nn.Module] = [nn.BatchNorm2d(before), nn.ReLU()]
        for side in above:
            after = channels_at(side, width, width)
            stages += [
                nn.ConvTranspose2d(before, after, 4, stride=2, padding=1),
                nn.BatchNorm2d(after),
                nn.ReLU(),
            ]
            before = after
        stages += [nn.Conv2d(before, channels, 3, padding=1), nn.Tanh()]
        self.body = nn.Sequential(*stages)
        initialise_classic(self)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Return pictures in (-1, 1)."""
        return self.body(self.linear(latent).unflatten(1, self.shape))


class ClassicDiscriminator(nn.Module):
    """Map pictures [B, channels, size, size] to logits [B]; no classes."""

    def __init__(self, size: int, channels: int, width: int = 128) -> None:
        super().__init__()
        halves = [side for side in sides(size)[-2::-1] if side > 4]
        before = channels
        stages: list[nn.Module] = []
        for side in halves:
            after = channels_at(side, width, width)
            stages.append(nn.Conv2d(before, after, 4, stride=2, padding=1))
            stages += [nn.BatchNorm2d(after)] if side != halves[0] else []
            stages.append(nn.LeakyReLU(0.2))
            before = after
        last = (halves[-1] + 1) // 2
        self.features = nn.Sequential(*stages)
        self.head = nn.Sequential(
            nn.Conv2d(before, 2 * width, 3, stride=2, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(2 * width * last * last, 1),
        )
        initialise_classic(self)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Return one logit for each picture."""
        return self.head(self.features(x_BCHW))[:, 0]

    def maps(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Return the features at each resolution [B, C, H, W], from fine to coarse."""
        return maps_by_side([*self.features.children(), *self.head[:3].children()], x_BCHW)

    def decide(self, last_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the logit [B, 1] that the features of the last stage give."""
        return self.head[3:](last_BCHW)


def initialise_classic(network: nn.Module) -> None:
    """Draw the weights from N(0, 0.02^2); batch norm and biases keep torch's start."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.02)
