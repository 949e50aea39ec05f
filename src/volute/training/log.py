"""The log of a run: one JSON line a report, and the same to TensorBoard where it is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from volute.paths import atomic_file, explained
from volute.training.run import read_log


class Log:
    """Appends to `log.jsonl` in a run's folder.

    Lines past `shown` images are dropped at the start: a run that goes on from an earlier state
    writes them again.
    """

    def __init__(self, folder: Path, shown: int) -> None:
        self._path = folder / "log.jsonl"
        kept = [line for line in read_log(self._path) if line["shown"] <= shown]
        with atomic_file(self._path) as part:
            text = "".join(json.dumps(line) + "\n" for line in kept)
            part.write_text(text, encoding="utf-8")
        self._board = _tensorboard(folder / "tensorboard", shown)

    def write(self, shown: int, values: dict[str, float]) -> None:
        """Add one line: images shown and named numbers."""
        with explained(self._path), self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"shown": shown, **values}) + "\n")
        if self._board:
            for name, value in values.items():
                self._board.add_scalar(name, value, shown)

    def show(self, shown: int, made: np.ndarray | str) -> None:
        """Show a sample on TensorBoard: uint8 [H, W, C], or a text."""
        if not self._board:
            return
        if isinstance(made, str):
            self._board.add_text("samples", made, shown)
        else:
            self._board.add_image("samples", made[..., :3], shown, dataformats="HWC")

    def close(self) -> None:
        """Flush what TensorBoard holds back."""
        if self._board:
            self._board.close()


def _tensorboard(folder: Path, shown: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=shown or None)
