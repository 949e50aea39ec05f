"""The relativistic pairing with its penalties: for a GAN, and for what learns beside one."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

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
