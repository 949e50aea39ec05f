"""What every handle is: an opened artefact and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from volute.engine.artefact import Artefact, ArtefactConfig
from volute.engine.choice import engine_of
from volute.engine.session import Engine, Session
from volute.provenance.manifest import Deed, Origin, Value


class Handle:
    """Base of the handles.

    Args:
        artefact: of its kind.
        engine: what its graphs run on; None for what a self-test found, else ONNX Runtime.
    """

    role: ClassVar[str] = ""
    """Name of the graph that does its work; empty where NumPy does it."""

    def __init__(self, artefact: Artefact, engine: Engine | None = None) -> None:
        self._artefact = artefact
        self._engine = engine

    @property
    def info(self) -> ArtefactConfig:
        """The model's configuration: name, descriptor, classes and more."""
        return self._artefact.config

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that the model knows; empty when there are none."""
        return self.info.classes

    def engine(self, role: str = "") -> Engine:
        """Return what runs a graph of the model; by itself the one that does its work."""
        return self._engine or engine_of(self._artefact, role or self.role)

    def session(self, role: str, threads: int | None = None) -> Session:
        """Return one of the model's graphs."""
        return Session(self._artefact.graph(role), threads, engine=self.engine(role))

    def origin(
        self,
        deed: Deed,
        parameters: Mapping[str, Value] | None = None,
        *,
        seed: int | None = None,
        parent: Path | None = None,
        inputs: tuple[Path, ...] = (),
    ) -> Origin:
        """Return how a file comes about that this model makes, for `volute.provenance.sign`.

        Args:
            deed: what it does.
            parameters: how; those that are None are left out.
            seed: of the draws.
            parent: the file that it works on.
            inputs: other files that go in.
        """
        told = {key: value for key, value in (parameters or {}).items() if value is not None}
        if self.role:
            told = {"engine": str(self.engine()), **told}
        digest = self._artefact.digest
        return Origin(deed, self.info.name, digest, told, seed, parent, inputs)
