from __future__ import annotations

from pathlib import Path

import pytest

from volute.provenance import manifest


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an own config folder, without any keys."""
    folder = tmp_path / "config"
    monkeypatch.setenv("VOLUTE_CONFIG", str(folder))
    monkeypatch.setattr(manifest, "_LATE", set())
    return folder
