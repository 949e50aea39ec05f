"""A super-resolution network over a raster of any kind: tile by tile, several at once, exactly."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from volute.engine import planes
from volute.engine.faithful import PROJECTION_RADIUS, Check, projected, reduced
from volute.engine.tiles import Network, Tick, Tile, in_order, shape_for, tiles
from volute.media.raster import Block, Canvas, Raster

WIDEST = 512
"""Side of a tile whose reduction is taken: the matrices for it grow with its square."""
OUTLIERS = (-8.0, 9.0)
"""In units of black to white: a number beyond goes around the network, which has seen no such."""


@dataclass(frozen=True)
class Enlarger:
    """What enlarges, and how."""

    network: Network
    bands: int
    """Of the network. With one, colours go as luma, their differences by cubic interpolation."""
    scale: int
    radius: int
    """Of the network, in pixels of its input."""
    workers: int
    faithful: bool = False
    """Project each part so that its reduction equals what was there."""

    def run(
        self,
        raster: Raster,
        canvas: Canvas,
        pixels: int,
        tick: Tick | None = None,
        check: Check | None = None,
    ) -> None:
        """Enlarge all of `raster` onto `canvas`.

        Args:
            raster: what is read.
            canvas: what is written.
            pixels: how many of the input one tile may have, with its halo.
            tick: is called after each tile.
            check: counts how the result, as it is written, compares with the raster.
        """
        halo = self._halo(raster.masked, check is not None)
        rows, columns = shape_for(raster.height, raster.width, pixels, halo, self.workers)
        shape = (
            (min(rows, WIDEST), min(columns, WIDEST)) if self.faithful or check else (rows, columns)
        )
        parts = tiles(raster.height, raster.width, shape, halo)
        reading = threading.Lock()

        def make(tile: Tile) -> tuple[Block, Block]:
            with reading:
                block = raster.read(tile.rows, tile.columns)
            return block, self._block(raster, block)

        made_of = in_order(make, parts, self.workers)
        for count, (tile, (block, made)) in enumerate(made_of, 1):
            rows, columns = tile.target(self.scale)
            canvas.write(rows, columns, _cut(made, *tile.scaled(self.scale)))
            if check is not None:
                self._compare(check, raster, tile, block, made)
            if tick is not None:
                tick(count / len(parts))

    def _halo(self, masked: bool, checked: bool) -> int:
        """Return how far around a tile its pixels depend on what was there."""
        reach = max(self.radius, planes.BICUBIC_RADIUS)
        reach += planes.FILL_RADIUS * masked + PROJECTION_RADIUS * self.faithful
        return reach + planes.BICUBIC_RADIUS * checked

    def _block(self, raster: Raster, block: Block) -> Block:
        unit, valid = raster.levels.unit(block.numbers), block.valid
        beyond = None if raster.levels.dtype == np.uint8 else _beyond(raster, block, unit)
        if beyond is not None:
            unit = unit.clip(*OUTLIERS)
        if valid is not None:
            if not valid.any():
                unit = np.zeros_like(unit)
            elif not valid.all():
                unit = planes.filled(unit, valid)
        if raster.alpha:
            made = self._with_alpha(unit, raster.rgb)
        else:
            made = self._projected(self._run(unit, raster.rgb), unit)
        if beyond is not None:
            made = made + beyond.repeat(self.scale, 1).repeat(self.scale, 2)
        wide = None if valid is None else valid.repeat(self.scale, 1).repeat(self.scale, 2)
        return Block(raster.levels.numbers(made), wide)

    def _with_alpha(self, unit_CHW: np.ndarray, rgb: bool) -> np.ndarray:
        """Enlarge colours multiplied by their opacity, so that nothing hidden bleeds out.

        What is opaque as far as the network sees stays so, and as it would be without opacity.
        """
        colour, alpha = unit_CHW[:-1], unit_CHW[-1:]
        large = self._projected(self._run(colour * alpha, rgb), colour * alpha)
        if (alpha == 1).all():
            return np.concatenate([large, np.ones_like(large[:1])])
        opaque = planes.worn(alpha == 1, self._halo(masked=False, checked=False))
        opaque = opaque.repeat(self.scale, 1).repeat(self.scale, 2)
        large_alpha = self._projected(self._run(alpha, False), alpha).clip(0, 1)
        large_alpha[opaque] = 1
        seen = large_alpha > 0.5 / 255
        colour = np.divide(large, large_alpha, out=np.zeros_like(large), where=seen)
        return np.concatenate([colour, large_alpha])

    def _projected(self, made_CHW: np.ndarray, unit_CHW: np.ndarray) -> np.ndarray:
        return projected(made_CHW, unit_CHW, self.scale) if self.faithful else made_CHW

    def _run(self, unit_CHW: np.ndarray, rgb: bool) -> np.ndarray:
        if rgb and self.bands == 1:
            luma, difference = planes.to_luma(unit_CHW[:3])
            colour = planes.from_luma(self._each(luma), planes.bicubic(difference, self.scale))
            rest = [self._each(unit_CHW[3:])] if len(unit_CHW) > 3 else []
            return np.concatenate([colour, *rest]) if rest else colour
        if rgb and len(unit_CHW) == self.bands:
            return (self.network(unit_CHW[None] * 2 - 1)[0] + 1) / 2
        return self._each(unit_CHW)

    def _each(self, unit_CHW: np.ndarray) -> np.ndarray:
        """Enlarge each plane by itself."""
        made = []
        for plane in unit_CHW:
            copies = np.repeat(plane[None, None] * 2 - 1, self.bands, 1)
            made.append((self.network(copies)[0].mean(0) + 1) / 2)
        return np.stack(made)

    def _compare(self, check: Check, raster: Raster, tile: Tile, block: Block, made: Block) -> None:
        small, large = raster.levels.unit(block.numbers), raster.levels.unit(made.numbers)
        valid = block.valid
        if raster.alpha:  # what is hidden does not count
            for plane in (small, large):
                plane[:-1] *= plane[-1:]
        if valid is not None:
            small, large = (np.where(np.isfinite(x), x, 0) for x in (small, large))
            valid = planes.worn(valid, planes.BICUBIC_RADIUS)
        inside = tile.inner_rows, tile.inner_columns
        (rows, columns) = tile.target(1)
        check.add(
            rows,
            columns,
            small[:, *inside],
            reduced(large, self.scale)[:, *inside],
            None if valid is None else valid[:, *inside],
        )


def _beyond(raster: Raster, block: Block, unit: np.ndarray) -> np.ndarray | None:
    """Return by how much valid numbers leave `OUTLIERS`, float64 [C, H, W]; None: not at all."""
    levels = raster.levels
    least, most = unit.min(), unit.max()
    if least >= OUTLIERS[0] and most <= OUTLIERS[1]:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        wide = (block.numbers - levels.black) / (levels.white - levels.black)
        beyond = wide - wide.clip(*OUTLIERS)
    beyond = np.where(np.isfinite(beyond), beyond, 0)
    if block.valid is not None:
        beyond = np.where(block.valid, beyond, 0)
    return beyond if beyond.any() else None


def _cut(block: Block, rows: slice, columns: slice) -> Block:
    valid = None if block.valid is None else block.valid[:, rows, columns]
    return Block(block.numbers[:, rows, columns], valid)
