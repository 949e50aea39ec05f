"""A trained network opened for looking inside: rebuilt from its settings, filled with its weights.

A classifier and a VAE's encoder come from their artefact. A discriminator is no part of one: it
comes from the state of its run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file

from volute import recipes
from volute.engine.artefact import WEIGHTS, Artefact, open_artefact
from volute.errors import UsageError, VoluteError
from volute.nets.gan import Discriminator
from volute.nets.vae import Encoder
from volute.training import checkpoint
from volute.training.device import choose
from volute.training.recipe import DataFacts, Recipe
from volute.training.run import Run
from volute.zoo import resolve

PARTS = {"gan": "discriminator", "classify": "classifier", "vae": "encoder"}
Maps = Callable[[torch.Tensor], list[torch.Tensor]]
Decide = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Visible:
    """A network whose features can be seen. Pictures are [B, C, size, size] in [-1, 1]."""

    name: str
    part: str
    """`classifier`, `discriminator` or `encoder`."""
    maps: Maps
    """Gives the features of each stage [B, C, H, W], from fine to coarse."""
    decide: Decide | None
    """Gives the logits of `classes` [B, K] from the last stage's features; an encoder has none."""
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
    kind = config.descriptor.kind
    if not config.settings:
        hint = "Export it anew from its run: volute export"
        raise UsageError(f"{config.name} does not say how its network was built", hint)
    if kind not in PARTS:
        raise UsageError(f"{config.name} is a {kind}: its features cannot be shown")
    if kind == "gan":
        network = _discriminator(Path(ref), artefact)
    elif kind == "classify":
        network = _filled(_recipe(artefact).modules["classifier"], artefact, "classifier.")
    else:
        pair = _recipe(artefact).modules["vae"]
        network = _filled(cast("Any", pair).encoder, artefact, "encoder.encoder.")
    network.eval().requires_grad_(False)
    return Visible(
        config.name,
        PARTS[kind],
        network.maps,
        None if isinstance(network, Encoder) else network.decide,
        config.classes or ("real",),
        config.descriptor.size,
        config.descriptor.channels,
    )


def _recipe(artefact: Artefact) -> Recipe:
    config = artefact.config
    about, count = config.descriptor, len(config.classes)
    settings = recipes.kind_of(about.kind).settings.make(config.settings)
    facts = DataFacts(about.size, about.channels, count, pictures=1, counts=(2,) * count)
    return recipes.create(about.kind, settings, facts, choose("cpu", "float32"))


def _filled(network: Any, artefact: Artefact, prefix: str) -> Any:
    tensors = load_file(artefact.path / WEIGHTS)
    own = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        reason = "its weights do not fit its settings"
        raise VoluteError(f"{artefact.path}: {reason}", "Export it anew from its run.") from error
    return network


def _discriminator(path: Path, artefact: Artefact) -> Discriminator:
    run = Run(path)
    if not run.state.is_dir():
        raise UsageError(
            f"{artefact.config.name} holds a generator; its discriminator stays with the run",
            "Give the folder of the run: volute features runs/photos-1 picture.png",
        )
    recipe = _recipe(artefact)
    checkpoint.load(run.state, recipe)
    network = recipe.modules["discriminator"]
    if not isinstance(network, Discriminator):
        raise UsageError(f"the features of {artefact.config.name} cannot be shown: it is `classic`")
    return network
