"""A keyed, invisible mark in the pixels of a picture: 16 bits that outlast saving and cutting.

A convolutional encoder draws what is added, the decoder reads 96 log-odds from it, and `codes` says
which ID they are nearest to and how likely that is without a mark. Where it is hard to read, a few
steps along the decoder's gradient mend it. The networks see a square of 128 px; `added` brings it
to pictures of any size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from volute.engine.artefact import Artefact, open_artefact
from volute.engine.session import Session
from volute.provenance import codes
from volute.provenance.added import Added, cut, laid_under, preview, resized
from volute.provenance.visible import just_noticeable
from volute.zoo import resolve

SHIPPED = "mark"
THREADS = 1
"""Its networks are so small that more threads wait for each other longer than they work."""
FAINT, LOUDEST = 41.4, 37.5
"""PSNR in dB of a mark that is easily read, and of the strongest; 40 in the mean."""
EASY, STEEP = 0.77, 20.0
"""The cosine of its worse corner from which a mark is easily read; dB for each that it lacks."""
HARD = 38.5
"""A picture that needs a lower PSNR is hard to read: what was drawn is mended."""
STEPS, GREY_STEPS = 2, 16
"""Along the decoder's gradient; grey pictures need more, for colours hold most of the mark."""
CORNER = 0.72
"""Share of a side of each of the two opposite corners that are read."""
BATCH = 16
"""Placements that are read at a time."""
SCALES = (0.89, 0.79, 0.7, 0.62)
"""Shares of a side that a crop is taken to have kept."""
APART = 0.075
"""Share of a side between two places where a crop is looked for; the decoder bears 0.04."""
SURE = 1e-12
"""A p-value of the whole picture with which crops are no longer looked for."""
LEAST = 1e-300
"""No p-value is given as smaller."""


@dataclass(frozen=True)
class Found:
    """What the search for a mark gave."""

    ident: int
    """The ID whose word is nearest, 0 to 65535; it means nothing unless the p-value is small."""
    p_value: float
    """At most so likely is a picture without the mark to show as much of it."""


class Watermark:
    """The networks.

    Args:
        artefact: of kind `watermark`.
        threads: threads inside one operator; None for one on each physical core.
    """

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        self._artefact = artefact
        self._encoder = Session(artefact.graph("encoder"), threads)
        self._refiner = Session(artefact.graph("refiner"), threads)
        self._decoder = Session(artefact.graph("decoder"), threads)
        white = artefact.tensors(["white.mean", "white.root"])
        self._mean, self._root = white["white.mean"], white["white.root"]
        self._side = artefact.config.descriptor.size

    def added(
        self, seen: np.ndarray, size: tuple[int, int], ident: int, key: bytes | None = None
    ) -> Added:
        """Return what is added to a picture, of which only a preview need be in memory.

        Args:
            seen: the picture or one made small, [h, w] or [h, w, C], uint8, uint16 or floats from 0
                to 1.
            size: height and width of the picture itself, px.
            ident: the ID, 0 to 65535.
            key: who knows it can read the mark; None for the public key.

        Raises:
            UsageError: for an ID out of range, a type that is no picture, a side under 64 px.
        """
        seen = preview(seen)
        pictures, grey = self._squares(seen), seen.shape[2] == 1
        message = np.repeat(codes.word(ident, key)[None], len(pictures), 0)
        noticeable = just_noticeable(seen)
        square = self._side, self._side
        masks = np.stack([resized(noticeable[None, *place], square) for place in cut(seen)])
        drawn = self._encoder.run({"picture": pictures, "message": message})
        given = {"picture": pictures, "message": message, "noticeable": masks}
        if grey:
            drawn = self._refined(given, _grey(drawn), GREY_STEPS, grey)
        psnr = self._needed(pictures, drawn * masks, message)
        if psnr.min() < HARD:
            drawn = self._refined(given, drawn, STEPS, grey)
            psnr = self._needed(pictures, drawn * masks, message)
        return Added(*size, laid_under(seen, noticeable, drawn, psnr))

    def embed(self, picture: np.ndarray, ident: int, key: bytes | None = None) -> np.ndarray:
        """Return a picture with the mark, of the same shape and type.

        Args:
            picture: [H, W] or [H, W, C]: grey or RGB, with opacity or without, of 64 px a side or
                more; uint8, uint16, or floats from 0 to 1.
            ident: the ID, 0 to 65535.
            key: who knows it can read the mark; None for the public key.

        Raises:
            UsageError: as `added`.
        """
        height, width = picture.shape[:2]
        return self.added(picture, (height, width), ident, key).whole(picture)

    def read(self, picture: np.ndarray, key: bytes | None = None) -> Found:
        """Look for the mark in a picture, its mirror image, and as if it were a part of another.

        The whole has half of the chance to be wrong, the search for crops the other; each is
        divided among its tries (Bonferroni).

        Args:
            picture: as `embed` takes it.
            key: what it may have been marked with; None for the public key.

        Raises:
            UsageError: for a type that is no picture, or a side under 64 px.
        """
        seen = preview(picture)
        whole = self._squares(seen)
        found = _best(np.stack([self._odds(x).sum(0) for x in (whole, whole[..., ::-1])]), key)
        if found.p_value < SURE:
            return found
        square = self._square(seen)
        tries = np.concatenate([self._odds(batch) for batch in _batches(_placed(seen, square))])
        return min(found, _best(tries, key), key=lambda one: one.p_value)

    def read_film(self, frames: Iterable[np.ndarray], key: bytes | None = None) -> Found:
        """Look for one mark in all of some frames of a film: what each reads as is summed.

        Args:
            frames: each as `embed` takes it.
            key: what they may have been marked with; None for the public key.
        """
        sums = np.zeros((2, codes.LENGTH), np.float32)
        for frame in frames:
            whole = self._squares(preview(frame))
            sums += np.stack([self._odds(x).sum(0) for x in (whole, whole[..., ::-1])])
        return _best(sums, key)

    def _squares(self, seen: np.ndarray) -> np.ndarray:
        return np.stack([self._square(seen[place]) for place in cut(seen)])

    def _square(self, seen: np.ndarray) -> np.ndarray:
        """Return what the networks see of a picture or a part: float32 [3, S, S] in [-1, 1]."""
        return _resized(seen, self._side, self._side)

    def _refined(
        self, given: dict[str, np.ndarray], drawn: np.ndarray, steps: int, grey: bool
    ) -> np.ndarray:
        """Return a residual that is read more surely in these pictures."""
        for _ in range(steps):
            drawn = self._refiner.run(given | {"residual": drawn})
            drawn = _grey(drawn) if grey else drawn
        return drawn

    def _needed(self, pictures: np.ndarray, laid: np.ndarray, message: np.ndarray) -> np.ndarray:
        """Return the PSNR in dB that each picture needs: the lower, the worse its corners read."""
        power = np.square(laid).mean((1, 2, 3), keepdims=True)
        marked = pictures + laid * (2 * 10 ** (-FAINT / 20) / np.sqrt(power + 1e-20))
        np.clip(marked, -1, 1, out=marked)
        kept = round(CORNER * self._side)
        corners = np.zeros((2, *marked.shape), np.float32)
        for corner, place in zip(corners, (slice(kept), slice(-kept, None)), strict=True):
            corner[..., place, place] = marked[..., place, place]
        odds = self._odds(corners.reshape(-1, *marked.shape[1:]))
        cosines = codes.cosine(odds.reshape(2, len(marked), -1), message).min(0)
        return FAINT - np.clip(STEEP * (EASY - cosines), 0, FAINT - LOUDEST)

    def _odds(self, pictures_TCHW: np.ndarray) -> np.ndarray:
        """Return log-odds [T, 96], isotropic for pictures without a mark."""
        logits = self._decoder.run({"picture": np.ascontiguousarray(pictures_TCHW)})
        return (logits - self._mean) @ self._root


