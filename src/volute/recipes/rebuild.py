"""From an artefact back to torch: networks rebuilt from its settings, filled with its weights."""

from __future__ import annotations

from volute import recipes
from volute.engine.artefact import Artefact
from volute.errors import UsageError
from volute.nets.weights import filled
from volute.recipes.vae import Pair
from volute.training.device import choose
from volute.training.recipe import DataFacts, Recipe


def recipe_of(artefact: Artefact) -> Recipe:
    """Return the recipe that made an artefact, on the CPU; its networks are as before training.

    Raises:
        UsageError: if the artefact does not hold the settings of its recipe.
    """
    config = artefact.config
    if not config.settings:
        hint = "Export it anew from its run: volute export"
        raise UsageError(f"{config.name} does not say how its network was built", hint)
    about, count = config.descriptor, len(config.classes)
    settings = recipes.kind_of(about.kind, config.settings).settings.make(config.settings)
    facts = DataFacts(about.size, about.channels, count, pictures=1, counts=(2,) * count)
    return recipes.create(about.kind, settings, facts, choose("cpu", "float32"))


def pair_of(artefact: Artefact) -> Pair:
    """Return the encoder and decoder of a `vae` artefact, on the CPU and ready for inference.

    Raises:
        UsageError: if the artefact does not hold the settings of its recipe.
        VoluteError: if its weights do not fit them.
    """
    pair = recipe_of(artefact).modules["vae"]
    assert isinstance(pair, Pair)
    filled(pair.encoder, artefact, "encoder.encoder.")
    filled(pair.decoder, artefact, "encoder.decoder.", "decoder.")
    return pair.eval().requires_grad_(False)
