"""Files to sign, and what the official reader says of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from c2pa import Context, Reader
from PIL import Image

from volute.provenance import Origin, keys

WEIGHTS = "ab" * 32
SAMPLED = Origin("sample", "tiny-gan", WEIGHTS, {"truncation": 0.7}, seed=5)


def noise(height: int = 24, width: int = 32, channels: int = 3) -> np.ndarray:
    """Return uint8 [H, W, C]."""
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def picture(path: Path, **how: Any) -> Path:
    """Write a picture of noise; the ending says the format."""
    Image.fromarray(noise()).save(path, **how)
    return path


def officially(path: Path, sidecar: Path | None = None, anchors: bytes | None = None) -> Any:
    """Return what c2pa's own reader tells of a file, with this computer's authority trusted."""
    pem = keys.authority_pem() if anchors is None else anchors
    settings: dict[str, Any] = {"verify": {"remote_manifest_fetch": False}}
    if pem:
        settings["trust"] = {"user_anchors": pem.decode()}
    known = {".txt": "text/plain"}.get(path.suffix, "application/octet-stream")
    with path.open("rb") as stream:
        context = Context.from_dict(settings)
        if sidecar is None:
            reader = Reader(None, stream, context=context)
        else:
            reader = Reader(known, stream, sidecar.read_bytes(), context=context)
        with reader:
            return json.loads(reader.json())


def active(told: Any) -> Any:
    """Return the manifest of the file itself."""
    return told["manifests"][told["active_manifest"]]


def assertion(told: Any, label: str) -> Any:
    """Return an assertion of the file's own manifest."""
    return next(one["data"] for one in active(told)["assertions"] if one["label"] == label)
