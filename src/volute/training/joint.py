"""Layers that look at the batch, made to look at that of all processes.

`torch.nn.SyncBatchNorm` is for CUDA alone, and cannot be differentiated twice, as penalties ask.
"""

from __future__ import annotations

from typing import Any

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
        with torch.no_grad():
            own = torch.batch_norm_update_stats(input.float(), None, None, 0.0)
            mean, variance = _together(torch.stack(own), self.group)
            self._follow(mean, variance, input.numel() // input.shape[1] * self.group.size)
        return _Normed.apply(input, self.weight, self.bias, mean, variance, self)

    @torch.no_grad()
    def _follow(self, mean: torch.Tensor, variance: torch.Tensor, count: int) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum or 0.0
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * count / (count - 1), share)


class _Normed(torch.autograd.Function):
    """Batch norm with given statistics, whose gradient knows where they come from."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        mean: torch.Tensor,
        variance: torch.Tensor,
        layer: JointBatchNorm,
    ) -> torch.Tensor:
        ctx.save_for_backward(x, weight, bias, mean, variance)
        ctx.layer = layer
        return F.batch_norm(x, mean, variance, weight, bias, False, 0.0, layer.eps)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        (gradient,), layer = grad_outputs, ctx.layer
        x, weight, bias, mean, variance = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            made = _by_hand(x, weight, bias, layer)
            return *torch.autograd.grad(made, (x, weight, bias), gradient, True, True), *[None] * 3
        on_x, on_weight, on_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, variance, None, None, False, layer.eps, [True] * 3
        )
        count = x.numel() // x.shape[1] * layer.group.size
        slope, shift = layer.group.sum(torch.stack([on_weight, on_bias])) / count
        inverse = (variance + layer.eps).rsqrt()
        shape = [1, -1] + [1] * (x.ndim - 2)
        steep = weight * inverse.square() * slope
        level = steep * mean - weight * inverse * shift
        on_x += level.view(shape)
        on_x.addcmul_(x, steep.view(shape), value=-1)
        return on_x, on_weight, on_bias, None, None, None


def _by_hand(
    x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, layer: JointBatchNorm
) -> torch.Tensor:
    """Normalise by what can be differentiated as often as one likes."""
    axes = [0, *range(2, x.ndim)]
    own_variance, own_mean = torch.var_mean(x.float(), axes, correction=0)
    mean, variance = _together(torch.stack([own_mean, own_variance]), layer.group)
    scale = weight * (variance + layer.eps).rsqrt()
    shape = [1, -1] + [1] * (x.ndim - 2)
    made = torch.addcmul((bias - mean * scale).view(shape), x.float(), scale.view(shape))
    return made.to(x.dtype)


def _together(own_2C: torch.Tensor, group: Group) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and variance of all from those of each."""
    means, variances = group.gather(own_2C).unbind(1)
    mean = means.mean(0)
    return mean, variances.mean(0) + (means - mean).square().mean(0)  # E x^2 - (E x)^2 cancels


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
