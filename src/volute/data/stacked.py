"""Stacked digits: three of them as the colour channels of one picture, drawn with replacement."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from volute.errors import DataError

ARRAYS = ("x_train", "y_train", "x_test", "y_test")


@dataclass(frozen=True)
class Digits:
    """Grey digits, uint8 [n, S, S], and what they show, 0 to 9, [n]."""

    pictures: np.ndarray
    labels: np.ndarray

    def stacked(self, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw triples: uint8 [count, S, S, 3], and the digits in them [count, 3].

        Each channel is a uniform draw with replacement; the same seed draws the same triples.
        """
        rows = np.random.default_rng(seed).integers(len(self.labels), size=(count, 3))
        pictures = np.ascontiguousarray(self.pictures[rows].transpose(0, 2, 3, 1))
        return pictures, self.labels[rows]


def read_digits(path: Path) -> tuple[Digits, Digits]:
    """Return the digits to learn from and those to test with, of a file such as mnist.npz.

    Raises:
        DataError: if `path` cannot be read, or does not hold x_train, y_train, x_test and y_test
            with square pictures of ten classes.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            x_train, y_train, x_test, y_test = (file[name] for name in ARRAYS)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise _unlike(path, str(error).strip("'\"")) from error
    train, test = Digits(x_train, y_train), Digits(x_test, y_test)
    for part in (train, test):
        _check(path, part)
    return train, test


def _check(path: Path, part: Digits) -> None:
    pictures, labels = part.pictures, part.labels
    square = pictures.ndim == 3 and pictures.shape[1] == pictures.shape[2]
    if not square or pictures.dtype != np.uint8:
        raise _unlike(path, f"pictures of {pictures.dtype} {list(pictures.shape)}")
    if labels.shape != pictures.shape[:1] or set(np.unique(labels).tolist()) != set(range(10)):
        raise _unlike(path, "its labels are not ten digits, one for each picture")


def _unlike(path: Path, reason: str) -> DataError:
    names = ", ".join(ARRAYS)
    hint = f"Give an npz file with {names}: uint8 [n, 28, 28] and their digits, as mnist.npz."
    return DataError(f"{path} is no set of digits: {reason}", hint)
