"""The encoder and decoder of the `vae` kind, flat or with a ladder of latents.

The top latent is a vector. With a ladder, smaller maps of latents enter the decoder at its inner
resolutions, each with a prior that the decoder itself predicts (Sonderby et al. 2016; Child 2021).
Whatever its shape, a picture's code is one vector of independent standard normals: a lower latent
is kept as `(z - prior mean) / prior deviation`. So decoding noise samples the model, and
decoding a code reconstructs its picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from volute.nets.blocks import Upsample, channels_at, sides


@dataclass(frozen=True)
class Posterior:
    """Diagonal normal q(z|x) with the divergence from its prior: every field is [B, ...]."""

    mean: torch.Tensor
    log_deviation: torch.Tensor

    def sample(self, noise: torch.Tensor) -> torch.Tensor:
        """Return mean + deviation * noise."""
        return self.mean + self.log_deviation.exp() * noise

    def divergence(self, mean: torch.Tensor, log_deviation: torch.Tensor) -> torch.Tensor:
        """Return KL(q || N(mean, deviation)) for each element, in nats."""
        ratio = 2 * (self.log_deviation - log_deviation)
        distance = (self.mean - mean) * (-log_deviation).exp()
        return 0.5 * (ratio.exp() + distance.square() - 1 - ratio)


class Block(nn.Module):
    """Pre-activation residual block with group norm and SiLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, C, H, W] to the same shape."""
        return x_BCHW + self.branch(x_BCHW)


class Encoder(nn.Module):
    """Map pictures [B, C, size, size] to features at every resolution, full size left out."""

    def __init__(self, size: int, channels: int, width: int, blocks: int, latent: int) -> None:
        super().__init__()
        *inner, _ = sides(size)
        self.sides = inner[::-1]
        before = channels
        self.stages = nn.ModuleList()
        for side in self.sides:
            after = channels_at(side, width, 2 * width)
            strided = nn.Conv2d(before, after, 4, stride=2, padding=1)
            self.stages.append(nn.Sequential(strided, *[Block(after) for _ in range(blocks)]))
            before = after
        self.linear = nn.Sequential(
            nn.GroupNorm(8, before),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear(before * self.sides[-1] ** 2, 2 * latent),
        )

    def forward(self, x_BCHW: torch.Tensor) -> tuple[Posterior, dict[int, torch.Tensor]]:
        """Return q of the top latent [B, latent] and the features by side."""
        features = {}
        for side, stage in zip(self.sides, self.stages, strict=True):
            x_BCHW = stage(x_BCHW)
            features[side] = x_BCHW
        mean, spread = self.linear(x_BCHW).float().chunk(2, 1)
        return Posterior(mean, _log_deviation(spread)), features

    def maps(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Return the features at each resolution [B, C, H, W], from fine to coarse."""
        return list(self(x_BCHW)[1].values())


class Rung(nn.Module):
    """One step of the ladder: the prior from above, the posterior with the encoder's features."""

    def __init__(self, channels: int, latent: int) -> None:
        super().__init__()
        self.prior = _head(channels, 2 * latent, zero=True)
        self.posterior = _head(2 * channels, 2 * latent)
        self.inject = nn.Conv2d(latent, channels, 1)

    def forward(
        self,
        x_BCHW: torch.Tensor,
        noise_BCHW: torch.Tensor | None,
        features_BCHW: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor, Posterior | None]:
        """Return the features with the latent added, its standardised value and its posterior.

        With `features`, the latent comes from the posterior: sampled with `noise`, or its mean if
        noise is None. Without, it comes from the prior, `noise` being its standardised value, and
        the posterior is None. The posterior is that of the standardised value, whose prior is
        N(0, 1): divergences and ratios are the same there.
        """
        mean, spread = self.prior(x_BCHW).float().chunk(2, 1)
        prior = Posterior(mean, _log_deviation(spread))
        if features_BCHW is None:
            assert noise_BCHW is not None
            return x_BCHW + self.inject(prior.sample(noise_BCHW)), noise_BCHW, None
        shift, spread = self.posterior(torch.cat([x_BCHW, features_BCHW], 1)).float().chunk(2, 1)
        log_ratio = _log_deviation(spread)
        posterior = Posterior(mean + shift, prior.log_deviation + log_ratio)
        z_BCHW = posterior.mean if noise_BCHW is None else posterior.sample(noise_BCHW)
        moved, inverse = z_BCHW - mean, (-prior.log_deviation).exp()
        standard, standardised = moved * inverse, Posterior(shift * inverse, log_ratio)
        return x_BCHW + self.inject(z_BCHW), standard, standardised


