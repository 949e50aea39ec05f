"""What every handle is: an opened artefact and what it says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from volute.engine.artefact import Artefact, ArtefactConfig
from volute.provenance.manifest import Deed, Origin, Value


class Handle:
    """Base of the handles."""

    def __init__(self, artefact: Artefact) -> None:
        self._artefact = artefact

    @property
    def info(self) -> ArtefactConfig:
        """The model's configuration: name, descriptor, classes and more."""
        return self._artefact.config

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that the model knows; empty when there are none."""
        return self.info.classes

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
        digest = self._artefact.digest
        return Origin(deed, self.info.name, digest, told, seed, parent, inputs)
