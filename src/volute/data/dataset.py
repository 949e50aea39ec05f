"""A packed data set on disk: memory-mapped pictures, labels, report. Whole, or not there."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from volute.data.report import Report
from volute.paths import write_text

_PICTURES, _LABELS, _REPORT = "pictures.npy", "labels.npy", "report.json"
_SOURCES = "sources.npy"


@dataclass(frozen=True, eq=False)
class Dataset:
    """Pictures ready to train on."""

    pictures: np.ndarray
    """uint8 [N, H, W, C], memory-mapped; C is 1 (L), 3 (RGB) or 4 (RGBA)."""
    labels: np.ndarray
    """int64 [N], indices into `classes`; zeros when there are none."""
    sources: np.ndarray
    """int64 [N], ascending: which picture each square was cut from."""
    classes: tuple[str, ...]
    """At least two names, or none."""
    report: Report
    """What was found and done."""
    key: str
    """Changes whenever content, settings, size or the rules of packing do."""
    folder: Path
    """Where the pack lies in the cache."""

    @property
    def size(self) -> int:
        """Side of the squares in px."""
        return self.pictures.shape[1]

    @property
    def channels(self) -> int:
        """Colour channels."""
        return self.pictures.shape[3]


class Writer:
    """Writes the parts of a pack into a folder, the pictures as they come."""

    def __init__(self, folder: Path, shape: tuple[int, int, int]) -> None:
        self._folder, self._shape = folder, shape
        self._stream = (folder / _PICTURES).open("wb")
        self._number = 0
        self._header()

    def add(self, pictures: np.ndarray) -> None:
        """Append uint8 [n, H, W, C], contiguous."""
        self._stream.write(pictures.data)
        self._number += len(pictures)

    def close(self, labels: np.ndarray, sources: np.ndarray, report: Report) -> None:
        """Finish: the report comes last and stands for the whole."""
        self._stream.seek(0)
        self._header()  # NumPy pads it, so that the number of pictures always fits
        self._stream.flush()
        os.fsync(self._stream.fileno())
        self._stream.close()
        np.save(self._folder / _LABELS, labels, allow_pickle=False)
        np.save(self._folder / _SOURCES, sources, allow_pickle=False)
        write_text(self._folder / _REPORT, report.model_dump_json(indent=1))

    def discard(self) -> None:
        """Let go of the file, whatever state it is in."""
        self._stream.close()

    def _header(self) -> None:
        shape = (self._number, *self._shape)
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._stream, header)


def load(folder: Path, key: str) -> Dataset | None:
    """Return the pack in `folder`, or None if there is none or it is damaged."""
    try:
        report = Report.model_validate_json((folder / _REPORT).read_bytes())
        pictures = np.load(folder / _PICTURES, mmap_mode="r", allow_pickle=False)
        labels = np.load(folder / _LABELS, allow_pickle=False)
        sources = np.load(folder / _SOURCES, allow_pickle=False)
    except (OSError, ValueError, EOFError, ValidationError):
        return None
    square = (report.usable, report.size, report.size)
    if pictures.shape[:3] != square or pictures.dtype != np.uint8:
        return None
    if labels.shape != square[:1] or sources.shape != square[:1]:
        return None
    return Dataset(pictures, labels, sources, tuple(report.classes), report, key, folder)
