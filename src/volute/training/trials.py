"""What a model is calibrated with before it becomes smaller, and how what it loses is measured.

Generators need no pictures: what they meet are latents, and what they should make is what they
made. Classifiers and upscalers are measured on pictures that they were not calibrated with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from volute import data
from volute.data import DataSettings
from volute.data.scenes import scene
from volute.engine.artefact import Artefact
from volute.errors import UsageError
from volute.events import Emit
from volute.handles.autoencoder import Autoencoder
from volute.handles.generator import Generator
from volute.training.degrade import degrade, in_bytes, reduced
from volute.training.feed import Feed
from volute.training.recipe import Batch, Runner, seeded

Inputs = dict[str, np.ndarray]
Runs = Mapping[str, Runner]
"""What runs each graph, by its role."""
CALIBRATED, MEASURED = 64, {"classify": 2048, "upscale": 64}
"""Pictures or latents from which scales are taken, and how many are measured at most."""
BATCH = 16
DRAWN = 24
"""Procedural pictures where none are given, for either."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
TILE = 192
"""Side in px of what an upscaler is measured on, where its run does not say."""


@dataclass(frozen=True)
class Examples:
    """Pictures [N, C, H, W] in [-1, 1] with their labels [N]: to calibrate with, to measure on."""

    calibration: Batch
    measured: Batch


@dataclass(frozen=True)
class Trial:
    """How a kind of model becomes smaller."""

    feeds: dict[str, list[Inputs]]
    """What each of its graphs is calibrated with."""
    spared: dict[str, int]
    """Which convolution of each stays in floating point: see `quantise.quantised`."""
    measure: str
    """Name of what is measured."""
    bound: float
    unit: str
    goal: Literal["at least", "at most"]
    """On which side of the bound it must be."""
    measured: Callable[[Runs, Runs], float]
    """Gives it for what runs the graphs as they were, and as they became."""

    def passes(self, value: float) -> bool:
        """Return whether a measure is within the bound."""
        return value >= self.bound if self.goal == "at least" else value <= self.bound


def trial_of(artefact: Artefact, examples: Examples | None) -> Trial:
    """Return how a model is tried.

    Args:
        artefact: the model.
        examples: pictures, if it is `pictured`.

    Raises:
        UsageError: if its kind has no smaller form, with the reason.
    """
    kind, name = artefact.config.descriptor.kind, artefact.config.name
    if artefact.config.numbers != "float32":
        what = f"the weights of {name} are {artefact.config.numbers} already"
        raise UsageError(what, "Take the model that it was made from.")
    if kind == "gan":
        return _of_generator(Generator(artefact))
    if kind == "vae":
        return _of_autoencoder(Autoencoder(artefact))
    if kind == "style":
        what = f"{name} makes its kernels anew for each picture, from weights in half precision"
        raise UsageError(f"{what}: there is nothing to fix or to halve", "Use it as it is.")
    if examples is None:
        what = f"{name} has no smaller form"
        raise UsageError(what, "gan, vae, upscale, and classify (of pictures) have.")
    return (_of_classifier if kind == "classify" else _of_upscaler)(artefact, examples)


def pictured(artefact: Artefact) -> bool:
    """Return whether a model needs pictures to become smaller."""
    return artefact.config.descriptor.kind in MEASURED and not artefact.config.of_texts


def of_feed(feed: Feed) -> Examples:
    """Return the pictures of a run: those it learned from calibrate, those held out measure."""
    found = list(feed.held())
    pictures, labels = (torch.cat([batch[part] for batch in found]) for part in (0, 1))
    return Examples(feed.draw(CALIBRATED, 0), (pictures, labels))


def of_source(artefact: Artefact, source: str | Path | None, emit: Emit) -> Examples:
    """Return pictures for a model: one half calibrates, the other measures.

    Raises:
        UsageError: if a classifier is given none, or others than its classes.
        DataError: if they cannot be used.
    """
    config, about = artefact.config, artefact.config.descriptor
    if source is None:
        if about.kind == "upscale":
            return _drawn(about.channels)
        what = f"{config.name} cannot be measured without labelled pictures"
        raise UsageError(what, "Add: --data FOLDER (a folder for each class), or an npz file.")
    told: dict[str, object] = {"mode": MODES[about.channels]}
    told |= {"crop": "tiles", "labels": False} if about.kind == "upscale" else {}
    told |= {"classes": config.classes} if Path(source).suffix == ".npz" and config.classes else {}
    found = data.open_dataset(Path(source), DataSettings.make(told), about.size or TILE, emit)
    if config.classes and found.classes != config.classes:
        raise UsageError(
            f"{source} has other classes than {config.name}: {', '.join(found.classes) or 'none'}",
            f"It knows: {', '.join(config.classes)}",
        )
    halves = data.split(found.labels, found.sources, 0.5)
    rng = np.random.default_rng(0)
    limits = CALIBRATED, MEASURED[about.kind]
    chosen = [np.sort(rng.permutation(h)[:n]) for h, n in zip(halves, limits, strict=True)]
    batches = [(_signed(found.pictures[i]), torch.from_numpy(found.labels[i])) for i in chosen]
    return Examples(*batches)


