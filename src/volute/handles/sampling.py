"""What every model with a latent space can do: draw, decode, sample, interpolate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np
from PIL import Image

from volute.config import nearest
from volute.engine.artefact import Artefact
from volute.engine.session import Engine
from volute.errors import UsageError, VoluteError
from volute.handles.handle import Handle
from volute.handles.latents import LABELS, LATENTS, STANDARD, Density, check_draw, generator, walk
from volute.handles.pictures import to_bytes, to_images

BATCH = 16  # bounds the memory of one run of the graph

Classes = str | int | Sequence[str | int] | None


class Sampler(Handle):
    """Pictures from latent vectors: the part that `Generator` and `Autoencoder` share."""

    role: ClassVar[str]
    """Name of the graph that turns latents into pictures."""

    def __init__(
        self, artefact: Artefact, threads: int | None = None, engine: Engine | None = None
    ) -> None:
        super().__init__(artefact, engine)
        self._decoder = self.session(self.role, threads)
        self._density: Density | None = None

    def sample(
        self, n: int = 1, *, seed: int = 0, truncation: float = 1.0, classes: Classes = None
    ) -> list[Image.Image]:
        """Return n new pictures; picture i depends only on (seed, i).

        Args:
            n: how many, from 1.
            seed: 0 or more.
            truncation: standard deviation of the latents in (0, 1]; 1 is as trained, less is more
                typical and less varied.
            classes: a class by name or index, or several that take turns; None draws them.

        Raises:
            UsageError: for a value outside its range or an unknown class.
        """
        return to_images(self.arrays(n, seed=seed, truncation=truncation, classes=classes))

    def arrays(
        self, n: int = 1, *, seed: int = 0, truncation: float = 1.0, classes: Classes = None
    ) -> np.ndarray:
        """Return the pictures of `sample` as uint8 [n, H, W, C], with C of 1, 3 or 4."""
        blocks = self._blocks(n, seed, truncation, classes)
        return np.concatenate([pixels for pixels, _ in blocks])

    def stream(
        self,
        n: int = 1,
        *,
        seed: int = 0,
        truncation: float = 1.0,
        classes: Classes = None,
        numbers: range | None = None,
    ) -> Iterator[tuple[Image.Image, str | None]]:
        """Yield the pictures of `sample` one by one, each with the name of its class.

        However many they are, 16 of them are in memory at a time.

        Args:
            n: as in `sample`.
            seed: as in `sample`.
            truncation: as in `sample`.
            classes: as in `sample`.
            numbers: which of the n; None for all.
        """
        for pixels, labels in self._blocks(n, seed, truncation, classes, numbers):
            named = [None] * len(pixels) if labels is None else [self.classes[i] for i in labels]
            yield from zip(to_images(pixels), named, strict=True)

    def latents(
        self, n: int = 1, *, seed: int = 0, truncation: float = 1.0, first: int = 0
    ) -> np.ndarray:
        """Return the latent vectors of `sample`, from picture `first` on: float32 [n, latent]."""
        check_draw(n, seed, truncation)
        return self._latents(range(first, first + n), seed, truncation)

    def labels(
        self, n: int = 1, *, seed: int = 0, classes: Classes = None, first: int = 0
    ) -> np.ndarray | None:
        """Return the class indices of `sample`, from picture `first` on: int64 [n].

        None when the model has no classes.
        """
        return self._labels(range(first, first + n), seed, self._turns(classes))

    def decode(self, latents: np.ndarray, *, classes: Classes = None) -> list[Image.Image]:
        """Return the pictures at `latents`, float [n, latent].

        Raises:
            UsageError: for another shape, or when the model has classes and none is given.
        """
        vectors = np.asarray(latents, np.float32)
        if vectors.ndim != 2 or vectors.shape[1] != self.info.latent or not len(vectors):
            shape = list(vectors.shape)
            raise UsageError(f"latents have shape {shape}, not [n, {self.info.latent}]")
        if self.classes and classes is None:
            raise UsageError(f"{self.info.name} needs classes", f"Known: {', '.join(self.classes)}")
        return to_images(self._decode(vectors, self.labels(len(vectors), classes=classes)))

    def interpolate(
        self,
        n: int = 4,
        *,
        steps: int = 16,
        seed: int = 0,
        truncation: float = 1.0,
        classes: Classes = None,
        loop: bool = True,
    ) -> list[Image.Image]:
        """Return the frames of a smooth walk through the first n samples of `seed`.

        Args:
            n: key points, from 2.
            steps: frames from one key point to the next.
            seed: 0 or more.
            truncation: as in `sample`.
            classes: one class for all frames, or several for the key points in turn, the picture
                changing half-way between them; None draws one from the seed.
            loop: walk back to the first key point (n * steps frames), else end on the last
                ((n - 1) * steps + 1 frames).
        """
        if n < 2 or steps < 1:
            reason = "a walk needs 2 key points and 1 step at least"
            raise UsageError(f"n = {n}, steps = {steps}: {reason}")
        keys = self.latents(n, seed=seed, truncation=truncation)
        path = walk(keys, steps, loop, self.info.density)
        labels = self.labels(n, seed=seed, classes=classes)
        if labels is not None:
            labels = labels[:1] if classes is None else labels
            labels = labels[np.rint(np.arange(len(path)) / steps).astype(int) % len(labels)]
        return to_images(self._decode(path, labels))

    def _blocks(
        self,
        n: int,
        seed: int,
        truncation: float,
        classes: Classes,
        numbers: range | None = None,
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Yield pictures, uint8 [b, H, W, C], and labels [b] of `BATCH` samples at a time."""
        check_draw(n, seed, truncation)
        turns, wanted = self._turns(classes), range(n) if numbers is None else numbers
        for start in range(0, len(wanted), BATCH):
            which = wanted[start : start + BATCH]
            labels = self._labels(which, seed, turns)
            yield self._decode(self._latents(which, seed, truncation), labels), labels

    def _latents(self, which: range, seed: int, truncation: float) -> np.ndarray:
        density, size = self._loaded_density(), self.info.latent
        return np.stack(
            [density.draw(generator(seed, LATENTS, i), size, truncation) for i in which]
        )

    def _labels(self, which: range, seed: int, turns: list[int]) -> np.ndarray | None:
        """Return labels [len(which)]: those of `turns` one after the other, or drawn."""
        count = len(self.classes)
        if not count:
            return None
        drawn = (generator(seed, LABELS, i).integers(count) for i in which)
        asked = (turns[i % len(turns)] for i in which)
        return np.array(list(asked if turns else drawn), np.int64)

    def _turns(self, classes: Classes) -> list[int]:
        """Return the indices of the classes that were asked for; none of them means any."""
        if classes is None:
            return []
        if not self.classes:
            raise UsageError(f"{self.info.name} has no classes: it was trained without")
        chosen = [classes] if isinstance(classes, str | int) else list(classes)
        if not chosen:
            raise UsageError("classes is empty", f"Known: {', '.join(self.classes)}")
        return [self._label(name) for name in chosen]

    def _decode(self, latents: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        blocks = []
        for start in range(0, len(latents), BATCH):
            inputs = {"latent": latents[start : start + BATCH]}
            if labels is not None:
                inputs["label"] = labels[start : start + BATCH]
            blocks.append(self._pictures(self._decoder.run(inputs)))
        return np.concatenate(blocks)

    def _pictures(self, values: np.ndarray) -> np.ndarray:
        about = self.info.descriptor
        if values.ndim != 4 or values.shape[1:] != (about.channels, about.size, about.size):
            promised = [about.channels, about.size, about.size]
            reason = f"pictures of shape {list(values.shape[1:])}; config.json says {promised}"
            raise VoluteError(f"{self._decoder.path} gave {reason}")
        if not np.isfinite(values).all():
            raise VoluteError(
                f"{self._decoder.path} gave values that are not numbers",
                "Its training had diverged: use an earlier checkpoint.",
            )
        return to_bytes(values)

    def _loaded_density(self) -> Density:
        if self._density is None:
            self._density = self._read_density() if self.info.density else STANDARD
        return self._density

    def _read_density(self) -> Density:
        names = ("density.weights", "density.means", "density.factors")
        return Density.from_tensors(self._artefact.tensors(names), self.info.density)

    def _label(self, wanted: str | int) -> int:
        """Return the index of a class given by its name, or by its index."""
        folded = [name.casefold() for name in self.classes]
        if str(wanted).casefold() in folded:
            return folded.index(str(wanted).casefold())
        if str(wanted).isdecimal() and int(wanted) < len(self.classes):
            return int(wanted)
        known = f"Known: {', '.join(self.classes[:20])}"
        hint = f"{nearest(str(wanted), self.classes)} {known}".strip()
        raise UsageError(f"{self.info.name} has no class {wanted}", hint)
