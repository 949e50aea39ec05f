"""The relativistic pairing with its penalties: for a GAN, and for what learns beside one."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from volute.training.device import Device
from volute.training.distributed import ALONE

Score = Callable[[torch.Tensor, torch.Tensor | None], torch.Tensor]
"""Gives logits [B] for pictures [B, C, H, W] and their labels [B]."""


def score_pairs(
    score: Score,
    real: torch.Tensor,
    fake: torch.Tensor,
    label: torch.Tensor | None,
    penalised: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return logits [B] of real and fake pictures and the sum of R1 and R2.

    The penalties, mean squared norms of the logit's gradient by the picture (Huang et al. 2024),
    are taken on the first `penalised` pictures; these and the rest are each scored in one pass.
    """
    pairs = torch.stack([real, fake], 1)
    labels = None if label is None else label[:, None].expand(-1, 2)

    def both(part: slice, pictures: torch.Tensor) -> torch.Tensor:
        flat = None if labels is None else labels[part].flatten()
        return score(pictures.flatten(0, 1), flat).unflatten(0, (-1, 2))

    watched = pairs[:penalised].requires_grad_(True)
    logits = both(slice(penalised), watched)
    (gradient,) = torch.autograd.grad(logits.sum(), watched, create_graph=True)
    penalty = 2 * gradient.float().square().sum((2, 3, 4)).mean()
    if penalised < len(real):
        logits = torch.cat([logits, both(slice(penalised, None), pairs[penalised:])])
    return logits[:, 0], logits[:, 1], penalty


def relativistic(better: torch.Tensor, worse: torch.Tensor) -> torch.Tensor:
    """Return E softplus(worse - better) of logits [B]."""
    return F.softplus(worse - better).mean()


class Judge:
    """A discriminator beside another objective: it tells pictures as they are from those made.

    Args:
        network: gives logits [B]; already on the device.
        optimiser: of the network's parameters.
        gamma: weight of the penalties, which are taken on a quarter of the batch.
        device: says the precision.
    """

    def __init__(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, gamma: float, device: Device
    ) -> None:
        self.network, self.optimiser, self.gamma, self.device = network, optimiser, gamma, device
        self.group = ALONE

    def learn(self, real: torch.Tensor, made: torch.Tensor) -> float:
        """Take one step on pictures [B, C, S, S] and return the loss."""
        self.network.requires_grad_(True)
        share = max(1, len(real) // 4)
        on_real, on_made, penalty = score_pairs(self._score, real, made, None, share)
        loss = relativistic(on_real, on_made) + self.gamma / 2 * penalty
        self.optimiser.zero_grad(set_to_none=True)
        self.group.backward(loss, self.network.parameters())
        self.optimiser.step()
        return loss.item()

    def verdict(self, real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
        """Return the loss of what made the pictures; gradients reach `made` alone."""
        self.network.requires_grad_(False)
        return relativistic(self._score(made), self._score(real))

    def _score(self, pictures: torch.Tensor, label: torch.Tensor | None = None) -> torch.Tensor:
        with self.device.autocast():
            return self.network(pictures.contiguous(memory_format=torch.channels_last)).float()
