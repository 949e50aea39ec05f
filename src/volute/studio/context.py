"""What all routes share: the workspace, the queue, the models, and how a client is told apart."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from volute.studio.batcher import Batcher
from volute.studio.hub import Hub
from volute.studio.jobs import Jobs
from volute.studio.metrics import Metrics
from volute.studio.models import Job
from volute.studio.settings import Settings
from volute.studio.shelf import Shelf
from volute.studio.workspace import Workspace


class Studio:
    """One server's parts."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.space = Workspace(settings.folder, settings.limits)
        self.hub = Hub()
        limits = settings.limits
        self.jobs = Jobs(self.space, self.hub, limits.waiting, limits.seconds)
        self.shelf = Shelf(self.space.root)
        self.batcher = Batcher()
        self.metrics = Metrics()
        self.cameras = 0
        """That are open."""
        self.interrupted: tuple[Job, ...] = ()
        """What was not finished when the server ended."""

    def close(self) -> None:
        """End all work and let go of the workspace."""
        self.batcher.close()
        self.interrupted = self.jobs.close()
        self.space.close()


async def _studio(connection: HTTPConnection) -> Studio:  # a plain one would cost a thread
    studio: Studio = connection.app.state.studio
    return studio


async def _client(connection: HTTPConnection) -> str:
    """Return who asks: the tab, as the page says, else the address."""
    tab = connection.headers.get("x-volute-client", "")[:64]
    host = connection.client.host if connection.client else ""
    return f"{host} {tab}"


Here = Annotated[Studio, Depends(_studio)]
Client = Annotated[str, Depends(_client)]
