"""What every handle is: an opened artefact and what it says of itself."""

from __future__ import annotations

from volute.engine.artefact import Artefact, ArtefactConfig


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
