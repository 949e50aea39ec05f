"""The models at hand: shipped, imported into the workspace, or made by its runs."""

from __future__ import annotations

import re
import shutil
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeVar

from volute import zoo
from volute.config import nearest
from volute.engine.artefact import Artefact, open_artefact
from volute.engine.card import facts
from volute.errors import DataError, UsageError, VoluteError
from volute.handles import Model, load
from volute.handles.sampling import Sampler
from volute.paths import atomic_folder, explained, new_output
from volute.studio.models import ModelCard, ModelInfo
from volute.studio.problems import InUseError, NotFoundError, TooLargeError

KEPT = 8
"""Models that are kept loaded."""
MEMBERS, MOST = 64, 3 << 30
"""Files in an artefact that is imported, and their bytes."""
ENDINGS = (".json", ".onnx", ".safetensors", ".md", ".png", ".bin")
H = TypeVar("H")


class Shelf:
    """Finds models by name, and keeps those loaded that were used last; for several threads."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._loaded: OrderedDict[tuple[str, int], Model] = OrderedDict()
        self._opened: dict[tuple[str, int], Artefact] = {}

    def places(self) -> dict[str, tuple[Literal["shipped", "imported", "run"], Path]]:
        """Return where each model lies, by its name."""
        found: dict[str, tuple[Any, Path]] = {}
        for config in sorted((self._root / "runs").glob("*/model/config.json")):
            found[config.parents[1].name] = ("run", config.parent)
        for config in sorted((self._root / "models").glob("*/config.json")):
            if not config.parent.name.startswith("."):
                found[config.parent.name] = ("imported", config.parent)
        found |= {name: ("shipped", path) for name, path in zoo.shipped().items()}
        return found

    def place(self, name: str) -> Path:
        """Return where a model lies.

        Raises:
            NotFoundError: naming the nearest.
        """
        plain = re.fullmatch(r"[\w][\w.-]*", name)
        root = self._root
        for path in (zoo.HERE / name, root / "models" / name, root / "runs" / name / "model"):
            if plain and (path / "config.json").is_file():
                return path
        hint = nearest(name, self.places()) or "Ask for the list: GET /api/v1/models"
        raise NotFoundError(f"there is no model {name}", hint)

    def load(self, name: str, kind: type[H], what: str) -> H:
        """Return the handle of a model.

        Args:
            name: as in the list.
            kind: of the handle.
            what: it is to do, for the error, such as "stylize".

        Raises:
            NotFoundError: if there is no such model.
            UsageError: if it is of another kind.
            VoluteError: if it is damaged.
        """
        path = self.place(name)
        key = (str(path), _stamp(path))
        with self._lock:
            handle = self._loaded.pop(key, None) or load(path, threads=_threads(self._open(path)))
            self._loaded[key] = handle
            while len(self._loaded) > KEPT:
                self._loaded.popitem(last=False)
        if not isinstance(handle, kind):
            found = handle.info.descriptor.kind
            raise UsageError(f"{name} cannot {what}: it is of kind {found}", "Use another model.")
        return handle

    def sampler(self, name: str) -> Sampler:
        """Return a model that makes pictures, as `load` does."""
        return self.load(name, Sampler, "make pictures")

    def list(self) -> list[ModelInfo]:
        """Return all models that can be used."""
        return [info for name in self.places() for info in self._infos(name)]

    def _infos(self, name: str) -> Iterator[ModelInfo]:
        try:
            yield self.info(name)
        except VoluteError:  # damaged, or deleted meanwhile: it cannot be used
            return

    def info(self, name: str) -> ModelInfo:
        """Return what a list says of a model."""
        return ModelInfo(**self._about(name))

    def card(self, name: str) -> ModelCard:
        """Return all that a model says of itself."""
        artefact = self._open(self.place(name))
        page = artefact.path / "README.md"
        text = page.read_text(encoding="utf-8", errors="replace") if page.is_file() else ""
        return ModelCard(
            **self._about(name),
            config=artefact.config,
            facts=facts(artefact.config),
            metrics=artefact.metrics(),
            card=text[: 1 << 18],
        )

    def _about(self, name: str) -> dict[str, Any]:
        origin, path = self.places().get(name) or ("run", self.place(name))
        config = self._open(path).config
        about = config.descriptor
        files = (file for file in path.iterdir() if file.is_file())
        return {
            "name": name,
            "kind": about.kind,
            "origin": origin,
            "size": about.size,
            "scale": about.scale,
            "channels": about.channels,
            "classes": config.classes if about.kind != "vae" else (),
            "styles": config.styles,
            "own_styles": about.kind == "style" and "encoder" in config.graphs,
            "strength": bool(config.settings.get("robust")),
            "int8": "int8" in config.graphs,
            "parameters": about.parameters,
            "bytes": sum(file.stat().st_size for file in files),
            "trained_on": about.training_data,
            "licence": about.licence,
            "created": config.created,
        }

    def _open(self, path: Path) -> Artefact:
        key = (str(path), _stamp(path))
        if key not in self._opened:
            self._opened[key] = open_artefact(path)
        return self._opened[key]

    def export(self, name: str, target: Path) -> None:
        """Write a model as a zip of its folder."""
        path = self._open(self.place(name)).path
        with explained(target), zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
            for file in sorted(path.iterdir()):
                if file.is_file() and not file.is_symlink():
                    archive.write(file, f"{name}/{file.name}")

    def bring(self, file: Path, name: str) -> ModelInfo:
        """Import a zip of an artefact's folder; the name is made free by a number.

        Raises:
            DataError: if it is no zip, or holds no artefact.
            TooLargeError: if it holds more than an artefact does.
            VoluteError: if the artefact is damaged.
        """
        target = self.free(name)
        with atomic_folder(target) as part:
            try:
                with zipfile.ZipFile(file) as archive:
                    _unpack(archive, part)
            except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
                what = f"{file.name} is no zip of a model"
                raise DataError(what, "Give one that the studio has exported.") from error
            open_artefact(part)
        return self.info(target.name)

    def free(self, name: str) -> Path:
        """Return a folder for an imported model."""
        target, taken = new_output(self._root / "models" / name), self.places()
        number = 2
        while target.name in taken:
            target = new_output(self._root / "models" / f"{name}-{number}")
            number += 1
        return target

    def remove(self, name: str) -> None:
        """Delete an imported model.

        Raises:
            NotFoundError: if there is none.
            InUseError: if it was not imported.
        """
        path = self.place(name)
        if self.places()[name][0] != "imported":
            raise InUseError(f"{name} was not imported", "Models of runs go with their runs.")
        with self._lock:
            for key in [key for key in self._loaded if key[0] == str(path)]:
                del self._loaded[key]
        shutil.rmtree(path)


def _threads(artefact: Artefact) -> int | None:
    """Return how many threads one run may have; small ones run beside each other instead."""
    return 1 if artefact.config.descriptor.kind in ("gan", "vae") else None


def _stamp(path: Path) -> int:
    try:
        return (path / "config.json").stat().st_mtime_ns
    except OSError as error:
        raise NotFoundError(f"the model {path.name} is no longer there") from error


def _unpack(archive: zipfile.ZipFile, part: Path) -> None:
    """Write the plain files of one folder in a zip, as many as an artefact can have."""
    members = [one for one in archive.infolist() if not one.is_dir()]
    configs = [one for one in members if PurePosixPath(one.filename).name == "config.json"]
    if not configs:
        raise DataError("the zip holds no config.json", "Give one that the studio has exported.")
    folder = min(
        (PurePosixPath(one.filename).parent for one in configs), key=lambda p: len(p.parts)
    )
    chosen = [one for one in members if PurePosixPath(one.filename).parent == folder]
    if len(chosen) > MEMBERS or sum(one.file_size for one in chosen) > MOST:
        raise TooLargeError("the zip holds more than a model does")
    for one in chosen:
        name = PurePosixPath(one.filename).name
        if name == "LICENSE" or (name.endswith(ENDINGS) and not name.startswith(".")):
            _copy(archive, one, part / name)


def _copy(archive: zipfile.ZipFile, one: zipfile.ZipInfo, target: Path) -> None:
    with archive.open(one) as source, target.open("wb") as out:
        left = one.file_size
        while chunk := source.read(1 << 20):
            left -= len(chunk)
            if left < 0:
                raise DataError(f"{target.name} is larger than the zip says")
            out.write(chunk)
