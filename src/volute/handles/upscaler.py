"""`Upscaler`: the handle of an `upscale` artefact."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from volute.engine.artefact import Artefact
from volute.engine.enlarge import Enlarger, Network
from volute.engine.faithful import Check
from volute.engine.session import Session, physical_cores
from volute.errors import UsageError, VoluteError
from volute.events import Emit, Progress, silent
from volute.handles.handle import Handle
from volute.handles.pictures import opened
from volute.media import families
from volute.media.raster import ArrayCanvas, ArrayRaster, Canvas, Levels, Raster, Run, Work
from volute.paths import atomic_file, resident

MEMORY = 1 << 30
LEAST = 256 << 20
SHORT = 2.0
"""Seconds of work that go by without a word."""
LIVE = 6
"""Feature maps that a tile is reckoned with; ONNX Runtime was seen to hold up to 3.8 at a time."""


@dataclass(frozen=True)
class Enlarged:
    """What became of a file."""

    path: Path
    notes: tuple[str, ...]
    """What a person should know of it, a line each."""
    check: Check | None


class Upscaler(Handle):
    """Enlarges pictures by a whole factor, in parts that fit the memory."""

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        super().__init__(artefact)
        if threads is not None and threads < 1:
            raise UsageError(f"threads = {threads} is no number of threads")
        self._graph = Session(artefact.graph("upscaler"), threads=1)
        self._int8: Session | None = None
        self._workers = physical_cores() if threads is None else threads

    @overload
    def upscale(
        self,
        picture: np.ndarray,
        *,
        memory: int = MEMORY,
        faithful: bool = False,
        strength: float | None = None,
        int8: bool = False,
    ) -> np.ndarray: ...
    @overload
    def upscale(
        self,
        picture: str | Path | Image.Image,
        *,
        memory: int = MEMORY,
        faithful: bool = False,
        strength: float | None = None,
        int8: bool = False,
    ) -> Image.Image: ...
    def upscale(
        self,
        picture: str | Path | Image.Image | np.ndarray,
        *,
        memory: int = MEMORY,
        faithful: bool = False,
        strength: float | None = None,
        int8: bool = False,
    ) -> Image.Image | np.ndarray:
        """Return a picture enlarged by `info.descriptor.scale`.

        The result does not depend on the tiles that the memory allows, nor on the threads.

        Args:
            picture: a path or PIL picture (8 bits), or an array [H, W] or [H, W, C] of uint8,
                uint16, or floats of which 0 to 1 is black to white (what lies outside stays so).
                Three channels are red, green and blue; the second of 2 and the last of 4 is
                alpha: colours are multiplied by it while they are enlarged, so that what is
                transparent does not bleed into what is not; 5 and more go each alone.
            memory: bytes that the process may have, from 256 MB.
            faithful: change the result as little as makes its reduction equal the picture, but for
                where that would take more than black or white.
            strength: for a model that also repairs: how much, 0 to 1; None for its middle.
            int8: compute in 8-bit integers: about twice as fast, for 8-bit pictures.

        Returns:
            The same kind, dtype and channels.

        Raises:
            UsageError: for what is no picture, or a strength or integers that the model does not
                have.
            DataError: if a file cannot be read.
        """
        if isinstance(picture, np.ndarray):
            return self._array(picture, memory, self._enlarger(faithful, strength, int8))
        (pixels,), restore = opened(picture)
        return restore(self._array(pixels, memory, self._enlarger(faithful, strength, int8))[None])

    def upscale_file(
        self,
        source: str | Path,
        out: str | Path,
        *,
        memory: int = MEMORY,
        faithful: bool = False,
        strength: float | None = None,
        int8: bool = False,
        check: bool = False,
        options: Mapping[str, str] | None = None,
        emit: Emit = silent,
    ) -> Enlarged:
        """Enlarge a file to a file: a photograph, DICOM, NIfTI, GeoTIFF or film.

        Depth, channels and all that the file says of itself stay; what it says of its size is
        brought up to date. The memory does not follow the size of the picture.

        Args:
            source: what to read; its contents decide what it is.
            out: what to write; there in full or not at all.
            memory: as for `upscale`.
            faithful: as for `upscale`.
            strength: as for `upscale`.
            int8: as for `upscale`.
            check: also measure how the reduction of the result compares with the source.
            options: of the format: `plane` for NIfTI, `cog` for GeoTIFF.
            emit: is told the progress.

        Raises:
            UsageError: for an option or a target that the format does not have.
            DataError: if the source cannot be read or holds no picture.
            MissingExtraError: if the format needs an extra that is not installed.
            VoluteError: if the target cannot be written.
        """
        source, out = Path(source), Path(out)
        if (options or {}).get("plane") == "all" and (check or faithful):
            what = "the mean of three planes can be neither checked nor made faithful"
            raise UsageError(what, "Choose one plane: -s plane=axial, coronal or sagittal.")
        found: list[Check] = []
        work = Work(
            scale=self.info.descriptor.scale,
            run=self._runner(memory, self._enlarger(faithful, strength, int8), found, check, emit),
            model=self._told(faithful, strength, int8),
            options=options or {},
        )
        family = families.of(source)
        with atomic_file(out) as part:
            notes = family.enlarge(source, part, work)
        return Enlarged(out, tuple(notes), found[0] if found else None)

    def _told(self, faithful: bool, strength: float | None, int8: bool) -> str:
        """Return what enlarges, as the new file tells it: other ways are other words."""
        ways = ["faithful"] * faithful + ["int8"] * int8
        ways += [] if strength is None else [f"strength {strength:g}"]
        return " ".join([f"volute {version('volute')}", self.info.name, *ways])

    def _runner(
        self, memory: int, enlarger: Enlarger, found: list[Check], checked: bool, emit: Emit
    ) -> Run:
        start = time.monotonic()

        def run(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
            size = raster.height * raster.width * parts / 1e6
            if checked and not found:
                found.append(Check(raster.height, raster.width))

            def tick(share: float) -> None:
                done = (part + share) / parts
                spent = time.monotonic() - start
                if spent < SHORT:
                    return
                left = spent * (1 - done) / done
                rate = size * done / spent
                emit(Progress(round(size * done), done, rate, left, unit="megapixels"))

            check = found[0] if found else None
            enlarger.run(raster, canvas, self._pixels(memory, raster.bands), tick, check)

        return run

    def _enlarger(self, faithful: bool, strength: float | None, int8: bool) -> Enlarger:
        about = self.info.descriptor
        graph = self._integers() if int8 else self._graph
        inputs = self._strength(strength)

        def network(block_BCHW: np.ndarray) -> np.ndarray:
            block = np.ascontiguousarray(block_BCHW, np.float32)
            try:
                return graph.run({"picture": block, **inputs})
            except MemoryError:
                return _halves(network, block, about.scale, about.radius)

        return Enlarger(network, about.channels, about.scale, about.radius, self._workers, faithful)

    def _integers(self) -> Session:
        if "int8" not in self.info.graphs:
            what = f"{self.info.name} has no graph in integers"
            raise UsageError(what, "Leave int8 out, or export it anew with --int8.")
        self._int8 = self._int8 or Session(self._artefact.graph("int8"), threads=1)
        return self._int8

    def _strength(self, strength: float | None) -> dict[str, np.ndarray]:
        if not self.info.settings.get("robust"):
            if strength is not None:
                what = f"{self.info.name} has no strength"
                raise UsageError(what, "Leave it out, or use a model such as photo-x2-robust.")
            return {}
        strength = 0.5 if strength is None else strength
        if not 0 <= strength <= 1:
            raise UsageError(f"strength = {strength} is not between 0 and 1")
        return {"strength": np.full(1, strength, np.float32)}

    def _array(self, array: np.ndarray, memory: int, enlarger: Enlarger) -> np.ndarray:
        if array.ndim not in (2, 3) or 0 in array.shape:
            raise UsageError(f"an array of shape {list(array.shape)} is no picture [H, W, C]")
        planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
        count = len(planes)
        kind = {"rgb": count in (3, 4), "alpha": count in (2, 4)}
        finite = np.isfinite(planes) if array.dtype.kind == "f" else None
        valid = None if finite is None or finite.all() else finite
        raster = ArrayRaster(planes, _levels(array.dtype), valid=valid, **kind)
        scale = enlarger.scale
        made = planes.repeat(scale, 1).repeat(scale, 2)
        enlarger.run(raster, ArrayCanvas(made), self._pixels(memory, count))
        return made[0] if array.ndim == 2 else np.ascontiguousarray(made.transpose(1, 2, 0))

    def _pixels(self, memory: int, bands: int) -> int:
        """Return how many pixels of the input a tile may have, all workers together in `memory`."""
        if memory < LEAST:
            what = f"memory = {memory / (1 << 20):,.0f} MB is too little"
            raise UsageError(what, f"Give {LEAST >> 20} MB or more.")
        about = self.info.descriptor
        width = int(self.info.settings.get("width", 64))
        each = 4 * LIVE * width + 24 * about.scale**2 * max(bands, about.channels)
        return int(max(memory - resident(), memory / 4) * 0.75 / (each * (self._workers + 1)))


def _halves(network: Network, block: np.ndarray, scale: int, radius: int) -> np.ndarray:
    """Return network(block) made in two overlapping parts, for less memory."""
    axis = 2 if block.shape[2] >= block.shape[3] else 3
    middle = block.shape[axis] // 2
    if middle <= 2 * radius:
        hint = "Close other programs, or give fewer threads."
        raise VoluteError("there is not enough memory even for the smallest tile", hint)
    upper = network(np.split(block, [middle + radius], axis)[0])
    lower = network(np.split(block, [middle - radius], axis)[1])
    kept = np.split(upper, [middle * scale], axis)[0], np.split(lower, [radius * scale], axis)[1]
    return np.concatenate(kept, axis)


def _levels(dtype: np.dtype) -> Levels:
    if dtype in (np.uint8, np.uint16):
        return Levels.fixed(dtype, 0, np.iinfo(dtype).max)
    if dtype.kind == "f":
        return Levels.fixed(dtype, 0, 1)
    raise UsageError(f"an array of {dtype} is no picture", "Give uint8, uint16, or floats in 0..1.")
