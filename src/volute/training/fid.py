"""The FID extractor: the original Inception-v3 weights, fetched once and kept as an ONNX graph.

Only a Frechet distance on these features may be called FID.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from volute.download import Asset, fetch
from volute.errors import TRAIN_EXTRA, MissingExtraError, VoluteError
from volute.paths import atomic_file, cache_dir

INCEPTION = Asset(
    name="fid_inception.safetensors",
    url="https://huggingface.co/nikhilr01/sen-bridge-weights/resolve/main/fid_inception.safetensors",
    sha256="b7a528bf4051f62c057bc14657865abf180a23eb1748d00ff0933d84698202ed",
    limit=110_000_000,
    size="96 MB",
    licence="Apache-2.0 (the TensorFlow Authors, via pytorch-fid)",
)
"""TensorFlow's `inception-2015-12-05` as pytorch-fid ported it, tensor for tensor."""


def fid_graph(agree: Callable[[str], bool]) -> Path:
    """Return the graph for `measure.features.OnnxExtractor`, made on the first call.

    It takes `image`, float32 [n, 3, 299, 299] RGB in [0, 1], and gives `features` [n, 2048].

    Args:
        agree: as for `download.fetch`; not asked if the graph or the weights are in the cache.

    Raises:
        MissingExtraError: before any download, if there is neither graph nor torch.
        VoluteError: as `download.fetch`, or if the graph does not equal the torch network.
    """
    path = cache_dir() / "extractors" / "inception-v3.onnx"
    if not path.exists():
        _check_extra()
        _make(fetch(INCEPTION, agree), path)
    return path


def _check_extra() -> None:
    for name in TRAIN_EXTRA:
        if find_spec(name) is None:
            raise MissingExtraError(f"making the FID extractor needs {name}", "train")


def _make(weights: Path, path: Path) -> None:
    import torch  # here, so that a graph in the cache is given without torch's seconds

    from volute.nets.inception import SIDE, load_inception
    from volute.training.export import TOLERANCE, drop_notes, parity, to_onnx
    from volute.training.recipe import Graph

    example = {"image": torch.zeros(2, 3, SIDE, SIDE)}
    graph = Graph("features", load_inception(weights), example, "features")
    model = to_onnx(graph)
    drop_notes(model)
    with atomic_file(path) as part:
        part.write_bytes(model.SerializeToString())
        worst = parity(part.parent, {graph.role: part.name}, [graph])
        if worst > TOLERANCE:
            raise VoluteError(
                f"the exported Inception-v3 differs from torch's by {worst:.1e}",
                "This is a defect of the export: please report it with torch's version.",
            )
