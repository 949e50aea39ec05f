"""Random draws for a batch that several processes share: all draw for all, and take their rows.

So a training of several processes changes each picture as that of one does. What is drawn from an
ordinary generator, or in a process that is alone, is what it always was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from volute.training.distributed import ALONE, Group


@dataclass(frozen=True)
class Rows:
    """Of `whole` rows, which are this process's: int64 [B]."""

    whole: int
    mine: torch.Tensor


class Stream(torch.Generator):
    """A generator that is in the same state in all processes."""

    group: Group = ALONE
    rows: Rows | None = None
    """What is drawn for, where it is not the whole batch."""


def uniform(shape: tuple[int, ...], rng: torch.Generator, axis: int = 0) -> torch.Tensor:
    """Return numbers in [0, 1), of which `axis` is the one of the batch."""
    return _taken(torch.rand, shape, rng, axis)


def normal(shape: tuple[int, ...], rng: torch.Generator, axis: int = 0) -> torch.Tensor:
    """Return standard normal numbers, of which `axis` is the one of the batch."""
    return _taken(torch.randn, shape, rng, axis)


@contextlib.contextmanager
def some(count: int, share: float, rng: torch.Generator, each: int = 1) -> Iterator[torch.Tensor]:
    """Give the numbers of rows that are chosen with probability `share`; draw for these within.

    Args:
        count: rows of the batch.
        share: in [0, 1].
        rng: of the draws.
        each: neighbouring rows that belong to one item of the batch.
    """
    rows = _rows(rng, count, each)
    if rows is None:
        yield torch.where(torch.rand(count, generator=rng, device=rng.device) < share)[0]
        return
    assert isinstance(rng, Stream)
    chosen = torch.rand(rows.whole, generator=rng, device=rng.device) < share
    mine = chosen[rows.mine]
    places = (chosen.cumsum(0) - 1)[rows.mine][mine]
    before, rng.rows = rng.rows, Rows(int(chosen.sum()), places)
    try:
        yield torch.where(mine)[0]
    finally:
        rng.rows = before


def _taken(
    draw: Callable[..., torch.Tensor], shape: tuple[int, ...], rng: torch.Generator, axis: int
) -> torch.Tensor:
    rows = _rows(rng, shape[axis], 1)
    if rows is None:
        return draw(shape, generator=rng, device=rng.device)
    whole = (*shape[:axis], rows.whole, *shape[axis + 1 :])
    return draw(whole, generator=rng, device=rng.device).index_select(axis, rows.mine)


def _rows(rng: torch.Generator, count: int, each: int) -> Rows | None:
    if not isinstance(rng, Stream) or rng.group.size == 1:
        return None
    if rng.rows is not None:
        return rng.rows
    group = rng.group
    whole = torch.arange(count * group.size, device=rng.device).unflatten(0, (-1, each))
    return Rows(count * group.size, whole[group.part].flatten())
