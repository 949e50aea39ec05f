"""Feature vectors of pictures: what the distances between two sets of pictures are taken on.

Any callable with the shape of `FeatureExtractor` will do; `OnnxExtractor` runs an ONNX graph, such
as the trunk of MobileNetV2. A distance depends on the extractor: reports name it and its hash.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from volute.engine.artefact import WEIGHTS, open_artefact
from volute.engine.session import Session
from volute.errors import UsageError
from volute.paths import atomic_file, cache_dir
from volute.zoo import resolve, shipped

FORMAT = 1  # of cached features: raised when the preparation of pictures changes


class FeatureExtractor(Protocol):
    """Turns pictures into feature vectors."""

    name: str
    """What reports call it."""
    sha256: str
    """Hash of the weights, in hexadecimal digits."""
    dimension: int
    distance: str
    """What the Frechet distance on these features is called."""

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Return float32 [n, dimension] for uint8 [n, H, W, C] with C of 1, 3 or 4."""
        ...


class OnnxExtractor:
    """An ONNX graph from `image`, float32 [n, 3, side, side] RGB in [0, 1], to features [n, d].

    Pictures of any size are made RGB (grey repeated, alpha laid on white) and resized with Pillow's
    antialiased bicubic filter on 8-bit values.

    Args:
        path: the graph, for example `mobilenetv2_trunk.onnx`.
        name: what reports call it; by default the name of the file.
        distance: what the Frechet distance on its features is called.
        sha256: of its weights, if they do not lie in the file.
        batch: pictures per run of the graph; 8 was the fastest on a 2-core CPU.
        threads: threads inside one operator; None for one on each physical core.

    Raises:
        VoluteError: if there is no such file, or it is not such a graph.
    """

    def __init__(
        self,
        path: Path,
        name: str = "",
        distance: str = "Frechet distance",
        sha256: str = "",
        batch: int = 8,
        threads: int | None = None,
    ) -> None:
        self.sha256 = sha256 or _digest(path)
        self.name = name or path.stem
        self.distance = distance
        self.batch = batch
        self._session = Session(path, threads)
        self.side = self._square()
        self.dimension = self.run(np.zeros((1, 3, self.side, self.side), np.float32)).shape[1]

    def __call__(self, pictures: np.ndarray) -> np.ndarray:
        """Return float32 [n, dimension] for uint8 [n, H, W, C] with C of 1, 3 or 4."""
        features = np.empty((len(pictures), self.dimension), np.float32)
        for start in range(0, len(pictures), self.batch):
            block = pictures[start : start + self.batch]
            image = np.stack([_prepared(picture, self.side) for picture in block])
            features[start : start + len(block)] = self.run(image)
        return features

    def _square(self) -> int:
        shape = self._session.shape("image")
        if len(shape) != 4 or shape[1:] != [3, shape[3], shape[3]] or not isinstance(shape[3], int):
            expected = "image [n, 3, S, S] with a fixed S, and features [n, d]"
            raise UsageError(
                f"{self._session.path} takes {shape}; a feature extractor is {expected}"
            )
        return shape[3]

    def run(self, image: np.ndarray) -> np.ndarray:
        """Return the features [n, dimension] of float32 [n, 3, side, side] RGB in [0, 1]."""
        return self._session.run({"image": image})


def open_extractor(ref: str | Path = "eye", threads: int | None = None) -> OnnxExtractor:
    """Return the extractor in an ONNX file, or of a model of kind `extractor`.

    Raises:
        UsageError: if it is neither.
    """
    if Path(ref).suffix == ".onnx":
        return OnnxExtractor(Path(ref), threads=threads)
    artefact = open_artefact(resolve(ref))
    config = artefact.config
    if config.descriptor.kind != "extractor":
        raise UsageError(
            f"{config.name} is a {config.descriptor.kind}, not an extractor",
            "Leave --extractor out for the shipped one, or give an ONNX file.",
        )
    ours = artefact.path in shipped().values()
    distance = f"FD-{config.name}" if ours else "Frechet distance"
    digest = hashlib.sha256((artefact.path / WEIGHTS).read_bytes()).hexdigest()
    graph = artefact.graph("embedding")
    return OnnxExtractor(graph, config.name, distance, digest, threads=threads)


def cached_features(extractor: FeatureExtractor, pictures: np.ndarray) -> np.ndarray:
    """Return `extractor(pictures)`, kept in the cache folder under the content of both."""
    digest = hashlib.sha256(f"{FORMAT} {extractor.sha256} {pictures.shape}".encode())
    digest.update(np.ascontiguousarray(pictures).data)
    path = cache_dir() / "features" / f"{digest.hexdigest()[:32]}.npy"
    if path.exists():
        return np.load(path, allow_pickle=False)
    features = extractor(pictures)
    with atomic_file(path) as part:
        np.save(part, features, allow_pickle=False)
    return features


def _digest(path: Path) -> str:
    """Return the SHA-256 of a file and of those beside it that it names, as a graph its weights."""
    try:
        content = path.read_bytes()
        digest = hashlib.sha256(content)
        for other in sorted(path.resolve().parent.iterdir()):
            if other.is_file() and other.name != path.name and other.name.encode() in content:
                digest.update(other.read_bytes())
        return digest.hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read feature extractor {path}: {error.strerror}") from error


def _prepared(picture: np.ndarray, side: int) -> np.ndarray:
    """Return one uint8 [H, W, C] as float32 [3, side, side] in [0, 1]."""
    channels = picture.shape[-1]
    image = Image.fromarray(picture[..., 0] if channels == 1 else picture)
    if channels == 4:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    resized = image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(resized, np.float32).transpose(2, 0, 1) / np.float32(255)
