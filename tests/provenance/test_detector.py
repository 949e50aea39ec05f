"""What is said of a picture's traces: p-values that hold, when it abstains, and what it finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import volute
from drawing import noise
from realdata import real_data
from volute import zoo
from volute.errors import UsageError
from volute.handles import Detector
from volute.media.photo import jpeg_quality
from volute.nets.remaker import FAMILIES, enlarged
from volute.provenance import detector
from volute.provenance.detector import by_source, judged, native, p_value
from volute.training.alike import as_bytes, as_floats

there = pytest.mark.skipif("trace" not in zoo.shipped(), reason="trace is not shipped yet")
KNOWN = [np.linspace(-3, 3, 999)]


def test_p_values_are_uniform_where_pictures_are_alike() -> None:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(4000):
        scores = rng.normal(size=100)
        found.append(p_value(scores[0], [np.sort(scores[1:])]))
    values, counts = np.unique(found, return_counts=True)
    assert np.allclose(values * 100, np.arange(1, 101))  # exact: k / (n + 1)
    assert np.abs(counts - 40).max() < 5 * 40**0.5


@settings(max_examples=50)
@given(st.lists(st.integers(0, 9), min_size=2, max_size=20), st.data())
def test_p_values_hold_with_ties(scores: list[int], data: st.DataObject) -> None:
    level = data.draw(st.floats(0, 1, allow_subnormal=False))
    low = [
        p_value(score, [np.sort(scores[:k] + scores[k + 1 :])]) <= level
        for k, score in enumerate(scores)
    ]
    assert np.mean(low) <= level + 1e-9


def test_the_source_that_scores_highest_counts() -> None:
    known = by_source(np.array([3.0, 0, 1, 2, 9]), np.array([1, 0, 0, 0, 1]))
    assert [list(part) for part in known] == [[0, 1, 2], [3, 9]]
    assert p_value(2.5, known) == 1.0
    assert p_value(5.0, known) == 2 / 3


@pytest.mark.parametrize(
    ("logits", "answer", "basis"),
    [
        (
            [9, 9, 9, 9],
            "generated",
            "in 4 of 4 places, p = 0.001 among 999 scores of real pictures",
        ),
        ([9, 9, 9, -2], "generated", "in 3 of 4 places"),
        ([9, 9, 9, -2, -2], "unsure", "places disagree"),
        ([-2, -2, -2, 9, 9], "unsure", "places disagree"),
        ([2.8, 2.8, 2.8], "unsure", "weak traces"),
        ([0, 0, 0, 9], "no evidence", "no traces of up-sampling that it knows"),
        ([-9], "no evidence", "p = 1 among"),
    ],
)
def test_the_answer_is_of_most_places(logits: list[float], answer: str, basis: str) -> None:
    told = judged(np.array(logits, np.float32), KNOWN)
    assert told.answer == answer
    assert basis in told.basis
    assert "absence proves nothing" in told.limits


@settings(deadline=None)
@given(st.integers(64, 700), st.integers(64, 700))
def test_crops_are_native_and_spread(height: int, width: int) -> None:
    rows = np.broadcast_to(np.arange(height)[:, None], (height, width))
    columns = np.broadcast_to(np.arange(width), (height, width))
    crops = native(np.stack([rows, columns], 2))
    sides = {crop.shape[:2] for crop in crops}
    assert len(sides) == 1
    assert all(64 <= side <= 128 and side % 2 == 0 for side in sides.pop())
    assert len(crops) == max(1, min(3, height // 128)) * max(1, min(3, width // 128))
    for crop in crops:
        assert np.all(np.diff(crop[:, 0, 0]) == 1)
        assert np.all(np.diff(crop[0, :, 1]) == 1)
    first, last = crops[0][0, 0], crops[-1][-1, -1]
    assert np.abs(first - (np.array([height - 1, width - 1]) - last)).max() <= 2


@pytest.mark.parametrize(
    ("name", "size", "how", "reason"),
    [
        ("a.png", (63, 200), {}, "under 64 px"),
        ("a.jpg", (200, 200), {"quality": 59}, "JPEG of quality 59"),
        ("a.gif", (200, 200), {}, "palette"),
    ],
)
def test_it_abstains(
    tmp_path: Path, name: str, size: tuple[int, int], how: dict[str, int], reason: str
) -> None:
    Image.fromarray(noise(1, *size)).save(tmp_path / name, **how)
    told = detector.look_at(tmp_path / name)
    assert (told.answer, told.p_value) == ("unsure", None)
    assert reason in told.basis


@pytest.mark.parametrize("quality", [30, 50, 60, 75, 95, 100])
def test_the_quality_of_a_jpeg_is_read(tmp_path: Path, quality: int) -> None:
    Image.fromarray(noise(1)).save(tmp_path / "a.jpg", quality=quality)
    found = jpeg_quality(tmp_path / "a.jpg")
    assert found is not None
    assert abs(found - quality) <= 1
    Image.fromarray(noise(1)).save(tmp_path / "a.png")
    assert jpeg_quality(tmp_path / "a.png") is None


@there
def test_any_picture_is_looked_at(tmp_path: Path) -> None:
    handle = volute.load("trace")
    assert isinstance(handle, Detector)
    x = noise(3, 150, 200)
    told = handle.look(x)
    assert told.p_value is not None
    assert handle.look(x.astype(np.uint16) * 257) == told
    assert handle.look(Image.fromarray(x)) == told
    assert handle.look(np.dstack([x, x[..., 0]])) == told
    Image.fromarray(x).save(tmp_path / "a.png")
    assert handle.look(tmp_path / "a.png") == told
    assert volute.verify(tmp_path / "a.png").detector == told
    grey = handle.look(x[..., 0])
    assert grey == handle.look(np.repeat(x[..., :1], 3, 2))
    assert handle.look(x / 255).answer == told.answer
    with pytest.raises(UsageError, match="int64"):
        handle.look(x.astype(np.int64))


@there
def test_real_pictures_are_not_called_generated() -> None:
    files = sorted(real_data("sr_test/BSD100/hr").iterdir())[:40]
    answers = [detector.shipped().look(np.asarray(Image.open(p).convert("RGB"))) for p in files]
    assert sum(told.answer == "generated" for told in answers) <= 1


@there
@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_doubled_by_an_odd_kernel_scores_higher(family: str) -> None:
    higher = 0
    for seed, path in enumerate(sorted(real_data("sr_test/BSD100/hr").iterdir())[:8]):
        x = np.asarray(Image.open(path).convert("RGB"))[:256, :256]
        made = enlarged(as_floats(x[None]), family, np.random.default_rng(seed))
        made = as_bytes(made.clamp(-1, 1))[0]
        real, doubled = (np.median(detector.shipped().logits(y)) for y in (x, made))
        higher += int(doubled > real)
    assert higher >= 6


@there
def test_it_weighs_1500_kb_at_most() -> None:
    assert sum(file.stat().st_size for file in (zoo.HERE / "trace").iterdir()) <= 1.5e6
