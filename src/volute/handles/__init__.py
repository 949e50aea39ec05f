"""What `volute.load` returns: one handle for each kind of model, without torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image

from volute.engine.artefact import open_artefact
from volute.engine.session import DEFAULT, Engine
from volute.errors import UsageError
from volute.handles.autoencoder import Autoencoder
from volute.handles.classifier import Classifier, Prediction
from volute.handles.detector import Detector
from volute.handles.extractor import Comparison, Extractor
from volute.handles.generator import Generator
from volute.handles.language import LanguageModel, Score
from volute.handles.marker import Marker
from volute.handles.masks import Mask
from volute.handles.pictures import Picture, Pictures
from volute.handles.sampling import Classes, Sampler
from volute.handles.styles import Style, StyleLike
from volute.handles.stylizer import Stylizer
from volute.handles.text_classifier import Text, TextClassifier
from volute.handles.upscaler import Upscaler
from volute.zoo import resolve, shipped

__all__ = ["Autoencoder", "Classifier", "Comparison", "Detector", "Extractor", "Generator"]
__all__ += ["LanguageModel", "Marker", "Model", "Score", "score", "write"]
__all__ += ["Prediction", "Style", "Stylizer", "TextClassifier", "Upscaler"]
__all__ += ["classify", "compare", "load"]
__all__ += ["load_sampler", "models", "sample", "stylize", "upscale"]

Model = (
    Generator
    | Autoencoder
    | Classifier
    | TextClassifier
    | Extractor
    | Stylizer
    | Upscaler
    | LanguageModel
    | Marker
    | Detector
)

ENGINED: dict[str, type[Generator | Autoencoder | Classifier | Stylizer | Upscaler]] = {
    "gan": Generator,
    "vae": Autoencoder,
    "classify": Classifier,
    "style": Stylizer,
    "upscale": Upscaler,
}
"""Those whose graphs may run on another engine."""
HANDLES: dict[str, type[Extractor | LanguageModel | Marker | Detector]] = {
    "extractor": Extractor,
    "lm": LanguageModel,
    "watermark": Marker,
    "detector": Detector,
}


def load(ref: str | Path, *, threads: int | None = None, engine: Engine | None = None) -> Model:
    """Load a model: the handle of its kind, such as a `Generator` or an `Upscaler`.

    Nothing is downloaded.

    Args:
        ref: the name of a shipped model, a run folder or an artefact folder.
        threads: threads inside one operator; None for one on each physical core.
        engine: what runs its graphs, such as `Engine("openvino")`; None for what a self-test found
            the fastest on this computer (`--engine auto`), else ONNX Runtime.

    Raises:
        UsageError: if `ref` is no model, naming the nearest shipped one, or its kind has no choice
            of engines.
        MissingExtraError: if the engine is not installed.
        VoluteError: if the model is damaged, or newer than this volute.
    """
    artefact = open_artefact(resolve(ref))
    if engine is not None:
        engine.check()
    made = ENGINED.get(artefact.config.descriptor.kind)
    if made is not None and not artefact.config.of_texts:
        return made(artefact, threads, engine)
    if engine not in (None, DEFAULT):
        raise UsageError(f"{artefact.config.name} has no choice of engines", "Leave it out.")
    if artefact.config.of_texts:
        return TextClassifier(artefact, threads)
    return HANDLES[artefact.config.descriptor.kind](artefact, threads)


def load_sampler(ref: str | Path, *, engine: Engine | None = None) -> Sampler:
    """Load a model that makes pictures, as `load` does.

    Raises:
        UsageError: if it makes none.
    """
    model = load(ref, engine=engine)
    if not isinstance(model, Sampler):
        kind = model.info.descriptor.kind
        what = f"{model.info.name} makes no pictures: it is of kind {kind}"
        raise UsageError(what, "Use a gan or vae.")
    return model


def sample(
    ref: str | Path,
    n: int = 1,
    *,
    seed: int = 0,
    truncation: float = 1.0,
    classes: Classes = None,
) -> list[Image.Image]:
    """Return `load(ref).sample(...)`: n new pictures of a model."""
    model = load_sampler(ref)
    return model.sample(n, seed=seed, truncation=truncation, classes=classes)


def classify(
    ref: str | Path, shown: Pictures | Text | Sequence[Text], *, top: int = 1
) -> Prediction | list[Prediction]:
    """Return `load(ref).classify(...)`: what pictures show, or of which class texts are."""
    model = load(ref)
    if not isinstance(model, Classifier | TextClassifier):
        raise UsageError(f"{model.info.name} cannot classify", "Use a classifier.")
    return model.classify(cast("Any", shown), top=top)


def compare(
    picture: Picture | np.ndarray, other: Picture | np.ndarray, *, extractor: str | Path = "eye"
) -> Comparison:
    """Return `load(extractor).compare(...)`: PSNR, SSIM, MS-SSIM and the perceptual distance."""
    model = load(extractor)
    if not isinstance(model, Extractor):
        raise UsageError(f"{model.info.name} is no extractor", "Leave it out for eye.")
    return model.compare(picture, other)


def upscale(
    ref: str | Path,
    picture: Picture | np.ndarray,
    *,
    faithful: bool = False,
    strength: float | None = None,
) -> Image.Image | np.ndarray:
    """Return `load(ref).upscale(...)`: a picture enlarged by the model's factor."""
    model = load(ref)
    if not isinstance(model, Upscaler):
        raise UsageError(f"{model.info.name} cannot enlarge", "Use a model such as photo-x2.")
    return model.upscale(picture, faithful=faithful, strength=strength)


def stylize(
    ref: str | Path,
    picture: Picture | np.ndarray,
    *,
    style: StyleLike,
    strength: float = 1.0,
    keep_colour: bool = False,
    mask: Mask | None = None,
) -> Image.Image | np.ndarray:
    """Return `load(ref).stylize(...)`: a picture repainted in a style."""
    model = load(ref)
    if not isinstance(model, Stylizer):
        raise UsageError(f"{model.info.name} cannot stylize", "Use a model of kind style.")
    return model.stylize(
        picture, style=style, strength=strength, keep_colour=keep_colour, mask=mask
    )


def write(
    ref: str | Path, prompt: str = "", *, tokens: int = 200, label: str = "", **sampling: object
) -> str:
    """Return `load(ref).write(...)`: how a text goes on."""
    return _language(ref).write(prompt, tokens=tokens, label=label, **sampling)


def score(ref: str | Path, text: str | bytes) -> Score:
    """Return `load(ref).score(...)`: how surprising a text is to a model."""
    return _language(ref).score(text)


def _language(ref: str | Path) -> LanguageModel:
    model = load(ref)
    if not isinstance(model, LanguageModel):
        raise UsageError(f"{model.info.name} cannot write", "Use a model of kind lm.")
    return model


def models() -> list[str]:
    """Return the names of the models that ship with volute."""
    return list(shipped())
