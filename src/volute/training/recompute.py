"""Gradient checkpointing: networks keep the ends of their segments, and compute the rest again.

Chen et al. 2016, "Training deep nets with sublinear memory cost", arXiv:1604.06174: about one more
forward pass for each backward pass. Gradients are the same, those of gradients too.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from functools import partial

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


class Segmented(nn.Sequential):
    """Layers one after the other, in segments of which only the ends are kept for the gradient."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return what the layers make of [B, ...]."""
        if not torch.is_grad_enabled():
            return super().forward(input)
        for segment in segments(self):
            contexts = partial(_contexts, segment)
            input = checkpoint(segment, input, use_reentrant=False, context_fn=contexts)
        return input


def recompute(network: nn.Module) -> bool:
    """Let a network hold less for its gradients, in place; its state stays as it is.

    Returns:
        Whether it has layers one after the other, so that there is something to leave out.
    """
    inside: set[nn.Module] = set()  # what is computed again once need not be so twice
    found = False
    for module in network.modules():
        if type(module) is nn.Sequential and len(module) > 2 and module not in inside:
            inside.update(module.modules())
            module.__class__ = Segmented
            found = True
    return found


def segments(layers: nn.Sequential) -> list[nn.Sequential]:
    """Return the layers in order, in segments of about as many leaves as there are segments."""
    leaves = [sum(1 for _ in _leaves(layer)) for layer in layers]
    most = math.sqrt(sum(leaves))
    found: list[list[nn.Module]] = [[]]
    held = 0
    for layer, count in zip(layers, leaves, strict=True):
        if found[-1] and held + count > most:
            found.append([])
            held = 0
        found[-1].append(layer)
        held += count
    return [nn.Sequential(*segment) for segment in found]


def _leaves(module: nn.Module) -> Iterator[nn.Module]:
    return (inner for inner in module.modules() if not any(inner.children()))


class _Again(contextlib.AbstractContextManager[None]):
    """Compute without counting the batch a second time in the running statistics.

    It can be entered several times: a gradient of gradients needs the segment twice.
    """

    def __init__(self, segment: nn.Module) -> None:
        self.norms = [module for module in segment.modules() if isinstance(module, _BatchNorm)]

    def __enter__(self) -> None:
        self.kept = [(norm.momentum, _batches(norm).clone()) for norm in self.norms]
        for norm in self.norms:
            norm.momentum = 0.0

    def __exit__(self, *_: object) -> None:
        for norm, (momentum, batches) in zip(self.norms, self.kept, strict=True):
            norm.momentum = momentum
            _batches(norm).copy_(batches)


def _batches(norm: _BatchNorm) -> torch.Tensor:
    assert norm.num_batches_tracked is not None
    return norm.num_batches_tracked


def _contexts(
    segment: nn.Module,
) -> tuple[contextlib.AbstractContextManager[None], contextlib.AbstractContextManager[None]]:
    return contextlib.nullcontext(), _Again(segment)
