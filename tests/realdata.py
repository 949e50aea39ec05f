"""Where the real data lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def real_data(name: str) -> Path:
    """Return a path inside the real data, or skip the test with the reason."""
    folder = Path(os.environ.get("VOLUTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    path = folder / name
    if not path.exists():
        pytest.skip(f"real data not found: {name} (set VOLUTE_DATA to its folder)")
    return path
