"""The artefacts that ship with the package, one folder each, and what a model reference means."""

from __future__ import annotations

from pathlib import Path

from volute.config import nearest
from volute.errors import UsageError

HERE = Path(__file__).parent


def shipped() -> dict[str, Path]:
    """Return the folder of each shipped model by name, in order of name."""
    return {file.parent.name: file.parent for file in sorted(HERE.glob("*/config.json"))}


def resolve(ref: str | Path) -> Path:
    """Return the artefact folder that `ref` means.

    Args:
        ref: the name of a shipped model, an artefact folder, or a run folder (its `model/`). A
            shipped name goes before a folder of that name: write `./name` for the folder.

    Raises:
        UsageError: if it is none of these, naming the nearest shipped model.
    """
    known = shipped()
    if ref in known:
        return known[str(ref)]
    path = Path(ref)
    for folder in (path, path / "model"):
        if (folder / "config.json").is_file():
            return folder
    if (path / "config.toml").is_file():
        raise UsageError(
            f"{path} is a run that has no model yet",
            f"Make one with: volute export {path}    Go on training with: volute resume {path}",
        )
    if path.exists():
        raise UsageError(
            f"{path} is not a model: it has no config.json",
            "Give a run folder, an artefact folder or a shipped name (volute models).",
        )
    hint = nearest(str(ref), known) or "The shipped models are listed by: volute models"
    raise UsageError(f"there is no model {ref}: neither a folder nor a shipped model", hint)