class Decoder(nn.Module):
    """Map codes to pictures; `rungs` inner resolutions carry a latent map of `ladder` channels."""

    def __init__(
        self,
        size: int,
        channels: int,
        width: int,
        blocks: int,
        latent: int,
        rungs: int,
        ladder: int,
    ) -> None:
        super().__init__()
        base, *above = sides(size)
        before = channels_at(base, width, 2 * width)
        self.top = latent
        self.linear = nn.Linear(latent, before * base * base)
        self.shape = (before, base, base)
        self.rungs, self.stages = nn.ModuleDict(), nn.ModuleDict()
        self.rung_shapes: dict[str, tuple[int, int, int]] = {}
        for index, side in enumerate([base, *above]):
            after = channels_at(side, width, 2 * width)
            steps: list[nn.Module] = []
            if index:
                steps += [Upsample(), nn.Conv2d(before, after, 3, padding=1)]
            if side < size:
                steps += [Block(after) for _ in range(blocks)]
            self.stages[str(side)] = nn.Sequential(*steps)
            if index < rungs and side < size:
                self.rungs[str(side)] = Rung(after, ladder)
                self.rung_shapes[str(side)] = (ladder, side, side)
            before = after
        self.last = nn.Sequential(nn.SiLU(), nn.Conv2d(before, channels, 3, padding=1))
        self.latent = latent + sum(math.prod(shape) for shape in self.rung_shapes.values())

    def forward(self, code_BZ: torch.Tensor) -> torch.Tensor:
        """Decode [B, latent] standard normals to pictures [B, C, size, size]."""
        noise = self._split(code_BZ)
        return self.descend(noise[0], dict(zip(self.rungs, noise[1:], strict=True)), {})[0]

    def descend(
        self,
        z_BZ: torch.Tensor,
        noise: dict[str, torch.Tensor],
        features: dict[int, torch.Tensor],
    ) -> tuple[torch.Tensor, list[torch.Tensor], list[Posterior]]:
        """Run from the top: pictures, the rungs' standardised latents, the posteriors of these.

        A rung without `features` takes its latent from the prior and has no posterior.
        """
        x_BCHW = self.linear(z_BZ).unflatten(1, self.shape)
        standards, posteriors = [], []
        for side, stage in self.stages.items():
            x_BCHW = stage(x_BCHW)
            if side in self.rungs:
                x_BCHW, standard, posterior = self.rungs[side](
                    x_BCHW, noise.get(side), features.get(int(side))
                )
                standards.append(standard)
                if posterior is not None:
                    posteriors.append(posterior)
        return self.last(x_BCHW), standards, posteriors

    def _split(self, code_BZ: torch.Tensor) -> list[torch.Tensor]:
        shapes = self.rung_shapes.values()
        sizes = [self.top, *map(math.prod, shapes)]
        top, *rest = code_BZ.split(sizes, 1)
        return [top, *[part.unflatten(1, shape) for part, shape in zip(rest, shapes, strict=True)]]


class CodeOf(nn.Module):
    """The encoder as it is exported: picture to the code that decodes to it, [B, latent]."""

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the posterior means, those of the rungs standardised."""
        top, features = self.encoder(x_BCHW)
        if not self.decoder.rungs:
            return top.mean
        _, standards, _ = self.decoder.descend(top.mean, {}, features)
        return torch.cat([top.mean, *[part.flatten(1) for part in standards]], 1)


def _head(before: int, after: int, zero: bool = False) -> nn.Sequential:
    last = nn.Conv2d(before, after, 3, padding=1)
    if zero:
        nn.init.zeros_(last.weight)
    return nn.Sequential(nn.SiLU(), last)


def _log_deviation(raw: torch.Tensor) -> torch.Tensor:
    """Bound a log deviation to (-6, 6) smoothly: e^6 either way is enough, and exp stays finite."""
    return 6 * torch.tanh(raw / 6)
