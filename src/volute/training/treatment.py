"""The one change of settings that a verdict calls for."""

from __future__ import annotations

from volute.config import Config
from volute.events import Verdict
from volute.training.recipe import Recipe

CURES = {
    "learning rate": ("lr",),
    "not finite": ("lr", "gamma"),
    "penalty": ("gamma",),
    "collapse": ("gamma", "lr"),
    "posterior collapse": ("free_bits",),
}
"""Which settings may be at fault."""
FACTORS = {"lr": 0.25, "gamma": 4.0, "free_bits": 2.0}
"""What a setting is multiplied by that is as it usually is; one that is on the wrong side of that
goes back to it."""


def treatment(recipe: Recipe, usual: Config, verdict: Verdict) -> dict[str, float | str]:
    """Return the setting to change and its new value, or nothing where there is no cure.

    Args:
        recipe: of the training that is ill.
        usual: the settings of its preset.
        verdict: why it was stopped.
    """
    settings = recipe.settings
    names = [name for name in CURES.get(verdict.cause, ()) if hasattr(settings, name)]
    for name in names:
        given, normal = getattr(settings, name), getattr(usual, name)
        meant = recipe.usual.get(name, normal)
        if given != "auto" and given != meant and (given < meant) == (FACTORS[name] > 1):
            return {name: normal}
    for name in names:
        now = getattr(recipe, name, getattr(settings, name))
        if isinstance(now, float) and now > 0:
            return {name: now * FACTORS[name]}
    return {}
