"""What `volute sample` draws, a block or one picture at a time, here or in another process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

    from volute.engine.session import Engine
    from volute.events import Emit
    from volute.handles.sampling import Sampler
    from volute.provenance.manifest import Origin


@dataclass(frozen=True)
class Sampling:
    """What is drawn: see `cluster.task.Task`. An item is which pictures, and their folder."""

    model: str
    engine: Engine | None
    n: int
    seed: int
    truncation: float
    classes: list[str] | None
    unmarked: bool

    def opened(self) -> Sampler:
        """Return the model."""
        from volute.handles import load_sampler

        return load_sampler(self.model, engine=self.engine)

    def how(self, tool: Sampler) -> str:
        """Name model and settings."""
        told = [tool.info.name, tool.info.created, str(tool.engine()), self.n, self.seed]
        return json.dumps([*told, self.truncation, self.classes, self.unmarked])

    def check(self, tool: Sampler) -> None:
        """Raise what is wrong with the settings before any picture is made."""
        for _ in self._made(tool, range(0)):
            pass

    def do(self, tool: Sampler, item: tuple[range, Path], emit: Emit) -> list[Path]:
        """Make some of the pictures and return their files."""
        from volute.handles.saved import save_picture

        numbers, folder = item
        files = [file_of(folder, self.n, index) for index in numbers]
        for index, file, (image, label) in zip(
            numbers, files, self._made(tool, numbers), strict=True
        ):
            which = {"index": index, "class": label}
            about = {**self.about(tool.info.name), **which}
            save_picture(image, file, about, self._origin(tool, **which), emit=emit)
        return files

    def one_picture(self, tool: Sampler, target: Path, grid: bool) -> None:
        """Make all as one file."""
        from volute.cli.outputs import save_picture

        images, names = zip(*self._made(tool, range(self.n)), strict=True)
        several = grid or self.n > 1
        which = {"n": self.n, "classes": names} if several else {"index": 0, "class": names[0]}
        shown = _grid(images) if several else images[0]
        about = {**self.about(tool.info.name), **which}
        save_picture(shown, target, about, self._origin(tool, n=self.n))

    def about(self, name: str) -> dict[str, Any]:
        """Return what is written into every file."""
        return {"model": name, "seed": self.seed, "truncation": self.truncation}

    def _made(self, tool: Sampler, numbers: range) -> Iterator[tuple[Image.Image, str | None]]:
        how = {"seed": self.seed, "truncation": self.truncation, "classes": self.classes}
        return tool.stream(self.n, **how, numbers=numbers)

    def _origin(self, tool: Sampler, **more: Any) -> Origin | None:
        told = {"truncation": self.truncation, **more}
        return None if self.unmarked else tool.origin("sample", told, seed=self.seed)


def file_of(folder: Path, n: int, index: int) -> Path:
    """Return where one of n pictures goes."""
    return folder / f"{index:0{max(3, len(str(n - 1)))}}.png"


def _grid(images: Sequence[Any]) -> Any:
    from volute.handles.pictures import enlarged, grid

    return grid([enlarged(image) for image in images])
