"""Who does which item: each is told once, whatever dies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dying import DyingCrew, by_number
from volute.cluster.pool import TRIES, Pool
from volute.cluster.task import Died, Lost, Ready, Refused, Said
from volute.cluster.worker import Site, Worker
from volute.errors import UsageError, VoluteError
from volute.events import Emit, Note, silent


@dataclass(frozen=True)
class Doubling:
    refuses: int = -1

    def opened(self) -> int:
        return 2

    def how(self, tool: int) -> str:
        return "doubled"

    def do(self, tool: int, item: int, emit: Emit) -> int:
        if item == self.refuses:
            raise UsageError(f"not {item}", "Give another.")
        emit(Note("did", str(item)))
        return tool * item


def crew(room: int, deaths: int, seed: int, task: Doubling | None = None) -> DyingCrew:
    return DyingCrew(lambda: Worker(task or Doubling(), Site.here("doubled")), room, deaths, seed)


@given(
    count=st.integers(0, 12),
    room=st.integers(1, 4),
    deaths=st.integers(0, 12),
    seed=st.integers(0, 999),
)
def test_every_item_is_told_once(count: int, room: int, deaths: int, seed: int) -> None:
    workers, taken = crew(room, deaths, seed), list[int]()

    def take(index: int) -> int:
        taken.append(index)
        return index

    notes = list[Any]()
    found = by_number(Pool(workers, count, take, notes.append).results())
    assert sorted(found) == list(range(count))
    for index, result in found.items():
        lost = isinstance(result, Lost)
        assert result == (
            Lost(f"{TRIES} workers died while they did it: shot") if lost else 2 * index
        )
        assert not lost or taken.count(index) == TRIES
        assert 1 <= taken.count(index) <= TRIES
    assert len(taken) - count == deaths - workers.deaths - sum(
        isinstance(result, Lost) for result in found.values()
    )
    assert sorted(note.text for note in notes) == sorted(
        str(index) for index, result in found.items() if not isinstance(result, Lost)
    )
    assert not workers.alive, "all are let go"
    assert not workers.asked


@given(count=st.integers(1, 30), room=st.integers(0, 5))
def test_no_more_are_asked_for_than_can_be_used(count: int, room: int) -> None:
    workers = crew(max(1, room), 0, 0)
    workers.room = lambda: room  # a cluster that has no machine yet gets one for who waits
    by_number(Pool(workers, count, lambda index: index, silent).results())
    assert 1 <= workers.most_asked <= min(count, max(1, room))


def test_what_no_worker_can_do_ends_it_with_its_exit_code() -> None:
    workers = crew(2, 0, 0, Doubling(refuses=3))
    with pytest.raises(VoluteError, match=r"not 3 \(on ") as caught:
        by_number(Pool(workers, 9, lambda index: index, silent).results())
    assert (caught.value.exit_code, caught.value.hint) == (2, "Give another.")


def test_workers_that_cannot_begin_end_it() -> None:
    class Stillborn(DyingCrew):
        def _begins(self, number: int) -> Said:
            self.asked.remove(number)
            return Died("no such module")

    workers = Stillborn(lambda: Worker(Doubling(), Site.here("doubled")), 1, 0, 0)
    with pytest.raises(VoluteError, match="3 workers died before they had begun: no such module"):
        by_number(Pool(workers, 1, lambda index: index, silent).results())


def test_it_is_told_when_no_worker_can_begin() -> None:
    class Full(DyingCrew):
        waits = 0

        def said(self) -> Sequence[tuple[int, Said]]:
            self.waits += 1
            return [] if self.waits <= 30 else super().said()

    workers, told = Full(lambda: Worker(Doubling(), Site.here("doubled")), 1, 0, 0), list[Any]()
    by_number(Pool(workers, 1, lambda index: index, told.append).results())
    words = "no worker has begun yet: the cluster has 1 cores in all"
    assert [note.text for note in told] == [words, "0"]


@pytest.mark.parametrize(
    ("site", "words"),
    [
        (Site("/there/is/none", {}, "doubled"), "there is no folder /there/is/none"),
        (Site("/", {}, "trebled"), "the work would be another here: doubled, not trebled"),
        (Site("/", {}, "doubled", "0.0.1"), "and 0.0.1 where it was started"),
    ],
)
def test_a_worker_refuses_what_would_be_other_work(
    site: Site, words: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = Worker(Doubling(), site).ready()
    assert isinstance(said, Refused)
    assert words in said.what


def test_a_worker_takes_the_drivers_folder_and_settings(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from volute.engine.session import own_cores

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOLUTE_CONFIG", "keys-of-the-driver")
    monkeypatch.setenv("VOLUTE_THREADS", "64")
    monkeypatch.setenv("VIPS_CONCURRENCY", "64")
    site = Site.here("doubled")
    assert site.environment["VOLUTE_CONFIG"] == "keys-of-the-driver"
    assert Worker(Doubling(), site).ready() == Ready()
    assert own_cores() == 1
