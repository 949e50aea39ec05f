"""Several processes that train one network, each on its share of every batch.

The one module that knows `torch.distributed`. `torchrun` says by the environment who is who;
without it a process is alone, and nothing here does anything. Every process holds the whole state,
and the gradients are averaged before each step, so that all take the same one. The first process
decides what depends on the clock, and it alone writes.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

import torch
import torch.distributed as dist
import torch.nn.functional as F

from volute.errors import UsageError, VoluteError

Given = ParamSpec("Given")
Result = TypeVar("Result")

PATIENCE = timedelta(hours=6)
"""How long a process waits for the others: the first one measures and saves meanwhile."""
LAST_S = 0.2
FAILED, HEARD_S = "volute/failed", 1.5
"""Who tells of the end; and how long who does not stays, since all are ended with the first."""


class PeerError(VoluteError):
    """Another process has failed; it has said why, so this one says nothing."""

    def __init__(self) -> None:
        super().__init__("")


class Group:
    """The processes of one training; by default this one alone.

    Args:
        rank: which of them this is, from 0.
        size: how many there are.
        machine: which this is of those on this machine, and how many these are.
        store: what they all can read and write, where there are several.
    """

    def __init__(
        self, rank: int = 0, size: int = 1, machine: tuple[int, int] = (0, 1), store: Any = None
    ) -> None:
        self.rank, self.size, self.machine = rank, size, machine
        self._store = store
        self.joined = False
        """Whether what is of a batch is now of the batch of all: within a step, and only there."""

    @property
    def first(self) -> bool:
        """Whether this one decides and writes."""
        return self.rank == 0

    @property
    def part(self) -> slice:
        """Which items of a batch are this one's; the first items of all are the first of it."""
        return slice(self.rank, None, self.size)

    @property
    def mark(self) -> tuple[int, ...]:
        """What seeds get in addition, for draws that are this process's own."""
        return (self.rank,) if self.size > 1 else ()

    def say(self, device: str) -> str:
        """Return in words where the training runs."""
        return device if self.size == 1 else f"{self.size} processes, each: {device}"

    def divide(self, count: int) -> None:
        """Check that a batch of `count` items divides.

        Raises:
            UsageError: if not.
        """
        if count % self.size:
            near = max(1, round(count / self.size)) * self.size
            raise UsageError(
                f"a batch of {count} does not divide among {self.size} processes",
                f"Choose one that does: -s batch={near}",
            )

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Make what is of a batch that of the batch of all, while the block runs."""
        self.joined = self.size > 1
        try:
            yield
        finally:
            self.joined = False

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Return the mean of all processes' values; gradients reach all of them."""
        return value if self.size == 1 else _Mean.apply(value, self)

    def weight_of(self, weight: torch.Tensor) -> torch.Tensor | float:
        """Return what this process's share of a batch weighs, over the mean of all."""
        return weight / self.mean(weight) if self.size > 1 else 1.0

    def gather(self, value: torch.Tensor) -> torch.Tensor:
        """Return all processes' values, [size, ...]; gradients reach all of them."""
        places = F.one_hot(torch.tensor(self.rank), self.size).to(value)
        return self.size * self.mean(places.view(-1, *[1] * value.ndim) * value)

    def backward(self, loss: torch.Tensor, parameters: Iterable[torch.Tensor]) -> None:
        """Give parameters the gradients of the mean of all processes' losses."""
        loss.backward()
        grads = [p.grad for p in parameters if p.grad is not None] if self.size > 1 else []
        if not grads:
            return
        flat = self.sum(torch.cat([grad.flatten() for grad in grads])) / self.size
        for grad, part in zip(grads, flat.split([g.numel() for g in grads]), strict=True):
            grad.copy_(part.view(grad.shape))

    def sum(self, value: torch.Tensor) -> torch.Tensor:
        """Return the sum of all processes' values, where `value` lies; it may be overwritten."""
        if self.size > 1:
            value = value.contiguous()
            self._reached(lambda: dist.all_reduce(value))
        return value

    def tell(self, text: bytes) -> bytes:
        """Return what the first process tells."""
        if self.size == 1:
            return text
        length = torch.tensor([len(text)])
        self._reached(lambda: dist.broadcast(length, 0))
        data = torch.empty(int(length), dtype=torch.uint8)
        if self.first and text:
            data.copy_(torch.frombuffer(bytearray(text), dtype=torch.uint8))
        if len(data):
            self._reached(lambda: dist.broadcast(data, 0))
        return data.numpy().tobytes()

    def share(self, tensors: Sequence[torch.Tensor]) -> None:
        """Give all processes the values that the first one has."""
        for tensor in tensors if self.size > 1 else ():
            value = tensor.detach().contiguous()
            self._reached(functools.partial(dist.broadcast, value, 0))
            tensor.detach().copy_(value)

    def in_turn(self, work: Callable[[], Result]) -> Result:
        """Do on each machine first in one process what leaves something there for the others."""
        if self.machine[0]:
            self.sum(torch.zeros(1))
            return work()
        result = work()
        self.sum(torch.zeros(1))
        return result

    @contextlib.contextmanager
    def one_voice(self) -> Iterator[None]:
        """Let one process alone tell of an error, whether it is its own or that of all.

        Raises:
            PeerError: in the others.
        """
        try:
            yield
        except PeerError:
            raise
        except Exception as error:
            if self.size > 1 and not self._speaks():
                time.sleep(HEARD_S)
                raise PeerError from error
            raise

    def _speaks(self) -> bool:
        """Tell whether this one is the first to fail."""
        try:
            mine = str(self.rank).encode()
            return self._store.compare_set(FAILED, "", mine.decode()) == mine
        except RuntimeError:
            return True

    def _reached(self, call: Callable[[], object]) -> None:
        """Call the others.

        Raises:
            VoluteError: if one of them is gone.
        """
        try:
            call()
        except RuntimeError as error:
            time.sleep(HEARD_S)  # who failed may still be about to say so
            raise VoluteError(
                "another process of this training has ended without a word",
                "Perhaps it was killed, for want of memory. Go on: volute resume RUN",
            ) from error


ALONE = Group()


@functools.cache
def join() -> Group:
    """Return the group that `torchrun` made this process a part of, or it alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or "RANK" not in os.environ:
        return ALONE
    machine = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    cards = torch.cuda.device_count()
    if cards:
        torch.cuda.set_device(machine[0] % cards)
    backend = "cpu:gloo,cuda:nccl" if cards >= machine[1] else "gloo"
    store, rank, size = next(dist.rendezvous("env://"))
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    atexit.register(_leave)
    return Group(rank, size, machine, store)


def heard_once(work: Callable[Given, Result]) -> Callable[Given, Result]:
    """Let one process alone tell of an error in `work`, which all of them do."""

    @functools.wraps(work)
    def watched(*values: Given.args, **named: Given.kwargs) -> Result:
        group = join()
        with group.one_voice():
            return work(*values, **named)

    return watched


def _leave() -> None:
    """Let go of the others.

    A thread of gloo frees the tensor of the last sum some time after that has been returned, with
    the lock of Python; if there is no Python any more, it ends the process with an abort.
    """
    time.sleep(LAST_S)
    dist.destroy_process_group()


class _Mean(torch.autograd.Function):
    """The mean over processes, and in the same way of the gradients: it may be differentiated."""

    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, group: Group) -> torch.Tensor:
        ctx.group = group
        return group.sum(value.clone()) / group.size

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        return _Mean.apply(grad_outputs[0], ctx.group), None
