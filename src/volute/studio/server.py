"""Runs a server until it is told to stop."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable

import uvicorn

from volute.errors import UsageError
from volute.paths import config_dir, write_private
from volute.studio.app import create
from volute.studio.models import Job
from volute.studio.settings import Settings

TRIES = 20
"""Ports that are tried after the one that is taken."""
CLOSING_S = 3
"""Seconds that open connections have to end."""
ENV = "VOLUTE_TOKEN"


def serve(
    settings: Settings, ready: Callable[[str], None], *, search: bool = False
) -> tuple[Job, ...]:
    """Serve until SIGINT or SIGTERM; then jobs are interrupted and trainings save their state.

    Args:
        settings: of the server.
        ready: is told the URL when it can be opened.
        search: take the next free port if the one in `settings` is taken.

    Returns:
        The jobs that were interrupted.

    Raises:
        UsageError: if it may not, or cannot, listen there.
    """
    if not settings.loopback and not settings.token:
        raise UsageError("a server that others reach needs a token", f"Set {ENV}.")
    listener = _listener(settings, TRIES if search else 1)
    port = listener.getsockname()[1]
    app = create(settings)
    config = uvicorn.Config(
        app,
        log_level=settings.log,
        access_log=False,
        server_header=False,
        ws_max_size=settings.limits.frame_bytes + 64,
        timeout_graceful_shutdown=CLOSING_S,
        ws_per_message_deflate=False,  # frames are packed already, and it took a third of a core
        timeout_keep_alive=75,
        h11_max_incomplete_event_size=1 << 16,
    )
    if threading.current_thread() is threading.main_thread():  # where uvicorn hears signals too
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # it raises them again at its end
    server = _Server(config, lambda: ready(f"http://{_shown(settings.host)}:{port}"))
    with listener, contextlib.suppress(KeyboardInterrupt):  # raised again when all has ended
        server.run([listener])
    ended: tuple[Job, ...] = app.state.studio.interrupted
    return ended


def token() -> str:
    """Return the token of this computer: of the environment, else of a file that is made once."""
    if given := os.environ.get(ENV, "").strip():
        return given
    file = config_dir() / "studio-token"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32).encode())
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise UsageError(f"others can read {file}", f"Run: chmod 600 {file}")
    return file.read_text(encoding="utf-8").strip()


class _Server(uvicorn.Server):
    """Tells when it is up."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def _listener(settings: Settings, tries: int) -> socket.socket:
    """Return a socket that listens at the port, or at the next that is free.

    Its protocol is named, as asyncio sets TCP_NODELAY only then; else each answer waits 40 ms.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    for port in range(settings.port, min(settings.port + tries, 65_536)):
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, port))
            return listener
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE:
                what = f"cannot listen at {settings.host}:{port}: {error.strerror}"
                raise UsageError(what, "Choose another --host or --port.") from error
    raise UsageError(f"port {settings.port} is taken", "Choose another: --port 0 takes any.")


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
