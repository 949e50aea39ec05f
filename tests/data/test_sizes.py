"""Valid sizes, the nearest of an invalid one, and the automatic choice."""

import pytest

from volute.data.sizes import auto_size, check_size, valid_sizes
from volute.errors import UsageError

SIZES = (16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256)


def test_the_whole_list():
    assert valid_sizes() == SIZES
    assert [check_size(size) for size in SIZES] == list(SIZES)


@pytest.mark.parametrize(
    ("size", "nearest"), [(100, "96 or 112"), (0, "16"), (-5, "16"), (300, "256"), (17, "16 or 20")]
)
def test_an_invalid_size_names_its_neighbours(size, nearest):
    with pytest.raises(UsageError, match=f"size {size} cannot be trained") as caught:
        check_size(size)
    assert caught.value.hint.endswith(f"--size {nearest}")


@pytest.mark.parametrize(
    ("side", "size"), [(1, 16), (16, 16), (28, 28), (31, 28), (63, 56), (64, 64), (4000, 64)]
)
def test_the_automatic_size_never_enlarges_nor_exceeds_64(side, size):
    assert auto_size(side) == size
