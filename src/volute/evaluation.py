"""Measure generated pictures against real ones: what `volute.evaluate` and the command line call.

Only features are held, never all pictures; those of real pictures are kept in the cache.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from volute.config import Config, merged
from volute.data import DataSettings, common_side, is_scenes, open_dataset
from volute.errors import UsageError, VoluteError, import_trained
from volute.events import Emit, Note, Progress, silent
from volute.handles import load_sampler
from volute.handles.pictures import MODES, to_images
from volute.handles.sampling import Sampler
from volute.measure import evaluation
from volute.measure.evaluation import Evaluation, Measured
from volute.measure.features import (
    FeatureExtractor,
    OnnxExtractor,
    cached_features,
    open_extractor,
)
from volute.training import fid
from volute.training.run import Run
from volute.zoo import shipped

if TYPE_CHECKING:
    from volute.data import Dataset

BLOCK = 512
INCEPTION = "inception-v3"
CODED = 1000
"""Pictures on which bits per dimension are measured."""
Agree = Callable[[str], bool]


class _Settings(Config):
    data: DataSettings = DataSettings()


@dataclass(frozen=True)
class Stored:
    """Rows `chosen` of pictures uint8 [N, H, W, C]."""

    name: str
    data: np.ndarray
    chosen: np.ndarray

    @classmethod
    def drawn(cls, name: str, data: np.ndarray, count: int) -> Stored:
        """Draw `count` pictures, or all, the same at each call: their features are cached."""
        return cls(name, data, np.random.default_rng(0).permutation(len(data))[:count])

    @property
    def count(self) -> int:
        """How many were drawn."""
        return len(self.chosen)

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield them all, uint8 [b, H, W, C]."""
        for start in range(0, self.count, BLOCK):
            yield np.asarray(self.data[self.chosen[start : start + BLOCK]])

    def pictures(self, rows: Sequence[int]) -> list[Image.Image]:
        """Return some of them; only these are read."""
        return to_images(np.asarray(self.data[self.chosen[list(rows)]])) if rows else []


@dataclass(frozen=True)
class Made:
    """The first `count` samples of a model: they depend on the seed and their row alone."""

    model: Sampler
    count: int
    seed: int

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.info.name

    def blocks(self) -> Iterator[np.ndarray]:
        """Yield them all, uint8 [b, H, W, C]."""
        made = (np.asarray(image) for image, _ in self.model.stream(self.count, seed=self.seed))
        while block := [picture for _, picture in zip(range(BLOCK), made, strict=False)]:
            stacked = np.stack(block)
            yield stacked[..., None] if stacked.ndim == 3 else stacked

    def pictures(self, rows: Sequence[int]) -> list[Image.Image]:
        """Return some of them, made again."""
        labels = self.model.labels(self.count, seed=self.seed)
        classes = None if labels is None else [int(label) for label in labels[list(rows)]]
        latents = self.model.latents(self.count, seed=self.seed)[list(rows)]
        return self.model.decode(latents, classes=classes)


Pictures = Stored | Made
"""A set of pictures that can be gone through, and of which some can be seen again."""


@dataclass(frozen=True)
class Trial:
    """An evaluation with the two sets whose rows it names."""

    samples: Pictures
    real: Pictures
    found: Evaluation


def evaluate(
    made: str | Path,
    data: str | Path,
    *,
    extractor: str | Path = "eye",
    n: int = 10_000,
    seed: int = 0,
    settings: dict[str, Any] | None = None,
    agree: Agree = lambda text: False,
    emit: Emit = silent,
) -> Evaluation:
    """Measure samples of a model, or pictures made elsewhere, against real pictures.

    Args:
        made: a shipped model, a run or an artefact folder of kind `gan` or `vae`; or a folder, zip,
            tar or npz of generated pictures, squares of one size (`./name` where a shipped model
            has that name).
        data: folder, zip, tar or npz of real pictures: those that the model learned from.
        extractor: as in `open_features`.
        n: how many samples to measure, against as many real pictures; fewer if there are not twice
            as many real ones. Copies are searched among 2n real pictures.
        seed: of the samples and of the bootstrap.
        settings: `{"data": {...}}`, how pictures are cut and coloured; by default as the model's
            run had them.
        agree: asked with the terms of a download; it returns whether to go on.
        emit: gets an event for progress and remarks.

    Raises:
        UsageError: for too few pictures, another kind of model, or what is no extractor.
        DataError: if the data cannot be used, or generated pictures are not squares of one size.
    """
    features = open_features(extractor, agree)
    return trial(made, data, features, n=n, seed=seed, settings=settings or {}, emit=emit).found


def open_features(extractor: str | Path, agree: Agree) -> FeatureExtractor:
    """Open an extractor.

    Args:
        extractor: `eye`, which ships with volute, or another model of kind `extractor`; an ONNX
            file from `image` [n, 3, S, S] RGB in [0, 1] to features [n, d]; or `inception-v3`,
            which is downloaded if `agree` says so, and on which the distance is an FID.
        agree: asked with the terms of the download.
    """
    if str(extractor) != INCEPTION:
        return open_extractor(extractor)
    return OnnxExtractor(fid.fid_graph(agree), INCEPTION, "FID", fid.INCEPTION.sha256)


