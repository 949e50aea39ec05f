"""The networks of the styles and pictures that were used last, ready to run."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from volute.engine.artefact import STYLE_FILE, Artefact
from volute.engine.session import DEFAULT, Engine, Session
from volute.engine.stylize import Restyler
from volute.engine.tiles import Network, halves, up
from volute.errors import VoluteError
from volute.handles.styles import Seen

BORDER = 16
"""Pixels by which pictures are continued, mirrored: it takes away more than half of what zeros
beyond them would change, and costs an eighth of the time at 512 px."""
KEPT = 4
"""Networks that are kept."""


class StyleNetworks:
    """Turns a style and a picture into the network for both; for several threads at once.

    Args:
        artefact: of kind `style`.
        workers: threads.
        engine: what the network runs on. What makes its weights always runs on the default: they
            are measured once, and must be exact.
    """

    def __init__(self, artefact: Artefact, workers: int, engine: Engine = DEFAULT) -> None:
        self.about, self._workers, self._engine = artefact.config.descriptor, workers, engine
        self._modulator = Session(artefact.graph("modulator"), workers)
        self._graph = artefact.graph("stylizer")
        self._networks: OrderedDict[tuple[bytes, bytes], tuple[Network, Network]] = OrderedDict()
        self._lock = threading.Lock()

    def restyler(
        self, code: np.ndarray, seen: Seen, strength: float, keep_colour: bool
    ) -> Restyler:
        """Return what repaints in the style of a code, float32 [D], at the scales of a picture.

        Args:
            code: of the style.
            seen: of that picture.
            strength: in (0, 1].
            keep_colour: as for `Stylizer.stylize`.

        Raises:
            VoluteError: if the modulator cannot run, or gives what are no weights.
        """
        key = code.tobytes(), seen.digest
        with self._lock:
            pair = self._networks.pop(key, None) or self._made(code, seen.pixels)
            self._networks[key] = pair
            while len(self._networks) > KEPT:
                self._networks.popitem(last=False)
        about, multiple = self.about, self.about.size_multiple
        border = up(about.radius if seen.plain else BORDER, multiple)
        return Restyler(*pair, about.radius, multiple, self._workers, keep_colour, strength, border)

    def _made(self, code: np.ndarray, seen: np.ndarray) -> tuple[Network, Network]:
        """Return a network, each call on one thread, and on all of them."""
        weights = self._modulator.run({"code": code[None], "picture": seen[None]})
        if weights.dtype != np.float32 or not np.isfinite(weights).all():
            what = f"{self._modulator.path} gave weights that are not numbers"
            raise VoluteError(what, "Export the model anew.")
        files = {STYLE_FILE: weights.tobytes()}
        one = Session(self._graph, 1, files, self._engine)
        every = one
        if self._workers > 1:
            every = Session(self._graph, self._workers, files, self._engine)
        return self._network(one), self._network(every)

    def _network(self, session: Session) -> Network:
        about = self.about

        def network(block_BCHW: np.ndarray) -> np.ndarray:
            block = np.ascontiguousarray(block_BCHW, np.float32)
            try:
                made = session.run({"picture": block})
            except MemoryError:
                return halves(network, block, 1, about.radius, about.size_multiple)
            if reason := _wrong(made, block):
                raise VoluteError(f"{session.path} made {reason}", "Export the model anew.")
            return made

        return network


def _wrong(made: np.ndarray, block: np.ndarray) -> str:
    """Return what is wrong with what a network made of a block, as words; empty: nothing."""
    if made.shape != block.shape:
        return f"{list(made.shape)} of {list(block.shape)}"
    if made.dtype != np.float32:
        return f"{made.dtype} instead of float32"
    with np.errstate(over="ignore", invalid="ignore"):  # one that is none makes the sum none
        return "" if np.isfinite(made.sum()) else "numbers that are none, or too large"
