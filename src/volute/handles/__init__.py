"""What `volute.load` returns: one handle for each kind of model, without torch."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from volute.engine.artefact import open_artefact
from volute.errors import VoluteError
from volute.handles.autoencoder import Autoencoder
from volute.handles.generator import Generator
from volute.handles.sampling import Classes
from volute.zoo import resolve, shipped

__all__ = ["Autoencoder", "Generator", "Model", "load", "models", "sample"]

Model = Generator | Autoencoder

HANDLES: dict[str, type[Model]] = {"gan": Generator, "vae": Autoencoder}


def load(ref: str | Path, *, threads: int | None = None) -> Model:
    """Load a model: a `Generator` for a `gan`, an `Autoencoder` for a `vae`. Nothing is downloaded.

    Args:
        ref: the name of a shipped model, a run folder or an artefact folder.
        threads: threads inside one operator; None for one on each physical core.

    Raises:
        UsageError: if `ref` is no model, naming the nearest shipped one.
        VoluteError: if the model is damaged, or newer than this volute.
    """
    artefact = open_artefact(resolve(ref))
    kind = artefact.config.descriptor.kind
    if kind not in HANDLES:
        raise VoluteError(
            f"{artefact.config.name} is a model of kind {kind}, which this volute cannot load",
            "Update with: pip install -U volute",
        )
    return HANDLES[kind](artefact, threads)


def sample(
    ref: str | Path,
    n: int = 1,
    *,
    seed: int = 0,
    truncation: float = 1.0,
    classes: Classes = None,
) -> list[Image.Image]:
    """Return `load(ref).sample(...)`: n new pictures of a model."""
    return load(ref).sample(n, seed=seed, truncation=truncation, classes=classes)


def models() -> list[str]:
    """Return the names of the models that ship with volute."""
    return list(shipped())
