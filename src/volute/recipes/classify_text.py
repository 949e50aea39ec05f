"""Train a classifier of texts: a CSV file, JSON lines, or a folder with one subfolder a class.

    volute train classify questions.csv --time 3m

A tenth of each class is held out: of the networks after each epoch the one of the lowest cross
entropy there is kept, and the temperature of its probabilities and the probability under which it
abstains are fitted there too. `benchmarks/text_classification.py` has the accuracies.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from volute.config import Config
from volute.engine.artefact import open_artefact
from volute.engine.texts import Network, Tables
from volute.errors import UsageError
from volute.nets.texts import TextClassifier, Together
from volute.recipes.calibration import calibrate
from volute.recipes.files import Start, Teacher
from volute.training.device import Device
from volute.training.ema import Average
from volute.training.optimiser import adamw, set_rate
from volute.training.recipe import DataFacts, Draw, Exported, Held, Recipe, portable, seeded
from volute.zoo import resolve

SHOWN = 20
"""Texts of a sample."""
LETTERS = 100
"""Bytes of each that are shown."""


class ClassifyTextSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    texts: tuple[Teacher, ...] = ()
    """Files and folders."""
    length: int = Field(4096, ge=8, le=1 << 16)
    """Bytes of a text that are read."""
    members: int = Field(3, ge=1, le=32)
    """Networks that learn side by side; the answer is their mean."""
    width: int = Field(48, ge=4, le=2048)
    """Channels of words."""
    stem: int = Field(32, ge=4, le=2048)
    """Channels of bytes."""
    part: int = Field(16, ge=1, le=512)
    """Channels of an n-gram's embedding."""
    maps: int = Field(64, ge=4, le=4096)
    """Features of each width of the convolutions."""
    words: int = Field(1 << 14, ge=16, le=1 << 24)
    """Rows of the table of words."""
    grams: tuple[int, int, int, int] = (1024, 4096, 4096, 4096)
    """Rows of the tables of n-grams of 2, 3, 4 and 5 bytes."""
    bag: int = Field(1 << 16, ge=16, le=1 << 24)
    """Rows of the table of what there is in a text."""
    start: Start = ""
    """A language model whose embeddings of bytes and n-grams are begun with; empty: fresh ones."""
    dropout: float = Field(0.5, ge=0, lt=1)
    """Of the features."""
    lost_words: float = Field(0.1, ge=0, lt=1)
    """Share of the words that a step leaves out."""
    lost_bag: float = Field(0.7, ge=0, lt=1)
    """Share of what there is in a text that a step leaves out."""
    batch: int = Field(50, ge=2, le=4096)
    lr: float = Field(4e-3, gt=0)
    lr_end: float = Field(0.01, gt=0, le=1)
    warmup: float = Field(0.05, gt=0, lt=1)
    """Share of the budget over which the learning rate rises."""
    weight_decay: float = Field(0.05, ge=0)
    smoothing: float = Field(0.1, ge=0, lt=1)
    """Label smoothing: share of the target that is spread over all classes."""
    balance: bool = False
    """Weigh each text by the rarity of its class, so that small classes count as much."""
    trust: float = Field(0.98, gt=0, le=1)
    """The model abstains so that this share of its answers on the held-out texts is right."""
    ema_kimg: float = Field(4.0, gt=0)
    """Half-life of the average, in thousands of texts."""


PRESETS: dict[str, dict[str, object]] = {
    "tiny": {},
    "small": {"width": 96, "stem": 64, "maps": 128, "words": 1 << 16, "bag": 1 << 18},
    "base": {"width": 192, "stem": 96, "maps": 256, "words": 1 << 17, "bag": 1 << 20},
    "large": {"width": 256, "stem": 128, "maps": 512, "words": 1 << 18, "bag": 1 << 21},
}


