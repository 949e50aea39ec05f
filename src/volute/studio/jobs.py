"""Work that takes a while: a bounded queue, fair between clients, and three threads that do it."""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Literal

from volute import events
from volute.errors import VoluteError
from volute.studio.hub import Hub
from volute.studio.models import Event, Job, Kind, Note, Piece, Pieces, Progress, Result
from volute.studio.problems import FullError, NotFoundError, problem_of
from volute.studio.workspace import Workspace

Lane = Literal["quick", "long", "train"]
LANES: tuple[Lane, ...] = ("quick", "long", "train")
NOTES = 200
"""Notes that a job keeps."""
GRACE_S = 20.0
"""That a training may take to save its state when the server ends."""


class CancelledError(Exception):
    """The job is not wanted any more."""


@dataclass
class Task:
    """A job as the one sees it who works on it."""

    id: str
    client: str
    lane: Lane
    work: Callable[[Task], None]
    owner: Jobs
    stop: threading.Event = field(default_factory=threading.Event)
    until: float = 0.0
    """Moment after which it has taken too long."""

    def check(self) -> None:
        """End the work if that is wanted.

        Raises:
            CancelledError: if it is cancelled, or the server ends.
            VoluteError: if it takes too long.
        """
        if self.stop.is_set():
            raise CancelledError
        if self.until and time.monotonic() > self.until:
            raise VoluteError("this takes longer than the server allows", "Give it less to do.")

    def emit(self, event: events.Event) -> None:
        """Take what the work reports, as any `Emit` does; end it as `check` does."""
        self.check()
        if isinstance(event, events.Progress):
            told = Progress(
                done=event.done,
                fraction=min(1.0, max(0.0, event.fraction)),
                rate=event.rate,
                left_s=event.left_s,
                unit=event.unit,
                metrics=event.metrics,
            )
            self.owner.change(self.id, keep=False, progress=told)
            self.owner.tell("progress", self.id, told, keep=False)
        elif isinstance(event, events.Note):
            self.note(event.topic, event.text)

    def note(self, topic: str, text: str) -> None:
        """Add a line of plain fact."""
        told = Note(topic=topic, text=self.owner.plain(text))
        job = self.owner.get(self.id)
        self.owner.change(self.id, keep=False, notes=(*job.notes, told)[-NOTES:])
        self.owner.tell("note", self.id, told)

    def result(self, result: Result) -> None:
        """Add something that was made."""
        self.owner.keep(result)
        job = self.owner.get(self.id)
        self.owner.change(self.id, keep=False, results=(*job.results, result.id))
        self.owner.tell("result", self.id, result)

    def text(self, pieces: list[Piece]) -> None:
        """Show some characters that were written."""
        self.check()
        self.owner.tell("text", self.id, Pieces(pieces=tuple(pieces)))

    def answer(self, values: dict[str, Any]) -> None:
        """Say what was found."""
        self.owner.change(self.id, keep=False, answer=values)


