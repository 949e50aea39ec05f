"""Trainings: each runs in a process of its own, and is read from its run's folder."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections import deque
from pathlib import Path
from typing import Any

from volute.errors import UsageError, VoluteError
from volute.studio.findings import Doctor, RunDetail, RunInfo, Sample
from volute.studio.jobs import CancelledError, Task
from volute.studio.models import Event, Progress
from volute.studio.problems import NotFoundError

LINES, TOLD = 1000, 40
"""Lines of a log that are sent, and of what a training says that are kept for its error."""
POLL_S = 0.25
CHILD = (sys.executable, "-m", "volute.cli.child")
"""Runs the command line in a process that ends with this one."""
CHILDREN: list[subprocess.Popen[str]] = []
"""Those that run."""


def run_child(task: Task, arguments: list[str], folder: Path, run: Path | None) -> int:
    """Run `volute ARGUMENTS` as a child, tell its progress, and return its exit code.

    A task that is stopped has it save its state and end.

    Args:
        task: the job.
        arguments: of the command line.
        folder: where it runs.
        run: the folder that it learns in, for its log; None: it has none.

    Raises:
        VoluteError: as the child says, if it failed.
    """
    told: deque[str] = deque(maxlen=TOLD)
    command = [*CHILD, *arguments]
    child = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    CHILDREN.append(child)
    reader = threading.Thread(target=_listen, args=(child, task, told), daemon=True)
    reader.start()
    watch = _Watch(task, run)
    try:
        _wait(child, task, watch)
    finally:
        if child.poll() is None:
            child.kill()
        child.wait()
        CHILDREN.remove(child)
        reader.join(5)
        watch.look()
    if task.stop.is_set():
        raise CancelledError
    if child.returncode:
        raise _error(child.returncode, told)
    return child.returncode


def _wait(child: subprocess.Popen[str], task: Task, watch: _Watch) -> None:
    asked = 0.0
    while child.poll() is None:
        time.sleep(POLL_S)
        watch.look()
        if task.stop.is_set() and not asked:
            asked = time.monotonic()
            child.send_signal(signal.SIGINT)
        if asked and time.monotonic() - asked > 60:
            child.kill()


def _listen(child: subprocess.Popen[str], task: Task, told: deque[str]) -> None:
    """Pass on what a training says."""
    assert child.stderr is not None
    for line in child.stderr:
        told.append(line.rstrip())
        topic, _, text = line.strip().partition(" ")
        if topic.isalpha() and text.strip() and topic not in ("error", "done"):
            with contextlib.suppress(VoluteError):
                task.note(topic, text.strip())


def _error(code: int, told: deque[str]) -> VoluteError:
    """Return the error that a child printed: `error: WHAT`, then its hint, indented."""
    lines = list(told)
    starts = [n for n, line in enumerate(lines) if line.startswith("error: ")]
    if not starts:
        last = lines[-1] if lines else "it said nothing"
        return VoluteError(f"the training ended with code {code}: {last}", "Resume it.")
    what = lines[starts[-1]].removeprefix("error: ")
    hint = " ".join(line.strip() for line in lines[starts[-1] + 1 :])
    return UsageError(what, hint) if code == 2 else VoluteError(what, hint)


class _Watch:
    """Tells what is new in a run's folder: lines of its log, samples."""

    def __init__(self, task: Task, run: Path | None) -> None:
        self._task, self._run, self._size, self._samples = task, run, 0, set[str]()
        if run is not None and run.exists():
            self._size = self._length()
            self._samples = {path.name for path in (run / "samples").glob("*")}

    def look(self) -> None:
        """Tell what there is since the last time."""
        if self._run is None or not (self._run / "config.toml").exists():
            return
        if (size := self._length()) > self._size:
            self._size = size
            for line in read_log(self._run)[-1:]:
                self._tell(line)
        for path in sorted((self._run / "samples").glob("*")):
            if path.name not in self._samples and path.suffix in (".png", ".txt"):
                self._samples.add(path.name)
                sample = _sample(self._run.name, path)
                data = sample.model_dump(mode="json")
                self._task.owner.publish(Event(type="sample", job=self._task.id, data=data))

    def _length(self) -> int:
        assert self._run is not None
        log = self._run / "log.jsonl"
        return log.stat().st_size if log.exists() else 0

    def _tell(self, line: dict[str, float]) -> None:
        assert self._run is not None
        config = _config(self._run)
        shown, seconds = int(line.get("shown", 0)), line.get("seconds", 0.0)
        budget, kimg = config.get("time_s", 0.0), config.get("kimg", 0.0)
        share = seconds / budget if budget else shown / (1000 * kimg) if kimg else 0.0
        share = min(1.0, share)
        told = Progress(
            done=shown,
            fraction=share,
            rate=line.get("rate", 0.0),
            left_s=seconds * (1 / share - 1) if share else 0.0,
            unit="images",
            metrics={key: float(value) for key, value in line.items() if key not in ("shown",)},
        )
        self._task.owner.change(self._task.id, keep=False, progress=told)
        self._task.owner.tell("progress", self._task.id, told, keep=False)