class Best(nn.Module):
    """The cross entropy of the kept network on the held-out texts."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("loss", torch.tensor(1e9))


class ClassifyTextRecipe(Recipe):
    """The network and its step; see `volute.training.recipe.Recipe`."""

    settings: ClassifyTextSettings

    def __init__(
        self, settings: ClassifyTextSettings, facts: DataFacts, device: Device, seed: int
    ) -> None:
        super().__init__(settings, facts, device, seed)
        begun = _embeddings(settings.start) if settings.start else {}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            members = range(settings.members)
            net = Together([_network(settings, facts.classes, begun) for _ in members])
        self.net = device.place(net)
        self.best = device.place(Best())
        self.modules = {"classifier": self.net, "best": self.best}
        self.averages = {
            name: Average(self.net, settings.ema_kimg * 1000) for name in ("classifier", "kept")
        }
        self.optimisers = {
            "classifier": adamw(self.net.parameters(), settings.lr, settings.weight_decay, 0.99)
        }
        counts = torch.tensor(facts.counts, dtype=torch.float32, device=device.torch)
        self.weight = counts.mean() / counts if settings.balance else torch.ones_like(counts)

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Take one step on texts int16 [B, T]; after each epoch see whether it is the best."""
        settings, optimiser = self.settings, self.optimisers["classifier"]
        set_rate(optimiser, settings.lr, progress, settings.lr_end, settings.warmup)
        rng = seeded(torch.device("cpu"), self.seed, shown, *self.group.mark)
        with torch.random.fork_rng(devices=[]), self.device.autocast():
            torch.manual_seed(int(torch.randint(1 << 31, (1,), generator=rng)))
            logits = self._score(self.net, pictures)
        loss = sum(
            F.cross_entropy(one, labels, self.weight, label_smoothing=settings.smoothing)
            for one in logits
        )
        assert isinstance(loss, torch.Tensor)
        loss = loss * self.group.weight_of(self.weight[labels].sum())
        optimiser.zero_grad(set_to_none=True)
        self.group.backward(loss, self.net.parameters())
        optimiser.step()
        after = shown + self.batch
        self.averages["classifier"].update(self.net, self.batch, after)
        if shown // self.facts.pictures != after // self.facts.pictures:
            self._keep()
        right = (logits.mean(0).argmax(1) == labels).float().mean()
        return {"loss": loss.item() / settings.members, "accuracy": right.item()}

    def show(self, draw: Draw) -> str:
        """Return texts with what the network says of them, where it is wrong with a mark."""
        codes, labels = draw(SHOWN)
        with torch.no_grad():
            said = self._score(self.averages["classifier"].network, codes).mean(0).argmax(1)
        lines = []
        for text, found, label in zip(codes.numpy(), said.tolist(), labels.tolist(), strict=True):
            shown = bytes(text[text >= 0].astype(np.uint8)[:LETTERS])
            mark = " " if found == label else "x"
            words = " ".join(shown.decode("utf-8", "replace").split())
            lines.append(f"{mark} class {found:<4} {words}")
        return "\n".join(lines) + "\n"

    def evaluate(self, held: Held) -> dict[str, float]:
        """Return the accuracy of the network on the held-out texts."""
        logits, labels = self._held_logits(self.averages["classifier"].network, held)
        return {"held_out_accuracy": (logits.argmax(1) == labels).float().mean().item()}

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the kept network with calibrated logits, and what the held-out texts say of it."""
        self._keep()
        kept = self.averages["kept"].network
        logits, labels = self._held_logits(kept, held)
        found = calibrate(logits.cpu().numpy(), labels.cpu().numpy(), self.settings.trust)
        net = cast(Together, portable(kept))
        with torch.no_grad():
            for name, tensor in net.named_parameters():
                if name.endswith(("linear.weight", "linear.bias", "bag.weight")):
                    tensor.div_(found.temperature)
        tensors = {f"classifier.{name}": value.numpy() for name, value in net.state_dict().items()}
        metrics = dict(found.metrics)
        metrics["held_out_texts"] = metrics.pop("held_out_pictures")
        metrics["parity"] = _parity(
            net, Network(tensors, self.settings.length, "classifier."), draw
        )
        weights = sum(p.numel() for p in net.parameters())
        tables = sum(m.weight.numel() for m in net.modules() if isinstance(m, nn.Embedding))
        return Exported(
            [],
            None,
            radius=self.settings.length,
            side=0,
            examples=tuple(Path(path).name for path in self.settings.texts),
            labelled=True,
            threshold=found.threshold,
            metrics=metrics,
            tensors=tensors,
            cost=(weights, weights - tables),
        )

    def _keep(self) -> None:
        """Keep the average, if its cross entropy is lower than that of what is kept."""
        assert self.facts.held is not None
        network = self.averages["classifier"].network
        loss, best = F.cross_entropy(*self._held_logits(network, self.facts.held)), self.best.loss
        assert isinstance(best, torch.Tensor)
        if loss < best:
            self.averages["kept"].network.load_state_dict(network.state_dict())
            best.copy_(loss)

    def _score(self, network: nn.Module, codes: torch.Tensor) -> torch.Tensor:
        return network(self.net.tables.read(codes.numpy())).float()

    def _held_logits(self, network: nn.Module, held: Held) -> tuple[torch.Tensor, torch.Tensor]:
        with torch.no_grad():
            parts = [(self._score(network, codes).mean(0), labels) for codes, labels in held()]
        return torch.cat([logits for logits, _ in parts]), torch.cat([label for _, label in parts])


def _network(
    settings: ClassifyTextSettings, classes: int, begun: dict[str, torch.Tensor]
) -> TextClassifier:
    """Make the network; where a language model gives its embeddings, they are as large as there."""
    stem, part, rows = settings.stem, settings.part, settings.grams
    if begun:
        stem = begun["bytes.weight"].shape[1]
        tables = [begun[f"grams.{index}.weight"] for index in range(len(rows))]
        part, rows = tables[0].shape[1], tuple(len(table) + 1 for table in tables)
    net = TextClassifier(
        classes,
        Tables(rows, settings.words, settings.bag),
        settings.width,
        stem,
        part,
        settings.maps,
        settings.dropout,
        (settings.lost_words, settings.lost_bag),
    )
    if begun:
        net.start(begun)
    return net


def _embeddings(start: str) -> dict[str, torch.Tensor]:
    """Return the embeddings of a language model.

    Raises:
        UsageError: if it is no language model, or one of byte pairs.
    """
    artefact = open_artefact(resolve(start))
    kind = artefact.config.descriptor.kind
    if kind != "lm":
        raise UsageError(f"{artefact.config.name} is a {kind}, not a language model")
    if artefact.config.settings.get("bpe"):
        what = f"{artefact.config.name} reads byte pairs, and classifiers read bytes"
        raise UsageError(what, "Start from a model that was trained without bpe.")
    names = ["bytes.weight", "join.weight", *(f"grams.{index}.weight" for index in range(4))]
    tensors = artefact.tensors([f"lm.{name}" for name in names])
    return {
        name.removeprefix("lm."): torch.from_numpy(value.astype(np.float32))
        for name, value in tensors.items()
    }


def _parity(net: Together, network: Network, draw: Draw) -> float:
    """Return the largest difference between the two forms of the network."""
    codes, _ = draw(SHOWN)
    with torch.no_grad():
        expected = net(network.tables.read(codes.numpy())).mean(0).numpy()
    texts = [bytes(row[row >= 0].astype(np.uint8)) for row in codes.numpy()]
    alone = np.concatenate([network.logits([text]) for text in texts])
    scale = max(1.0, float(np.abs(expected).max()))
    return float(np.abs(alone - expected).max()) / scale
