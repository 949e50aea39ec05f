"""Pictures in an npz file, as Fashion-MNIST and many small sets come; streamed, never unpickled."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from volute.archives import clean_name
from volute.data.entry import Entry, FileSource
from volute.errors import DataError
from volute.media.modes import scale_to_uint8
from volute.media.photo import FILE_LIMIT, PIXEL_LIMIT

_PAIRS = (
    ("x_train", "y_train"),
    ("train_images", "train_labels"),
    ("images", "labels"),
    ("x", "y"),
)
_CHUNK_BYTES = 4 << 20
_HEADERS: dict[tuple[int, int], Callable[..., tuple]] = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


@dataclass(frozen=True)
class _Array:
    key: str
    shape: tuple[int, ...]
    dtype: np.dtype
    stream: IO[bytes]


class Npz(FileSource):
    """Pictures [N, H, W], [N, H, W, C] or [N, C, H, W] and, if there are any, their labels [N].

    Taken are x_train and y_train, else train_images and train_labels, images and labels, x and y,
    else the only array. uint8 as it is, uint16 divided by 257, bool and floats in [0, 1] times 255,
    other integers if all are in 0..255.
    """

    def __init__(self, path: Path, labels: bool) -> None:
        super().__init__(path)
        self._labelled = labels

    def entries(self) -> Iterator[Entry]:
        """Yield the pictures as uint8 [H, W, C], with their labels."""
        with self._archive() as archive:
            key, label_key = self._keys(archive)
            labels = self._labels(archive, label_key) if label_key else None
            array = self._open(archive, key)
            view = self._layout(array)
            self.total = array.shape[0]
            if labels is not None and len(labels) != self.total:
                text = f"{self.path.name} has {self.total} pictures but {len(labels)} labels"
                raise DataError(text, "Use it without labels: -s data.labels=false")
            for start, chunk in self._chunks(array):
                for offset, picture in enumerate(view(self._to_uint8(chunk, key))):
                    row = start + offset
                    yield Entry(f"{key}[{row}]", picture, labels[row] if labels else None)

    def notes(self) -> tuple[str, ...]:
        """Return which arrays are used and which are not."""
        with self._archive() as archive:
            used = [key for key in self._keys(archive) if key]
            rest = sorted(set(_array_names(archive)) - set(used))
        unused = f"; not used: {', '.join(rest)}" if rest else ""
        return (f"arrays used: {', '.join(used)}{unused}",)

    def _archive(self) -> zipfile.ZipFile:
        try:
            archive = zipfile.ZipFile(self.path)
        except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError) as error:
            raise self.damaged(error) from error
        if sum(member.file_size for member in archive.infolist()) > self.expansion_limit():
            raise self.bomb()
        return archive

    def _keys(self, archive: zipfile.ZipFile) -> tuple[str, str]:
        names = _array_names(archive)
        for pictures, labels in _PAIRS:
            if pictures in names:
                return pictures, labels if self._labelled and labels in names else ""
        if len(names) == 1:
            return names[0], ""
        expected = ", ".join(pictures for pictures, _ in _PAIRS)
        text = f"{self.path.name} holds {', '.join(names)}: none is known to be the pictures"
        raise DataError(text, f"Name the array one of: {expected}.")

    def _open(self, archive: zipfile.ZipFile, key: str) -> _Array:
        try:
            stream = archive.open(f"{key}.npy")
            version = np.lib.format.read_magic(stream)
            shape, fortran, dtype = _HEADERS[version](stream)
        except Exception as error:  # whatever a damaged header makes zipfile or NumPy raise
            raise self.damaged(f"array {key}: {error}") from error
        if dtype.hasobject:
            raise DataError(f"{self.path.name}: {key} holds Python objects, which are never loaded")
        if fortran and len(shape) > 1:
            text = f"{self.path.name}: {key} is saved in Fortran order"
            raise DataError(text, "Save it again with numpy.ascontiguousarray.")
        return _Array(key, shape, dtype, stream)

    def _layout(self, array: _Array) -> Callable[[np.ndarray], np.ndarray]:
        shape = array.shape
        sides: tuple[int, ...] = ()
        view: Callable[[np.ndarray], np.ndarray] = np.asarray
        if len(shape) == 3:
            sides, view = shape[1:], lambda chunk: chunk[..., None]
        elif len(shape) == 4 and 1 <= shape[3] <= 4:
            sides = shape[1:3]
        elif len(shape) == 4 and 1 <= shape[1] <= 4:
            sides, view = shape[2:], lambda chunk: chunk.transpose(0, 2, 3, 1)
        if array.dtype.kind not in "buif" or not sides or not 0 < math.prod(sides) <= PIXEL_LIMIT:
            text = f"{self.path.name}: {array.key} is {array.dtype} {list(shape)}, not pictures"
            raise DataError(text, "Pictures are numbers [N, H, W], [N, H, W, C] or [N, C, H, W].")
        return view

    def _chunks(self, array: _Array) -> Iterator[tuple[int, np.ndarray]]:
        shape = array.shape[1:]
        row = math.prod(shape) * array.dtype.itemsize
        step = max(1, _CHUNK_BYTES // row)
        for start in range(0, array.shape[0], step):
            count = min(step, array.shape[0] - start)
            data = self._read(array, count * row)
            yield start, np.frombuffer(data, array.dtype).reshape(count, *shape)

    def _read(self, array: _Array, size: int) -> bytes:
        try:
            data = array.stream.read(size)
        except Exception as error:  # damaged deflate data raises anything
            raise self.damaged(f"array {array.key}: {error}") from error
        if len(data) != size:
            raise self.damaged(f"array {array.key} ends too early")
        return data

    def _to_uint8(self, chunk: np.ndarray, key: str) -> np.ndarray:
        if chunk.dtype == np.uint8:
            return chunk
        if chunk.dtype.kind == "b":
            return chunk.astype(np.uint8) * np.uint8(255)
        if chunk.dtype.kind == "u" and chunk.dtype.itemsize == 2:
            return scale_to_uint8(chunk, 65535)[0]
        if chunk.dtype.kind == "f" and not np.isfinite(chunk).all():
            text = f"{self.path.name}: {key} holds NaN or infinite values"
            raise DataError(text, "Leave out the pictures that have any.")
        low, high = float(chunk.min()), float(chunk.max())
        if chunk.dtype.kind == "f" and low >= 0 and high <= 1:
            return np.rint(chunk.astype(np.float32) * 255).astype(np.uint8)
        if chunk.dtype.kind in "ui" and low >= 0 and high <= 255:
            return chunk.astype(np.uint8)
        text = f"{self.path.name}: {key} ({chunk.dtype}) holds numbers from {low:g} to {high:g}"
        raise DataError(text, "Pictures are uint8, uint16, integers 0..255 or floats in [0, 1].")

    def _labels(self, archive: zipfile.ZipFile, key: str) -> list[str | int]:
        array = self._open(archive, key)
        size = math.prod(array.shape) * array.dtype.itemsize
        flat = len(array.shape) == 1 or (len(array.shape) == 2 and array.shape[1] == 1)
        if array.dtype.kind not in "buiUS" or not flat or size > FILE_LIMIT:
            text = f"{self.path.name}: {key} is {array.dtype} {list(array.shape)}, not labels [N]"
            raise DataError(text, "Use it without labels: -s data.labels=false")
        values = np.frombuffer(self._read(array, size), array.dtype)
        if array.dtype.kind in "US":
            return [clean_name(str(value)) for value in values.astype(str)]
        return [int(value) for value in values]


def _array_names(archive: zipfile.ZipFile) -> list[str]:
    return [name.removesuffix(".npy") for name in archive.namelist()]
