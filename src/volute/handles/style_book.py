"""The styles of a model: those that it knows by name, and those that its encoder reads."""

from __future__ import annotations

import hashlib
import math
import os
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from volute.config import nearest
from volute.engine.artefact import Artefact
from volute.engine.session import Session
from volute.errors import DataError, UsageError, VoluteError
from volute.handles.pictures import Picture, to_floats
from volute.handles.styles import (
    Style,
    StyleLike,
    is_mix,
    mix_of,
    mixed,
    plain_name,
    style_pixels,
    style_reduced,
)
from volute.media.photo import FILE_LIMIT, PictureError, read_picture

CODES = 64
"""Codes of style pictures that are kept."""
CELL = 128
"""Side of a thumbnail in pixels."""
AGAIN = "Copy the whole folder again, or export it anew."


class StyleBook:
    """Turns what a style can be given as into its code."""

    def __init__(self, artefact: Artefact, threads: int | None) -> None:
        self._name, self._styles = artefact.config.name, artefact.config.styles
        self._path = artefact.path
        self._codes = self._read(artefact)
        known = "encoder" in artefact.config.graphs
        self._encoder = Session(artefact.graph("encoder"), threads) if known else None
        self._encoded: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def style(self, given: StyleLike) -> Style:
        """See `Stylizer.style`."""
        if isinstance(given, Style):
            return self._checked(given)
        if isinstance(given, str) and given not in self._styles and is_mix(given):
            return self._mixed(mix_of(given))
        return self._mixed(given.items()) if isinstance(given, Mapping) else self._single(given)

    def thumbnail(self, name: str) -> Image.Image:
        """See `Stylizer.thumbnail`."""
        if name not in self._styles:
            raise self._unknown(name)
        side = math.ceil(math.sqrt(len(self._styles) + 1))
        sheet = self._sheet(side * CELL)
        row, column = divmod(self._styles.index(name), side)
        cell = sheet[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
        return Image.fromarray(np.ascontiguousarray(cell))

    def _sheet(self, side: int) -> np.ndarray:
        """Return the grid of all thumbnails, uint8 [side, side, 3]."""
        file = self._path / "samples.png"
        try:
            sheet = read_picture(file).array
        except PictureError as error:
            raise VoluteError(f"no thumbnails: {file}: {error.reason}", AGAIN) from error
        if sheet.shape != (side, side, 3):
            cells = side // CELL
            what = f"{file} is no grid of {cells} x {cells} cells of {CELL} pixels"
            raise VoluteError(what, AGAIN)
        return sheet

    def _unknown(self, name: str) -> UsageError:
        """Return the error for a name that stands for nothing."""
        if not name:
            return UsageError("there is no style ''", "Is a variable of the shell empty?")
        what = f"there is no style {name!r}: neither one that {self._name} knows nor a file"
        known = f"It knows: {', '.join(self._styles)}" if self._styles else "Give a picture."
        return UsageError(what, nearest(name, self._styles) or known)

    def _checked(self, style: Style) -> Style:
        code = np.asarray(style.code)
        if code.shape != self._codes.shape[1:] or code.dtype.kind != "f":
            raise UsageError(f"the style {style.name!r} is of another model", "Make it anew.")
        if not np.isfinite(code).all():
            raise UsageError(f"the code of the style {style.name!r} has numbers that are none")
        return style

    def _mixed(self, parts: Iterable[tuple[str | Path, float]]) -> Style:
        return mixed([(self._single(name), weight) for name, weight in parts])

    def _single(self, given: Picture | np.ndarray) -> Style:
        if isinstance(given, str) and given in self._styles:
            return Style(self._codes[self._styles.index(given)], given)
        if not isinstance(given, str | Path):
            return Style(self._encode(style_pixels(given)), "picture", private=True)
        if isinstance(given, str) and not os.path.exists(given):
            raise self._unknown(given)
        path = Path(given)
        if path.is_dir():
            raise DataError(f"the style {given!s:.200} is a folder", "Name one picture in it.")
        return Style(self._of_file(path), plain_name(path.stem), (path,), private=True)

    def _of_file(self, path: Path) -> np.ndarray:
        """Return the code of a file, read once for the same contents."""
        key = _digest(path)
        with self._lock:
            found = self._encoded.get(key)
        if found is not None:
            return found
        made = self._encode(style_pixels(path))
        with self._lock:
            if key:
                self._encoded[key] = made
            while len(self._encoded) > CODES:
                self._encoded.popitem(last=False)
        return made

    def _encode(self, pixels_HWC: np.ndarray) -> np.ndarray:
        if self._encoder is None:
            known = ", ".join(self._styles)
            what = f"{self._name} has no style encoder: it paints in its own styles alone"
            raise UsageError(
                what, f"They are: {known}. A model trained with --preset any reads any style."
            )
        code = self._encoder.run({"picture": to_floats(style_reduced(pixels_HWC)[None])})
        if code.shape != (1, self._codes.shape[1]) or not np.isfinite(code).all():
            what = f"{self._encoder.path} gave {list(code.shape)} numbers, or some that are none"
            raise VoluteError(what, "Export the model anew.")
        return code[0].astype(np.float32)

    def _read(self, artefact: Artefact) -> np.ndarray:
        codes = artefact.tensors(["styles.codes"])["styles.codes"].astype(np.float32)
        good = codes.ndim == 2 and len(codes) == len(self._styles)
        if not good or not np.isfinite(codes).all():
            what = f"{artefact.path}: codes {list(codes.shape)} do not fit its styles"
            raise VoluteError(what, AGAIN)
        return codes


def _digest(path: Path) -> bytes:
    """Return the digest of a file; nothing where it cannot be read, or is too large for one."""
    try:
        if not path.is_file() or path.stat().st_size > FILE_LIMIT:
            return b""
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").digest()
    except OSError:
        return b""
