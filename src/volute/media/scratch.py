"""Pixels that do not fit into memory: raw files in the system's temporary folder."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO
from types import TracebackType

import numpy as np

from volute.errors import VoluteError

PIECE = 16_000_000
LARGEST = 900_000_000
"""Bytes of a file; libvips reads nothing behind the first 1,000,000,000."""


@dataclass(frozen=True)
class Piece:
    """Some rows of a picture, as another reader in this process finds them."""

    path: str
    offset: int
    height: int


class Scratch:
    """A picture [C, H, W] on disk, zero at first; gone when closed, or when the process ends.

    Plain reads and writes, no memory map: resident memory does not grow with the picture. One
    thread at a time. Rows lie one after another, the bands of a pixel side by side.

    Raises:
        VoluteError: the temporary folder is full or cannot be written to, here and in `write`.
    """

    def __init__(self, height: int, width: int, bands: int, dtype: np.dtype) -> None:
        self.height, self.width, self.bands, self.dtype = height, width, bands, np.dtype(dtype)
        self.row_bytes = width * bands * self.dtype.itemsize
        size = max(PIECE, height * self.row_bytes // 99)
        self._piece_rows = max(1, size // self.row_bytes)
        whole_pieces = LARGEST // (self._piece_rows * self.row_bytes)
        self._file_rows = self._piece_rows * max(1, whole_pieces)
        self._names: list[str] = []
        self._files: list[FileIO] = []
        try:
            with self._explained():
                for top in range(0, height, self._file_rows):
                    self._add(min(self._file_rows, height - top))
        except BaseException:
            self.close()
            raise

    def read(self, rows: slice, columns: slice) -> np.ndarray:
        """Return a part [C, h, w]; slices have a start, a stop and no step."""
        height, width = rows.stop - rows.start, columns.stop - columns.start
        part_HWC = np.empty((height, width, self.bands), self.dtype)
        for row, lines in self._lines(part_HWC, rows.start):
            self._at(row, columns.start).readinto(lines)
        return part_HWC.transpose(2, 0, 1)

    def write(self, rows: slice, columns: slice, part_CHW: np.ndarray) -> None:
        """Put a part [C, h, w] of this type in its place."""
        part_HWC = np.ascontiguousarray(part_CHW.transpose(1, 2, 0))
        with self._explained():
            for row, lines in self._lines(part_HWC, rows.start):
                file, left = self._at(row, columns.start), lines
                while left:  # a disk that fills up first takes a part, then refuses
                    left = left[file.write(left) :]

    def strips(self, size: int = 4 << 20) -> list[slice]:
        """Return slices of rows, of about `size` bytes each, that make up the picture."""
        rows = max(1, size // self.row_bytes)
        tops = range(0, self.height, rows)
        return [slice(top, min(top + rows, self.height)) for top in tops]

    def pieces(self) -> list[Piece]:
        """Return where the rows lie, from the top, all pieces but the last of one height."""
        found = []
        for top in range(0, self.height, self._piece_rows):
            number, row = divmod(top, self._file_rows)
            height = min(self._piece_rows, self.height - top)
            found.append(Piece(self._names[number], row * self.row_bytes, height))
        return found

    def close(self) -> None:
        """Give the space back."""
        for file in self._files:
            file.close()
        for name in self._names if os.name == "nt" else ():
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)

    def __enter__(self) -> Scratch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _add(self, rows: int) -> None:
        handle, name = tempfile.mkstemp(prefix="volute-")
        self._files.append(FileIO(handle, "r+"))
        if os.name != "nt":  # there an open file keeps its name
            os.unlink(name)
            name = f"/dev/fd/{handle}"
        self._names.append(name)
        self._files[-1].truncate(rows * self.row_bytes)

    def _lines(self, part_HWC: np.ndarray, top: int) -> Iterator[tuple[int, memoryview]]:
        """Yield the bytes that lie together, with their first row: whole rows do, in a file."""
        height, width, _ = part_HWC.shape
        row = top
        while row < top + height:
            file_end = row - row % self._file_rows + self._file_rows
            end = min(top + height, file_end if width == self.width else row + 1)
            yield row, part_HWC[row - top : end - top].data.cast("B")
            row = end

    def _at(self, row: int, column: int) -> FileIO:
        number, row = divmod(row, self._file_rows)
        file = self._files[number]
        file.seek(row * self.row_bytes + column * self.bands * self.dtype.itemsize)
        return file

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            need = self.height * self.row_bytes
            raise VoluteError(
                f"cannot write to the temporary folder {tempfile.gettempdir()}: {error.strerror}",
                f"This picture needs {need / 1e6:,.0f} MB there; TMPDIR can name another folder.",
            ) from error
