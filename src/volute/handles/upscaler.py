"""`Upscaler`: the handle of an `upscale` artefact."""

from __future__ import annotations

from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from volute.engine.artefact import Artefact
from volute.engine.session import Session
from volute.engine.tiles import run_tiled, side_for
from volute.errors import UsageError
from volute.handles.handle import Handle
from volute.handles.pictures import opened

MEMORY = 1 << 30
LIVE = 6
"""Feature maps that a tile is reckoned with; ONNX Runtime was seen to hold up to 3.8 at a time."""


class Upscaler(Handle):
    """Enlarges pictures by a whole factor, in parts that fit the memory."""

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        super().__init__(artefact)
        self._graph = Session(artefact.graph("upscaler"), threads)

    @overload
    def upscale(self, picture: np.ndarray, *, memory: int = MEMORY) -> np.ndarray: ...
    @overload
    def upscale(
        self, picture: str | Path | Image.Image, *, memory: int = MEMORY
    ) -> Image.Image: ...
    def upscale(
        self, picture: str | Path | Image.Image | np.ndarray, *, memory: int = MEMORY
    ) -> Image.Image | np.ndarray:
        """Return a picture enlarged by `info.descriptor.scale`.

        The picture is worked on in tiles of which each takes at most `memory` bytes; the result
        does not depend on them but for the rounding of single pixels by one step.

        Args:
            picture: a path or PIL picture (8 bits), or an array [H, W] or [H, W, C] of uint8,
                uint16, or floats of which 0 to 1 is black to white (what lies outside stays so).
                C is any number; colours go together if the model and the picture have three, else
                each alone. The second of 2 and the last of 4 channels is alpha: colours are
                multiplied by it while they are enlarged, so that what is transparent does not
                bleed into what is not.
            memory: bytes, from 16 MB.

        Returns:
            The same kind, dtype and channels.

        Raises:
            UsageError: for what is no picture.
            DataError: if a file cannot be read.
        """
        if memory < 16 << 20:
            raise UsageError(f"memory = {memory:,} bytes is too little", "Give 16 MB or more.")
        if isinstance(picture, np.ndarray):
            return self._array(picture, memory)
        (pixels,), restore = opened(picture)
        return restore(self._array(pixels, memory)[None])

    def _array(self, array: np.ndarray, memory: int) -> np.ndarray:
        if array.ndim not in (2, 3) or 0 in array.shape:
            raise UsageError(f"an array of shape {list(array.shape)} is no picture [H, W, C]")
        top = _top(array.dtype)
        planes = array[..., None] if array.ndim == 2 else array
        values = planes.astype(np.float32).transpose(2, 0, 1) / np.float32(top)
        made = (
            self._with_alpha(values, memory) if len(values) in (2, 4) else self._run(values, memory)
        )
        made = made.transpose(1, 2, 0)
        if array.dtype.kind == "u":
            made = np.rint(made.clip(0, 1) * top)
        result = np.ascontiguousarray(made.astype(array.dtype))
        return result[..., 0] if array.ndim == 2 else result

    def _with_alpha(self, values_CHW: np.ndarray, memory: int) -> np.ndarray:
        colour, alpha = values_CHW[:-1], values_CHW[-1:]
        large_alpha = self._run(alpha, memory).clip(0, 1)
        large = self._run(colour * alpha, memory)
        seen = large_alpha > 0.5 / 255
        colour = np.divide(large, large_alpha, out=np.zeros_like(large), where=seen)
        return np.concatenate([colour, large_alpha])

    def _run(self, values_CHW: np.ndarray, memory: int) -> np.ndarray:
        """Enlarge values of which 0 to 1 is black to white."""
        bands = self.info.descriptor.channels
        if len(values_CHW) == bands:
            return self._tiled(values_CHW, memory)
        alone = [self._tiled(np.repeat(plane[None], bands, 0), memory) for plane in values_CHW]
        return np.stack([made.mean(0) for made in alone])

    def _tiled(self, values_CHW: np.ndarray, memory: int) -> np.ndarray:
        about = self.info.descriptor
        width = int(self.info.settings.get("width", 64))
        per_pixel = 4.0 * (LIVE * width + 3 * about.channels * about.scale**2)
        side = side_for(memory, per_pixel, about.radius)
        made = run_tiled(self._network, values_CHW * 2 - 1, about.scale, side, about.radius)
        return (made + 1) / 2

    def _network(self, block_BCHW: np.ndarray) -> np.ndarray:
        return self._graph.run({"picture": np.ascontiguousarray(block_BCHW, np.float32)})


def _top(dtype: np.dtype) -> float:
    if dtype in (np.uint8, np.uint16):
        return float(np.iinfo(dtype).max)
    if dtype.kind == "f":
        return 1.0
    raise UsageError(f"an array of {dtype} is no picture", "Give uint8, uint16, or floats in 0..1.")
