from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def own_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a worker sets in its process, which here is this one."""
    monkeypatch.setenv("VOLUTE_THREADS", "2")
    monkeypatch.setenv("VIPS_CONCURRENCY", "2")
