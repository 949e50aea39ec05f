"""A run: one folder with its settings, its data's report, its log, its pictures and its state."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from volute.config import Config
from volute.data import DataSettings
from volute.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class RunConfig(Config):
    """Everything that decides a run. `config.toml` in the run's folder is one, and a valid `-c`."""

    kind: str
    source: str
    preset: str
    size: int
    seed: int = Field(0, ge=0, lt=2**31)
    time_s: float = Field(0.0, ge=0)
    """Budget in seconds of training; 0: `kimg` decides."""
    kimg: float = Field(0.0, ge=0)
    """Budget in thousands of images shown; 0: `time_s` decides."""
    name: str = ""
    licence: str = "not stated"
    device: str = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: int = Field(0, ge=0)
    recompute: bool = False
    """Gradient checkpointing: less memory for about a quarter more time."""
    compile: Literal["auto", "on", "off"] = "auto"
    """`torch.compile`: where a trial says that it pays; a run records what was decided."""
    hardware: str = ""
    """Where it ran, in words, for the card."""
    data_key: str = ""
    """Of the packed pictures: a run goes on with the data that it began with, or not at all."""
    healed: str = ""
    """What was changed when the doctor had said STOP: once in a run."""
    data: DataSettings = DataSettings()
    settings: dict[str, Any] = {}


@dataclass(frozen=True)
class Run:
    """A training's folder. `model` is the artefact that `volute.load` takes."""

    path: Path

    @property
    def model(self) -> Path:
        """The exported artefact."""
        return self.path / "model"

    @property
    def state(self) -> Path:
        """The folder of the resumable state."""
        return self.path / "state"

    @property
    def config(self) -> RunConfig:
        """The settings of this run."""
        return RunConfig.read(self.path / "config.toml")

    @property
    def metrics(self) -> dict[str, float]:
        """The last line of the log."""
        lines = read_log(self.path / "log.jsonl")
        return lines[-1] if lines else {}

    @classmethod
    def open(cls, path: Path) -> Run:
        """Return the run in `path`, or raise UsageError if there is none."""
        if not (path / "config.toml").is_file():
            raise UsageError(f"{path} is not a run: it has no config.toml", "Runs lie in runs/.")
        return cls(path)


def read_log(path: Path) -> list[dict[str, float]]:
    """Return the lines of a log; one that a kill or a full disk tore is left out."""
    if not path.exists():
        return []
    lines = []
    for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with contextlib.suppress(json.JSONDecodeError):
            lines.append(json.loads(text))
    return lines


def budget(time: str | float | None, kimg: float | None) -> dict[str, float]:
    """Return `time_s` and `kimg` of a run: one of them above 0, the other 0.

    Raises:
        UsageError: if both are given, or one that is not above 0.
    """
    if time is not None and kimg is not None:
        raise UsageError("both --time and --kimg are given", "Give one of them.")
    values = {"time_s": 0.0, "kimg": kimg} if kimg is not None else {"kimg": 0.0}
    if kimg is None:
        values["time_s"] = parse_time("30m" if time is None else time)
    if not max(values.values()) > 0:
        raise UsageError("a budget must be more than 0", "As in: --time 10m, or --kimg 100")
    return values


def parse_time(text: str | float) -> float:
    """Turn `90s`, `10m`, `1.5h`, `2d`, `1h30m` or a number of seconds into seconds."""
    if isinstance(text, int | float):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if not parts or "".join(a + b for a, b in parts) != text:
        raise UsageError(f"--time {text} is not a time", "Write it as in: --time 90s, 10m or 1h30m")
    return sum(float(number) * _UNITS[unit or "s"] for number, unit in parts)
