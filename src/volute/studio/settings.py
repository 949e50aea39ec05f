"""What a server is told when it starts, and the limits within which it works."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from volute.config import Config

MB = 1 << 20
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Limits(Config):
    """What one request, one client, one server may take."""

    body: int = Field(4 * MB, gt=0)
    """Bytes of a request that is no upload."""
    upload: int = Field(2048 * MB, gt=0)
    """Bytes of one uploaded file."""
    space: int = Field(20_480 * MB, gt=0)
    """Bytes of all uploads together."""
    pixels: int = Field(1_000_000_000, gt=0)
    """Pixels of a picture that is worked on."""
    frame_bytes: int = Field(4 * MB, gt=0)
    """Bytes of one frame of a camera."""
    frame_pixels: int = Field(4_000_000, gt=0)
    """Pixels of one frame of a camera."""
    waiting: int = Field(256, gt=0)
    """Jobs that wait."""
    seconds: float = Field(3600.0, gt=0)
    """Time that a job may take, training aside."""
    rate: float = Field(0.0, ge=0)
    """Requests a second of one client, on average; 0: any number."""
    burst: int = Field(200, gt=0)
    """Requests that one client may send at once, where `rate` counts."""
    live: int = Field(4, gt=0)
    """Cameras at a time."""


class Settings(Config):
    """One server."""

    folder: Path
    """The workspace: results, uploads, runs, models."""
    host: str = "127.0.0.1"
    port: int = Field(8640, ge=0, le=65_535)
    """0: any that is free."""
    token: str = ""
    """What a client must show; empty: none, which only a server on loopback may have."""
    page: bool = True
    """Whether the page is served, or the API alone."""
    limits: Limits = Limits()
    log: Literal["critical", "warning", "info"] = "warning"

    @property
    def loopback(self) -> bool:
        """Whether only this computer reaches the server."""
        return self.host in LOOPBACK
