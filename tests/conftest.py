"""Shared fixtures: where the real data lies, and folders for cache and keys of the tests' own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from volute.provenance import keys


def real_data(name: str) -> Path:
    """Return a path inside the real data, or skip the test with the reason."""
    folder = Path(os.environ.get("VOLUTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    path = folder / name
    if not path.exists():
        pytest.skip(f"real data not found: {name} (set VOLUTE_DATA to its folder)")
    return path


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test out of the user's cache and keys; there are keys already."""
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("VOLUTE_CACHE", str(base / "cache"))
    monkeypatch.setenv("VOLUTE_CONFIG", str(base / "config"))
    if not (base / "config" / "keys").exists():
        keys.init()
