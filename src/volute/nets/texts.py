"""The text classifier: convolutions over bytes and words, and beside them what there is at all.

Each feature is the strongest answer of a convolution of 3, 4 or 5 places (Kim 2014,
arXiv:1408.5882); a linear classifier of hashed words, their pairs and triples and n-grams of bytes
is added to what they give. `volute.engine.texts` is the same network in NumPy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from volute.engine.texts import EDGE, WIDTHS, Read, Tables, share
from volute.engine.tokens import BYTES

SPREAD = 0.1
"""Deviation of the embeddings before they have learned."""


class TextClassifier(nn.Module):
    """Score classes of texts.

    Args:
        classes: number of classes, at least 2.
        tables: rows of the tables.
        width: channels of words.
        stem: channels of bytes.
        part: channels of an n-gram's embedding.
        maps: features of each width over words; over bytes half as many.
        dropout: share of the features that a training step leaves out.
        lost: share of the words, and of what there is, that it leaves out.
    """

    def __init__(
        self,
        classes: int,
        tables: Tables,
        width: int,
        stem: int,
        part: int,
        maps: int,
        dropout: float,
        lost: tuple[float, float],
    ) -> None:
        super().__init__()
        self.tables, self.dropout, self.lost = tables, dropout, lost
        self.bytes = _table(BYTES + 1, stem)
        self.grams = nn.ModuleList([_table(rows, part) for rows in tables.grams])
        self.join = nn.Linear(part * len(tables.grams), stem, bias=False)
        self.words = _table(tables.words, width)
        self.bag = _table(tables.bag, classes)
        self.over_words = nn.ModuleList([nn.Conv1d(width, maps, taps) for taps in WIDTHS])
        self.over_bytes = nn.ModuleList([nn.Conv1d(stem, maps // 2, taps) for taps in WIDTHS])
        self.linear = nn.Linear(len(WIDTHS) * (maps + maps // 2), classes)
        with torch.no_grad():
            self.bag.weight.zero_()

    def start(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take the embeddings of a language model, by the names of `nets.language.ConvLm`."""
        with torch.no_grad():
            self.join.weight.copy_(tensors["join.weight"])
            self.bytes.weight[1:] = tensors["bytes.weight"]
            for index, table in enumerate(self.grams):
                cast(nn.Embedding, table).weight[1:] = tensors[f"grams.{index}.weight"]

    def forward(self, read: Read) -> torch.Tensor:
        """Return logits, float32 [B, classes]."""
        place = self.linear.weight.device
        bytes_BT, grams, words, bag = (
            torch.from_numpy(rows).to(place)
            for rows in (read.bytes, read.grams, read.words, read.bag)
        )
        parts = [table(grams[:, :, index]) for index, table in enumerate(self.grams)]
        bytes_BTD = self.bytes(bytes_BT) + self.join(torch.cat(parts, 2))
        words_BWD = self.words(self._some(words, self.lost[0])).sum(2)
        found = [*strongest(bytes_BTD, self.over_bytes), *strongest(words_BWD, self.over_words)]
        features = F.dropout(torch.cat(found, 1), self.dropout, self.training)
        there = self.bag(self._some(bag, self.lost[1])).sum(1)
        return self.linear(features) + there * torch.from_numpy(share(read.bag)).to(place)

    def _some(self, rows: torch.Tensor, lost: float) -> torch.Tensor:
        """Leave out a share of the places while learning."""
        if not self.training:
            return rows
        kept = torch.rand(rows.shape[:2]).to(rows.device) >= lost
        return rows * (kept if rows.ndim == 2 else kept[..., None])


class Together(nn.Module):
    """Several classifiers that learn side by side, each by itself; their mean is more often right.

    Args:
        members: they.
    """

    def __init__(self, members: list[TextClassifier]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.tables = members[0].tables

    def forward(self, read: Read) -> torch.Tensor:
        """Return the logits of each, float32 [M, B, classes]."""
        return torch.stack([member(read) for member in self.members])


def strongest(x_BTD: torch.Tensor, convolutions: nn.ModuleList) -> list[torch.Tensor]:
    """Return the strongest answer of each convolution, at least 0: [B, maps] each."""
    x_BDT = F.pad(x_BTD, (0, 0, EDGE, EDGE)).transpose(1, 2)
    return [F.relu(convolution(x_BDT).amax(2)) for convolution in convolutions]


def _table(rows: int, width: int) -> nn.Embedding:
    """Return embeddings, the first of nothing."""
    table = nn.Embedding(rows, width, padding_idx=0)
    with torch.no_grad():
        table.weight[1:].normal_(std=SPREAD)
    return table
