"""The queue: bounded, fair, cancelled, and what is left after a crash."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import Client, serving
from volute import events
from volute.errors import VoluteError
from volute.studio import journal
from volute.studio.hub import Hub
from volute.studio.jobs import Jobs, Task
from volute.studio.journal import Journal
from volute.studio.models import Job
from volute.studio.problems import FullError
from volute.studio.settings import Limits
from volute.studio.workspace import Workspace


@pytest.fixture
def space(tmp_path: Path) -> Iterator[Workspace]:
    space = Workspace(tmp_path / "work", Limits())
    yield space
    space.close()


@pytest.fixture
def jobs(space: Workspace) -> Iterator[Jobs]:
    jobs = Jobs(space, Hub(), waiting=6, seconds=60)
    yield jobs
    jobs.close()


def ended(jobs: Jobs, ident: str) -> Job:
    until = time.monotonic() + 10
    while jobs.get(ident).state in ("waiting", "running") and time.monotonic() < until:
        time.sleep(0.005)
    return jobs.get(ident)


def nothing(task: Task) -> None:
    pass


def test_clients_take_turns(jobs: Jobs) -> None:
    gate, order = threading.Event(), []
    jobs.submit("check", {}, lambda task: gate.wait(10) and None, client="first")
    time.sleep(0.05)
    for client, count in (("greedy", 4), ("modest", 1), ("late", 1)):
        for number in range(count):
            last = jobs.submit(
                "check", {}, lambda task, who=(client, number): order.append(who), client=client
            )
    assert last.place == 5
    gate.set()
    while len(order) < 6:
        time.sleep(0.005)
    assert order[:3] == [("greedy", 0), ("modest", 0), ("late", 0)]


def test_the_queue_is_bounded(jobs: Jobs) -> None:
    gate = threading.Event()
    jobs.submit("check", {}, lambda task: gate.wait(10) and None)
    time.sleep(0.05)
    for _ in range(6):
        jobs.submit("check", {}, nothing)
    with pytest.raises(FullError):
        jobs.submit("check", {}, nothing)
    gate.set()


def test_quick_work_does_not_wait_for_long_work(jobs: Jobs) -> None:
    gate = threading.Event()
    slow = jobs.submit("upscale", {}, lambda task: gate.wait(10) and None, lane="long")
    assert ended(jobs, jobs.submit("sample", {}, nothing).id).state == "done"
    assert jobs.get(slow.id).state == "running"
    gate.set()
    assert ended(jobs, slow.id).state == "done"


def test_a_job_is_cancelled_whether_it_waits_or_runs(jobs: Jobs) -> None:
    def forever(task: Task) -> None:
        while True:
            time.sleep(0.005)
            task.emit(events.Progress(1, 0.1, 1.0, 9.0))

    running, waiting = (jobs.submit("check", {}, forever) for _ in range(2))
    time.sleep(0.05)
    assert jobs.cancel(waiting.id).state == "cancelled"
    jobs.cancel(running.id)
    told = ended(jobs, running.id)
    assert told.state == "cancelled"
    assert told.progress is not None
    assert ended(jobs, jobs.submit("check", {}, nothing).id).state == "done"


def test_a_job_that_takes_too_long_is_ended(space: Workspace) -> None:
    jobs = Jobs(space, Hub(), waiting=6, seconds=0.05)

    def slow(task: Task) -> None:
        time.sleep(0.1)
        task.check()

    told = ended(jobs, jobs.submit("check", {}, slow).id)
    jobs.close()
    assert told.problem is not None
    assert "longer" in told.problem.detail


def test_errors_are_told_and_the_next_job_is_done(jobs: Jobs, space: Workspace) -> None:
    def refused(task: Task) -> None:
        raise VoluteError(f"cannot read {space.root}/uploads/{'0' * 16}/a.png", "Do this.")

    def broken(task: Task) -> None:
        raise KeyError("secret")

    def full(task: Task) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    found = [ended(jobs, jobs.submit("check", {}, work).id) for work in (refused, broken, full)]
    problems = [one.problem for one in found if one.problem]
    assert [one.status for one in problems] == [422, 500, 507]
    assert problems[0].detail == "cannot read a.png"
    assert "secret" not in problems[1].detail
    assert ended(jobs, jobs.submit("check", {}, nothing).id).state == "done"


def test_a_full_disk_loses_no_state(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()
    job = jobs.submit("check", {}, lambda task: gate.wait(10) and None)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(journal.os, "write", full)
        gate.set()
        told = ended(jobs, job.id)
        assert told.state == "done"
        assert "No space left" in jobs.get(job.id).notes[-1].text
        with pytest.raises(VoluteError, match="No space"):
            jobs.submit("check", {}, nothing)
    assert jobs.waiting() == 0
    assert [one.state for one in jobs.newest(9)] == ["done"]


def test_what_a_killed_server_left_is_interrupted(tmp_path: Path) -> None:
    space = Workspace(tmp_path / "work", Limits())
    for state in ("waiting", "running", "done"):
        space.jobs.add(Job(id=f"{state:0<16}", kind="check", state=state, request={}, created=""))
    (tmp_path / "work" / "uploads" / ".0123.part").write_bytes(b"half")
    with (tmp_path / "work" / ".studio" / "jobs.jsonl").open("a") as stream:
        stream.write('{"id":"torn')
    space._lock.close()  # as if it had been killed
    with serving(tmp_path / "work") as client:
        states = {job["id"][:4]: job["state"] for job in client.get("/api/v1/jobs").json()}
        assert states == {"wait": "interrupted", "runn": "interrupted", "done": "done"}
        assert list((tmp_path / "work" / "uploads").iterdir()) == []


def test_results_outlive_the_server_and_running_jobs_are_interrupted(tmp_path: Path) -> None:
    with serving(tmp_path / "work") as client:
        made = client.make("sample", model="garments-gan", n=2)
        gone = client.make("sample", model="garments-gan", n=1)
        client.delete(f"/api/v1/results/{gone['results'][0]}")
        slow = client.post("/api/v1/sample", json={"model": "land-gan", "n": 1024}).json()
        while client.get(f"/api/v1/jobs/{slow['id']}").json()["state"] == "waiting":
            time.sleep(0.01)
    with serving(tmp_path / "work") as client:
        told = client.get(f"/api/v1/jobs/{slow['id']}").json()
        assert told["state"] == "interrupted"
        names = [one["id"] for one in client.get("/api/v1/results").json()["results"]]
        assert set(made["results"]) <= set(names)
        assert gone["results"][0] not in names
        assert set(told["results"]) <= set(names)
        assert client.get(f"/api/v1/results/{names[-1]}/file").status_code == 200


def test_a_client_that_leaves_does_not_end_its_job(own: Client) -> None:
    job = own.post("/api/v1/sample", json={"model": "garments-gan", "n": 40}).json()
    with own.stream("GET", f"/api/v1/jobs/{job['id']}/events") as stream:
        next(stream.iter_lines())
    assert own.ended(job["id"])["state"] == "done"
    assert len(own.get(f"/api/v1/jobs/{job['id']}").json()["results"]) == 40


def test_a_journal_keeps_the_newest_of_each(tmp_path: Path) -> None:
    path = tmp_path / "jobs.jsonl"
    kept: Journal[Job] = Journal(path, Job, most=3)
    jobs = [
        Job(id=f"{n:016x}", kind="check", state="done", request={}, created="") for n in range(5)
    ]
    for job in jobs:
        kept.add(job)
    kept.remove(jobs[3].id)
    changed = jobs[2].model_copy(update={"state": "failed"})
    kept.add(changed)
    with path.open("ab") as stream:
        stream.write(b'{"torn": \xff\n')
    for again in (kept, Journal(path, Job, most=3)):
        assert [one.id for one in again.newest()][:2] == [jobs[4].id, jobs[2].id]
        assert len(list(again.newest())) <= 3
        assert again.get(jobs[3].id) is None
        assert again.get(jobs[2].id) == changed
