"""`Marker`: the handle of a `watermark` artefact."""

from __future__ import annotations

from typing import overload

import numpy as np
from PIL import Image

from volute.engine.artefact import Artefact
from volute.errors import UsageError
from volute.handles.handle import Handle
from volute.handles.pictures import Picture, opened
from volute.provenance.watermark import Found, Watermark


class Marker(Handle):
    """A watermark: hides an ID in pictures, and reads it."""

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        super().__init__(artefact)
        self._watermark = Watermark(artefact, threads)

    @overload
    def embed(self, picture: np.ndarray, ident: int, *, key: bytes | None = None) -> np.ndarray: ...

    @overload
    def embed(self, picture: Picture, ident: int, *, key: bytes | None = None) -> Image.Image: ...

    def embed(
        self, picture: Picture | np.ndarray, ident: int, *, key: bytes | None = None
    ) -> np.ndarray | Image.Image:
        """Return a picture with the mark, of the same kind.

        Args:
            picture: a path or PIL picture (8 bits), or an array [H, W] or [H, W, C] of uint8,
                uint16, or floats in [0, 1]; 64 px a side or more.
            ident: the ID, 0 to 65535.
            key: who knows it can read the mark; None for the public key.

        Raises:
            UsageError: for what is no picture or too small, or an ID out of range.
            DataError: if a file cannot be read.
        """
        if isinstance(picture, np.ndarray):
            return self._watermark.embed(picture, ident, key)
        (pixels,), restore = opened(picture)
        return restore(self._watermark.embed(pixels, ident, key)[None])

    def read(self, picture: Picture | np.ndarray, *, key: bytes | None = None) -> Found:
        """Look for the mark; see `volute.provenance.watermark.Watermark.read`.

        Raises:
            UsageError: for what is no picture or too small.
            DataError: if a file cannot be read.
        """
        if isinstance(picture, np.ndarray):
            return self._watermark.read(picture, key)
        pixels, _ = opened(picture)
        if len(pixels) != 1:
            raise UsageError("one picture is read at a time", "Give them one by one.")
        return self._watermark.read(pixels[0], key)
