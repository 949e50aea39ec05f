"""Settings that name files: found from wherever a run is resumed, and told by name alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, PlainSerializer


def _lasting(name: str) -> str:
    return str(Path(name).resolve()) if name and Path(name).exists() else name


def told(name: str) -> str:
    """Return what a model is called: the folder `model` by the run that it lies in."""
    path = Path(name)
    return path.parent.name if path.name == "model" else path.name


Teacher = Annotated[
    str,
    AfterValidator(lambda path: path and str(Path(path).resolve())),
    PlainSerializer(lambda path: Path(path).name),
]
"""A file; a model that was made with it says its name, not where it lay."""
Start = Annotated[str, AfterValidator(_lasting), PlainSerializer(told)]
"""A shipped model, a run or an artefact; told likewise."""