def _drawn(channels: int) -> Examples:
    """Return procedural pictures."""
    rng = np.random.default_rng(0)
    pixels = np.stack([scene(rng, TILE) for _ in range(2 * DRAWN)])
    if channels == 1:
        pixels = pixels.mean(3, keepdims=True).round().astype(np.uint8)
    labels = torch.zeros(DRAWN, dtype=torch.int64)
    return Examples((_signed(pixels[:DRAWN]), labels), (_signed(pixels[DRAWN:]), labels))


def _signed(pixels_BHWC: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels_BHWC).permute(0, 3, 1, 2).float() / 127.5 - 1


def psnr(before: np.ndarray, after: np.ndarray) -> float:
    """Return the PSNR in dB of arrays in [-1, 1], at most 100; NaN if there is one in them."""
    square = float(np.square(before.astype(np.float64) - after).mean())
    return -10 * float(np.log10(max(square, 4e-10) / 4))


def _latents(model: Generator | Autoencoder, seed: int) -> list[Inputs]:
    found = []
    for first in range(0, CALIBRATED, BATCH):
        inputs = {"latent": model.latents(BATCH, seed=seed, first=first)}
        labels = model.labels(BATCH, seed=seed, first=first)
        found.append(inputs if labels is None else inputs | {"label": labels})
    return found


def _of_generator(model: Generator) -> Trial:
    drawn = _latents(model, 0)

    def measured(before: Runs, after: Runs) -> float:
        old, new = (np.concatenate([r["generator"](x) for x in drawn]) for r in (before, after))
        return psnr(old, new)

    feeds, spared = {"generator": _latents(model, 1)}, {"generator": -1}
    return Trial(feeds, spared, "psnr", 30.0, "dB", "at least", measured)


def _of_autoencoder(model: Autoencoder) -> Trial:
    """Compare what is made of latents, and what is made of these pictures by way of their codes."""
    decode = model.session("decoder").run
    drawn, calibration = _latents(model, 0), _latents(model, 1)

    def measured(before: Runs, after: Runs) -> float:
        pictures = [before["decoder"](inputs) for inputs in drawn]
        made = [after["decoder"](inputs) for inputs in drawn]
        again = [
            np.concatenate(
                [r["decoder"]({"latent": r["encoder"]({"picture": x})}) for x in pictures]
            )
            for r in (before, after)
        ]
        return min(psnr(np.concatenate(pictures), np.concatenate(made)), psnr(*again))

    feeds = {
        "decoder": calibration,
        "encoder": [{"picture": decode(inputs).clip(-1, 1)} for inputs in calibration],
    }
    spared = {"decoder": -1, "encoder": 0}
    return Trial(feeds, spared, "psnr", 30.0, "dB", "at least", measured)


def _of_classifier(artefact: Artefact, examples: Examples) -> Trial:
    (seen, _), (pictures, labels) = examples.calibration, examples.measured

    def right(run: Runner) -> float:
        parts = [run({"picture": part.numpy()}).argmax(1) for part in pictures.split(BATCH)]
        return float((np.concatenate(parts) == labels.numpy()).mean())

    def measured(before: Runs, after: Runs) -> float:
        return 100 * (right(before["classifier"]) - right(after["classifier"]))

    feeds = {"classifier": [{"picture": part.numpy()} for part in seen.split(BATCH)]}
    spared = {"classifier": 0}
    return Trial(feeds, spared, "accuracy_loss", 0.5, "points", "at most", measured)


def _of_upscaler(artefact: Artefact, examples: Examples) -> Trial:
    scale = artefact.config.descriptor.scale
    robust = bool(artefact.config.settings.get("robust"))
    seen, pictures = examples.calibration[0], examples.measured[0][: MEASURED["upscale"]]

    def feed(large: torch.Tensor, strength: float) -> Inputs:
        if not robust:
            return {"picture": reduced(large, scale).numpy()}
        several, rng = torch.full((len(large),), strength), seeded(torch.device("cpu"), 0xFEED)
        small = in_bytes(degrade(large, scale, several, rng))
        return {"picture": small.numpy(), "strength": several.numpy()}

    def measured(before: Runs, after: Runs) -> float:
        small, large = feed(pictures, 0.0), pictures.numpy()
        old, new = (psnr(runs["upscaler"](small).clip(-1, 1), large) for runs in (before, after))
        return old - new

    count = len(seen)
    feeds = {"upscaler": [feed(seen[at][None], at / count) for at in range(count)]}
    return Trial(feeds, {"upscaler": 0}, "loss_db", 0.1, "dB", "at most", measured)