class Jobs:
    """All jobs of a workspace; those that a server before left unfinished are interrupted."""

    def __init__(self, workspace: Workspace, hub: Hub, waiting: int, seconds: float) -> None:
        self._space, self._hub, self._most, self._seconds = workspace, hub, waiting, seconds
        self._queues: dict[Lane, OrderedDict[str, deque[Task]]] = {
            lane: OrderedDict() for lane in LANES
        }
        self._tasks: dict[str, Task] = {}
        self._changed = threading.Condition()
        self._closing = False
        self.finished: dict[str, int] = {}
        """How many ended in which state."""
        for job in list(workspace.jobs.newest()):
            if job.state in ("waiting", "running"):
                self.change(job.id, state="interrupted", ended=now())
        self._threads = [
            threading.Thread(target=self._run, args=(lane,), name=f"studio-{lane}", daemon=True)
            for lane in LANES
        ]
        for thread in self._threads:
            thread.start()

    def submit(
        self,
        kind: Kind,
        request: dict[str, Any],
        work: Callable[[Task], None],
        *,
        client: str = "",
        lane: Lane = "quick",
    ) -> Job:
        """Put a job into the queue.

        Raises:
            FullError: if there are too many already.
        """
        job = Job(
            id=secrets.token_hex(8), kind=kind, state="waiting", request=request, created=now()
        )
        with self._changed:
            if self._closing or self.waiting() >= self._most:
                raise FullError("the queue is full", "Try again when some jobs are done.")
            task = Task(job.id, client, lane, work, self)
            job = job.model_copy(update={"place": self._before(lane)})
            try:
                self._space.jobs.add(job)
            except VoluteError:
                self._space.jobs.forget(job.id)
                raise
            self._tasks[job.id] = task
            self._queues[lane].setdefault(client, deque()).append(task)
            self._changed.notify_all()
        self.tell("job", job.id, job)
        return job

    def get(self, ident: str) -> Job:
        """Return a job.

        Raises:
            NotFoundError: if there is none.
        """
        job = self._space.jobs.get(ident)
        if job is None:
            raise NotFoundError(f"there is no job {ident}")
        return job

    def newest(self, limit: int) -> list[Job]:
        """Return the newest jobs."""
        return list(islice(self._space.jobs.newest(), limit))

    def training(self, run: str) -> str:
        """Return the ID of the job that trains a run, or nothing."""
        with self._changed:
            names = [task.id for task in self._tasks.values() if task.lane == "train"]
        return next((name for name in names if self.get(name).request.get("run") == run), "")

    def cancel(self, ident: str) -> Job:
        """End a job, or take it out of the queue.

        Raises:
            NotFoundError: if there is none.
        """
        self.get(ident)
        with self._changed:
            task = self._tasks.get(ident)
            queue = self._queues[task.lane].get(task.client, deque()) if task else deque()
            if task and task in queue:
                queue.remove(task)
                del self._tasks[ident]
                self._end(ident, "cancelled")
            elif task:
                task.stop.set()
        return self.get(ident)

    def waiting(self) -> int:
        """Return how many jobs wait."""
        return sum(len(queue) for lane in self._queues.values() for queue in lane.values())

    def running(self) -> int:
        """Return how many are worked on."""
        return len(self._tasks) - self.waiting()

    def close(self) -> tuple[Job, ...]:
        """End all work: trainings save their state; return what is interrupted by it."""
        with self._changed:
            self._closing = True
            there = list(self._tasks)
            for lane in self._queues.values():
                for queue in lane.values():
                    while queue:
                        task = queue.popleft()
                        self._tasks.pop(task.id, None)
                        self._end(task.id, "interrupted")
            for task in self._tasks.values():
                task.stop.set()
            self._changed.notify_all()
        until = time.monotonic() + GRACE_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        for ident in list(self._tasks):
            self._end(ident, "interrupted")
        ended = [self.get(ident) for ident in there]
        return tuple(job for job in ended if job.state == "interrupted")

    def change(self, ident: str, *, keep: bool = True, **values: Any) -> Job:
        """Note what became of a job; with `keep`, on disk."""
        job = self.get(ident).model_copy(update=values)
        if not keep:
            self._space.jobs.hold(job)
            return job
        try:
            self._space.jobs.add(job)
        except VoluteError as error:  # the disk is full: the state in memory is right
            note = Note(topic="note", text=self.plain(f"not in the ledger: {error.what}"))
            self._space.jobs.hold(job.model_copy(update={"notes": (*job.notes, note)}))
        return job

    def keep(self, result: Result) -> None:
        """Put something that was made into the ledger."""
        self._space.results.add(result)

    def plain(self, text: str) -> str:
        """Return a text without the paths of the workspace."""
        return self._space.plain(text)

    def publish(self, event: Event) -> None:
        """Tell everybody who watches of an event."""
        self._hub.publish(event)

    def tell(self, type: Any, ident: str, about: Any, keep: bool = True) -> None:
        """Tell everybody who watches."""
        self._hub.publish(Event(type=type, job=ident, data=about.model_dump(mode="json")), keep)

    def _before(self, lane: Lane) -> int:
        return sum(len(queue) for queue in self._queues[lane].values())

    def _run(self, lane: Lane) -> None:
        while (task := self._next(lane)) is not None:
            self._work(task)

    def _next(self, lane: Lane) -> Task | None:
        """Return the next task: each client that has some gets its turn."""
        with self._changed:
            while True:
                if self._closing:
                    return None
                clients = self._queues[lane]
                while clients:
                    client, queue = clients.popitem(last=False)
                    if not queue:
                        continue
                    task = queue.popleft()
                    if queue:
                        clients[client] = queue
                    return task
                self._changed.wait()

    def _work(self, task: Task) -> None:
        if task.lane != "train":
            task.until = time.monotonic() + self._seconds
        self.tell("job", task.id, self.change(task.id, state="running", started=now(), place=0))
        try:
            task.work(task)
            ended: dict[str, Any] = {"state": "done"}
        except CancelledError:
            ended = {"state": "interrupted" if self._closing else "cancelled"}
        except Exception as error:  # one job may not end the thread
            told = problem_of(error)
            plain = {"detail": self.plain(told.detail), "hint": self.plain(told.hint)}
            ended = {"state": "failed", "problem": told.model_copy(update=plain)}
        with self._changed:
            self._tasks.pop(task.id, None)
            self._end(task.id, **ended)

    def _end(self, ident: str, state: str, **values: Any) -> None:
        job = self.change(ident, state=state, ended=now(), place=0, **values)
        self.finished[state] = self.finished.get(state, 0) + 1
        self.tell("job", ident, job)


def now() -> str:
    """Return the present moment, UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
