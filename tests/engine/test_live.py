"""Live frames: only the newest, never lost at the end, at a size that holds the rate."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from volute.engine.live import Live, Shown
from volute.engine.pace import SIDES, Pace
from volute.errors import DataError, UsageError

HEIGHT, WIDTH = 720, 1280


def frame(value: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), value, np.uint8)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Camera:
    """Gives a frame each time that one is wanted; nothing else passes the time."""

    def __init__(self, frames: Any) -> None:
        self.frames, self.wanted, self.closed = frames, threading.Semaphore(0), threading.Event()

    def __iter__(self) -> Iterator[Any]:
        try:
            for each in self.frames:
                assert self.wanted.acquire(timeout=20)
                yield each
        finally:
            self.closed.set()

    def next(self, stream: Iterator[Shown]) -> Shown:
        self.wanted.release()
        return next(stream)


def test_each_frame_of_a_slow_camera_is_shown_in_its_own_size() -> None:
    shapes = [(48, 64), (480, 640), (7, 3), (1, 1), (101, 333), (48, 64)]
    camera = Camera([frame(index, *shape) for index, shape in enumerate(shapes)])
    seen = []

    def process(small: np.ndarray) -> np.ndarray:
        seen.append(small.shape)
        return 255 - small

    stream = Live(process, sides=(128,)).stream(camera)
    for index, shape in enumerate(shapes):
        shown = camera.next(stream)
        assert np.array_equal(shown.frame, 255 - frame(index, *shape))
        assert (shown.index, shown.dropped) == (index, 0)
        assert shown.side == max(seen[-1][:2]) <= max(128, 8)
    assert next(stream, None) is None
    assert seen[1] == (96, 128, 3)
    assert seen[4] == (40, 128, 3)
    assert all(side % 8 == 0 for height, width, _ in seen for side in (height, width))


def test_a_picture_survives_being_made_small_and_large_again() -> None:
    y, x = np.mgrid[:360, :640]
    smooth = np.stack([x * 255 / 639, y * 255 / 359, (x + y) * 255 / 998], 2).round().astype("u1")
    (shown,) = Live(np.copy, sides=(128,)).stream([smooth])
    assert np.abs(shown.frame.astype(int) - smooth).max() <= 3  # no shift
    noise = np.random.default_rng(0).integers(0, 2, (360, 640, 1), np.uint8).repeat(3, 2) * 255
    small: list[np.ndarray] = []
    list(Live(lambda each: small.append(each) or each, sides=(128,)).stream([noise]))  # type: ignore[func-returns-value]
    assert small[0].std() < 40  # antialiased: 127.5 otherwise


def test_only_the_newest_frame_is_kept_and_the_last_one_shown() -> None:
    taken, ended, clock = threading.Event(), threading.Event(), Clock()

    def source() -> Iterator[np.ndarray]:
        yield frame(0)
        assert taken.wait(20)
        yield from (frame(index) for index in range(1, 10))
        ended.set()

    def process(small: np.ndarray) -> np.ndarray:
        taken.set()
        assert ended.wait(20)
        clock.now += 0.5
        return small

    shown = list(Live(process, clock=clock).stream(source()))
    assert [each.latency_s for each in shown] == [0.5, 1.0]  # the second waited for the first
    assert [(each.index, each.dropped, each.frame[0, 0, 0]) for each in shown] == [
        (0, 0, 0),
        (9, 8, 9),
    ]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 200))
def test_no_frame_is_shown_twice_and_all_are_counted(count: int) -> None:
    source = (frame(index) for index in range(count))
    shown = list(Live(lambda small: small).stream(source))
    indices = [each.index for each in shown]
    assert indices == sorted(set(indices))
    assert indices[-1:] == [count - 1][:count]
    for number, each in enumerate(shown, 1):
        assert each.frame[0, 0, 0] == each.index
        assert each.index + 1 == number + each.dropped


def test_latency_and_rate_are_told() -> None:
    clock, camera = Clock(), Camera([frame(0)] * 5)

    def process(small: np.ndarray) -> np.ndarray:
        clock.now += 0.02
        return small

    stream = Live(process, clock=clock).stream(camera)
    for number in range(5):
        shown = camera.next(stream)
        assert shown.latency_s == pytest.approx(0.02)
        assert shown.fps == pytest.approx(25 if number else 0)
        clock.now += 0.02


def test_an_error_of_the_source_comes_after_its_last_frame() -> None:
    def source() -> Iterator[np.ndarray]:
        yield frame(1)
        raise OSError("unplugged")

    stream = Live(lambda small: small).stream(source())
    assert next(stream).index == 0
    with pytest.raises(OSError, match="unplugged"):
        next(stream)
    with pytest.raises(TypeError):
        next(Live(lambda small: small).stream(None))  # type: ignore[arg-type]


def test_an_error_of_the_process_stops_the_camera() -> None:
    def process(small: np.ndarray) -> np.ndarray:
        raise ZeroDivisionError

    camera = Camera(itertools.repeat(frame(0)))
    with pytest.raises(ZeroDivisionError):
        camera.next(Live(process).stream(camera))
    camera.wanted.release()
    assert camera.closed.wait(20)


@pytest.mark.parametrize("endless", [True, False], ids=["running", "blocked"])
def test_closing_stops_the_camera(endless: bool) -> None:
    camera = Camera(itertools.repeat(frame(0)))
    source = iter(camera)
    stream: Any = Live(lambda small: small).stream(source)
    if endless:
        camera.wanted.release(1000)
    camera.next(stream)
    stream.close()  # returns, though the camera blocks
    assert next(stream, None) is None
    camera.wanted.release()
    assert camera.closed.wait(20)


def test_an_empty_source_ends_at_once() -> None:
    assert list(Live(lambda small: small).stream([])) == []
    stream = Live(lambda small: small).stream(Camera([frame(0)]))
    stream.close()  # type: ignore[attr-defined]
    assert all(thread.name != "volute-live" for thread in threading.enumerate())


@pytest.mark.parametrize(
    "bad",
    [None, 3, np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((8, 0, 3), np.uint8)],
    ids=["None", "number", "grey", "float", "empty"],
)
def test_what_is_no_frame_is_named(bad: Any) -> None:
    with pytest.raises(DataError, match="frame 0 is "):
        list(Live(lambda small: small).stream([bad]))
    with pytest.raises(UsageError, match="process gives "):
        list(Live(lambda small: bad).stream([frame(0)]))


@pytest.mark.parametrize("fps", [0, -1, float("nan"), 1001])
def test_what_is_no_rate_is_refused(fps: float) -> None:
    with pytest.raises(UsageError, match="no frame rate"):
        Live(lambda small: small, fps=fps)


@pytest.mark.parametrize("sides", [(), (0,), (12,), (256, 128), (128, 128)])
def test_what_are_no_sides_is_refused(sides: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="ascending multiples"):
        Live(lambda small: small, sides=sides)


def run(
    pace: Pace, cost: Callable[[int, float], float], start: float, seconds: float, rest: float = 0
) -> list[tuple[float, int, float]]:
    """Drive `pace` by a clock of its own; return when, at which side and how long each frame took.

    Args:
        pace: what is driven.
        cost: seconds of a frame, from its pixels and the time.
        start: when it begins.
        seconds: how long it goes on.
        rest: seconds beside `cost`.
    """
    now, told = start, []
    while now < start + seconds:
        size = pace.size(HEIGHT, WIDTH)
        took = cost(size[0] * size[1], now)
        told.append((now, max(size), took + rest))
        now += max(took + rest, 1 / 30)
        pace.took(took, rest, now, HEIGHT, WIDTH)
    return told


def changes(told: list[tuple[float, int, float]], after: float) -> int:
    sides = [side for when, side, _ in told if when >= after]
    return sum(a != b for a, b in itertools.pairwise(sides))


def pixels(side: int) -> int:
    height, width = Pace(30, (side,)).size(HEIGHT, WIDTH)
    return height * width


@settings(max_examples=80, deadline=None)
@given(
    st.floats(1e-9, 2e-6, allow_subnormal=False),
    st.floats(0, 0.02, allow_subnormal=False),
    st.floats(0, 0.01, allow_subnormal=False),
    st.floats(0, 0.2, allow_subnormal=False),
    st.integers(0, 9),
)
def test_a_steady_load_finds_its_size_and_stays(
    each: float, fixed: float, rest: float, noise: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    told = run(
        Pace(30, SIDES),
        lambda count, now: (fixed + each * count) * (1 + noise * rng.uniform(-1, 1)),
        0,
        30,
        rest,
    )
    settled = [side for when, side, _ in told if when >= 8]
    assert sum(b < a for a, b in itertools.pairwise(settled)) <= 1
    side = settled[-1]
    mean = np.mean([took for when, _, took in told if when >= 8])
    assert mean <= 1.05 / 30 or side == SIDES[0]
    if side < SIDES[-1]:  # and it is not needlessly small
        larger = pixels(SIDES[SIDES.index(side) + 1])
        assert (fixed + each * pixels(side)) * larger / pixels(side) >= 0.5 * (1 / 30 - rest)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(SIDES[:-1]),
    st.floats(1.2, 10, allow_subnormal=False),
    st.floats(0.2, 0.7, allow_subnormal=False),
)
def test_a_cost_that_cannot_be_foretold_does_not_make_it_swing(
    side: int, worse: float, share: float
) -> None:
    edge = pixels(side)
    each = share / 30 / edge
    told = run(
        Pace(30, SIDES), lambda count, now: each * count * (worse if count > edge else 1), 0, 240
    )
    slow = [when for when, _, took in told if took > 1 / 30 and when > 60]
    assert len(slow) <= 0.02 * len(told)
    assert changes(told, after=120) <= 60


def test_it_gives_way_to_a_load_and_recovers() -> None:
    each = 0.6 / 30 / pixels(640)
    pace = Pace(30, SIDES)
    told = run(pace, lambda count, now: each * count * (6 if 20 <= now < 40 else 1), 0, 60)
    at = {second: next(side for when, side, _ in told if when >= second) for second in (19, 39, 59)}
    assert at[19] == at[59] == 640
    assert 128 < at[39] < 320
    late = [when for when, _, took in told if took > 1 / 30]
    assert max(late) < 21.5
    assert changes(told, 20.5) - changes(told, 40) <= 2


def test_a_hiccup_changes_nothing() -> None:
    each = 0.7 / 30 / pixels(448)
    hiccups = {round(second * 30) for second in range(5, 30, 2)}
    told = run(
        Pace(30, SIDES),
        lambda count, now: each * count + (0.3 if round(now * 30) in hiccups else 0),
        0,
        30,
    )
    assert sum(took > 0.3 for _, _, took in told) > 5
    assert changes(told, after=4) == 0


def test_a_hopeless_size_is_left_after_two_frames() -> None:
    told = run(Pace(30, SIDES), lambda count, now: 1e-4 * count, 0, 60)
    assert told[2][1] == SIDES[0]


def test_a_caller_that_waits_costs_no_more_than_half() -> None:
    each = 0.45 / 30 / pixels(384)
    told = run(Pace(30, SIDES), lambda count, now: each * count, 0, 30, rest=10)
    assert told[-1][1] >= 288


def test_small_frames_do_not_make_it_climb() -> None:
    pace = Pace(30, SIDES)
    for number in range(600):
        assert max(pace.size(90, 160)) == 160
        pace.took(1e-4, 0, number / 30, 90, 160)
    assert max(pace.size(HEIGHT, WIDTH)) == 384


def test_a_stream_keeps_the_rate_by_its_size() -> None:
    clock, load = Clock(), [1.0]
    each = 0.6 / 30 / pixels(512)

    def process(small: np.ndarray) -> np.ndarray:
        clock.now += load[0] * each * small.shape[0] * small.shape[1]
        return small[:1, :1]

    camera = Camera(itertools.repeat(frame(0, HEIGHT, WIDTH)))
    stream: Any = Live(process, clock=clock).stream(camera)
    sides = []
    for number in range(250):
        load[0] = 5.5 if 50 <= number < 100 else 1.0
        shown = camera.next(stream)
        sides.append(shown.side)
        assert shown.frame.shape == (HEIGHT, WIDTH, 3)
        clock.now += max(0.0, 1 / 30 - shown.latency_s) / 3
    assert sides[49] == 512
    assert sides[99] == 224
    assert sides[249] == 512
    camera.wanted.release()
    stream.close()


@pytest.mark.parametrize("waits", [True, False], ids=["waiting", "before it begins"])
def test_any_thread_may_stop_a_stream(waits: bool) -> None:
    camera, live, ended = Camera(itertools.repeat(frame(0))), Live(np.copy), threading.Event()
    stream, begun, seen = live.stream(camera), threading.Event(), []

    def watch() -> None:
        for shown in stream:
            seen.append(shown)
            begun.set()
        ended.set()

    watcher = threading.Thread(target=watch, daemon=True)
    if waits:
        watcher.start()
        camera.wanted.release()
        assert begun.wait(20)
        live.stop()
    else:
        live.stop()
        watcher.start()
    assert ended.wait(20), "it waits for the camera for ever"
    assert len(seen) == waits
    live.stop()
    assert list(live.stream([frame(1)])) == []
    camera.wanted.release(2)
    assert camera.closed.wait(20)


def test_without_a_process_frames_stay_as_they_are() -> None:
    odd = np.random.default_rng(0).integers(0, 256, (101, 333, 3), np.uint8)
    (shown,) = Live(None, sides=(128,)).stream([odd])
    assert np.array_equal(shown.frame, odd)
    assert shown.side == 333
