from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from volute.data.stacked import Digits, read_digits
from volute.errors import DataError

PICTURES = np.arange(20, dtype=np.uint8)[:, None, None] + np.zeros((20, 16, 16), np.uint8)
LABELS = np.arange(20) % 10
GOOD = {"x_train": PICTURES, "y_train": LABELS, "x_test": PICTURES, "y_test": LABELS}


def test_channels_hold_the_digits_that_the_labels_say() -> None:
    pictures, digits = Digits(PICTURES, LABELS).stacked(300, 0)
    assert (pictures.shape, pictures.dtype) == ((300, 16, 16, 3), np.uint8)
    assert (pictures[:, 0, 0] % 10 == digits).all()
    assert (pictures == pictures[:, :1, :1]).all()


def test_a_seed_draws_the_same_triples_with_replacement() -> None:
    digits = Digits(PICTURES, LABELS)
    again = digits.stacked(50, 3)[1]
    assert (digits.stacked(50, 3)[1] == again).all()
    assert (digits.stacked(50, 4)[1] != again).any()
    rows = digits.stacked(500, 0)[0][:, 0, 0]
    assert (rows[:, 0] == rows[:, 1]).any()


def test_digits_are_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "digits.npz", **GOOD)
    train, test = read_digits(tmp_path / "digits.npz")
    assert (train.pictures == PICTURES).all()
    assert (test.labels == LABELS).all()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"x_test": PICTURES.astype(float)}, "pictures of float64"),
        ({"x_train": PICTURES[..., :8]}, r"pictures of uint8 \[20, 16, 8\]"),
        ({"y_train": LABELS[1:]}, "its labels"),
        ({"y_test": LABELS // 2}, "its labels"),
        ({"y_train": np.array([{}] * 20, object)}, "allow_pickle"),
        ({"x_test": None}, "x_test"),
    ],
)
def test_what_is_no_set_of_digits_is_refused(
    tmp_path: Path, changes: dict[str, np.ndarray | None], reason: str
) -> None:
    arrays = {key: value for key, value in (GOOD | changes).items() if value is not None}
    np.savez(tmp_path / "digits.npz", **arrays)
    with pytest.raises(DataError, match=reason):
        read_digits(tmp_path / "digits.npz")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x93NUMPY torn", b"text"])
def test_damaged_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "digits.npz").write_bytes(content)
    with pytest.raises(DataError, match="no set of digits"):
        read_digits(tmp_path / "digits.npz")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_digits(tmp_path / "none.npz")
