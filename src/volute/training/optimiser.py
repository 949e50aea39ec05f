"""How networks without an adversary are optimised: AdamW, its rate by a cosine."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch


def adamw(
    parameters: Iterable[torch.Tensor], lr: float, weight_decay: float, beta2: float = 0.999
) -> torch.optim.Optimizer:
    """Return AdamW that decays convolutions and linear layers, not norms and biases."""
    parameters = list(parameters)
    weights = [p for p in parameters if p.ndim > 1]
    others = [p for p in parameters if p.ndim <= 1]
    groups = [{"params": weights}, {"params": others, "weight_decay": 0.0}]
    betas = (0.9, beta2)
    return torch.optim.AdamW(groups, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)


def set_rate(
    optimiser: torch.optim.Optimizer,
    lr: float,
    progress: float,
    end: float,
    warmup: float = 0.0,
) -> None:
    """Set the rate at `progress` in [0, 1]: up to `lr` over `warmup`, by a cosine to `end * lr`."""
    cosine = 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0))
    rise = min(1.0, (progress + 1e-3) / warmup) if warmup else 1.0
    for group in optimiser.param_groups:
        group["lr"] = lr * rise * (end + (1 - end) * cosine)
