"""One batch done in several ways, to be compared."""

from __future__ import annotations

from pathlib import Path

from running import Command, Result


def upscale(command: Command, tmp_path: Path, out: str, *more: object) -> Result:
    return command(
        "upscale", tmp_path / "in", "--model", tmp_path / "up", "-o", out, "--unmarked", *more
    )


def made(folder: str) -> dict[str, bytes]:
    files = sorted(Path(folder).rglob("*.png"))
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
