"""The networks of a GAN by its settings, and the wider generator that one may learn from."""

from __future__ import annotations

from torch import nn

from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.nets.classic import ClassicDiscriminator, ClassicGenerator
from volute.nets.gan import Discriminator, Generator
from volute.nets.weights import filled
from volute.recipes.gan_settings import GanSettings
from volute.training.recipe import DataFacts
from volute.zoo import resolve


def networks(settings: GanSettings, facts: DataFacts) -> tuple[nn.Module, nn.Module]:
    """Return generator and discriminator, new."""
    size, channels, width = facts.size, facts.channels, settings.width
    made = generator(settings, facts)
    if settings.networks == "classic":
        return made, ClassicDiscriminator(size, channels, width)
    blocks = _blocks(settings, size)
    return made, Discriminator(size, channels, facts.classes, width, 2 * width, blocks)


def generator(settings: GanSettings, facts: DataFacts) -> nn.Module:
    """Return the generator, new."""
    size, channels, width = facts.size, facts.channels, settings.width
    if settings.networks == "classic":
        return ClassicGenerator(size, channels, settings.latent, 2 * width)
    blocks, resampling = _blocks(settings, size), settings.resampling
    if resampling == "auto":
        resampling = "transposed" if size > 32 and not blocks else "bilinear"
    wide = width * 3 // 2
    return Generator(
        size, channels, facts.classes, settings.latent, width, wide, blocks, resampling
    )


def _blocks(settings: GanSettings, size: int) -> int:
    return int(size > 32) if settings.blocks == "auto" else settings.blocks


def teacher(settings: GanSettings, facts: DataFacts) -> Generator:
    """Return the generator that the settings name as a teacher, as it runs.

    Raises:
        UsageError: if it is not wider, or of other pictures, latents or blocks.
    """
    artefact = open_artefact(resolve(settings.teacher))
    config, about = artefact.config, artefact.config.descriptor
    wide = GanSettings.make(config.settings) if about.kind == "gan" else None
    same = (about.size, about.channels, len(config.classes)) == (
        facts.size, facts.channels, facts.classes,
    )  # fmt: skip
    if wide is None or not same or wide.width <= settings.width or _like(wide) != _like(settings):
        what = f"{config.name} is no wider generator of the same pictures"
        raise UsageError(what, "Use: volute shrink MODEL")
    made = generator(wide, facts)
    assert isinstance(made, Generator)
    return filled(made, artefact, "generator.").eval().requires_grad_(False)


def _like(settings: GanSettings) -> tuple[object, ...]:
    """Return what a generator has in common with its teacher."""
    return settings.networks, settings.latent, settings.blocks, settings.resampling
