"""A style network over a raster of any kind: tile by tile, several at once, exactly.

The whole picture is continued at the bottom and on the right to a multiple of what the network
takes; tiles and their halos are such multiples too, clipped where the continued picture ends.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from volute.engine import planes
from volute.engine.mirrored import Cropped, Mirrored
from volute.engine.reduced import MIDDLE
from volute.engine.tiles import Network, Tick, Tile, in_order, shape_for, tiles, up
from volute.errors import UsageError
from volute.media.raster import Block, Canvas, Raster

SMALL = 1 << 20
"""Pixels of a picture that all threads work on together: tiles of it would be mostly halo."""
WHOLE = np.ones((1, 1, 1), np.float32)


@dataclass(frozen=True)
class Restyler:
    """What repaints, and how."""

    network: Network
    """Of three bands; each call on one thread, several at once."""
    whole: Network
    """The same network, each call on all threads."""
    radius: int
    """Of the network, in pixels."""
    multiple: int
    """Of the sides of what the network takes."""
    workers: int
    keep_colour: bool = False
    """Take the luma of the result and the colour differences of the picture."""
    strength: float = 1.0
    """Share of the result, in (0, 1]; the rest is the picture."""
    border: int = 0
    """Pixels by which the picture is continued on each side, mirrored, before it is repainted."""

    def run(
        self,
        raster: Raster,
        canvas: Canvas,
        pixels: int,
        tick: Tick | None = None,
        mask: Raster | None = None,
    ) -> None:
        """Repaint all of `raster` onto `canvas`.

        Grey goes in as three equal bands and comes out as their luma. Numbers beyond black and
        white count as these. Opacity stays as it is; colours under full transparency count for
        nothing, those near by are continued there. What is not valid stays as it was.

        Args:
            raster: what is read: grey or RGB, with or without opacity.
            canvas: what is written, of the same size.
            pixels: how many of them one tile may have, with its halo.
            tick: is called after each tile.
            mask: of the same size: white is repainted, black stays to the bit, between they mix.
                Its luma counts, and what is transparent in it as black.

        Raises:
            UsageError: if the raster has other bands, or the mask another size.
        """
        check(raster, mask)
        if self.border:
            canvas = Cropped(canvas, self.border, raster.height, raster.width)
            raster = Mirrored(raster, self.border)
            mask = None if mask is None else Mirrored(mask, self.border)
        height, width = up(raster.height, self.multiple), up(raster.width, self.multiple)
        halo, shape, network = self._halo(raster), (height, width), self.whole
        if height * width > min(SMALL, pixels):
            shape = shape_for(height, width, pixels, halo, self.workers, self.multiple)
            network = self.network
        parts = tiles(height, width, shape, halo)
        reading = threading.Lock()

        def make(tile: Tile) -> Block:
            with reading:
                block = raster.read(*_within(raster, tile.rows, tile.columns))
                cover = None if mask is None else mask.read(*_within(raster, *tile.target(1)))
            share = None if mask is None or cover is None else share_of(mask, cover)
            if self.strength < 1:
                share = np.float32(self.strength) * (WHOLE if share is None else share)
            return self._block(network, raster, block, tile, share)

        for count, (tile, made) in enumerate(in_order(make, parts, self.workers), 1):
            canvas.write(*_within(raster, *tile.target(1)), made)
            if tick is not None:
                tick(count / len(parts))

    def _halo(self, raster: Raster) -> int:
        filled = raster.masked or raster.alpha
        return up(self.radius + planes.FILL_RADIUS * filled, self.multiple)

    def _block(
        self, network: Network, raster: Raster, block: Block, tile: Tile, share: np.ndarray | None
    ) -> Block:
        """Return the tile without its halo; `share` is that of the new, [1, H, W] in [0, 1]."""
        unit = raster.levels.unit(block.numbers)
        rows, columns = tile.inner_rows, tile.inner_columns
        old = unit[:, rows, columns].copy() if raster.alpha or share is not None else unit
        made = self._painted(network, self._continued(_seen(raster, unit, block.valid)))
        was = block.numbers[:, rows, columns]
        made = made[:, rows, columns][:, : was.shape[1], : was.shape[2]]
        if share is not None:
            with np.errstate(invalid="ignore"):
                made = old[: len(made)] + share * (made - old[: len(made)])
        if raster.alpha:
            made = np.concatenate([made, old[-1:]])
        numbers = raster.levels.numbers(made)
        if raster.alpha:
            numbers[-1] = was[-1]
        if share is not None:
            numbers = np.where(share > 0, numbers, was)
        if block.valid is not None:
            numbers = np.where(block.valid[:, rows, columns], numbers, was)
        return Block(numbers)

    def _continued(self, planes_CHW: np.ndarray) -> np.ndarray:
        """Repeat the last row and column up to a multiple."""
        height, width = planes_CHW.shape[1:]
        beyond = up(height, self.multiple) - height, up(width, self.multiple) - width
        if not any(beyond):
            return planes_CHW
        return np.pad(planes_CHW, ((0, 0), (0, beyond[0]), (0, beyond[1])), mode="edge")

    def _painted(self, network: Network, colour_CHW: np.ndarray) -> np.ndarray:
        """Return what the network makes of grey or RGB in [0, 1]: the same, kept to [0, 1].

        It uses `colour_CHW` up: new memory would take as long as the arithmetic.
        """
        grey = len(colour_CHW) == 1
        kept = planes.to_luma(colour_CHW)[1] if self.keep_colour and not grey else None
        signed = colour_CHW
        signed *= 2
        signed -= 1
        made = network((signed.repeat(3, 0) if grey else signed)[None])[0]
        made *= MIDDLE
        made += MIDDLE
        made.clip(0, 1, out=made)
        if grey:
            return planes.to_luma(made)[0]
        if kept is None:
            return made
        made = planes.from_luma(planes.to_luma(made)[0], kept)
        return made.clip(0, 1, out=made)


def untouched(raster: Raster, canvas: Canvas, pixels: int) -> None:
    """Copy `raster` onto `canvas`, at most `pixels` at once: numbers that are none too."""
    shape = shape_for(raster.height, raster.width, pixels, 0, 1)
    for tile in tiles(raster.height, raster.width, shape, 0):
        numbers = raster.read(tile.rows, tile.columns).numbers
        canvas.write(tile.rows, tile.columns, Block(numbers))


def check(raster: Raster, mask: Raster | None) -> None:
    """See `Restyler.run` for what is refused."""
    if raster.bands - raster.alpha != (3 if raster.rgb else 1):
        what = f"a picture of {raster.bands} bands that is neither grey nor RGB has no style"
        raise UsageError(what, "Choose three of its bands, and save them as RGB.")
    if mask is not None and (mask.height, mask.width) != (raster.height, raster.width):
        raise UsageError(
            f"the mask has {mask.width} x {mask.height} pixels, the picture "
            f"{raster.width} x {raster.height}",
            "Give a mask of the picture's size.",
        )


def _within(raster: Raster, rows: slice, columns: slice) -> tuple[slice, slice]:
    """Cut a place in the continued picture to what there is of the picture."""
    return (
        slice(rows.start, min(rows.stop, raster.height)),
        slice(columns.start, min(columns.stop, raster.width)),
    )


def _seen(raster: Raster, unit_CHW: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    """Return the colours in [0, 1], those that are not seen replaced by what is near by.

    `unit_CHW` is used up.
    """
    colour = unit_CHW[:-1] if raster.alpha else unit_CHW
    known = None if valid is None else valid[: len(colour)]
    if raster.alpha:
        opaque = unit_CHW[-1:] > 0
        known = opaque if known is None else known & opaque
    if known is not None and not known.all():
        near = planes.filled(colour - MIDDLE, np.broadcast_to(known, colour.shape)) + MIDDLE
        colour = np.where(known, colour, near)
    return colour.clip(0, 1, out=colour)


def share_of(mask: Raster, block: Block) -> np.ndarray:
    """Return how much of the new a mask wants, float32 [1, H, W] in [0, 1]."""
    unit = np.nan_to_num(mask.levels.unit(block.numbers), nan=0).clip(0, 1)
    grey = unit[:1]
    if mask.rgb:  # not by einsum, which may sum a narrow part in another order
        red, green, blue = (planes.LUMA[:, None, None] * unit[:3])[:, None]
        grey = red + green + blue
    return grey * unit[-1:] if mask.alpha else grey