def trial(
    made: str | Path,
    data: str | Path,
    features: FeatureExtractor,
    *,
    n: int,
    seed: int,
    settings: dict[str, Any],
    emit: Emit,
) -> Trial:
    """Return what `evaluate` measures together with the pictures; arguments as there."""
    _Settings.make(settings)
    if _is_model(made):
        handle = load_sampler(made)
        about = handle.info.descriptor
        pictures = open_like(made, data, about.size, about.channels, settings, emit)
        count = min(n, len(pictures) // 2)
        samples: Pictures = Made(handle, count, seed)
    else:
        generated, pictures = _both(Path(made), data, settings, emit)
        count = min(n, len(pictures) // 2, len(generated))
        samples = Stored.drawn(str(made), generated, count)
    evaluation.check_enough(count, len(pictures))
    real = Stored.drawn(str(data), pictures, 2 * n)
    real_features = _gather(lambda x: cached_features(features, x), real, emit)
    found = evaluation.evaluate(_gather(features, samples, emit), real_features, features, seed)
    if isinstance(samples, Made) and samples.model.info.descriptor.kind == "vae":
        found = _with_bits(found, made, real, seed, emit)
    return Trial(samples, real, found)


def run_source(model: str | Path) -> Path | None:
    """Return where the pictures of a run lie; None if `model` is no run, or they are gone."""
    if not (Path(model) / "config.toml").is_file():
        return None
    source = Path(Run(Path(model)).config.source)
    return source if source.exists() or is_scenes(source) else None


def open_like(
    model: str | Path,
    source: str | Path,
    size: int,
    channels: int,
    settings: dict[str, Any],
    emit: Emit = silent,
) -> np.ndarray:
    """Return pictures uint8 [N, size, size, channels], cut as those that `model` learned from.

    A run knows how its pictures were cut and coloured; `settings` say it otherwise.

    Raises:
        UsageError: if they have another number of channels.
    """
    own: dict[str, Any] = {"mode": MODES[channels]}
    if (Path(model) / "config.toml").is_file():
        data = Run(Path(model)).config.data
        own = {"crop": data.crop, "mode": data.mode}
    pictures = open_source(source, size, merged({"data": own}, settings), emit).pictures
    if pictures.shape[-1] != channels:
        raise UsageError(
            f"{source} gives {pictures.shape[-1]} channels, the model has {channels}",
            f"Set the colours: -s data.mode={MODES[channels]}",
        )
    return pictures


def open_source(
    source: str | Path, size: int | None, settings: dict[str, Any], emit: Emit
) -> Dataset:
    """Open pictures with the table `data` of `settings`."""
    return open_dataset(Path(source), data_settings(settings), size, emit)


def data_settings(settings: dict[str, Any]) -> DataSettings:
    """Return the table `data` of `settings`, checked."""
    return _Settings.make(settings).data


def _is_model(made: str | Path) -> bool:
    path = Path(made)
    marks = ("config.json", "config.toml", "model/config.json")
    known = str(made) in shipped() or any((path / name).is_file() for name in marks)
    return known or not path.exists()


def _both(
    made: Path, data: str | Path, settings: dict[str, Any], emit: Emit
) -> tuple[np.ndarray, np.ndarray]:
    """Return generated and real pictures of one size and mode; nothing is left out of either.

    A generator that makes the same picture twice, or an empty one, is to be measured with it.
    """
    side = common_side(made)
    over = merged(settings, {"data": {"keep": True}})
    generated = open_source(made, side, over, emit)
    for line in generated.report.left_out_lines():
        emit(Note("note", f"left out{line}"))
    mode = {"data": {"mode": generated.report.mode, "crop": "centre"}}
    return generated.pictures, open_source(data, side, merged(mode, over), emit).pictures


def _with_bits(
    found: Evaluation, model: str | Path, real: Stored, seed: int, emit: Emit
) -> Evaluation:
    """Add bits per dimension where they can be measured; where not, say why."""
    emit(Note("note", "bits per dimension mean most on pictures that it has not learned from"))
    pictures = np.asarray(real.data[real.chosen[:CODED]])
    try:
        likelihood = import_trained("volute.recipes.likelihood", "this measure")
        value, low, high = likelihood.bits_per_dimension(model, pictures, seed)
    except VoluteError as error:
        emit(Note("note", f"bits per dimension are left out: {error.what}. {error.hint}"))
        return found
    measured = Measured("bits per dimension", value, low, high, None, "lower")
    return dataclasses.replace(found, measures=(*found.measures, measured))


def _gather(
    extract: Callable[[np.ndarray], np.ndarray], pictures: Pictures, emit: Emit
) -> np.ndarray:
    """Return the features of all pictures, a block at a time."""
    parts, done, start = [], 0, time.perf_counter()
    for block in pictures.blocks():
        parts.append(extract(block))
        done += len(block)
        spent = time.perf_counter() - start
        left = spent * (pictures.count / done - 1)
        emit(Progress(done, done / pictures.count, done / spent, left))
    return np.concatenate(parts)
