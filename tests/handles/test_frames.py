"""A shot: what is measured once, and when it is measured anew."""

from __future__ import annotations

import numpy as np

from volute.handles.frames import Shot
from volute.handles.tiled import as_raster
from volute.media.raster import Raster


class Counted:
    def __init__(self) -> None:
        self.shot, self.measured = Shot(), 0

    def show(self, frame: np.ndarray) -> int:
        """Return which measure a frame is painted by."""
        return int(self.shot(as_raster(frame), self._measure)[0])

    def _measure(self, raster: Raster) -> np.ndarray:
        self.measured += 1
        return np.array([self.measured])


def scene(seed: int, side: int = 200) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(30, 226, (8, 8, 3))
    return coarse.repeat(side // 8, 0).repeat(side // 8, 1).astype(np.uint8)


def test_a_pan_and_noise_are_one_shot() -> None:
    counted, still = Counted(), scene(0)
    rng = np.random.default_rng(1)
    for step in range(12):
        noisy = np.roll(still, 4 * step, 1) + rng.normal(0, 2, still.shape)
        assert counted.show(noisy.clip(0, 255).astype(np.uint8)) == 1


def test_a_cut_another_size_and_a_fade_are_measured_anew() -> None:
    counted, still = Counted(), scene(0)
    dark = (scene(3) * 0.4).astype(np.uint8)
    assert [counted.show(frame) for frame in (still, still, dark, dark)] == [1, 1, 2, 2]
    assert counted.show(dark[:100]) == 3
    counted = Counted()
    last = [counted.show((still * share).astype(np.uint8)) for share in np.linspace(0, 1, 25)][-1]
    assert 3 <= last <= 15
    assert counted.show(still) == last


def test_grey_alpha_and_deep_frames() -> None:
    counted, still = Counted(), scene(0)
    for frame in (
        still[..., :1],
        np.dstack([still, still[..., :1]]),
        still.astype(np.uint16) * 257,
    ):
        before = counted.measured
        assert counted.show(frame) == counted.show(frame)
        assert counted.measured <= before + 1
