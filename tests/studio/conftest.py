from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")

from serving import Client, serving


@pytest.fixture(scope="package")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A studio with the shipped models, for all tests that leave it as it was."""
    with serving(tmp_path_factory.mktemp("studio") / "work") as client:
        yield client


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Client]:
    """A studio of the test's own."""
    with serving(tmp_path / "work") as client:
        yield client