@lru_cache
def shipped() -> Watermark:
    """Return the watermark that comes with volute."""
    return Watermark(open_artefact(resolve(SHIPPED).resolve()), THREADS)


def embed(picture: np.ndarray, ident: int, key: bytes | None = None) -> np.ndarray:
    """Return `shipped().embed(...)`: a picture with the mark."""
    return shipped().embed(picture, ident, key)


def read(picture: np.ndarray, key: bytes | None = None) -> Found:
    """Return `shipped().read(...)`: the mark of a picture, and its p-value."""
    return shipped().read(picture, key)


def _grey(planes_BCHW: np.ndarray) -> np.ndarray:
    return np.repeat(planes_BCHW.mean(1, keepdims=True), 3, 1)


def _best(odds_TN: np.ndarray, key: bytes | None) -> Found:
    """Return the likeliest of some tries, which have half of the chance to be wrong."""
    one = max(codes.nearest(odds_TN, key), key=lambda one: one.cosine)
    return Found(one.ident, max(LEAST, codes.p_value(one.cosine, 2 * len(odds_TN))))


def placements() -> list[tuple[float, float, float, float]]:
    """Return where a crop may have lain: top, left, height, width as shares of the whole's side.

    Crops that kept the aspect, and those that lost rows or columns alone.
    """
    shapes = [(s, s) for s in SCALES] + [(s, 1.0) for s in SCALES] + [(1.0, s) for s in SCALES]
    return [
        (top, left, tall, wide)
        for tall, wide in shapes
        for top in _starts(1 - tall)
        for left in _starts(1 - wide)
    ]


def _starts(room: float) -> np.ndarray:
    """Return places that leave no more than half of `APART` between any place and the nearest."""
    count = max(1, int(np.ceil(room / APART - 1e-9)))
    return (np.arange(count) + 0.5) * room / count


def _placed(seen: np.ndarray, square: np.ndarray) -> Iterator[np.ndarray]:
    """Yield a picture as each of the parts that it may be, grey around it."""
    side = square.shape[1]
    parts: dict[tuple[int, int], np.ndarray] = {}
    for place in placements():
        top, left, tall, wide = (round(share * side) for share in place)
        if (tall, wide) not in parts:
            parts[tall, wide] = _resized(seen, tall, wide)
        canvas = np.zeros_like(square)
        canvas[:, top : top + tall, left : left + wide] = parts[tall, wide]
        yield canvas


def _batches(pictures: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    batch = []
    for picture in pictures:
        batch.append(picture)
        if len(batch) == BATCH:
            yield np.stack(batch)
            batch.clear()
    if batch:
        yield np.stack(batch)


def _resized(seen: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return uint8 [h, w, 1 or 3] as float32 [3, height, width] in [-1, 1]."""
    image = Image.fromarray(seen[..., 0] if seen.shape[2] == 1 else np.ascontiguousarray(seen))
    small = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))
    planes = np.broadcast_to(small.reshape(height, width, -1), (height, width, 3))
    return planes.transpose(2, 0, 1).astype(np.float32) / np.float32(127.5) - 1