def read_log(run: Path) -> list[dict[str, float]]:
    """Return the lines of a run's log; what a kill tore is left out."""
    lines = []
    with contextlib.suppress(OSError):
        for text in (run / "log.jsonl").read_text("utf-8", "replace").splitlines():
            with contextlib.suppress(ValueError, AttributeError):
                numbers = json.loads(text).items()
                lines.append({key: v for key, v in numbers if isinstance(v, int | float)})
    return lines


def last_verdict(run: Path) -> Doctor:
    """Return the last line of a run's doctor; one that a kill tore is left out."""
    with contextlib.suppress(OSError):
        for text in reversed((run / "doctor.jsonl").read_text("utf-8", "replace").splitlines()):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                line = json.loads(text)
                return Doctor(verdict=line["level"], words=line["reason"], try_next=line["advice"])
    return Doctor(verdict="OK", words="It has just begun: too early to tell.")


def run_folder(root: Path, ident: str) -> Path:
    """Return the folder of a run.

    Raises:
        NotFoundError: if there is none.
    """
    folder = root / "runs" / ident
    if not (folder / "config.toml").is_file() or folder.parent != root / "runs":
        raise NotFoundError(f"there is no run {ident}")
    return folder


def run_info(folder: Path, job: str) -> RunInfo:
    """Return what a list says of a run.

    Args:
        folder: of the run.
        job: of the training that runs, or empty.
    """
    return RunInfo(**_about(folder, job))


def run_detail(folder: Path, job: str) -> RunDetail:
    """Return all of a run."""
    log = read_log(folder)
    step = max(1, len(log) // LINES)
    thinned = log[::step] + (log[-1:] if len(log) % step else [])
    files = sorted((folder / "samples").glob("*"))
    samples = [_sample(folder.name, f) for f in files if f.suffix in (".png", ".txt")]
    report = folder / "data.txt"
    return RunDetail(
        **_about(folder, job),
        log=tuple(thinned),
        samples=tuple(samples),
        doctor=last_verdict(folder),
        data=report.read_text("utf-8", "replace")[:100_000] if report.is_file() else "",
    )


def _about(folder: Path, job: str) -> dict[str, Any]:
    config, log = _config(folder), read_log(folder)
    last = log[-1] if log else {}
    model = (folder / "model" / "config.json").is_file()
    state = "running" if job else "done" if model else "stopped"
    return {
        "id": folder.name,
        "kind": str(config.get("kind", "")),
        "source": Path(str(config.get("source", ""))).name,
        "preset": str(config.get("preset", "")),
        "size": int(config.get("size", 0)),
        "state": state,
        "job": job,
        "shown": int(last.get("shown", 0)),
        "seconds": float(last.get("seconds", 0)),
        "budget_s": float(config.get("time_s", 0)),
        "model": folder.name if model else "",
        "resumable": not job and (folder / "state").is_dir(),
    }


def _config(folder: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((folder / "config.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _sample(run: str, path: Path) -> Sample:
    try:
        moment = path.stat().st_mtime_ns  # another run may come by the same name
    except OSError:  # deleted meanwhile
        moment = 0
    url = f"/api/v1/runs/{run}/samples/{path.name}?of={moment}"
    return Sample(
        shown=int(path.stem) if path.stem.isdecimal() else 0, url=url, text=path.suffix == ".txt"
    )
