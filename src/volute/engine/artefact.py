"""The artefact: the one folder that crosses from training to use. Reading one runs no code of it.

`config.json` says what the model is, `*.onnx` are its graphs, `weights.safetensors` holds the
weights (graphs may refer into it as ONNX external data), `README.md` is the card, and beside them
lie `metrics.json`, `samples.png` and `LICENSE`. A folder may come from a stranger, so every name in
it is confined to the folder, every text is one printable line, and every size has a limit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import numpy as np
from pydantic import AfterValidator, Field, model_validator

from volute.config import Config
from volute.engine.card import card_text
from volute.engine.descriptor import Descriptor, Line, Side, Stem
from volute.errors import UsageError, VoluteError, printable
from volute.paths import atomic_folder

if TYPE_CHECKING:
    from PIL.Image import Image

FORMAT_VERSION = 1
CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
STYLE_FILE = "style.bin"
"""Where the graph of a stylizer looks for its weights: a file that lies in memory alone."""
MAX_CONFIG = 1 << 20
MAX_HEADER = 16 << 20
MAX_GRAPH = 64 << 20
MAX_WEIGHTS = 2 << 30

StyleName = Annotated[Line, Field(min_length=1, max_length=100, pattern=r"^[^,:]*$")]
"""A name that can stand in a mix such as `wave:0.7,monet:0.3`."""


def _graph_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w.-]{0,200}\.onnx", name):
        raise ValueError("a graph is a plain file name that ends in .onnx")
    return name


class ArtefactConfig(Config):
    """The contents of `config.json`."""

    format_version: int
    name: Stem
    descriptor: Descriptor
    graphs: dict[Line, Annotated[str, AfterValidator(_graph_name)]]
    """File name of the ONNX graph for each role, such as `generator` or `encoder`."""
    latent: Side = 0
    """Length of the latent vector."""
    density: Side = 0
    """How many of the first latent dimensions are drawn from the stored mixture."""
    classes: tuple[Line, ...] = ()
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability under which a classifier abstains."""
    styles: tuple[StyleName, ...] = ()
    """Names of the styles that a stylizer knows, in the order of its codes."""
    numbers: Literal["float32", "float16", "int8"] = "float32"
    """In which the weights of the main graph lie; those in `float16` compute in float32."""
    preset: Line
    settings: dict[Line, Any] = {}
    """Of the recipe, all of them: what it takes to build the networks again."""
    volute: Line
    """Version of volute that made it."""
    created: Line
    """ISO date."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        sampled = self.descriptor.kind in ("gan", "vae")
        if sampled and not (self.descriptor.size and self.latent >= max(1, self.density)):
            raise ValueError("a gan or vae needs a size, and at least `density` latent dimensions")
        if self.descriptor.kind == "classify" and not self.classes[1:]:
            raise ValueError("a classifier needs at least two classes")
        if self.of_texts and self.graphs:
            raise ValueError("a classifier of pictures needs a size")
        if self.descriptor.kind == "style":
            self._check_style()
        return self

    @property
    def of_texts(self) -> bool:
        """Whether it classifies texts, not pictures: it has no size then."""
        return self.descriptor.kind == "classify" and not self.descriptor.size

    def _check_style(self) -> None:
        if not (self.styles or "encoder" in self.graphs):
            raise ValueError("a stylizer needs styles or an encoder")
        if len(set(self.styles)) < len(self.styles):
            raise ValueError("two styles have one name")


@dataclass(frozen=True)
class Artefact:
    """An artefact folder that has passed the checks of `open_artefact`."""

    path: Path
    config: ArtefactConfig

    def graph(self, role: str) -> Path:
        """Return the path of the graph for `role`.

        Raises:
            VoluteError: if the model has no such graph.
        """
        if role not in self.config.graphs:
            known = ", ".join(self.config.graphs)
            raise VoluteError(f"{self.path} has no {role} graph", f"It has: {known}")
        return self.path / self.config.graphs[role]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of `weights.safetensors`, in hexadecimal."""
        with (self.path / WEIGHTS).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def tensors(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the named tensors of `weights.safetensors`; only these are read.

        Raises:
            VoluteError: naming the tensor that is not there.
        """
        from safetensors import SafetensorError, safe_open

        result = {}
        try:
            with safe_open(self.path / WEIGHTS, framework="numpy") as weights:
                there = set(weights.keys())
                for name in names:
                    if name not in there:
                        raise _damaged(self.path / WEIGHTS, f"it has no tensor {name}")
                    result[name] = weights.get_tensor(name)
        except SafetensorError as error:
            raise _damaged(self.path / WEIGHTS, str(error)) from error
        return result

    def metrics(self) -> dict[str, float]:
        """Return the numbers in `metrics.json`; empty when there is none."""
        file = self.path / "metrics.json"
        if not file.exists():
            return {}
        values = _read_json(file)
        return {
            printable(key): float(value)
            for key, value in values.items()
            if isinstance(value, int | float) and abs(value) < 1e300
        }


def open_artefact(path: Path) -> Artefact:
    """Check the folder at `path` and return the artefact; no graph is loaded yet.

    Raises:
        UsageError: if there is no artefact at `path`.
        VoluteError: if a newer volute made it, a file is missing, too large or incomplete.
    """
    config = _read_config(path)
    for name in (*config.graphs.values(), WEIGHTS):
        limit = MAX_WEIGHTS if name == WEIGHTS else MAX_GRAPH
        _check_file(path / name, limit)
    _check_weights(path / WEIGHTS)
    return Artefact(path, config)


def write_artefact(
    path: Path,
    config: ArtefactConfig,
    graphs: Mapping[str, bytes],
    weights: Mapping[str, np.ndarray] | bytes,
    metrics: Mapping[str, Any],
    samples: Image | None,
    training: Mapping[str, str],
) -> Artefact:
    """Write a whole artefact folder, or nothing; a folder at `path` is replaced.

    Args:
        path: the folder to make.
        config: what goes into `config.json`; its `graphs` names the files.
        graphs: serialised ONNX model for each role of `config.graphs`.
        weights: tensors by name, or the ready bytes of a safetensors file when the graphs refer
            into it by offset.
        metrics: measures for `metrics.json` and the card.
        samples: a grid for `samples.png`.
        training: rows of the card's training table, such as `{"images shown": "48 000"}`.
    """
    from safetensors.numpy import save

    assert set(graphs) == set(config.graphs), "one serialised graph for each role"
    content = weights if isinstance(weights, bytes) else save(dict(weights))
    with atomic_folder(path) as part:
        (part / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
        for role, graph in graphs.items():
            (part / config.graphs[role]).write_bytes(graph)
        (part / WEIGHTS).write_bytes(content)
        measures = json.dumps(dict(metrics), indent=2, ensure_ascii=False)
        (part / "metrics.json").write_text(measures + "\n", encoding="utf-8")
        if samples is not None:
            samples.save(part / "samples.png")
        card = card_text(config, metrics, training, pictured=samples is not None)
        (part / "README.md").write_text(card, encoding="utf-8")
        (part / "LICENSE").write_text(config.descriptor.licence + "\n", encoding="utf-8")
    return open_artefact(path)


def _read_config(path: Path) -> ArtefactConfig:
    file = path / CONFIG
    if not file.is_file():
        raise UsageError(f"{path} is not a model: it has no {CONFIG}")
    values = _read_json(file)
    version = values.get("format_version")
    if isinstance(version, int) and version > FORMAT_VERSION:
        raise VoluteError(
            f"{path} was made by a newer volute: its format is {version}, not {FORMAT_VERSION}",
            "Update with: pip install -U volute",
        )
    try:
        return ArtefactConfig.make(values)
    except UsageError as error:
        raise VoluteError(f"{file}: {error.what}", error.hint) from error


def _read_json(file: Path) -> dict[str, Any]:
    _check_file(file, MAX_CONFIG)
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise _damaged(file, f"not valid JSON ({error})") from error
    if not isinstance(values, dict):
        raise _damaged(file, "it holds no JSON object")
    return values


def _check_file(file: Path, limit: int) -> None:
    try:
        size = file.stat().st_size
    except OSError as error:
        raise _damaged(file, "the file is missing") from error
    if size > limit:
        raise VoluteError(f"{file} has {size >> 20} MB; the limit is {limit >> 20} MB")


def _check_weights(file: Path) -> None:
    """Compare what the safetensors header promises with the length of the file."""
    have = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if have < 8 or 8 + length > have:
            raise _damaged(file, f"it ends after {have} bytes, inside its header")
        if length > MAX_HEADER:
            raise _damaged(file, "its header is too large")
        header = stream.read(length)
    try:
        entries = json.loads(header)
        entries.pop("__metadata__", None)
        need = 8 + length + max((entry["data_offsets"][1] for entry in entries.values()), default=0)
    except (ValueError, RecursionError, AttributeError, TypeError, LookupError) as error:
        raise _damaged(file, "its header is not safetensors") from error
    if have != need:
        raise _damaged(file, f"it has {have} of {need} bytes")


def _damaged(file: Path, reason: str) -> VoluteError:
    hint = "The model is incomplete or damaged. Copy the whole folder again, or export it anew."
    return VoluteError(f"cannot use {file}: {reason}", hint)
