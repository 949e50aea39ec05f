"""Stand-ins for the large networks that an extractor learns from: real formats, random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from make_artefact import make_extractor
from volute.nets.vgg import CHANNELS

FEATURES = 24


def teachers(folder: Path) -> dict[str, Any]:
    """Write both teachers and return the settings that name them."""
    rng = torch.Generator().manual_seed(0)
    before, index, tensors = 3, 0, {}
    for after, count in zip(CHANNELS, (2, 2, 3), strict=True):
        for _ in range(count):
            scale = (2 / (9 * before)) ** 0.5
            tensors[f"features.{index}.weight"] = scale * torch.randn(
                (after, before, 3, 3), generator=rng
            )
            tensors[f"features.{index}.bias"] = torch.zeros(after)
            before, index = after, index + 2
        index += 1
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "vgg.safetensors")
    make_extractor(folder / "trunk.onnx", side=224, dimension=FEATURES)
    return {
        "spatial_teacher": str(folder / "vgg.safetensors"),
        "global_teacher": str(folder / "trunk.onnx"),
        "global_features": FEATURES,
        "width": 8,
        "batch": 4,
        "threads": 1,
        "precision": "float32",
        "data": {"mode": "RGB"},
    }


def coloured(count: int, side: int = 128, seed: int = 0) -> np.ndarray:
    """Draw discs on grounds of several colours: uint8 [count, side, side, 3]."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:side, :side]
    pictures = np.empty((count, side, side, 3), np.uint8)
    for picture in pictures:
        ground, ink = rng.integers(0, 256, (2, 3))
        y, x, radius = rng.uniform(0.2, 0.8, 3) * side
        disc = np.hypot(rows - y, columns - x) < radius / 2
        picture[:] = np.where(disc[..., None], ink, ground)
        picture[:] = (picture + rng.normal(0, 6, picture.shape)).clip(0, 255)
    return pictures
