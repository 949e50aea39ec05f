"""Optimised pictures: the loss falls, colours move, the work can be watched and ended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from drawing import noise
from volute.errors import UsageError
from volute.events import Event, Progress
from volute.training.optimise import LEVELS, features_of, optimise, optimise_picture

CONTENT = noise(1, 48, 40)
STYLE = (noise(2, 40, 40) // 8 + np.array([200, 20, 60], np.uint8)).astype(np.uint8)
STEPS = 24


class Watched:
    """Keeps what it is told."""

    def __init__(self, stop_after: int = 10**6) -> None:
        self.events: list[Progress] = []
        self.pictures: list[np.ndarray] = []
        self.stop_after = stop_after

    def emit(self, event: Event) -> None:
        assert isinstance(event, Progress)
        self.events.append(event)

    def stop(self) -> bool:
        return len(self.events) >= self.stop_after

    def run(self, steps: int = STEPS, **options) -> np.ndarray:
        told = {"emit": self.emit, "preview": self.pictures.append, "stop": self.stop}
        return optimise_picture(CONTENT, STYLE, side=48, steps=steps, **told, **options)


def shallow() -> nn.Module:
    """Return features of one depth: random, always the same."""
    torch.manual_seed(0)
    layer = nn.Conv2d(3, 8, 3, padding=1).requires_grad_(False)

    class One(nn.Module):
        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            return [F.relu(layer(x))]

    return One()


def as_tensor(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Return how far the mean colours lie apart."""
    return float(np.linalg.norm(a.mean((0, 1)) - b.mean((0, 1))))


def test_the_loss_falls_by_more_than_half_and_colours_move_to_the_style() -> None:
    watched = Watched()
    made = watched.run(steps=60)
    assert (made.shape, made.dtype) == (CONTENT.shape, np.uint8)
    assert distance(made, STYLE) < 0.2 * distance(CONTENT, STYLE)
    first = float(start_loss())
    assert watched.events[-1].metrics["style"] < 0.5 * first


def start_loss() -> torch.Tensor:
    """Return the style loss of the content as it is."""
    features = features_of()

    def moments(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x.mean((2, 3)), x.std((2, 3))])

    pairs = zip(features(as_tensor(CONTENT)), features(as_tensor(STYLE)), strict=True)
    parts = [(moments(a) - moments(b)).square().sum() / moments(b).square().sum() for a, b in pairs]
    return torch.stack(parts).mean()


def test_progress_rises_to_the_end_and_previews_come_with_it() -> None:
    watched = Watched()
    watched.run()
    done = [event.done for event in watched.events]
    assert done == sorted(done)
    assert done[-1] == STEPS
    assert watched.events[-1].fraction == 1
    assert len(watched.pictures) == len(done) >= len(LEVELS)
    sides = [max(picture.shape) for picture in watched.pictures]
    assert sides == sorted(sides)
    assert sides[-1] == 48


def test_a_seed_gives_the_same_picture() -> None:
    first, again, other = (Watched().run(12, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_stopping_gives_the_picture_so_far_at_full_size() -> None:
    watched = Watched(stop_after=1)
    made = watched.run()
    assert len(watched.events) == 1
    assert made.shape == CONTENT.shape
    assert not np.array_equal(made, Watched().run())


def test_without_strength_the_content_stays() -> None:
    plain, styled = (Watched().run(60, strength=strength) for strength in (0.0, 1.0))
    assert np.abs(plain.astype(int) - CONTENT).mean() < 6
    assert distance(plain, STYLE) > 1.5 * distance(styled, STYLE)


def test_any_features_will_do() -> None:
    content, style = as_tensor(CONTENT), as_tensor(STYLE)
    made = optimise(content, style, shallow(), steps=30)
    assert made.shape == content.shape
    assert made.abs().max() <= 1

    def off(picture: torch.Tensor) -> float:
        return float((picture.mean((2, 3)) - style.mean((2, 3))).norm())

    assert off(made) < 0.5 * off(content)


def test_pictures_larger_than_the_side_come_back_at_their_size() -> None:
    large = np.repeat(np.repeat(CONTENT, 3, 0), 2, 1)
    made = optimise_picture(large, STYLE, side=48, steps=3)
    assert made.shape == large.shape


@pytest.mark.parametrize("style", [STYLE[:1, :1], np.full((40, 40, 3), 128, np.uint8)])
def test_a_style_of_one_pixel_or_one_grey_is_a_colour(style: np.ndarray) -> None:
    made = optimise_picture(CONTENT, style, side=48, steps=60)
    assert distance(made, style) < 0.3 * distance(CONTENT, style)


def test_content_smaller_than_the_network_is_worked_on_enlarged() -> None:
    assert optimise_picture(CONTENT[:5, :9], STYLE, steps=3).shape == (5, 9, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strength": -0.5}, "strength = -0.5 is out of range"),
        ({"strength": float("nan")}, "strength = nan is out of range"),
        ({"steps": 0}, "steps = 0 is out of range"),
        ({"side": 8}, "side = 8 px is too small"),
        ({"vgg": Path("nothing.safetensors")}, "does not hold this network"),
    ],
)
def test_what_is_out_of_range_is_refused(options: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        optimise_picture(CONTENT, STYLE, **options)


def test_tensors_too_small_are_refused() -> None:
    tiny = as_tensor(CONTENT[:16, :40])
    with pytest.raises(UsageError, match="the style of 40 x 16 px is too small"):
        optimise(as_tensor(CONTENT), tiny, shallow(), steps=1)
