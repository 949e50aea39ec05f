"""Augmentation: mirroring of what is learned, and differentiable changes for small sets.

The latter are applied to all that the discriminator sees, real or generated, and gradients pass
through them, so that they do not leak into generated pictures (Zhao et al. 2020, DiffAugment).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from volute.training.draws import some, uniform

MEMORY = 0.8
"""What is left at each look of what the looks before said."""
BY_HEART = 0.3
"""Share of the discriminator's margin that may rest on having seen the pictures before."""
CHANCE = 0.1
"""Share of the scatter of scores under which what is missing may be chance: one look is at 64."""
RISE, EPOCHS = 50_000, 50
"""Images shown in which the share of changed pictures can rise from 0 to 1; or each so often."""


class Adaptive(nn.Module):
    """The share of pictures that are changed, led by what the discriminator knows by heart.

    Of its margin between what it learned from and what is made, a part is missing for pictures that
    were held out. While that part is over `BY_HEART`, and no chance, the share rises, else it falls
    (the heuristic r_v of Karras et al. 2020, "Training GANs with limited data", equation 1).

    Args:
        pictures: how many there are to learn from.
    """

    share: torch.Tensor
    gap: torch.Tensor
    margin: torch.Tensor

    def __init__(self, pictures: int) -> None:
        super().__init__()
        self._rise = min(RISE, EPOCHS * pictures)
        for name in ("share", "gap", "margin"):
            self.register_buffer(name, torch.zeros(()))

    def follow(self, gap: float, margin: float, scatter: float, shown: int) -> None:
        """Take one look: differences and scatter of logits, and the images shown since the last."""
        self.gap.mul_(MEMORY).add_(gap)
        self.margin.mul_(MEMORY).add_(margin)
        least = BY_HEART * self.margin.clamp(min=0)
        rising = self.gap > least.clamp(min=CHANCE * scatter / (1 - MEMORY))
        step = shown / self._rise * (1 if rising else -1)
        self.share.add_(step).clamp_(0, 1)


def flip(x_BCHW: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Mirror half of the pictures left to right; the draw comes from `rng` alone."""
    chosen = uniform((len(x_BCHW), 1, 1, 1), rng) < 0.5
    return torch.where(chosen, x_BCHW.flip(3), x_BCHW)


def turn(x_BCHW: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Turn each picture by 0, 90, 180 or 270 degrees; the draw comes from `rng` alone."""
    quarters = (uniform((len(x_BCHW), 1, 1, 1), rng) * 4).long()
    half = torch.where(quarters >= 2, x_BCHW.flip(2, 3), x_BCHW)
    return torch.where(quarters % 2 == 1, half.transpose(2, 3).flip(2), half)


def patch(x_BCHW: torch.Tensor, side: int, rng: torch.Generator) -> torch.Tensor:
    """Cut one place out of square pictures and reduce it by one random factor: [B, C, side, side].

    The draw comes from `rng` alone.
    """
    whole = x_BCHW.shape[2]
    place = torch.rand(3, generator=rng, device=x_BCHW.device).tolist()
    seen = round(side + (whole - side) * place[0])
    top, left = (int(share * (whole - seen + 1)) for share in place[1:])
    region = x_BCHW[:, :, top : top + seen, left : left + seen]
    return F.interpolate(region, (side, side), mode="bilinear", antialias=True)


def augment(
    x_BCHW: torch.Tensor, share: float, rng: torch.Generator, each: int = 1
) -> torch.Tensor:
    """Change colour, shift by up to 1/8 of the side and cut out a square of half the side.

    Takes and gives [B, C, H, W] in [-1, 1]. Each picture is changed with probability `share`; the
    draw comes from `rng` alone. `each` neighbouring pictures belong to one item of the batch.
    """
    with some(len(x_BCHW), share, rng, each) as chosen:
        changed = _cutout(_translate(_colour(x_BCHW[chosen], rng), rng), rng)
    return x_BCHW.index_copy(0, chosen, changed)


def _colour(x_BCHW: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    batch, channels = x_BCHW.shape[:2]
    one = (batch, 1, 1, 1)
    colours, alpha = x_BCHW[:, :3], x_BCHW[:, 3:]
    colours = colours + (uniform(one, rng) - 0.5)
    if channels >= 3:
        grey = colours.mean(1, keepdim=True)
        colours = (colours - grey) * (uniform(one, rng) * 2) + grey
    middle = colours.mean((1, 2, 3), keepdim=True)
    colours = (colours - middle) * (uniform(one, rng) + 0.5) + middle
    return torch.cat([colours, alpha], 1)


def _translate(x_BCHW: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    batch, _, height, width = x_BCHW.shape
    reach = max(1, round(height / 8))
    padded = F.pad(x_BCHW, (reach,) * 4)
    shift = (uniform((2, batch), rng, 1) * (2 * reach + 1)).long()
    rows = shift[0][:, None] + torch.arange(height, device=x_BCHW.device)
    columns = shift[1][:, None] + torch.arange(width, device=x_BCHW.device)
    index = torch.arange(batch, device=x_BCHW.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[index, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def _cutout(x_BCHW: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    batch, _, height, width = x_BCHW.shape
    half = height // 4
    centre = (uniform((2, batch), rng, 1) * height).long()
    far_rows = (torch.arange(height, device=x_BCHW.device) - centre[0][:, None]).abs() >= half
    far_columns = (torch.arange(width, device=x_BCHW.device) - centre[1][:, None]).abs() >= half
    kept = far_rows[:, None, :, None] | far_columns[:, None, None, :]
    return x_BCHW * kept
