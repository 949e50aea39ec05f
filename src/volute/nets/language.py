"""The causal convolutional language model: symbols in, the next one's logits out.

Each layer gates a causal filter of what is gated before it, after Poli et al. 2023, "Hyena
hierarchy" (arXiv:2302.10866), with explicit filters: short ones, and long ones whose taps decay
(Ku et al. 2025, "Systems and algorithms for convolutional multi-hybrid language models",
arXiv:2503.01868). Beside the symbols (bytes, or tokens of several) it sees the n-grams that end at
each, by hashed embeddings.
`volute.engine.language` is the same network in NumPy.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from volute.engine.language import FEED, LOCAL, LONGEST, SHORTEST, rows_of
from volute.engine.tokens import BYTES

TINY = 1e-6
SLOWEST, FASTEST = 0.1, 100.0
"""How fast the taps of long filters decay over their length, from channel to channel."""


@dataclass(frozen=True)
class Past:
    """What a network remembers of the symbols before: of each stream, detached."""

    recent: torch.Tensor
    """int64 [B, LONGEST - 1]: the last ones."""
    layers: list[tuple[torch.Tensor, torch.Tensor]]
    """For each layer what its local [B, LOCAL - 1, 3D] and its filter [B, K - 1, D] saw last."""


class Mixer(nn.Module):
    """One layer: a gated filter over time, then a feed-forward network on each symbol.

    Args:
        width: D.
        taps: K, of the filter.
    """

    def __init__(self, width: int, taps: int) -> None:
        super().__init__()
        self.inward = nn.Linear(width, 3 * width, bias=False)
        self.local = nn.Parameter(torch.zeros(LOCAL, 3 * width))
        self.filter = nn.Parameter(torch.randn(taps, width) / math.sqrt(taps))
        self.skip = nn.Parameter(torch.ones(width))
        self.outward = nn.Linear(width, width, bias=False)
        self.widen = nn.Linear(width, FEED * width, bias=False)
        self.narrow = nn.Linear(FEED * width, width, bias=False)
        with torch.no_grad():
            self.local[-1] = 1
            if taps > LOCAL * 2:
                rate = torch.logspace(math.log10(SLOWEST), math.log10(FASTEST), width)
                age = torch.arange(taps - 1, -1, -1)[:, None] / taps
                self.filter.mul_((-rate * age).exp())
            self.outward.weight.zero_()
            self.narrow.weight.zero_()

    def forward(
        self, x_BTD: torch.Tensor, past: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Return the new x [B, T, D], and what to remember."""
        inward = torch.cat([past[0], self.inward(normed(x_BTD)).float()], 1)
        query, key, value = shifted_sum(inward, self.local).chunk(3, 2)
        gated = torch.cat([past[1], key * value], 1)
        long = len(self.filter) > 2 * LOCAL
        mixed = (spectral if long else shifted_sum)(gated, self.filter)
        now = gated[:, len(self.filter) - 1 :]
        x_BTD = x_BTD + self.outward(query * (mixed + self.skip * now))
        x_BTD = x_BTD + self.narrow(F.relu(self.widen(normed(x_BTD))).square())
        kept = inward[:, 1 - LOCAL :].detach(), gated[:, 1 - len(self.filter) :].detach()
        return x_BTD, kept


