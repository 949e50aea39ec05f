"""Frames of a camera, painted as they come; frames of a film, held where nothing moves."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from filming import Recipe, content, film
from make_stylizer import shared_stylizer
from volute.errors import DataError, UsageError
from volute.handles import Stylizer, load


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Stylizer:
    handle = load(shared_stylizer(tmp_path_factory.getbasetemp()))
    assert isinstance(handle, Stylizer)
    return handle


def frames(count: int, side: int = 64) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    for _ in range(count):
        yield rng.integers(0, 256, (side, side, 3), np.uint8)


def test_frames_come_back_painted_and_at_their_size(model: Stylizer) -> None:
    shown = list(model.stream(frames(5), style="wave"))
    assert shown[-1].index == 4, "the last frame is always shown"
    assert len(shown) + shown[-1].dropped == 5
    camera = list(frames(5))
    style = model.style("wave", like=camera[shown[0].index])
    assert np.array_equal(shown[-1].frame, model.stylize(camera[-1], style=style))


def test_strength_and_colour_reach_the_frames(model: Stylizer) -> None:
    (frame,) = frames(1)
    (shown,) = model.stream([frame], style="wave", strength=0.4, keep_colour=True)
    expected = model.stylize(frame, style="wave", strength=0.4, keep_colour=True)
    assert np.array_equal(shown.frame, expected)


def test_a_still_that_rustles_is_held(model: Stylizer) -> None:
    rng = np.random.default_rng(1)
    still = rng.integers(60, 190, (12, 12, 3)).repeat(8, 0).repeat(8, 1)

    seen = threading.Event()

    def camera() -> Iterator[np.ndarray]:
        yield np.rint(still + rng.normal(0, 2, still.shape)).astype(np.uint8)
        assert seen.wait(20)
        yield np.rint(still + rng.normal(0, 2, still.shape)).astype(np.uint8)

    shown = []
    for one in model.stream(camera(), style="wave"):
        shown.append(one.frame.astype(float))
        seen.set()
    first, second = shown
    alone = model.stylize(next(camera()), style="wave").astype(float)
    assert np.abs(second - first).mean() < 0.5 * np.abs(alone - first).mean()


def test_errors_reach_who_watches(model: Stylizer) -> None:
    with pytest.raises(DataError):
        list(model.stream([np.zeros((4, 4), np.float32)], style="wave"))
    with pytest.raises(UsageError, match="strength = 2"):  # at once, not at the first frame
        model.stream(frames(1), style="wave", strength=2)
    with pytest.raises(UsageError, match="no style"):
        model.stream(frames(1), style="nothing-like-it")
    with pytest.raises(UsageError, match="no frame rate"):
        model.stream(frames(1), style="wave", fps=0)


def test_no_strength_shows_frames_as_they_are(model: Stylizer) -> None:
    odd = np.random.default_rng(3).integers(0, 256, (331, 517, 3), np.uint8)
    (shown,) = model.stream([odd], style="wave", strength=0)
    assert np.array_equal(shown.frame, odd)


def test_what_paints_is_made_once_for_a_stream(model: Stylizer) -> None:
    with patch.object(Stylizer, "_runner", autospec=True, side_effect=Stylizer._runner) as made:
        assert list(model.stream(frames(5), style="wave"))
    assert made.call_count == 1


def test_another_thread_may_stop_a_stream(model: Stylizer) -> None:
    live, begun, ended, unplugged = model.live(style="wave"), *(threading.Event() for _ in "abc")

    def camera() -> Iterator[np.ndarray]:
        yield from frames(1)
        unplugged.wait(20)

    def watch() -> None:
        for _ in live.stream(camera()):
            begun.set()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    assert begun.wait(20)
    live.stop()
    assert ended.wait(10)
    unplugged.set()


def test_a_still_film_is_held_and_a_cut_shows_at_once(model: Stylizer, tmp_path: Path) -> None:
    source = film(tmp_path / "a.mkv", Recipe(codec="ffv1", pixels="bgr0", pts=range(0, 3000, 512)))
    model.stylize_file(source, tmp_path / "b.mkv", style="wave")
    before, after = (content(tmp_path / name).pictures for name in ("a.mkv", "b.mkv"))
    assert len(before) == len(after)
    style = model.style("wave", like=before[0])
    for old, new in zip(before, after, strict=True):
        alone = model.stylize(old, style=style).astype(int)
        assert np.abs(new - alone).mean() < 12, "what moves is not held"
