"""`Work` for tests of the formats: enlargement by repeating pixels, in the units of the network."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from volute.media.raster import Block, Canvas, Raster, Work


def repeating(scale: int = 2, options: Mapping[str, str] | None = None, side: int = 24) -> Work:
    """Return work that repeats each pixel, tile by tile, as the engine would."""

    def run(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
        assert 0 <= part < parts
        for top in range(0, raster.height, side):
            for left in range(0, raster.width, side):
                rows = slice(top, min(top + side, raster.height))
                columns = slice(left, min(left + side, raster.width))
                block = raster.read(rows, columns)
                unit = raster.levels.unit(block.numbers)
                assert unit.dtype == np.float32
                assert unit.shape == (
                    raster.bands,
                    rows.stop - rows.start,
                    columns.stop - columns.start,
                )
                valid = None if block.valid is None else _repeat(block.valid, scale)
                made = Block(raster.levels.numbers(_repeat(unit, scale)), valid)
                canvas.write(_times(rows, scale), _times(columns, scale), made)

    return Work(scale=scale, run=run, model="repeat 0.1.0", options=options or {})


def _repeat(array: np.ndarray, scale: int) -> np.ndarray:
    return array.repeat(scale, -2).repeat(scale, -1)


def _times(part: slice, scale: int) -> slice:
    return slice(part.start * scale, part.stop * scale)
