"""`Stylizer`: the handle of a `style` artefact."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from numbers import Real
from pathlib import Path
from typing import overload

import numpy as np
from PIL import Image

from volute.engine.artefact import Artefact
from volute.engine.live import Live, Shown
from volute.engine.reduced import reduced
from volute.engine.session import Engine
from volute.engine.steady import Steady
from volute.engine.stylize import check, untouched
from volute.errors import UsageError
from volute.events import Emit, silent
from volute.handles.frames import Frame, Shot
from volute.handles.marked import Marks
from volute.handles.masks import Mask, in_memory, laid_over
from volute.handles.pictures import Picture, opened
from volute.handles.style_book import StyleBook
from volute.handles.style_networks import StyleNetworks
from volute.handles.styles import Seen, Style, StyleLike
from volute.handles.tiled import MEMORY, Tiled, as_raster, watch, worked
from volute.media import families
from volute.media.raster import Canvas, Raster, Run, Work
from volute.provenance.manifest import AGENT, signed_file

PLANES = 96
"""Bytes of a pixel on its way to the network and back; the network's own are about its width."""

MEASURED = 512 * 512
"""Pixels to which a picture is reduced to measure it: at 512 x 512 it is the picture itself."""


@dataclass(frozen=True)
class Stylized:
    """What became of a file."""

    path: Path
    notes: tuple[str, ...]
    """What a person should know of it, a line each."""


