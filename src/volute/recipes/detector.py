"""Train the detector of pictures that convolutional networks made.

    volute train detector photos/ --time 25m

It learns from pairs: each real picture beside itself, made anew by one of many small networks that
learn meanwhile (`nets.remaker`), both then resized and saved in the same way (`training.alike`).
What is held out gives the scores of real pictures by which others are judged: of each subfolder, if
there are some, by itself. `benchmarks/provenance_detector.py` has the results.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from volute.errors import UsageError
from volute.nets.detector import Detector, folded
from volute.nets.halved import Halved
from volute.nets.remaker import FAMILIES, Remaker, drawn, enlarged
from volute.provenance.detector import LARGE
from volute.recipes.detector_settings import DetectorSettings
from volute.recipes.known import auc, scores_of_real
from volute.training import alike
from volute.training.alike import as_bytes, as_floats
from volute.training.augment import flip, turn
from volute.training.degrade import in_bytes
from volute.training.device import Device
from volute.training.distributed import ALONE, Group
from volute.training.ema import Average
from volute.training.optimiser import adamw, set_rate
from volute.training.recipe import (
    DataFacts,
    Draw,
    Exported,
    Graph,
    Held,
    PictureRecipe,
    portable,
    seeded,
)
from volute.training.shown import grid

SIDES = (64, 96)
"""Of the crops that are looked at, px."""
MARGIN = 12
"""Pixels at the borders of a re-made picture that are not shown: they tell of padding."""
LEARNED, LEARNED_SIDE = 8, 48
"""Pictures from which a re-maker learns at a time, and their side in px."""
GROUPS = 4
"""Re-makers that a batch is divided among."""
UNLEARNED = 0.3
"""Share of these that have a random kernel instead."""
SETTLED, HASTE = 0.2, 4
"""Share of the budget in which only re-makers learn, and how many more of them at a time."""
GREY = 10
"""One pair in so many is grey."""
MEASURED = 96
"""Held-out pictures that are measured while learning."""


class DetectorRecipe(PictureRecipe):
    """The networks and their step; see `volute.training.recipe.Recipe`."""

    settings: DetectorSettings

    def __init__(
        self, settings: DetectorSettings, facts: DataFacts, device: Device, seed: int
    ) -> None:
        super().__init__(settings, facts, device, seed)
        self.held_out = settings.held_out
        if facts.channels != 3:
            raise UsageError("the detector is learned from RGB", "Add: -s data.mode=RGB")
        if settings.left_out not in ("", *FAMILIES):
            raise UsageError(
                f"there is no family {settings.left_out!r} to leave out", f"One of {FAMILIES}"
            )
        self.families = tuple(name for name in FAMILIES if name != settings.left_out)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            detector = device.place(Detector(settings.widths))
            self.remakers = remakers(settings.remakers, self.families, seed, device)
        self.modules = {"detector": detector}
        self.averages = {"detector": Average(detector, settings.ema_kimg * 1000)}
        self.optimisers = {
            "detector": adamw(detector.parameters(), settings.lr, settings.weight_decay)
        }
        for number, remaker in enumerate(self.remakers):
            self.modules[f"remaker{number}"] = remaker
            self.optimisers[f"remaker{number}"] = adamw(
                remaker.parameters(), settings.lr_remakers, 0.0
            )

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Let some re-makers learn, then tell what they make from what they made it of."""
        rng, draw = (
            seeded(self.device.torch, self.seed, shown, *self.group.mark),
            self._draws(shown),
        )
        pictures = turn(flip(pictures, rng), rng)
        settling = progress < SETTLED
        remade = self._teach(pictures, draw, rng, self.settings.taught * (HASTE if settling else 1))
        if settling:
            return {"remade": remade}
        real, made = self._pairs(pictures, draw, rng)
        settings = self.settings
        set_rate(
            self.optimisers["detector"], settings.lr, progress, settings.lr_end, settings.warmup
        )
        x = torch.cat([real, made]).contiguous(memory_format=torch.channels_last)
        target = torch.arange(len(x), device=x.device) >= len(real)
        detector = self.modules["detector"]
        with self.device.autocast():
            logits = detector(x).float()
        loss = F.binary_cross_entropy_with_logits(logits, target.float())
        self.optimisers["detector"].zero_grad(set_to_none=True)
        self.group.backward(loss, detector.parameters())
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 1.0)
        self.optimisers["detector"].step()
        count = len(pictures) * self.group.size
        self.averages["detector"].update(detector, count, shown + count)
        right = ((logits > 0) == target).float().mean()
        return {"loss": loss.item(), "right": right.item(), "remade": remade}

    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the pictures made anew."""
        rng, draw = seeded(self.device.torch, self.seed, 0x5EED), self._draws(0x5EED)
        return self._remade(_middle(pictures, LARGE), draw, rng)

    def show(self, draw: Draw) -> np.ndarray:
        """Return nine pictures on the left, the same made anew on the right."""
        pictures, labels = draw(9)
        made = grid(self.preview(pictures, labels))
        return np.concatenate([grid(_middle(pictures, LARGE)), made], 1)

    def evaluate(self, held: Held) -> dict[str, float]:
        """Return how well held-out pictures are told from what is made of them."""
        thin = max(1, round(self.held_out * self.facts.pictures) // MEASURED)
        pictures = torch.cat([part[::thin] for part, _ in held()])
        rng, draw = seeded(self.device.torch, self.seed, 0xA0C), self._draws(0xA0C)
        scores = []
        for part in pictures.split(self.batch):
            scores.append([self._logits(x) for x in self._pairs(part, draw, rng)])
        real, made = (np.concatenate(part) for part in zip(*scores, strict=True))
        return {"auc": auc(real, made)}

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the averaged network in half precision, and what real pictures score."""
        network = portable(self.averages["detector"].network)
        assert isinstance(network, Detector)
        halved = Halved(folded(network)).eval()
        picture = torch.zeros(2, 3, LARGE, LARGE)
        shown = self.preview(*draw(9))
        graph = Graph("detector", halved, {"picture": picture}, "logits", free=True, multiple=2)
        tensors = scores_of_real(halved, held, self._draws(0xCA1))
        known = {"known": float(len(tensors["large.scores"]))}
        return Exported(
            [graph],
            shown,
            radius=0,
            side=LARGE,
            metrics=self.evaluate(held) | known,
            tensors=tensors,
        )

    def _draws(self, *numbers: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *numbers])

    def _teach(
        self, pictures: torch.Tensor, draw: np.random.Generator, rng: torch.Generator, count: int
    ) -> float:
        """Let some re-makers learn from parts of the pictures; return how far they are off."""
        losses = []
        for number in draw.choice(len(self.remakers), min(count, len(self.remakers)), False):
            which = draw.choice(len(pictures), min(LEARNED, len(pictures)), False)
            top, left = draw.integers(0, pictures.shape[2] - LEARNED_SIDE + 1, 2)
            part = pictures[which, :, top : top + LEARNED_SIDE, left : left + LEARNED_SIDE]
            remaker, optimiser = self.remakers[number], self.optimisers[f"remaker{number}"]
            losses.append(learn(remaker, optimiser, part, rng, self.group))
        return sum(losses) / len(losses)

    def _pairs(
        self, pictures: torch.Tensor, draw: np.random.Generator, rng: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return crops of real pictures and of what is made of them, saved alike."""
        side = int(draw.choice(SIDES))
        before = math.ceil((side + alike.ROOM) / _share(draw, 0.5, 0.8, 1.4))
        real = _reduced(pictures, before + 2 * MARGIN, draw)
        made = self._remade(real, draw, rng)
        inner = slice(MARGIN, MARGIN + before)
        pairs = [
            alike.sent(a, b, side, draw)
            for a, b in zip(*(as_bytes(x[..., inner, inner]) for x in (real, made)), strict=True)
        ]
        first, second = (
            as_floats(np.stack(part)).to(pictures.device) for part in zip(*pairs, strict=True)
        )
        grey = torch.arange(len(first), device=first.device) % GREY == int(draw.integers(GREY))
        return _greyed(first, grey), _greyed(second, grey)

    def _remade(
        self, real: torch.Tensor, draw: np.random.Generator, rng: torch.Generator
    ) -> torch.Tensor:
        """Return pictures made anew, each part of the batch in another way."""
        made = []
        with torch.no_grad():
            for part in real.split(math.ceil(len(real) / GROUPS)):
                if draw.random() < UNLEARNED:
                    made.append(enlarged(part, str(draw.choice(self.families)), draw))
                else:
                    made.append(self.remakers[int(draw.integers(len(self.remakers)))](part, rng))
        return in_bytes(torch.cat(made))

    def _logits(self, x_BCHW: torch.Tensor) -> np.ndarray:
        network = self.averages["detector"].network
        with torch.no_grad():
            return network(x_BCHW).cpu().numpy()


def remakers(count: int, families: tuple[str, ...], seed: int, device: Device) -> list[Remaker]:
    """Return re-makers of random plans, each family as often as any."""
    draw = np.random.default_rng([seed, 0x9E3])
    plans = [drawn(draw, (families[number % len(families)],)) for number in range(count)]
    return [device.place(Remaker(plan)) for plan in plans]


def learn(
    remaker: Remaker,
    optimiser: torch.optim.Optimizer,
    pictures: torch.Tensor,
    rng: torch.Generator,
    group: Group = ALONE,
) -> float:
    """Let a re-maker learn from a batch; return how far it is off."""
    loss = remaker.loss(pictures, rng)
    optimiser.zero_grad(set_to_none=True)
    group.backward(loss, remaker.parameters())
    torch.nn.utils.clip_grad_norm_(remaker.parameters(), 1.0)
    optimiser.step()
    return loss.item()


def _share(draw: np.random.Generator, often: float, least: float, most: float) -> float:
    """Return by how much sizes change: often not at all."""
    return float(draw.uniform(least, most)) if draw.random() < often else 1.0


def _reduced(pictures: torch.Tensor, side: int, draw: np.random.Generator) -> torch.Tensor:
    """Cut squares of about `side` px, of pictures that were made smaller for half of the batches.

    The latter lose what an earlier JPEG left in them.
    """
    side = math.ceil(side / 8) * 8
    whole = max(side, round(pictures.shape[2] * _share(draw, 0.5, 0.5, 1.0)))
    if whole < pictures.shape[2]:
        mode = str(draw.choice(["bilinear", "bicubic"]))
        pictures = F.interpolate(pictures, (whole, whole), mode=mode, antialias=True)
    top, left = draw.integers(0, whole - side + 1, 2)
    return in_bytes(pictures[:, :, top : top + side, left : left + side])


def _middle(pictures: torch.Tensor, side: int) -> torch.Tensor:
    start = (pictures.shape[2] - side) // 2
    return pictures[:, :, start : start + side, start : start + side]


def _greyed(x_BCHW: torch.Tensor, which_B: torch.Tensor) -> torch.Tensor:
    grey = in_bytes(x_BCHW.mean(1, keepdim=True)).expand_as(x_BCHW)
    return torch.where(which_B[:, None, None, None], grey, x_BCHW)
