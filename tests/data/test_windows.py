"""What lies at a position: the same whenever it is asked for, all of the set, and not too much."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapes import shapes
from sharding import numbers, png, serving, shards, tar, written
from volute.data import members, windows
from volute.data.members import Shard
from volute.data.windows import Form, Plan, Windows, planned
from volute.errors import DataError, UsageError

FORM = Form(16, "L", "centre", ("0", "1"), numbered=False)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "WAIT_S", 0.0)


def of(folder: Path, plan: Plan, form: Form = FORM, said: list[str] | None = None) -> Windows:
    names = [f"s-{number:03d}.tar" for number in range(plan.shards)]
    found = [Shard(str(folder / name), name) for name in names]
    return Windows(found, plan, form, (said if said is not None else []).append)


def plan_of(count: int, each: int, held: int = 0, processes: int = 1, seed: int = 0) -> Plan:
    return planned(count, each, 1.0, 256, held, processes, seed)


@given(st.integers(1, 40), st.integers(1, 3000), st.integers(1, 40), st.floats(1, 300))
def test_a_plan_divides_and_is_bounded(count: int, each: int, processes: int, tiles: float) -> None:
    if processes > count:
        with pytest.raises(UsageError, match=f"{processes} processes need as many shards"):
            planned(count, each, tiles, 256, 0, processes, 0)
        return
    plan = planned(count, each, tiles, 256, 0, processes, 0)
    assert plan.lanes % processes == 0
    assert plan.lanes <= count
    assert 1 <= plan.size * plan.lanes <= windows.WINDOW
    if processes in (1, 2, 4, 8, 16):
        assert plan == planned(count, each, tiles, 256, 0, 1, 0)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(0, 5))
def test_each_pass_takes_each_part_of_each_shard_once(
    count: int, lanes: int, parts: int, seed: int
) -> None:
    plan = Plan(count, lanes, 4, 4, parts, 0, seed)
    passes = Counter(
        plan.source(lane, number) for number in range(parts * count * 2) for lane in range(lanes)
    )
    assert set(passes.values()) == {1}
    firsts = {shard: sorted(f for s, f in passes if s == shard) for shard in range(count)}
    for found in firsts.values():
        assert found == list(range(0, 4 * len(found), 4))  # on and on, nothing left out


def test_a_pass_shows_each_picture_once(tmp_path: Path) -> None:
    written(tmp_path, shards(4, 64))
    found = of(tmp_path, plan_of(4, 64))
    for shown in (0, 256):
        squares, _ = found.at(shown + np.arange(256), 1)
        assert sorted(numbers(squares)) == list(range(256))
    assert numbers(squares) != sorted(numbers(squares))


def test_a_batch_mixes_the_shards(tmp_path: Path) -> None:
    written(tmp_path, shards(8, 32))
    squares, _ = of(tmp_path, plan_of(8, 32)).at(np.arange(16), 1)
    assert Counter(number // 32 for number in numbers(squares)) == dict.fromkeys(range(8), 2)


def test_a_position_alone_says_what_comes(tmp_path: Path) -> None:
    pictures, labels = shapes(5 * 30)
    written(tmp_path, shards(5, 30))
    plan = Plan(5, 4, 8, 8, 4, 3, 7)
    whole, stated = of(tmp_path, plan).at(np.arange(600), 1)
    shown = numbers(whole)
    assert stated.tolist() == labels[shown].tolist()
    assert not set(shown) & {120, 121, 122}  # held out of the last
    for start in (0, 17, 250, 599):  # from anywhere, by a new reader, in other portions
        fresh = of(tmp_path, plan)
        portions = [
            fresh.at(np.arange(at, min(at + 13, 600)), 1)[0] for at in range(start, 600, 13)
        ]
        assert np.array_equal(np.concatenate(portions), whole[start:])
    held, of_held = of(tmp_path, plan).held()
    assert numbers(held) == [120, 121, 122]
    assert of_held.tolist() == labels[120:123].tolist()


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_read_parts_of_their_own_that_are_together_the_whole(
    tmp_path: Path, processes: int
) -> None:
    written(tmp_path, shards(6, 40))
    plan = plan_of(6, 40, processes=processes)
    whole, _ = of(tmp_path, plan).at(np.arange(240), 1)
    seen = []
    for rank in range(processes):
        mine = of(tmp_path, plan)
        read: list[int] = []
        for shard in mine._shards:
            shard.run = _noting(shard.run, shard.name, read)  # type: ignore[method-assign]
        batches = [
            mine.at((at + np.arange(12))[rank::processes], processes)[0] for at in range(0, 240, 12)
        ]
        assert np.array_equal(np.concatenate(batches), whole[rank::processes])
        seen.append(numbers(np.concatenate(batches)))
        last = max(mine._ready)
        mine._ready[last].result()
        lanes = range(rank, plan.lanes, processes)
        wanted = {plan.source(lane, number)[0] for lane in lanes for number in range(last + 1)}
        assert {int(name[2:5]) for name in read} == wanted
    if processes == 2:
        assert plan == plan_of(6, 40)
    assert sorted(sum(seen, [])) == sorted(numbers(whole))
    first = [set(numbers(whole[rank::processes][: plan.size])) for rank in range(processes)]
    assert not set.intersection(*first)


def _noting(call, name: str, read: list):
    def noted(*values):
        read.append(name)
        return call(*values)

    return noted


def test_two_windows_are_held_and_nothing_read_ahead_of_them(tmp_path: Path) -> None:
    written(tmp_path, shards(4, 64))
    found = of(tmp_path, Plan(4, 4, 8, 8, 8, 0, 0))
    for at in range(0, 512, 16):
        found.at(at + np.arange(16), 1)
        now = at // 32
        assert sorted(found._ready) == [now, now + 1]
    assert sum(f.result().squares.nbytes for f in found._ready.values()) == 2 * 32 * 256
    assert threading.active_count() < 12


def test_a_tar_is_read_once_in_a_pass(tmp_path: Path) -> None:
    with serving(shards(2, 60)) as server:
        found = [Shard(f"{server.url}/s-{i:03d}.tar", f"s-{i}") for i in range(2)]
        decoded: list[int] = []
        form = Form(16, "L", "centre", (), numbered=False)
        reader = Windows(found, Plan(2, 2, 10, 10, 6, 0, 0), form, lambda line: None)
        reader._taken = _counting(reader._taken, decoded)  # type: ignore[method-assign]
        reader.at(np.arange(120), 1)
        reader._ready[6].result()
        again = Counter(dict.fromkeys(range(10), 2))  # the next pass has begun
    assert Counter(decoded) == again + Counter(dict.fromkeys(range(60), 2))


def _counting(call, decoded: list[int]):
    def counted(shard, sample, seed):
        decoded.append(sample.number)
        return call(shard, sample, seed)

    return counted


def test_damaged_pictures_are_skipped_counted_and_told(tmp_path: Path) -> None:
    pictures = shapes(40)[0]
    found = [(f"{i:02d}.png", png(picture)) for i, picture in enumerate(pictures)]
    found[3] = ("03.png", found[3][1][:50])
    found[9] = ("09.png", b"")
    found[11] = ("11.png", png(np.full((16, 16), 7, np.uint8)))  # near-empty: not even counted
    written(tmp_path, [tar(found)])
    said: list[str] = []
    form = Form(16, "L", "centre", (), numbered=False)
    squares, labels = of(tmp_path, plan_of(1, 40), form, said).at(np.arange(40), 1)
    assert len({square.tobytes() for square in squares}) == 37
    assert not labels.any()
    reasons = ["03.png: broken PNG", "09.png: the file is empty (0 bytes)"]
    assert len(said) == 2  # two windows are read at once: either may come first
    for line, count in zip(said, ("1 picture", "2 pictures"), strict=True):
        assert any(
            line.startswith(f"{count} skipped so far, the last: s-000.tar/{reason}")
            for reason in reasons
        )


def test_a_class_that_is_not_known_is_skipped(tmp_path: Path) -> None:
    written(tmp_path, shards(2, 40))
    said: list[str] = []
    form = Form(16, "L", "centre", ("0",), numbered=False)
    _, labels = of(tmp_path, plan_of(2, 40), form, said).at(np.arange(80), 1)
    assert not labels.any()
    assert "class 1, where the first pictures have others" in said[0]
    named = Form(16, "L", "centre", ("disc", "bar"), numbered=True)
    _, labels = of(tmp_path, plan_of(2, 40), named).at(np.arange(80), 1)
    assert set(labels.tolist()) == {0, 1}


def test_a_shard_that_fails_is_skipped_and_too_many_are_an_error(tmp_path: Path) -> None:
    written(tmp_path, shards(11, 20))
    said: list[str] = []
    (tmp_path / "s-004.tar").write_bytes(b"broken" * 200)
    found = of(tmp_path, plan_of(11, 20), FORM, said)
    squares, _ = found.at(np.arange(220), 1)
    assert not {n // 20 for n in numbers(squares)} & {4}
    assert [line for line in said if "s-004.tar cannot be read" in line and "skipped" in line]
    (tmp_path / "s-006.tar").unlink()
    with pytest.raises(DataError, match="2 of 11 shards cannot be read") as error:
        of(tmp_path, plan_of(11, 20)).at(np.arange(440), 1)
    assert "s-004.tar" in error.value.what
    assert "s-006.tar" in error.value.what


def test_tiles_of_a_picture_are_few_and_others_each_time(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    large = [png(rng.integers(0, 256, (160, 160), np.uint8)) for _ in range(8)]
    written(tmp_path, [tar([(f"{i}.png", content) for i, content in enumerate(large)])])
    form = Form(16, "L", "tiles", (), numbered=False)
    plan = planned(1, 8, 100.0, 256, 0, 1, 0)
    assert (plan.pictures, plan.size, plan.parts) == (8, 8 * windows.TILES, 1)
    reader = of(tmp_path, plan, form)
    passes = [reader.at(at + np.arange(128), 1)[0] for at in (0, 128)]
    kinds = [{square.tobytes() for square in squares} for squares in passes]
    assert [len(kind) for kind in kinds] == [128, 128]
    assert len(kinds[0] & kinds[1]) < 64
