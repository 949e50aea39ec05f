"""Train a classifier on pictures in folders, one folder a class.

    volute train classify fashion_mnist.npz --preset small --time 20m

A part of each class is held out: accuracy is measured on it while training, and at the end the
temperature of the probabilities (Guo et al. 2017, arXiv:1706.04599) and the probability under which
the model abstains are fitted on it. `benchmarks/classification.py` has the accuracies.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from volute.config import Config
from volute.errors import DataError
from volute.nets.classifier import Classifier
from volute.recipes.calibration import calibrate
from volute.training.augment import flip, turn
from volute.training.device import Device
from volute.training.ema import Average
from volute.training.optimiser import adamw, set_rate
from volute.training.randaugment import randaugment
from volute.training.recipe import (
    DataFacts,
    Draw,
    Exported,
    Graph,
    Held,
    PictureRecipe,
    portable,
)


class ClassifySettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    width: int = Field(32, ge=8, le=512)
    """Channels at the first resolution; they double with each halving of the side."""
    cap: int = Field(256, ge=16, le=4096)
    """The most channels."""
    blocks: int = Field(1, ge=1, le=8)
    """Residual blocks at each resolution."""
    dropout: float = Field(0.2, ge=0, lt=1)
    batch: int = Field(64, ge=4, le=4096)
    lr: float = Field(2e-3, gt=0)
    lr_end: float = Field(0.01, gt=0, le=1)
    """Share of the learning rate that is left at the end, by a cosine."""
    warmup: float = Field(0.05, gt=0, lt=1)
    """Share of the budget over which the learning rate rises."""
    weight_decay: float = Field(0.05, ge=0)
    smoothing: float = Field(0.1, ge=0, lt=1)
    """Label smoothing: share of the target that is spread over all classes."""
    balance: bool = True
    """Weigh each picture by the rarity of its class, so that small classes count as much."""
    operations: int = Field(2, ge=0, le=11)
    """Random operations of augmentation on each picture."""
    magnitude: float = Field(0.5, ge=0, le=1)
    """Strength of the strongest of them."""
    flip: bool = False
    """Mirror pictures at random: only if the data allow it."""
    turn: bool = False
    """Turn pictures by random quarters: for those without an up, as from the air."""
    held_out: float = Field(0.1, gt=0, lt=0.9)
    """Share of each class that is measured on and never learned from."""
    trust: float = Field(0.98, gt=0, le=1)
    """The model abstains so that this share of its answers on the held-out pictures is right."""
    ema_kimg: float = Field(20.0, gt=0)


PRESETS: dict[str, dict[str, object]] = {
    "tiny": {"width": 16, "cap": 128},
    "small": {},
    "base": {"width": 48, "cap": 512, "blocks": 2},
    "large": {"width": 64, "cap": 512, "blocks": 3, "batch": 256},
}


class ClassifyRecipe(PictureRecipe):
    """The classifier and its step; see `volute.training.recipe.Recipe`."""

    settings: ClassifySettings

    def __init__(
        self, settings: ClassifySettings, facts: DataFacts, device: Device, seed: int
    ) -> None:
        super().__init__(settings, facts, device, seed)
        if facts.classes < 2 or min(facts.counts) < 2:
            raise DataError(
                "a classifier needs at least two classes with at least two pictures each",
                "Put the pictures of each class into a folder of its own: photos/cat, photos/dog.",
            )
        self.held_out = settings.held_out
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Classifier(
                facts.size,
                facts.channels,
                facts.classes,
                settings.width,
                settings.cap,
                settings.blocks,
                settings.dropout,
            )
        self.network = device.place(network)
        self.modules = {"classifier": self.network}
        self.averages = {"classifier": Average(self.network, settings.ema_kimg * 1000)}
        self.optimisers = {
            "classifier": adamw(self.network.parameters(), settings.lr, settings.weight_decay)
        }
        counts = torch.tensor(facts.counts, dtype=torch.float32, device=device.torch)
        self.weight = counts.mean() / counts if settings.balance else torch.ones_like(counts)

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Take one step on the cross entropy of augmented pictures."""
        settings, rng = self.settings, self.stream(shown)
        optimiser = self.optimisers["classifier"]
        set_rate(optimiser, settings.lr, progress, settings.lr_end, settings.warmup)
        pictures = flip(pictures, rng) if settings.flip else pictures
        pictures = turn(pictures, rng) if settings.turn else pictures
        if settings.operations:
            pictures = randaugment(pictures, settings.operations, settings.magnitude, rng)
        logits = self._score(self.network, pictures, shown)
        loss = F.cross_entropy(logits, labels, self.weight, label_smoothing=settings.smoothing)
        loss = loss * self.group.weight_of(self.weight[labels].sum())
        optimiser.zero_grad(set_to_none=True)
        self.group.backward(loss, self.network.parameters())
        optimiser.step()
        count = len(pictures) * self.group.size
        self.averages["classifier"].update(self.network, count, shown + count)
        right = (logits.argmax(1) == labels).float().mean()
        return {"loss": loss.item(), "accuracy": right.item()}

    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the pictures in a frame: white where the class was found, black where not."""
        right = self._averaged_logits(pictures).argmax(1) == labels
        framed = torch.where(right, 1.0, -1.0)[:, None, None, None].expand_as(pictures).clone()
        edge = max(1, self.facts.size // 16)
        inside = (slice(None), slice(None), slice(edge, -edge), slice(edge, -edge))
        framed[inside] = pictures[inside]
        return framed

    def evaluate(self, held: Held) -> dict[str, float]:
        """Return the accuracy on the held-out pictures."""
        logits, labels = self._held_logits(held)
        return {"held_out_accuracy": (logits.argmax(1) == labels).float().mean().item()}

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the averaged network with calibrated logits, and what the held-out pictures say."""
        logits, labels = self._held_logits(held)
        found = calibrate(logits.cpu().numpy(), labels.cpu().numpy(), self.settings.trust)
        network = portable(self.averages["classifier"].network)
        assert isinstance(network, Classifier)
        with torch.no_grad():
            network.linear.weight.div_(found.temperature)
            network.linear.bias.div_(found.temperature)
        side, channels = self.facts.size, self.facts.channels
        inputs = {"picture": torch.zeros(2, channels, side, side)}
        return Exported(
            [Graph("classifier", network, inputs, "logits")],
            self.preview(*draw(64)),
            radius=side,
            labelled=True,
            threshold=found.threshold,
            metrics=found.metrics,
        )

    def _score(self, network: nn.Module, pictures: torch.Tensor, shown: int) -> torch.Tensor:
        with torch.random.fork_rng(devices=[]), self.device.autocast():
            torch.manual_seed(self.seed + shown)  # dropout draws from torch's own generator
            return network(pictures.contiguous(memory_format=torch.channels_last)).float()

    def _averaged_logits(self, pictures: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return self._score(self.averages["classifier"].network, pictures, 0)

    def _held_logits(self, held: Held) -> tuple[torch.Tensor, torch.Tensor]:
        parts = [(self._averaged_logits(pictures), labels) for pictures, labels in held()]
        return torch.cat([logits for logits, _ in parts]), torch.cat([label for _, label in parts])
