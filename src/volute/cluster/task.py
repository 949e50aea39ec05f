"""What is done to each item, in a form that any process can take up, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from volute.errors import VoluteError
from volute.events import Emit, Note


class Task(Protocol):
    """Plain settings, from which any process makes the same work.

    An instance goes to other processes, its class by name: it is a frozen dataclass of a module.
    """

    def opened(self) -> Any:
        """Return what does the work, such as a model's handle: asked for once in each process."""
        ...

    def how(self, tool: Any) -> str:
        """Name model and settings, as the ledger does; the driver's and a worker's must agree.

        `tool` is what `opened` returned.
        """
        ...

    def do(self, tool: Any, item: Any, emit: Emit) -> Any:
        """Do one item and return what became of it."""
        ...


@dataclass(frozen=True)
class Ready:
    """A worker has opened its task."""


@dataclass(frozen=True)
class Done:
    """A worker has done an item."""

    result: Any
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class Died:
    """A worker's process has ended, or its machine is gone."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """A worker cannot do the task at all: no other item would fare better."""

    what: str
    hint: str
    exit_code: int

    @classmethod
    def of(cls, error: VoluteError, where: str) -> Refused:
        """Return what an error on the machine `where` tells."""
        return cls(f"{error.what} (on {where})", error.hint, error.exit_code)

    def error(self) -> VoluteError:
        """Return it as an error with the exit code that it had there."""
        error = VoluteError(self.what, self.hint)
        error.exit_code = self.exit_code
        return error


Said = Ready | Done | Died | Refused


@dataclass(frozen=True)
class Lost:
    """What became of an item whose workers died."""

    reason: str
