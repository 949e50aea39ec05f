"""`volute studio` and `volute serve`: the page, and the API alone."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from volute.errors import MissingExtraError

if TYPE_CHECKING:
    from types import ModuleType

    from volute.studio.models import Job

STUDIO_EXTRA = ("fastapi", "starlette", "uvicorn", "websockets")
Folder = Annotated[Path, typer.Argument(help="Where results, uploads and runs are kept.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65_535, help="0: any that is free.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(studio)
    app.command()(serve)


def studio(
    folder: Folder = Path("volute-studio"),
    port: Port = 8640,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page.")] = False,
) -> None:
    """Open the studio: one page for all of it.

    It is for this computer alone. Ctrl-C ends it: trainings save their state and can be resumed.

    \b
    Examples:
      volute studio
      volute studio work/ --port 9000
      volute studio . --no-browser
    """
    server = _server()
    from volute.studio.settings import Settings

    def ready(url: str) -> None:
        typer.echo(f"studio   {url}    Ctrl-C ends it.")
        if not no_browser:
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    settings = Settings.make({"folder": folder, "port": port})
    _tell(folder, server.serve(settings, ready, search=True))


def serve(
    folder: Folder = Path("volute-studio"),
    host: Annotated[str, typer.Option("--host", help="An address of this computer.")] = "127.0.0.1",
    port: Port = 8640,
    rate: Annotated[
        float, typer.Option("--rate", min=0, help="Requests a second of one client; 0: any.")
    ] = 50.0,
) -> None:
    """Serve the API alone, for programs.

    Beyond this computer a token is needed: that in VOLUTE_TOKEN, else one that is made and kept in
    the folder of the keys. Programs send it as: Authorization: Bearer TOKEN. Put a server with TLS
    before it where others reach it. The API: docs/api.md.

    \b
    Examples:
      volute serve
      VOLUTE_TOKEN=... volute serve work/ --host 0.0.0.0 --port 8000 --rate 20
    """
    server = _server()
    from volute.studio.settings import Settings

    values = {"folder": folder, "host": host, "port": port, "page": False}
    settings = Settings.make({**values, "limits": {"rate": rate}, "log": "info"})
    if not settings.loopback:
        settings = settings.model_copy(update={"token": server.token()})

    def ready(url: str) -> None:
        typer.echo(f"serve    {url}/api/v1    Ctrl-C ends it.")

    _tell(folder, server.serve(settings, ready))


def _tell(folder: Path, ended: Sequence[Job]) -> None:
    """Say what was not finished, and how it goes on."""
    for job in ended:
        hint = "Ask for it again."
        if job.kind == "train":
            hint = f"Continue: volute resume {folder / 'runs' / str(job.request.get('run'))}"
        typer.echo(f"stopped  {job.kind} {job.id}    {hint}", err=True)


def _server() -> ModuleType:
    from importlib import import_module

    try:
        return import_module("volute.studio.server")
    except ModuleNotFoundError as error:
        if error.name not in STUDIO_EXTRA:
            raise
        raise MissingExtraError(f"the studio needs {error.name}", "studio") from error
