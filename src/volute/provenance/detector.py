"""Traces of a convolutional network in the pixels of a picture: how rare they are in real ones.

A network (`nets.detector`) looks at crops of the picture as it is in the file, never resized. The
median of their logits is compared with what real pictures scored that it did not learn from. The
p-value is conformal (Vovk et al. 2005): whatever the network, of pictures like those no larger
share scores as high. What it never says is that a picture is real.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from volute.engine.artefact import Artefact, open_artefact
from volute.engine.session import Session
from volute.errors import UsageError
from volute.media.photo import jpeg_quality, read_picture
from volute.provenance.added import colours, white_of
from volute.zoo import resolve

SHIPPED = "trace"
LARGE, SMALL = 128, 64
"""Side in px of a crop, and of what a small picture is compared with; no picture is smaller."""
ACROSS = 3
"""Crops along a side, at most."""
RARE, SELDOM = 0.005, 0.05
"""p-value up to which traces count as found, and from which there is no evidence."""
MOST = 0.75
"""Share of the crops that must agree."""
QUALITY = 60
"""Of JPEG, under which traces are gone, and the marks of JPEG look like some."""
LIMITS = (
    "It has learned from small networks of four families of up-sampling. Diffusion models, other "
    "generators, screenshots and edited pictures may be missed: absence proves nothing."
)

Answer = Literal["generated", "unsure", "no evidence"]


@dataclass(frozen=True)
class Traces:
    """What was found in the pixels of a picture."""

    answer: Answer
    """Never that it is real: no evidence may mean that the traces are of another kind."""
    p_value: float | None
    """At most this share of real pictures scores as high; None: not measured."""
    basis: str
    """In words."""
    limits: str = LIMITS
    """What it cannot find."""


TOO_SMALL = Traces("unsure", None, f"a picture of under {SMALL} px a side is not looked at")


class Detector:
    """The network, and what real pictures score.

    Args:
        artefact: of kind `detector`.
        threads: threads inside one operator; None for one on each physical core.
    """

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        self._session = Session(artefact.graph("detector"), threads)
        names = [f"{size}.{what}" for size in ("large", "small") for what in ("scores", "sources")]
        known = artefact.tensors(names)
        self._known = {
            size: by_source(known[f"{size}.scores"], known[f"{size}.sources"])
            for size in ("large", "small")
        }

    def logits(self, picture: np.ndarray) -> np.ndarray:
        """Return the logit of each of a picture's crops, float32 [n].

        Args:
            picture: [H, W] or [H, W, C]: grey or RGB, with opacity or without, of 64 px a side or
                more; uint8, uint16, or floats from 0 to 1.

        Raises:
            UsageError: for another array, or a side under 64 px.
        """
        if min(picture.shape[:2]) < SMALL:
            raise UsageError(
                f"{picture.shape[1]} x {picture.shape[0]} px is too small to look for traces",
                f"It needs {SMALL} px a side.",
            )
        return self._session.run({"picture": np.stack([_seen(x) for x in native(picture)])})

    def look(self, picture: np.ndarray) -> Traces:
        """Look for traces in a picture: `unsure` if it has less than 64 px a side.

        Args:
            picture: as `logits` takes it, as it is in the file: not resized, nor saved anew.

        Raises:
            UsageError: for what is no picture.
        """
        if min(picture.shape[:2]) < SMALL:
            return TOO_SMALL
        return self.judge(self.logits(picture), small=min(picture.shape[:2]) < LARGE)

    def judge(self, logits: np.ndarray, small: bool = False) -> Traces:
        """Return the answer for a picture's logits, of one of under 128 px a side if `small`."""
        return judged(logits, self._known["small" if small else "large"])


@lru_cache
def shipped() -> Detector:
    """Return the detector that comes with volute."""
    return Detector(open_artefact(resolve(SHIPPED).resolve()))


def look_at(path: Path, detector: Detector | None = None) -> Traces:
    """Look for traces in a file: `unsure` also for strong JPEG and palettes.

    Args:
        path: of a still picture.
        detector: None for the one that comes with volute.

    Raises:
        PictureError: as `media.photo.read_picture`.
    """
    quality = jpeg_quality(path)
    if quality is not None and quality < QUALITY:
        return Traces("unsure", None, f"JPEG of quality {quality} leaves too little to look at")
    picture = read_picture(path)
    if picture.mode == "P":
        return Traces("unsure", None, "a palette of 256 colours leaves too little to look at")
    if min(picture.array.shape[:2]) < SMALL:
        return TOO_SMALL
    return (detector or shipped()).look(picture.array)


def judged(logits: np.ndarray, known: Sequence[np.ndarray]) -> Traces:
    """Return the answer for a picture's crops.

    Args:
        logits: of the crops [n].
        known: what real pictures of each source scored, ascending.
    """
    p = p_value(float(np.median(logits)), known)
    each = np.array([p_value(float(logit), known) for logit in logits])
    high = int((each <= SELDOM).sum())
    seen = f"p = {p:.2g} among {sum(map(len, known)):,} scores of real pictures"
    places = f"{high} of {len(each)} places"
    if p <= RARE and high >= MOST * len(each):
        return Traces("generated", p, f"traces of up-sampling by a network in {places}, {seen}")
    if p <= RARE or (each <= RARE).mean() > 1 - MOST:
        return Traces("unsure", p, f"places disagree: traces of up-sampling in {places}, {seen}")
    if p <= SELDOM:
        return Traces("unsure", p, f"weak traces of up-sampling, {seen}")
    return Traces("no evidence", p, f"no traces of up-sampling that it knows, {seen}")


def p_value(score: float, known: Sequence[np.ndarray]) -> float:
    """Return (1 + how many real ones score as high) / (n + 1), the largest of all sources.

    If the picture is exchangeable with those of any one source, then a p-value up to `x` has a
    probability of at most `x`.
    """
    return max((1 + len(s) - int(np.searchsorted(s, score))) / (len(s) + 1) for s in known)


def by_source(scores: np.ndarray, sources: np.ndarray) -> list[np.ndarray]:
    """Return the scores of each source, ascending."""
    return [np.sort(scores[sources == source]) for source in np.unique(sources)]


def native(picture_HWC: np.ndarray) -> list[np.ndarray]:
    """Return crops of a picture as it is, evenly spread: up to 3 x 3 of up to 128 px a side.

    Args:
        picture_HWC: any array of 64 px a side or more.

    Returns:
        Crops of one size; sides are even.
    """
    height, width = (min(side // 2 * 2, LARGE) for side in picture_HWC.shape[:2])
    tops, lefts = (
        _spread(side, part)
        for side, part in zip(picture_HWC.shape[:2], (height, width), strict=True)
    )
    return [picture_HWC[y : y + height, x : x + width] for y in tops for x in lefts]


def _spread(side: int, part: int) -> list[int]:
    count = min(ACROSS, side // part)
    return [round((k + 0.5) * (side - count * part) / count + k * part) for k in range(count)]


def _seen(crop: np.ndarray) -> np.ndarray:
    """Return a crop as the network sees it: float32 [3, h, w] in [-1, 1]."""
    seen = crop.reshape(*crop.shape[:2], -1)[..., : colours(crop)].astype(np.float32)
    seen = np.broadcast_to(seen * np.float32(2 / white_of(crop.dtype)) - 1, (*seen.shape[:2], 3))
    return np.ascontiguousarray(seen.transpose(2, 0, 1))
