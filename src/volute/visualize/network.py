"""A trained network opened for looking inside: rebuilt from its settings, filled with its weights.

A classifier and a VAE's encoder come from their artefact. A discriminator is no part of one: it
comes from the state of its run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch

from volute.engine.artefact import Artefact, open_artefact
from volute.errors import UsageError
from volute.nets.classic import ClassicDiscriminator
from volute.nets.classifier import Classifier
from volute.nets.extractor import Extractor, load_extractor
from volute.nets.gan import Discriminator
from volute.nets.vae import Encoder
from volute.nets.weights import filled
from volute.recipes.rebuild import pair_of, recipe_of
from volute.training import checkpoint
from volute.training.run import Run
from volute.zoo import resolve

PARTS = {
    "gan": "discriminator",
    "classify": "classifier",
    "vae": "encoder",
    "extractor": "feature network",
}
Maps = Callable[[torch.Tensor], list[torch.Tensor]]
Decide = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Visible:
    """A network whose features can be seen. Pictures are [B, C, size, size] in [-1, 1]."""

    name: str
    part: str
    """`classifier`, `discriminator`, `encoder` or `feature network`."""
    maps: Maps
    """Gives the features of each stage [B, C, H, W], from fine to coarse."""
    decide: Decide | None
    """Gives the logits of `classes` [B, K] from the last stage's features; None where the network
    decides nothing."""
    classes: tuple[str, ...]
    size: int
    channels: int


def open_network(ref: str | Path) -> Visible:
    """Open the network of a model reference for looking inside.

    Raises:
        UsageError: if there is no such model, or it is a GAN without its run.
        VoluteError: if its weights do not fit its settings.
    """
    artefact = open_artefact(resolve(ref))
    config = artefact.config
    kind, of = config.descriptor.kind, " of texts" if config.of_texts else ""
    if kind not in PARTS or config.of_texts:
        raise UsageError(f"{config.name} is a {kind}{of}: its features cannot be shown")
    if kind == "gan":
        network = _discriminator(Path(ref), artefact)
    elif kind == "classify":
        classifier = cast(Classifier, recipe_of(artefact).modules["classifier"])
        network = filled(classifier, artefact, "classifier.")
    elif kind == "vae":
        network = pair_of(artefact).encoder
    else:
        network = load_extractor(artefact.path)
    network.eval().requires_grad_(False)
    return Visible(
        config.name,
        PARTS[kind],
        network.maps,
        None if isinstance(network, Encoder | Extractor) else network.decide,
        config.classes or ("real",),
        config.descriptor.size,
        config.descriptor.channels,
    )


def _discriminator(path: Path, artefact: Artefact) -> Discriminator | ClassicDiscriminator:
    run = Run(path)
    if not run.state.is_dir():
        raise UsageError(
            f"{artefact.config.name} holds a generator; its discriminator stays with the run",
            "Give the folder of the run: volute features runs/photos-1 picture.png",
        )
    recipe = recipe_of(artefact)
    checkpoint.load(run.state, recipe)
    network = recipe.modules["discriminator"]
    assert isinstance(network, Discriminator | ClassicDiscriminator)
    return network
