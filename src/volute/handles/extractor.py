"""`Extractor`: the handle of an `extractor` artefact, and the comparison of pairs of pictures."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from volute.engine.artefact import Artefact
from volute.engine.session import Session
from volute.errors import UsageError
from volute.handles.handle import Handle
from volute.handles.pictures import Picture, Pictures, opened
from volute.measure import pairs
from volute.measure.features import OnnxExtractor, open_extractor
from volute.media.modes import to_mode

SMALLEST = 8
MOST = 16 << 20


@dataclass(frozen=True)
class Comparison:
    """How near a picture is to the one it should be. Values go through 8 bits."""

    psnr: float
    """Decibels; infinite for equal pictures."""
    ssim: float
    """At most 1."""
    ms_ssim: float | None
    """At most 1; None where a side is under 176 px."""
    perceptual: float
    """From 0, at most 12; see `Extractor.distance`."""


class Extractor(Handle):
    """A feature network: global features of pictures, and how far apart two pictures look."""

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        super().__init__(artefact)
        self._distance = Session(artefact.graph("distance"), threads)
        self._threads = threads

    @cached_property
    def _features(self) -> OnnxExtractor:
        return open_extractor(self._artefact.path, self._threads)

    def embed(self, pictures: Pictures) -> np.ndarray:
        """Return the global features, float32 [n, d], of one picture or several.

        Each is resized to a square of the network's side; `pictures` are as `Classifier.classify`
        takes them.
        """
        pixels, _ = opened(pictures)
        return np.concatenate([self._features(array[None]) for array in pixels])

    def distance(self, picture: Picture | np.ndarray, other: Picture | np.ndarray) -> float:
        """Return how far apart two pictures of one size look: from 0 for equal ones, at most 12.

        The squared difference of features of unit length at three depths (Zhang et al. 2018,
        arXiv:1801.03924). Grey is taken as RGB, transparency is laid on white.

        Raises:
            UsageError: if they differ in size, a side is under 8 px, or they have more than 16
                megapixels, for which about 5 GB of memory would be needed.
            DataError: if a file cannot be read.
        """
        return self._between(*_pair(picture, other, SMALLEST))

    def compare(self, picture: Picture | np.ndarray, other: Picture | np.ndarray) -> Comparison:
        """Return PSNR, SSIM, MS-SSIM and the perceptual distance of two pictures of one size.

        Both are taken as RGB.

        Raises:
            UsageError: as for `distance`, or if a side is under 11 px.
            DataError: if a file cannot be read.
        """
        a, b = _pair(picture, other, pairs.SIDE)
        large = min(a.shape[:2]) >= pairs.SMALLEST_MS_SSIM
        return Comparison(
            pairs.psnr(a, b),
            pairs.ssim(a, b),
            pairs.ms_ssim(a, b) if large else None,
            self._between(a, b),
        )

    def _between(self, a: np.ndarray, b: np.ndarray) -> float:
        image, other = (x.transpose(2, 0, 1)[None].astype(np.float32) / 255 for x in (a, b))
        return max(0.0, float(self._distance.run({"image": image, "other": other})[0]))


def _pair(
    picture: Picture | np.ndarray, other: Picture | np.ndarray, least: int
) -> tuple[np.ndarray, np.ndarray]:
    a, b = _rgb(picture), _rgb(other)
    sizes = " and ".join(f"{x.shape[1]} x {x.shape[0]} px" for x in (a, b))
    if a.shape != b.shape or min(a.shape[:2]) < least:
        hint = f"They must have one size, of {least} px a side at least."
        raise UsageError(f"cannot compare pictures of {sizes}", hint)
    if a.shape[0] * a.shape[1] > MOST:
        hint = f"At most {MOST >> 20} megapixels are compared at once: compare parts of them."
        raise UsageError(f"cannot compare pictures of {sizes}", hint)
    return a, b


def _rgb(picture: Picture | np.ndarray) -> np.ndarray:
    pixels, _ = opened(picture)
    if len(pixels) != 1:
        raise UsageError("a comparison takes two single pictures, one of them holds several")
    return to_mode(pixels[0], "RGB")
