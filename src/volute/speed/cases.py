"""What a model is measured by: each of its graphs, on inputs of usual size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from volute.engine.artefact import STYLE_FILE, WEIGHTS, Artefact
from volute.engine.session import DEFAULT, Engine, Session
from volute.handles.style_book import StyleBook

SIDE, BATCH = 512, 16
"""Side of a picture in pixels where any will do, and items where all sizes are fixed."""
NUMBERS = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


@dataclass(frozen=True)
class Case:
    """One graph, with what it is run on."""

    role: str
    path: Path
    inputs: Mapping[str, np.ndarray]
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Weights that lie in memory; see `Session`."""

    def session(self, threads: int | None = None, engine: Engine = DEFAULT) -> Session:
        """Return what runs it."""
        return Session(self.path, threads, self.files, engine)

    @property
    def external(self) -> Mapping[str, bytes]:
        """All its weights by the name of their file."""
        return self.files or {WEIGHTS: self.path.with_name(WEIGHTS).read_bytes()}

    @property
    def fresh(self) -> bool:
        """Whether each picture has a graph of its own, so that loading it counts."""
        return bool(self.files)

    @property
    def items(self) -> int:
        """How many pictures, or codes, it is run on at once."""
        return len(next(iter(self.inputs.values())))

    @property
    def size(self) -> str:
        """What it is run on, in words."""
        for array in self.inputs.values():
            if array.ndim == 4:
                return f"{self.items} x {array.shape[3]} x {array.shape[2]} px"
        return f"{self.items} latents"

    @property
    def megapixels(self) -> float:
        """Of what goes in; 0 where no picture does."""
        planes = [array for array in self.inputs.values() if array.ndim == 4]
        return math.prod((planes[0].shape[0], *planes[0].shape[2:])) / 1e6 if planes else 0.0


def cases(artefact: Artefact, side: int = SIDE, batch: int = BATCH) -> list[Case]:
    """Return the graphs of a model, its main one first.

    Args:
        artefact: any but of texts, whose networks are no graphs.
        side: of pictures, in pixels, where any will do.
        batch: how many pictures or latents, where their size is fixed.
    """
    known = {role: artefact.graph(role) for role in artefact.config.graphs}
    main = [role for role in ("generator", "decoder", "upscaler", "stylizer") if role in known]
    roles = [*main, *(role for role in known if role not in main)]
    found = []
    for role in roles:
        files = {STYLE_FILE: _weights(artefact)} if role == "stylizer" else {}
        found.append(Case(role, known[role], _inputs(known[role], files, side, batch), files))
    return found


def natural(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Return what has the spectrum of photographs, and edges: float32 [..., H, W] in [-1, 1].

    Amplitudes fall as 1 / f (Field 1987, JOSA A 4(12)); a threshold of the same makes the edges.
    """
    rng = np.random.default_rng(seed)
    height, width = shape[-2:]
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    falling = 1 / np.maximum(np.hypot(rows, columns), 1 / max(height, width))
    waves = np.fft.rfft2(rng.standard_normal(shape)) * falling
    smooth = np.fft.irfft2(waves, (height, width))
    smooth = smooth / (3 * smooth.std() + 1e-9)
    return np.clip(smooth + 0.3 * np.sign(np.roll(smooth, 5, -1)), -1, 1).astype(np.float32)


def _inputs(path: Path, files: Mapping[str, bytes], side: int, batch: int) -> dict[str, np.ndarray]:
    """Return a value for each input, in the shape that the graph leaves or demands."""
    from volute.engine.with_onnxruntime import inputs_of

    Session(path, 1, files).load()  # says what is wrong with it
    puts = inputs_of(path, files)
    inner = [size for _, shape in puts.values() for size in shape[1:]]
    items = batch if all(isinstance(size, int) for size in inner) else 1
    made = {}
    for number, (name, (kind, shape)) in enumerate(puts.items()):
        free = (items, *[side] * (len(shape) - 1))
        sides = [size if isinstance(size, int) else free[at] for at, size in enumerate(shape)]
        made[name] = _values(tuple(sides), NUMBERS[kind], number)
    return made


def _values(shape: tuple[int, ...], dtype: type, seed: int) -> np.ndarray:
    if dtype is np.int64:
        return np.zeros(shape, np.int64)
    if len(shape) == 4:
        return natural(shape, seed)
    if len(shape) == 1:
        return np.full(shape, 0.5, np.float32)
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def _weights(artefact: Artefact) -> bytes:
    """Return the weights of a style network in the model's first style."""
    config = artefact.config
    grey = np.full((64, 64, 3), 128, np.uint8)
    style = StyleBook(artefact, None).style(config.styles[0] if config.styles else grey)
    seen = natural((1, 3, SIDE, SIDE))
    modulator = Session(artefact.graph("modulator"))
    return modulator.run({"code": style.code[None], "picture": seen}).tobytes()
