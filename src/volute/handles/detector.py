"""`Detector`: the handle of a `detector` artefact."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from volute.engine.artefact import Artefact
from volute.errors import UsageError
from volute.handles.handle import Handle
from volute.handles.pictures import Picture, opened
from volute.provenance import detector
from volute.provenance.detector import Traces


class Detector(Handle):
    """A detector of pictures that convolutional networks made."""

    def __init__(self, artefact: Artefact, threads: int | None = None) -> None:
        super().__init__(artefact)
        self._detector = detector.Detector(artefact, threads)

    def look(self, picture: Picture | np.ndarray) -> Traces:
        """Look for traces of up-sampling by a network; see `volute.provenance.detector.Traces`.

        Args:
            picture: a path, a PIL picture or an array as `provenance.detector.Detector.look` takes
                it; as it is in its file, not resized. Only of a path is it known how strongly it
                was compressed.

        Raises:
            UsageError: for what is no picture.
            DataError: if a file cannot be read.
        """
        if isinstance(picture, np.ndarray):
            return self._detector.look(picture)
        if isinstance(picture, str | Path):
            return detector.look_at(Path(picture), self._detector)
        pixels, _ = opened(picture)
        if len(pixels) != 1:
            raise UsageError("one picture is looked at at a time", "Give them one by one.")
        return self._detector.look(pixels[0])
