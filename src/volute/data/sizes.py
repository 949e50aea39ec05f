"""Which square sizes a network can have: 4 to 7 px doubled at least twice, 16 to 256 px."""

from __future__ import annotations

from volute.errors import UsageError

AUTO_LIMIT = 64


def valid_sizes() -> tuple[int, ...]:
    """Return every size in px that can be trained, ascending."""
    sizes = {base << doublings for base in range(4, 8) for doublings in range(2, 7)}
    return tuple(sorted(size for size in sizes if size <= 256))


def check_size(size: int) -> int:
    """Return `size` if it can be trained.

    Raises:
        UsageError: naming the valid sizes next to it.
    """
    if size in valid_sizes():
        return size
    below = [valid for valid in valid_sizes() if valid < size][-1:]
    above = [valid for valid in valid_sizes() if valid > size][:1]
    near = " or ".join(str(valid) for valid in below + above)
    raise UsageError(f"size {size} cannot be trained", f"The nearest that can: --size {near}")


def auto_size(side: int) -> int:
    """Return the largest size up to 64 px that `side` reaches, or the smallest of all."""
    return max((size for size in valid_sizes() if size <= min(side, AUTO_LIMIT)), default=16)
