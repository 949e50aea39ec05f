"""`Upscaler`: the handle of an `upscale` artefact."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from volute.engine.artefact import Artefact
from volute.engine.enlarge import Enlarger
from volute.engine.faithful import Check
from volute.engine.session import Engine, Session
from volute.engine.tiles import halves
from volute.errors import UsageError
from volute.events import Emit, silent
from volute.handles.marked import Marks
from volute.handles.pictures import opened
from volute.handles.tiled import MEMORY, Tiled, watch, worked
from volute.media import families
from volute.media.raster import Canvas, Raster, Run, Work
from volute.provenance.manifest import AGENT, Value, signed_file

LIVE = 6
"""Feature maps that a tile is reckoned with; ONNX Runtime was seen to hold up to 3.8 at a time."""


@dataclass(frozen=True)
class Enlarged:
    """What became of a file."""

    path: Path
    notes: tuple[str, ...]
    """What a person should know of it, a line each."""
    check: Check | None


class Upscaler(Tiled):
    """Enlarges pictures by a whole factor, in parts that fit the memory."""

    role = "upscaler"

    def __init__(
        self, artefact: Artefact, threads: int | None = None, engine: Engine | None = None
    ) -> None:
        super().__init__(artefact, threads, engine)
        self._graph = self.session(self.role, threads=1)
        self._int8: Session | None = None

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
        unmarked: bool = False,
        emit: Emit = silent,
    ) -> Enlarged:
        """Enlarge a file to a file: a photograph, DICOM, NIfTI, GeoTIFF or film.

        Depth, channels and all that the file says of itself stay; what it says of its size is
        brought up to date. The memory does not follow the size of the picture. It is signed, with
        what the source said of its origin; photographs and films are also marked (see
        `volute.provenance`), after `faithful` and `check` had their say. Measurements are not.

        Args:
            source: what to read; its contents decide what it is.
            out: what to write; there in full or not at all.
            memory: as for `upscale`.
            faithful: as for `upscale`.
            strength: as for `upscale`.
            int8: as for `upscale`.
            check: also measure how the reduction of the result compares with the source.
            options: of the format: `plane` for NIfTI, `cog` for GeoTIFF.
            unmarked: neither mark nor sign it.
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
        family, scale = families.of(source), self.info.descriptor.scale
        families.check_ending(family, out)
        told: dict[str, Value] = {"scale": scale, "faithful": faithful, "int8": int8}
        told |= {"strength": strength, "engine": self._ran(int8), **(options or {})}
        origin = None if unmarked else self.origin("upscale", told, parent=source)
        marks = Marks(None if families.is_measured(family) else origin, scale)
        run = self._runner(memory, self._enlarger(faithful, strength, int8), found, check, emit)
        work = Work(
            scale=scale,
            run=marks.after(run),
            model=self._told(faithful, strength, int8),
            options=options or {},
        )
        with signed_file(out, origin, emit, marks.laid) as part:
            notes = family.enlarge(source, part, work)
        return Enlarged(out, tuple(notes), found[0] if found else None)

    def _ran(self, int8: bool) -> str:
        """Return the engine and what it computes in, as the manifest names them."""
        engine = self.engine("int8" if int8 else self.role)
        return f"{engine} and int8" if int8 else str(engine)

    def _told(self, faithful: bool, strength: float | None, int8: bool) -> str:
        """Return what enlarges, as the new file tells it: other ways are other words."""
        ways = ["faithful"] * faithful + ["int8"] * int8
        ways += [] if strength is None else [f"strength {strength:g}"]
        return " ".join([f"volute {AGENT['version']}", self.info.name, *ways])

    def _runner(
        self, memory: int, enlarger: Enlarger, found: list[Check], checked: bool, emit: Emit
    ) -> Run:
        ticks = watch(emit)

        def run(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
            if checked and not found:
                found.append(Check(raster.height, raster.width))
            check = found[0] if found else None
            tick = ticks(raster, part, parts)
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
                return halves(network, block, about.scale, about.radius)

        return Enlarger(network, about.channels, about.scale, about.radius, self._workers, faithful)

    def _integers(self) -> Session:
        if "int8" not in self.info.graphs:
            what = f"{self.info.name} has no graph in integers"
            raise UsageError(what, "Leave int8 out, or export it anew with --int8.")
        self._int8 = self._int8 or self.session("int8", threads=1)
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
        return worked(array, enlarger.scale, self._runner(memory, enlarger, [], False, silent))

    def _pixels(self, memory: int, bands: int) -> int:
        """Return how many pixels of the input a tile may have, all workers together in `memory`."""
        about = self.info.descriptor
        width = self._width()
        return self._fitting(
            memory, 4 * LIVE * width + 24 * about.scale**2 * max(bands, about.channels)
        )
