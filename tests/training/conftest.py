from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from shapes import shapes


@pytest.fixture(scope="session")
def shapes_npz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of 256 labelled shapes, 16 px, grey."""
    path = tmp_path_factory.mktemp("data") / "shapes.npz"
    pictures, labels = shapes(256)
    np.savez(path, x_train=pictures, y_train=labels)
    return path