class ConvLm(nn.Module):
    """The language model.

    Args:
        width: channels.
        filters: length of each layer's filter in symbols.
        rows: of the table of each n-gram length, from 2 on.
        part: channels of an n-gram's embedding.
        kinds: how many kinds of texts are told apart; 0: none.
        dropout: of the n-grams' embeddings, while learning.
        symbols: V, how many there are.
    """

    def __init__(
        self,
        width: int,
        filters: tuple[int, ...],
        rows: tuple[int, ...],
        part: int,
        kinds: int = 0,
        dropout: float = 0.0,
        symbols: int = BYTES,
    ) -> None:
        super().__init__()
        self.width, self.filters = width, filters
        self.bytes = nn.Embedding(symbols, width)
        self.grams = nn.ModuleList([nn.Embedding(count, part) for count in rows])
        self.join = nn.Linear(part * len(rows), width, bias=False)
        self.kinds = nn.Embedding(kinds + 1, width) if kinds else None
        self.dropout = dropout
        self.layers = nn.ModuleList([Mixer(width, taps) for taps in filters])
        self.logits = nn.Linear(width, symbols)
        with torch.no_grad():
            for table in self.tables():
                table.weight.normal_(std=0.5)
            self.logits.weight.zero_()
            self.logits.bias.zero_()
            if self.kinds is not None:
                self.kinds.weight.zero_()

    def tables(self) -> list[nn.Embedding]:
        """Return the embeddings of symbols and of n-grams."""
        return [self.bytes, *(cast(nn.Embedding, table) for table in self.grams)]

    def blank(self, streams: int) -> Past:
        """Return the past of streams that have seen nothing."""
        place = self.logits.weight.device
        layers = [
            (
                torch.zeros(streams, LOCAL - 1, 3 * self.width, device=place),
                torch.zeros(streams, taps - 1, self.width, device=place),
            )
            for taps in self.filters
        ]
        recent = torch.zeros(streams, LONGEST - 1, dtype=torch.long, device=place)
        return Past(recent, layers)

    def forward(
        self, text_BT: torch.Tensor, past: Past, kind_BT: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Past]:
        """Return the logits [B, T, V] of the symbol after each of `text_BT`, and the new past.

        Args:
            text_BT: int64.
            past: of as many streams.
            kind_BT: int64, of which kind of text the next one is, from 1 on; 0, or none: any.
        """
        seen = torch.cat([past.recent, text_BT], 1)
        parts = [
            table(hashed(seen, length, table.num_embeddings)[:, LONGEST - 1 :])
            for length, table in enumerate(self.tables()[1:], SHORTEST)
        ]
        grams = F.dropout(torch.cat(parts, 2), self.dropout, self.training)
        x = self.bytes(text_BT) + self.join(grams)
        if self.kinds is not None:
            x = x + self.kinds(torch.zeros_like(text_BT) if kind_BT is None else kind_BT)
        kept = []
        for layer, before in zip(self.layers, past.layers, strict=True):
            x, after = layer(x, before)
            kept.append(after)
        return self.logits(normed(x)), Past(seen[:, 1 - LONGEST :], kept)


def normed(x: torch.Tensor) -> torch.Tensor:
    """Return x with a root mean square of 1 over the channels."""
    return x * (x.square().mean(-1, keepdim=True) + TINY).rsqrt()


def shifted_sum(x_BTC: torch.Tensor, taps_KC: torch.Tensor) -> torch.Tensor:
    """Filter each channel of [B, K - 1 + T, C] with its taps, the last for the present one."""
    count = x_BTC.shape[1] - len(taps_KC) + 1
    made = x_BTC[:, :count] * taps_KC[0]
    for place, tap in enumerate(taps_KC[1:], 1):
        made = torch.addcmul(made, x_BTC[:, place : place + count], tap)
    return made


def spectral(x_BTC: torch.Tensor, taps_KC: torch.Tensor) -> torch.Tensor:
    """Do as `shifted_sum` does, by way of the spectrum: faster for many taps."""
    size = x_BTC.shape[1]
    spectrum = torch.fft.rfft(x_BTC, dim=1) * torch.fft.rfft(taps_KC.flip(0), size, 0)
    return torch.fft.irfft(spectrum, size, 1)[:, len(taps_KC) - 1 :]


def hashed(text_BT: torch.Tensor, length: int, rows: int) -> torch.Tensor:
    """Return the row of the n-gram that ends at each symbol, as `engine.language.rows_of` does."""
    return torch.from_numpy(rows_of(text_BT.cpu().numpy(), length, rows)).to(text_BT.device)
