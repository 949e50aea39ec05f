"""Places in a model's latent space, and the pictures there."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np

from volute.errors import UsageError
from volute.handles.directions import Directions, directions
from volute.handles.latents import walk
from volute.handles.sampling import Sampler
from volute.studio.requests import Point

_KNOWN: WeakKeyDictionary[Sampler, Directions] = WeakKeyDictionary()


@dataclass(frozen=True, eq=False)
class Place:
    """Where a picture is."""

    latent: np.ndarray
    """float32 [latent]."""
    label: np.ndarray | None
    """int64 [1], or None where the model has no classes."""


def place(handle: Sampler, point: Point) -> Place:
    """Return where a point lies.

    Raises:
        UsageError: for more sliders than there are, or an unknown class.
    """
    latent = handle.latents(seed=point.seed, truncation=point.truncation, first=point.index)[0]
    label = handle.labels(seed=point.seed, classes=point.label or None, first=point.index)
    return Place(_moved(handle, latent, point.sliders), label)


def known(handle: Sampler) -> Directions:
    """Return the principal directions of a model, found once."""
    found = _KNOWN.get(handle)
    if found is None:
        found = _KNOWN[handle] = directions(handle)
    return found


def _moved(handle: Sampler, latent: np.ndarray, sliders: tuple[float, ...]) -> np.ndarray:
    if not any(sliders):
        return latent
    vectors = known(handle).vectors
    if len(sliders) > len(vectors):
        what = f"{len(sliders)} sliders are given, but {handle.info.name} has {len(vectors)}"
        raise UsageError(what, "Ask for its directions.")
    return latent + np.asarray(sliders, np.float32) @ vectors[: len(sliders)]


def between(handle: Sampler, here: Place, there: Place, share: float) -> Place:
    """Return a place on the way from one to another; the class is that of the nearer one."""
    steps = 1000
    path = walk(np.stack([here.latent, there.latent]), steps, False, handle.info.density)
    return Place(path[round(share * steps)], here.label if share < 0.5 else there.label)