class Stylizer(Tiled):
    """Repaints pictures in the style of others, in parts that fit the memory."""

    role = "stylizer"

    def __init__(
        self, artefact: Artefact, threads: int | None = None, engine: Engine | None = None
    ) -> None:
        super().__init__(artefact, threads, engine)
        self._book = StyleBook(artefact, threads)
        self._networks = StyleNetworks(artefact, self._workers, self.engine())

    @property
    def styles(self) -> tuple[str, ...]:
        """Names of the styles that the model knows."""
        return self.info.styles

    def style(self, given: StyleLike, *, like: Picture | np.ndarray | None = None) -> Style:
        """Return a style, to be used as often as one likes: reading it takes longer than using it.

        A picture is reduced to about 256 x 256 pixels, never enlarged but for a side under 32; grey
        is repeated, what is transparent laid on white; of an animation the first picture counts. A
        stored name goes before a file of that name: write `./name` for the file.

        Args:
            given: a stored name, a picture (path, PIL, array [H, W] or [H, W, C]), or a mix of
                stored names and paths, as `{"wave": 0.7, "monet": 0.3}` or `wave:0.7,monet:0.3`;
                its weights may have any sum.
            like: a picture whose brightness, contrast and textures are reckoned with in all that is
                painted; None for those of each picture or shot. So parts of a picture, or frames,
                that are painted one by one agree.

        Raises:
            UsageError: for a name that is unknown, weights that cannot be, what is no picture, or a
                picture where the model knows only its own styles.
            DataError: a picture that cannot be read, over 100 megapixels, or under 16 pixels a
                side.
        """
        style = self._book.style(given)
        if like is None:
            return style
        pixels = like if isinstance(like, np.ndarray) else opened(like)[0][0]
        return dataclasses.replace(style, seen=self._seen(as_raster(pixels)))

    def thumbnail(self, name: str) -> Image.Image:
        """Return what the model makes of one picture in a stored style: RGB, 128 x 128 pixels.

        Raises:
            UsageError: if there is no such style.
            VoluteError: if the model has no thumbnails.
        """
        return self._book.thumbnail(name)

    @overload
    def stylize(
        self,
        picture: np.ndarray,
        *,
        style: StyleLike,
        strength: float = 1.0,
        keep_colour: bool = False,
        mask: Mask | None = None,
        memory: int = MEMORY,
    ) -> np.ndarray: ...
    @overload
    def stylize(
        self,
        picture: Picture,
        *,
        style: StyleLike,
        strength: float = 1.0,
        keep_colour: bool = False,
        mask: Mask | None = None,
        memory: int = MEMORY,
    ) -> Image.Image: ...
    def stylize(
        self,
        picture: Picture | np.ndarray,
        *,
        style: StyleLike,
        strength: float = 1.0,
        keep_colour: bool = False,
        mask: Mask | None = None,
        memory: int = MEMORY,
    ) -> Image.Image | np.ndarray:
        """Return a picture repainted in a style, as large as it was.

        The result does not depend on the tiles that the memory allows, nor on the threads.

        Args:
            picture: a path or PIL picture (8 bits), or an array [H, W] or [H, W, C] of uint8,
                uint16, or floats of which 0 to 1 is black to white. Grey stays grey; the second of
                2 and the last of 4 channels is alpha, which stays as it is.
            style: as for `style`.
            strength: in [0, 1]; 0 leaves the picture as it is.
            keep_colour: take the luma of the result and the colour differences of the picture.
            mask: a picture of the same size, or an array of bool: white is repainted, black stays,
                between they mix.
            memory: bytes that the process may have, from 256 MB.

        Returns:
            The same kind, dtype and channels.

        Raises:
            UsageError: for what is no picture, a mask of another size, a strength beyond its range.
            DataError: if a file cannot be read.
        """
        chosen = self.style(style)
        over = None if mask is None else in_memory(mask)
        run = self._runner(chosen, strength, keep_colour, over, memory, silent)
        if isinstance(picture, np.ndarray):
            return worked(picture, 1, run)
        if isinstance(picture, Image.Image) and picture.mode == "I;16":
            return Image.fromarray(worked(np.asarray(picture), 1, run))
        (pixels,), restore = opened(picture)
        return restore(worked(pixels, 1, run)[None])

    def stylize_file(
        self,
        source: str | Path,
        out: str | Path,
        *,
        style: StyleLike,
        strength: float = 1.0,
        keep_colour: bool = False,
        mask: Mask | None = None,
        memory: int = MEMORY,
        unmarked: bool = False,
        emit: Emit = silent,
    ) -> Stylized:
        """Repaint a file: a photograph, or every frame of a film.

        Size, alpha, depth, profile, EXIF, sound and times of frames stay. A photograph is painted
        the way up that its EXIF says, as `stylize` paints it, and stored as it was; the frames of a
        film are painted as they are stored, whatever it says of turning them. The memory does not
        follow the size of the picture. It is marked, also where the mask is black, and signed, with
        what the source and the style's picture said of their origin (see `volute.provenance`).

        Args:
            source: what to read; its contents decide what it is.
            out: what to write; there in full or not at all.
            style: as for `style`.
            strength: as for `stylize`.
            keep_colour: as for `stylize`.
            mask: as for `stylize`, laid over the picture as it is shown, over the frames of a film
                as they are stored.
            memory: as for `stylize`.
            unmarked: neither mark nor sign it.
            emit: is told the progress.

        Raises:
            UsageError: as for `stylize`, for bands that are neither grey nor RGB, or a target that
                the format does not have.
            DataError: if the source cannot be read, or holds measurements.
            MissingExtraError: if the format needs an extra that is not installed.
            VoluteError: if the target cannot be written.
        """
        source, out = Path(source), Path(out)
        chosen, family = self.style(style), families.of_picture(source)
        with laid_over(mask) as over:
            run = self._runner(chosen, strength, keep_colour, over, memory, emit)
            told = {"style": chosen.told, "strength": float(strength)}
            told |= {"keep_colour": keep_colour, "mask": mask is not None}
            inputs = chosen.there
            origin = (
                None if unmarked else self.origin("stylize", told, parent=source, inputs=inputs)
            )
            marks = Marks(origin if strength else None)
            work = Work(
                scale=1,
                run=marks.after(run),
                model=f"volute {AGENT['version']} {self.info.name}, {chosen.name} {strength:.0%}",
                done="stylized",
            )
            with signed_file(out, origin, emit, marks.laid) as part:
                notes = family.enlarge(source, part, work)
        return Stylized(out, tuple(notes))

    def stream(
        self,
        frames: Iterable[np.ndarray],
        *,
        style: StyleLike,
        strength: float = 1.0,
        keep_colour: bool = False,
        fps: float = 30.0,
    ) -> Iterator[Shown]:
        """Repaint the frames of a camera as they come: `live(...).stream(frames)`.

        Only the newest frame is repainted, those between are dropped and counted; the resolution at
        which that is done follows the machine, so that the rate holds. What stays still in front of
        the camera keeps its paint, until the picture changes as a whole. It ends with the frames,
        or when the loop over it is left; to end it from another thread, use `live`.

        Args:
            frames: uint8 RGB [H, W, 3], as a camera gives them: waiting for the next, or without
                end.
            style: as for `style`.
            strength: as for `stylize`; at 0 the frames are shown as they are.
            keep_colour: as for `stylize`.
            fps: frames a second to hold.

        Yields:
            Each frame that was repainted, at the size of the camera's, with its number, how many
            were dropped so far, its age in seconds, and the resolution and rate at present.

        Raises:
            UsageError: at once: as for `stylize`, or for a rate that is none.
            DataError: at once, for a style that cannot be read; later, for a frame that is none.
        """
        how = {"strength": strength, "keep_colour": keep_colour, "fps": fps}
        return self.live(style=style, **how).stream(frames)

    def live(
        self,
        *,
        style: StyleLike,
        strength: float = 1.0,
        keep_colour: bool = False,
        fps: float = 30.0,
    ) -> Live:
        """Return what `stream` does, for one stream that another thread may stop.

        `live.stream(frames)` gives the repainted frames, `live.stop()` ends that.

        Args:
            style: as for `style`.
            strength: as for `stream`.
            keep_colour: as for `stylize`.
            fps: as for `stream`.

        Raises:
            UsageError: as for `stream`.
            DataError: for a style that cannot be read.
        """
        shot, steady = Shot(), Steady()
        run = self._runner(self.style(style), strength, keep_colour, None, MEMORY, silent, shot)

        def paint(frame: np.ndarray) -> np.ndarray:
            return steady(frame, worked(frame, 1, run))

        return Live(paint if strength else None, fps)

    def _runner(
        self,
        style: Style,
        strength: float,
        keep_colour: bool,
        mask: Raster | None,
        memory: int,
        emit: Emit,
        shot: Shot | None = None,
    ) -> Run:
        """Return what repaints; with `shot`, each picture is a frame of it."""
        if not (isinstance(strength, Real) and 0 <= strength <= 1):
            raise UsageError(f"strength = {strength!r} is not between 0 and 1")
        pixels, ticks, steady = self._pixels(memory), watch(emit), Steady()
        of_film = Shot()

        def run(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
            if not strength:
                untouched(raster, canvas, pixels)
                return
            check(raster, mask)
            one_of = of_film if parts > 1 else shot
            seen = self._seen if one_of is None else partial(one_of, measured=self._seen)
            look = style.seen if style.seen is not None else seen(raster)
            restyler = self._networks.restyler(style.code, look, float(strength), keep_colour)
            frame = Frame(raster, canvas, steady, mask) if parts > 1 else canvas
            restyler.run(raster, frame, pixels, ticks(raster, part, parts), mask)
            if isinstance(frame, Frame):
                frame.show()

        return run

    def _seen(self, raster: Raster) -> Seen:
        return Seen.of(reduced(raster, MEASURED, self._networks.about.size_multiple))

    def _pixels(self, memory: int) -> int:
        """Return how many pixels a tile may have, all workers together in `memory`."""
        return self._fitting(memory, PLANES + self._width())
