"""The process that works: it opens the task once and does one item after another."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from volute.cluster.task import Done, Ready, Refused, Task
from volute.engine.session import THREADS
from volute.errors import UsageError, VoluteError
from volute.events import Event, Note

VERSION = version("volute")
CPUS = 1
"""Of a worker. Many files are done faster by one thread each than by all threads one by one."""


@dataclass(frozen=True)
class Site:
    """What a worker shares with the driver."""

    folder: str
    """The driver's working folder: names of files mean the same in both."""
    environment: Mapping[str, str]
    how: str
    """What the driver calls the work."""
    version: str = VERSION

    @classmethod
    def here(cls, how: str) -> Site:
        """Return that of this process."""
        own = {key: value for key, value in os.environ.items() if key.startswith("VOLUTE_")}
        limits = {THREADS: str(CPUS), "VIPS_CONCURRENCY": str(CPUS)}
        return cls(os.getcwd(), own | limits, how)


class Worker:
    """What Ray makes an actor of."""

    def __init__(self, task: Task, site: Site) -> None:
        self._task = task
        self._site = site
        self._tool: Any = None

    def ready(self) -> Ready | Refused:
        """Open the task; refuse it if it would not be the driver's here."""
        os.environ.update(self._site.environment)
        try:
            self._move()
            self._tool = self._task.opened()
            self._compare()
        except VoluteError as error:
            return Refused.of(error, platform.node())
        return Ready()

    def do(self, item: Any) -> Done | Refused:
        """Do one item; what concerns it alone is for the task to note."""
        notes: list[Note] = []

        def emit(event: Event) -> None:
            if isinstance(event, Note):
                notes.append(event)

        try:
            return Done(self._task.do(self._tool, item, emit), tuple(notes))
        except VoluteError as error:
            return Refused.of(error, platform.node())

    def _move(self) -> None:
        if not Path(self._site.folder).is_dir():
            what = f"there is no folder {self._site.folder}"
            raise UsageError(what, "Start it in a folder that all machines share.")
        os.chdir(self._site.folder)

    def _compare(self) -> None:
        site, how = self._site, self._task.how(self._tool)
        if site.version != VERSION:
            what = f"volute is {VERSION} here and {site.version} where it was started"
            raise UsageError(what, "Install the same on all machines.")
        if site.how != how:
            what = f"the work would be another here: {how}, not {site.how}"
            raise UsageError(what, "Give all machines the same model, and say --engine.")
