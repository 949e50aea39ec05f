"""Layers that look at the batch, made to look at that of all processes.

`torch.nn.SyncBatchNorm` is for CUDA alone, and cannot be differentiated twice, as penalties ask.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from volute.training.distributed import Group


class JointBatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the batch of all processes, within a step."""

    group: Group

    def _check_input_dim(self, input: torch.Tensor) -> None:
        pass

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Normalise [B, C, ...]."""
        if not (self.training and self.group.joined):
            return super().forward(input)
        axes = [0, *range(2, input.ndim)]
        x = input.float()
        own_variance, own_mean = torch.var_mean(x, axes, correction=0)
        means, variances = self.group.gather(torch.stack([own_mean, own_variance])).unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + (means - mean).square().mean(0)  # E x^2 - (E x)^2 cancels
        self._follow(mean, variance, x.numel() // x.shape[1] * self.group.size)
        scale = self.weight * (variance + self.eps).rsqrt()
        shape = [1, -1] + [1] * (x.ndim - 2)
        made = torch.addcmul((self.bias - mean * scale).view(shape), x, scale.view(shape))
        return made.to(input.dtype)

    @torch.no_grad()
    def _follow(self, mean: torch.Tensor, variance: torch.Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum or 0.0
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * count / (count - 1), share)


class JointDropout(nn.Dropout):
    """Dropout that draws for the batch of all processes, within a step, and takes its rows."""

    group: Group

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Leave out a share of the numbers of [B, ...]."""
        if not (self.training and self.group.joined):
            return super().forward(input)
        shape = (len(input) * self.group.size, *input.shape[1:])
        return input * F.dropout(input.new_ones(shape), self.p)[self.group.part]


JOINT: dict[type[nn.Module], type[nn.Module]] = {
    nn.Dropout: JointDropout,
    nn.BatchNorm1d: JointBatchNorm,
    nn.BatchNorm2d: JointBatchNorm,
}


def joint(network: nn.Module, group: Group) -> None:
    """Make the layers of a network look at the batch of all, in place; its state stays as it is."""
    for module in network.modules() if group.size > 1 else ():
        if kind := JOINT.get(type(module)):
            module.__class__ = kind
            module.group = group  # type: ignore[assignment]
