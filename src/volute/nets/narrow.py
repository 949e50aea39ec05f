"""A narrower network from a wide one: the channels with the largest kernels are kept.

Whole channels go, so that what is left is a plain network of smaller width (Li et al. 2017,
"Pruning filters for efficient ConvNets", arXiv:1608.08710, by norms; where there is batch norm, by
its factors too, Liu et al. 2017, arXiv:1708.06519). It then learns from the wide one's results.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from volute.nets.blocks import Residual
from volute.nets.gan import Generator
from volute.nets.painter import Painter
from volute.nets.stylizer import Kernels
from volute.nets.upscaler import Block, Branched, Upscaler

TINY = 1e-12
Places = torch.Tensor | None
"""Of channels, in order."""
Moments = tuple[torch.Tensor, torch.Tensor]
"""Mean and variance [S, C] of channels in S styles."""


def narrow(small: Upscaler, large: Upscaler) -> None:
    """Give `small` the most important channels of `large`, an upscaler as it runs (`folded`)."""
    pairs = list(zip(_blocks(small), _blocks(large), strict=True))
    stream = _length(large.first, 0) + _length(large.last, 1)
    for _, block in pairs:
        stream += _length(block.first, 1) + _length(block.second, 0)
    width = small.first.plain.shape[0]
    kept = _best(stream, width)
    _copy(small.first, large.first, kept, None)
    _copy(small.last, large.last, None, kept)
    for new, old in pairs:
        inner = _best(_length(old.first, 0) * _length(old.second, 1), width)
        _copy(new.first, old.first, inner, kept)
        _copy(new.second, old.second, kept, inner)


@torch.no_grad()
def narrow_generator(small: Generator, large: Generator) -> None:
    """Give `small` the most important channels of `large`, a generator of the same depth."""
    kept = _best(_sought(large.body, 0), small.shape[0])
    area = small.shape[1] * small.shape[2]
    places = (kept[:, None] * area + torch.arange(area, device=kept.device)).flatten()
    small.linear.weight.copy_(large.linear.weight[places])
    small.linear.bias.copy_(large.linear.bias[places])
    if small.embed is not None and large.embed is not None:
        small.embed.weight.copy_(large.embed.weight[:, places])
    last = len(large.body) - 2  # before tanh
    for at, (new, old) in enumerate(zip(small.body, large.body, strict=True)):
        if isinstance(new, nn.BatchNorm2d):
            _take_norm(new, old, kept)
        elif isinstance(new, Residual) and isinstance(old, Residual):
            inner = _best(_sought(old.branch, 3), len(kept))
            for layer, before, after in ((2, kept, inner), (5, inner, kept)):
                _take(new.branch[layer], old.branch[layer], after, before)
            for layer, channels in ((0, kept), (3, inner)):
                _take_norm(new.branch[layer], old.branch[layer], channels)
        elif isinstance(new, nn.Conv2d | nn.ConvTranspose2d):
            made = _best(_sought(large.body, at + 1), new.out_channels) if at < last else None
            _take(new, old, made, kept)
            kept = kept if made is None else made


@torch.no_grad()
def narrow_painter(small: Painter, large: Painter, codes_SD: torch.Tensor) -> None:
    """Give `small` the most important channels of `large`, a painter of the same blocks and bank.

    Features are normalised: their mean is a bias, their deviation the length of a kernel. So it is
    known how much of each comes through a ReLU to those who see it, in the styles with the codes
    `codes_SD`.
    """
    rows, start = [], 0
    places = _places(large.mixed(codes_SD), small.shapes[0].after)
    for new, old, (after, before) in zip(small.kernels, large.kernels, places, strict=True):
        every = torch.arange(old.shape[1], device=old.device)
        chosen = every if after is None else after
        new.copy_(old[:, chosen] if before is None else old[:, chosen][:, :, before])
        banks = torch.arange(large.bank + 1, device=old.device)[:, None]
        rows.append((start + banks * len(every) + chosen).flatten())
        start += (large.bank + 1) * len(every)
    small.mix.weight.copy_(large.mix.weight[torch.cat(rows)])
    small.mix.bias.copy_(large.mix.bias[torch.cat(rows)])


def _places(made: Kernels, width: int) -> list[tuple[Places, Places]]:
    """Return which channels each convolution of a painter makes, and which it sees; None: all.

    Args:
        made: see `Painter.mixed`; the last weight makes pixels of its first axis.
        width: channels at a quarter of the resolution.
    """
    *_, up, touch, _, _, last = range(len(made))
    first, second = range(2, up, 2), range(3, up, 2)
    strong = [(bias, _squares(weight, 1)) for weight, bias in made]
    fine = _best_seen([strong[0], strong[up]], _squares(made[last][0], 1), width)
    coarse = [strong[1], _sum([strong[at] for at in second])]
    coarse = _best_seen(coarse, _squares(made[up][0], 2), 2 * width)
    places: list[tuple[Places, Places]] = [(None, None)] * len(made)
    places[0], places[1] = (fine, None), (coarse, fine)
    for at in first:
        inner = _best_seen([strong[at]], _squares(made[at + 1][0], 2), 2 * width)
        places[at], places[at + 1] = (inner, coarse), (coarse, inner)
    places[up], places[touch], places[last] = (fine, coarse), (fine, fine), (fine, None)
    return places


def _best_seen(steps: list[Moments], seen_SC: torch.Tensor, count: int) -> torch.Tensor:
    """Return the channels that bring most variance to what sees them, of all styles in the mean.

    Args:
        steps: what is added to them, one after another, with a ReLU behind each.
        seen_SC: how much their variance counts there.
        count: of channels.
    """
    mean, variance = torch.zeros_like(seen_SC), torch.zeros_like(seen_SC)
    for more in steps:
        mean, variance = _positive(*_sum([(mean, variance), more]))
    brought = variance * seen_SC
    return _best((brought / brought.sum(1, keepdim=True)).mean(0), count)


def _positive(mean: torch.Tensor, variance: torch.Tensor) -> Moments:
    """Return the mean and variance of the positive part of normal variables."""
    deviation = variance.clamp(min=TINY).sqrt()
    above = torch.special.ndtr(mean / deviation)
    dense = (-(mean / deviation).square() / 2).exp() / math.sqrt(2 * math.pi)
    first = mean * above + deviation * dense
    second = (mean.square() + variance) * above + mean * deviation * dense
    return first, (second - first.square()).clamp(min=0)


def _sum(parts: list[Moments]) -> Moments:
    """Return mean and variance of a sum of what has nothing in common."""
    means, variances = zip(*parts, strict=True)
    return torch.stack(means).sum(0), torch.stack(variances).sum(0)


def _squares(weight: torch.Tensor, axis: int) -> torch.Tensor:
    """Return the squared length [S, C] of kernels of S styles, as made (axis 1) or seen (2)."""
    return weight.transpose(1, axis).flatten(2).square().sum(2)


def _sought(layers: nn.Sequential, at: int) -> torch.Tensor:
    """Return how much of each channel comes through from `at` to the next convolution."""
    rest = list(layers)[at:]
    norm = next(layer for layer in rest if isinstance(layer, nn.BatchNorm2d))
    convolution = next(x for x in rest if isinstance(x, nn.Conv2d | nn.ConvTranspose2d))
    kernels = _kernels(convolution).transpose(0, 1)  # of each channel that is seen
    return norm.weight.abs() * kernels.flatten(1).norm(dim=1)


def _kernels(layer: nn.Module) -> torch.Tensor:
    """Return the weights of a convolution, [made, seen, H, W], as they lie."""
    assert isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    return layer.weight.transpose(0, 1) if isinstance(layer, nn.ConvTranspose2d) else layer.weight


def _take(new: nn.Module, old: nn.Module, made: torch.Tensor | None, seen: torch.Tensor) -> None:
    weight, bias = _kernels(old)[:, seen], old.bias
    assert isinstance(bias, torch.Tensor)
    assert isinstance(new.bias, torch.Tensor)
    _kernels(new).copy_(weight if made is None else weight[made])
    new.bias.copy_(bias if made is None else bias[made])


def _take_norm(new: nn.Module, old: nn.Module, kept: torch.Tensor) -> None:
    for name, value in old.state_dict().items():
        new.state_dict()[name].copy_(value[kept] if value.ndim else value)


def _blocks(network: Upscaler) -> list[Block]:
    return [block for block in network.blocks if isinstance(block, Block)]


def _weight(convolution: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    assert isinstance(convolution, nn.Conv2d)
    assert convolution.bias is not None
    return convolution.weight, convolution.bias


def _length(convolution: nn.Module, axis: int) -> torch.Tensor:
    """Return the norm of the kernels of each channel, made (axis 0) or seen (axis 1)."""
    weight, _ = _weight(convolution)
    return weight.detach().transpose(0, axis).flatten(1).norm(dim=1)


def _best(scores: torch.Tensor, count: int) -> torch.Tensor:
    return scores.topk(count).indices.sort().values


@torch.no_grad()
def _copy(
    new: nn.Module, old: nn.Module, after: torch.Tensor | None, before: torch.Tensor | None
) -> None:
    assert isinstance(new, Branched)
    weight, bias = _weight(old)
    if after is not None:
        weight, bias = weight[after], bias[after]
    new.plain.copy_(weight if before is None else weight[:, before])
    new.bias.copy_(bias)
