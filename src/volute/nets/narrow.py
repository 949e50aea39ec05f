"""A narrower network from a wide one: the channels with the largest kernels are kept.

Whole channels go, so that what is left is a plain network of smaller width (Li et al. 2017,
"Pruning filters for efficient ConvNets", arXiv:1608.08710, by norms; where there is batch norm, by
its factors too, Liu et al. 2017, arXiv:1708.06519). It then learns from the wide one's results.
"""

from __future__ import annotations

import torch
from torch import nn

from volute.nets.blocks import Residual
from volute.nets.gan import Generator
from volute.nets.upscaler import Block, Branched, Upscaler


def width_for(share: float, width: int, blocks: int, outer: int) -> int:
    """Return the width of an upscaler of about `share` of the multiply-adds.

    Args:
        share: in (0, 1).
        width: of the wide one.
        blocks: residual blocks of either.
        outer: channels in and out together, those of all pixels within one.
    """
    wanted = share * _cost(width, blocks, outer)
    return min(range(8, width), key=lambda w: abs(_cost(w, blocks, outer) - wanted), default=8)


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


def _cost(width: int, blocks: int, outer: int) -> int:
    return outer * width + 2 * blocks * width * width


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
