"""What the loop asks of a kind: networks, optimisers, one step, a preview, graphs to export."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import torch
from torch import nn

from volute.engine.tokens import Tokens
from volute.events import Verdict
from volute.training.device import Device
from volute.training.distributed import ALONE, Group
from volute.training.draws import Stream
from volute.training.ema import Average
from volute.training.shown import grid

SHOWN = 64
"""Pictures of a sample."""
LOOK = 64
"""Pictures by which is judged how it goes."""


@dataclass(frozen=True)
class DataFacts:
    """What a recipe must know of the data: side in px, channels, classes (0: none)."""

    size: int
    channels: int
    classes: int
    pictures: int
    """How many, or how many bytes of text."""
    counts: tuple[int, ...] = ()
    """Pictures of each class."""
    text: np.ndarray | None = None
    """What is learned from, uint8 [N]."""
    held_text: np.ndarray | None = None
    """What comes behind it and is measured on."""
    held: Held | None = None
    """Gives what is held out, where that is known before the recipe."""


@dataclass(frozen=True)
class Graph:
    """One network to export: example inputs by name, batch first, and the name of its output."""

    role: str
    network: nn.Module
    inputs: dict[str, torch.Tensor]
    output: str
    free: bool = False
    """Whether height and width are free too, from 8 px on."""
    multiple: int = 1
    """Of what height and width are then multiples."""
    alone: bool = False
    """Whether it takes batches of one only."""
    outside: bool = False
    """Whether its weights are no part of the model, but made when it is used."""


@dataclass
class Exported:
    """What a recipe gives for the artefact beside the common facts."""

    graphs: list[Graph]
    samples: torch.Tensor | None
    """A square number of pictures [N, C, H, W] in [-1, 1] for the card."""
    radius: int
    side: int | None = None
    """Side in px of what the network takes or makes, 0 for any; None: that of the pictures."""
    scale: int = 1
    """How many times larger the network makes a picture."""
    multiple: int = 1
    """Of what height and width of a picture must be multiples."""
    examples: tuple[str, ...] = ()
    """Names of files that were learned from beside the pictures: paintings."""
    tutor: str = ""
    """A network whose results were learned from, with source and licence."""
    styles: tuple[str, ...] = ()
    """Names of the styles that the model knows."""
    exact: bool = False
    """Whether tiles with a halo of `radius` give the same as the whole picture."""
    latent: int = 0
    density: int = 0
    labelled: bool = False
    """Whether the model knows the classes by name."""
    threshold: float = 0.0
    """Probability under which a classifier abstains."""
    metrics: dict[str, float] = field(default_factory=dict)
    """Measured on held-out pictures, for the card."""
    cost: tuple[int, int] | None = None
    """Parameters, and multiply-adds for one symbol, where there are no graphs."""
    tensors: dict[str, np.ndarray] = field(default_factory=dict)


Call = TypeVar("Call", bound=Callable[..., Any])
Runner = Callable[[dict[str, np.ndarray]], np.ndarray]
"""Runs a graph on named inputs."""
Batch = tuple[torch.Tensor, torch.Tensor]
"""Pictures [B, C, H, W] in [-1, 1] and their labels [B]."""
Draw = Callable[[int], tuple[torch.Tensor, torch.Tensor]]
"""Gives as many training pictures [n, C, H, W] in [-1, 1], and their labels [n]."""
Held = Callable[[], Iterator[tuple[torch.Tensor, torch.Tensor]]]
"""Gives the held-out pictures and labels in batches."""


class Recipe(ABC):
    """One kind of network with its objective.

    A recipe makes `modules`, their `averages` and `optimisers` from the settings (with at least
    `batch`), the data's facts and the seed. `step` must be a pure function of the networks' state,
    the batch, `progress` and `shown`: every random draw comes from a generator seeded with the
    run's seed and `shown`, which is why a killed run goes on bit for bit.

    Where several processes train, the batch is the share of this one. What is a mean over the batch
    goes through `group.mean` unless the loss is linear in it, gradients come from `group.backward`,
    and draws either from `stream`, or from a generator that is seeded with `group.mark` as well.
    """

    modules: dict[str, nn.Module]
    averages: dict[str, Average]
    optimisers: dict[str, torch.optim.Optimizer]
    held_out: float = 0.0
    """Share of the pictures that is never learned from, but measured on."""
    looks: int = 0
    """Images shown between two calls of `adapt`; 0: none."""
    group: Group = ALONE
    """The processes that train."""
    compiles: bool = False
    """Whether a step calls something by way of `fast`."""
    compiling: bool = False
    """Whether that is compiled: see `volute.training.compiled`."""
    spared: int = 0
    """Bytes at the beginning of a text that are not learned from, but fitted to at the end."""

    def __init__(self, settings: Any, facts: DataFacts, device: Device, seed: int) -> None:
        self.settings = settings
        self.facts = facts
        self.device = device
        self.seed = seed
        self.batch: int = settings.batch
        self.usual: dict[str, float] = {}
        """What settings that are `auto` stand for."""
        self._compiled: dict[Any, Any] = {}

    @cached_property
    def tokens(self) -> Tokens:
        """What a text is cut into; known when the state has been loaded."""
        return Tokens()

    @property
    def items(self) -> int:
        """What a batch is divided by among processes: its pictures, texts or windows."""
        return self.batch

    def stream(self, shown: int) -> Stream:
        """Return the generator of a step's draws, from which all processes draw alike."""
        rng = Stream(self.device.torch)
        rng.manual_seed(_seed(self.seed, shown))
        rng.group = self.group
        return rng

    def fast(self, call: Call) -> Call:
        """Return what a step calls in place of a network or a method of one: the same, compiled.

        Only a step does so, always with the same shapes: others would be compiled anew.
        """
        if not self.compiling:
            return call
        if call not in self._compiled:
            self._compiled[call] = torch.compile(call, dynamic=False)
        return self._compiled[call]

    def gather(self) -> None:  # noqa: B027
        """Fetch from other processes what of the state each has for itself, before it is saved."""

    def prepare(self) -> None:  # noqa: B027
        """Get ready to learn.

        Raises:
            UsageError: if something that learning needs is not there.
        """

    @abstractmethod
    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Learn from pictures [B, C, H, W] in [-1, 1]; return what to log."""

    @abstractmethod
    def show(self, draw: Draw) -> np.ndarray | str:
        """Return what to look at while it learns: uint8 [H, W, C], or a text."""

    def evaluate(self, held: Held) -> dict[str, float]:
        """Measure the averaged networks on the held-out pictures; return what to log."""
        return {}

    def adapt(self, seen: Batch, unseen: Batch, shown: int) -> None:  # noqa: B027
        """Learn from how pictures that are learned from fare beside those held out.

        A pure function of the networks' state and its arguments, as `step` is.
        """

    def concerns(self) -> list[Verdict]:
        """Say what is unusual about the settings before anything is learned."""
        return []

    @abstractmethod
    def export(self, draw: Draw, held: Held) -> Exported:
        """Prepare the averaged networks for use."""


class PictureRecipe(Recipe):
    """A recipe that learns from pictures and makes or names them."""

    from_noise = False
    """Whether it makes pictures from noise, so that they are compared with real ones."""

    @abstractmethod
    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Make as many pictures as are given, to be shown beside them."""

    def vitals(self, seen: Batch, unseen: Batch, shown: int) -> dict[str, float]:
        """Return signs of its own by which a doctor judges, from a few pictures of either sort."""
        return {}

    def made(self, seen: Batch, shown: int) -> torch.Tensor | None:
        """Return as many new pictures in [-1, 1] as are seen, if it makes them from noise.

        `seen`, of what is learned from, says of which classes, or where codes lie.
        """
        return None

    def show(self, draw: Draw) -> np.ndarray:
        """Return real pictures on the left, what the network makes on the right."""
        pictures, labels = draw(SHOWN)
        return np.concatenate([grid(pictures), grid(self.preview(pictures, labels))], 1)


def few(pictures: int) -> float:
    """Return the share to hold out to have some to look at: 64 or 1 in 60, at most a fifth."""
    return max(1 / 60, min(0.2, LOOK / pictures))


def portable(network: nn.Module) -> nn.Module:
    """Return a copy on the CPU, ready for inference: what export and parity work on."""
    network = copy.deepcopy(network).cpu().eval()
    for parameter in network.parameters():
        parameter.data = parameter.data.contiguous()
    return network


def seeded(device: torch.device, *numbers: int) -> torch.Generator:
    """Return a generator seeded by a hash of `numbers`, such as (seed, images shown)."""
    return torch.Generator(device).manual_seed(_seed(*numbers))


def _seed(*numbers: int) -> int:
    state = np.random.SeedSequence(numbers).generate_state(2, np.uint32)
    return int(state[0]) << 31 ^ int(state[1])
