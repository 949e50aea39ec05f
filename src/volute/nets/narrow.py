"""A narrower network from a wide one: the channels with the largest kernels are kept.

Whole channels go, so that what is left is a plain network of smaller width (Li et al. 2017,
"Pruning filters for efficient ConvNets", arXiv:1608.08710, by norms). It then learns from the wide
one's results.
"""

from __future__ import annotations

import torch
from torch import nn

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
