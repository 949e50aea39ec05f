"""A small transformer on bytes, with the settings that nanoGPT publishes for a CPU: an anchor.

4 layers of 128 channels and 4 heads, windows of 64, batches of 12, no dropout, AdamW with rate 1e-3
falling along a cosine to 1e-4, weight decay 0.1 on matrices, betas 0.9 and 0.99, gradients cut at 1
(Karpathy, nanoGPT, config/train_shakespeare_char.py and its README; written anew here). It sees the
65 symbols of the text; its schedule follows the clock.
"""

from __future__ import annotations

import math
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

LAYERS, HEADS, WIDTH, LENGTH, BATCH = 4, 4, 128, 64, 12
RATE, LAST_RATE, WARM_S, DECAY = 1e-3, 1e-4, 5.0, 0.1
STRIDE = 8
"""Bytes that are scored of each window, at its end."""


class Block(nn.Module):
    """Attention to what came before, then a feed-forward network."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = (nn.LayerNorm(WIDTH, bias=False) for _ in range(2))
        self.mixed = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.wide = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x_BTD: torch.Tensor) -> torch.Tensor:
        """Return the new x [B, T, D]."""
        heads = [
            part.unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in self.mixed(self.first(x_BTD)).chunk(3, 2)
        ]
        seen = F.scaled_dot_product_attention(*heads, is_causal=True)
        x_BTD = x_BTD + self.out(seen.transpose(1, 2).flatten(2))
        return x_BTD + self.narrow(F.gelu(self.wide(self.second(x_BTD))))


class Transformer(nn.Module):
    """The network, of so many symbols."""

    def __init__(self, symbols: int) -> None:
        super().__init__()
        self.symbols = nn.Embedding(symbols, WIDTH)
        self.places = nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
        self.last = nn.LayerNorm(WIDTH, bias=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                deep = name.endswith(("out.weight", "narrow.weight"))
                nn.init.normal_(parameter, std=0.02 / (math.sqrt(2 * LAYERS) if deep else 1))

    def forward(self, text_BT: torch.Tensor) -> torch.Tensor:
        """Return the logits [B, T, symbols] of what comes after each."""
        places = torch.arange(text_BT.shape[1])
        x = self.last(self.blocks(self.symbols(text_BT) + self.places(places)))
        return x @ self.symbols.weight.T


def train(text: np.ndarray, seconds: float, seed: int) -> Transformer:
    """Return one that has learned a text of symbols, int64 [N], for so long."""
    torch.manual_seed(seed)
    network = Transformer(int(text.max()) + 1)
    matrices = [p for p in network.parameters() if p.dim() == 2]
    rest = [p for p in network.parameters() if p.dim() < 2]
    groups = [{"params": matrices, "weight_decay": DECAY}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99), fused=True)
    rng, data, start = torch.Generator().manual_seed(seed), torch.from_numpy(text), time.time()
    while (spent := time.time() - start) < seconds:
        fall = 0.5 * (1 + math.cos(math.pi * spent / seconds))
        for group in optimiser.param_groups:
            group["lr"] = min(1, spent / WARM_S) * (LAST_RATE + (RATE - LAST_RATE) * fall)
        first = torch.randint(len(data) - LENGTH - 1, (BATCH,), generator=rng)
        windows = data[first[:, None] + torch.arange(LENGTH + 1)]
        logits = network(windows[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), windows[:, 1:].flatten())
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    return network


@torch.inference_mode()
def nats(network: Transformer, text: np.ndarray, start: int) -> float:
    """Return the mean of -ln p over a text from `start` on, each symbol with 56 to 63 before it."""
    total, count = 0.0, 0
    data = torch.from_numpy(text)
    firsts = torch.arange(start, len(text), STRIDE)
    for some in firsts.split(512):
        place = some[:, None] + torch.arange(STRIDE - LENGTH, STRIDE)
        known = place < len(text)
        windows = data[place.clamp(max=len(text) - 1)]
        likely = F.log_softmax(network(windows[:, :-1])[:, -STRIDE:], -1)
        found = -likely.gather(2, windows[:, -STRIDE:, None])[..., 0]
        kept = known[:, -STRIDE:]
        total, count = total + float(found[kept].sum()), count + int(kept.sum())
    return total / count
