"""Small networks that make a picture anew from less of it: what a detector learns to tell.

Each is a plan that is drawn: how it doubles (four families), how often, how wide and deep. It is
an autoencoder, or it enlarges a picture that was made small, and learns in a few hundred steps. A
hundred more cost no learning at all: `enlarged` doubles by a kernel that is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

FAMILIES = ("transposed", "nearest", "bilinear", "shuffle")
"""How a map is doubled: a transposed convolution; nearest neighbours or bilinear interpolation,
and a convolution; a convolution to four times the channels, shuffled into pixels."""
ACTIVATIONS = {"relu": nn.ReLU, "leaky": lambda: nn.LeakyReLU(0.2), "silu": nn.SiLU, "elu": nn.ELU}
CODES = {2: 4, 4: 8, 8: 16}
"""Channels of an autoencoder's code at a half, a quarter and an eighth of the resolution: a third,
a sixth and a twelfth of the numbers."""
GRAIN = 4
"""Channels of noise that some networks get, so that they learn to draw what the code lacks."""
DETAIL = 0.7
"""Weight of the difference in detail, which those networks learn from."""


@dataclass(frozen=True)
class Plan:
    """What a network is like."""

    family: str
    factor: int
    """Of the sides: 2, 4 or 8."""
    width: int
    """Channels at full resolution."""
    depth: int
    """Convolutions before each doubling."""
    kernel: int
    activation: str
    bare: bool
    """Whether the last doubling gives the colours, with no convolution after it."""
    reduced: bool
    """Whether it starts from a picture made small, not from a learned code."""
    grain: bool
    """Whether it gets noise beside the code."""


def drawn(draw: np.random.Generator, families: tuple[str, ...] = FAMILIES) -> Plan:
    """Return a random plan of one of the families."""
    return Plan(
        family=str(draw.choice(families)),
        factor=int(draw.choice([2, 4, 8], p=[0.35, 0.4, 0.25])),
        width=int(draw.choice([8, 12, 16])),
        depth=int(draw.integers(0, 3)),
        kernel=int(draw.choice([3, 5], p=[0.75, 0.25])),
        activation=str(draw.choice(list(ACTIVATIONS))),
        bare=bool(draw.random() < 0.4),
        reduced=bool(draw.random() < 0.25),
        grain=bool(draw.random() < 0.5),
    )


class Remaker(nn.Module):
    """A network that makes pictures anew.

    Args:
        plan: what it is like.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.plan = plan
        stages = plan.factor.bit_length() - 1
        widths = [min(48, plan.width << k) for k in range(stages + 1)]
        code = 3 if plan.reduced else CODES[plan.factor]
        self.encoder = None if plan.reduced else self._encoder(widths, code)
        layers: list[nn.Module] = []
        before = code + GRAIN * plan.grain
        for stage in reversed(range(stages)):
            for _ in range(max(plan.depth, stage == stages - 1)):
                layers += [self._conv(before, widths[stage + 1]), ACTIVATIONS[plan.activation]()]
                before = widths[stage + 1]
            bare = plan.bare and stage == 0
            layers += doubling(plan, before, 3 if bare else widths[stage])
            layers += [] if bare else [ACTIVATIONS[plan.activation]()]
            before = widths[stage]
        self.decoder = nn.Sequential(*layers, *([] if plan.bare else [self._conv(before, 3)]))

    def forward(self, x_BCHW: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Map pictures [B, 3, H, W] in [-1, 1] to pictures alike; sides are multiples of 8."""
        if self.encoder is None:
            small = [side // self.plan.factor for side in x_BCHW.shape[2:]]
            code = F.interpolate(x_BCHW, small, mode="bicubic", antialias=True)
        else:
            code = self.encoder(x_BCHW)
        if self.plan.grain:
            shape = (len(code), GRAIN, *code.shape[2:])
            noise = torch.randn(shape, generator=rng, device=x_BCHW.device)
            code = torch.cat([code, noise], 1)
        return cast("torch.Tensor", self.decoder(code))

    def loss(self, x_BCHW: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
        """Return how far its pictures are from what they were made of."""
        made = self(x_BCHW, rng)
        error = (made - x_BCHW).abs().mean()
        if not self.plan.grain:
            return error
        return error + DETAIL * (_detail(made) - _detail(x_BCHW)).abs().mean()

    def _encoder(self, widths: list[int], code: int) -> nn.Sequential:
        make, layers, before = ACTIVATIONS[self.plan.activation], [], 3
        for after in widths[1:]:
            layers += [nn.Conv2d(before, after, 4, 2, 1), make()]
            before = after
        return nn.Sequential(*layers, nn.Conv2d(before, code, 1))

    def _conv(self, before: int, after: int) -> nn.Module:
        kernel = self.plan.kernel
        return nn.Conv2d(before, after, kernel, padding=kernel // 2)


def doubling(plan: Plan, before: int, after: int) -> list[nn.Module]:
    """Return the layers that double a map in the plan's way."""
    pad = plan.kernel // 2
    if plan.family == "transposed":
        return [nn.ConvTranspose2d(before, after, 4, 2, 1)]
    if plan.family == "shuffle":
        return [nn.Conv2d(before, 4 * after, plan.kernel, padding=pad), nn.PixelShuffle(2)]
    larger = nn.Upsample(scale_factor=2, mode=plan.family)
    return [larger, nn.Conv2d(before, after, plan.kernel, padding=pad)]


def enlarged(x_BCHW: torch.Tensor, family: str, draw: np.random.Generator) -> torch.Tensor:
    """Return pictures [B, 3, H, W] halved and doubled by a random kernel of a family."""
    sides = [side // 2 for side in x_BCHW.shape[2:]]
    small = F.interpolate(x_BCHW, sides, mode="bicubic", antialias=True)
    flat = small.flatten(0, 1)[:, None]
    rough = float(draw.uniform(0.02, 0.15))
    if family in ("nearest", "bilinear"):
        larger = F.interpolate(flat, scale_factor=2, mode=family)
        sharp = float(draw.uniform(-0.1, 0.25))
        kernel = _kernel(draw, rough, np.pad([[1 + 4 * sharp]], 1) - sharp * _CROSS)
        made = F.conv2d(F.pad(larger, [1] * 4, mode="replicate"), kernel)
    elif family == "shuffle":
        first = np.pad([[1.0]], 1)
        kernel = torch.cat([_kernel(draw, rough, first) for _ in range(4)])
        made = F.pixel_shuffle(F.conv2d(F.pad(flat, [1] * 4, mode="replicate"), kernel), 2)
    else:
        tent = np.outer(_TENT, _TENT)
        kernel = 4 * _kernel(draw, rough, tent / 4)
        made = F.conv_transpose2d(flat, kernel, stride=2, padding=1)
    return made.view(x_BCHW.shape)


_CROSS = np.array([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
_TENT = np.array([0.25, 0.75, 0.75, 0.25])


def _kernel(draw: np.random.Generator, rough: float, mean: np.ndarray) -> torch.Tensor:
    """Return a kernel [1, 1, K, K] about `mean` whose sum is 1."""
    kernel = mean + rough * draw.normal(size=mean.shape) * np.abs(mean).max()
    return torch.from_numpy(kernel / kernel.sum()).float()[None, None]


def _detail(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Return how much detail there is around, in squares of 8 px."""
    fine = x_BCHW - F.avg_pool2d(x_BCHW, 3, 1, 1, count_include_pad=False)
    return F.avg_pool2d(fine.abs(), 8)
