"""Shared fixtures: folders for cache and keys of the tests' own."""

from __future__ import annotations

import pytest

from volute.provenance import keys


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep every test out of the user's cache and keys; there are keys already."""
    base = tmp_path_factory.getbasetemp()
    monkeypatch.setenv("VOLUTE_CACHE", str(base / "cache"))
    monkeypatch.setenv("VOLUTE_CONFIG", str(base / "config"))
    if not (base / "config" / "keys").exists():
        keys.init()
