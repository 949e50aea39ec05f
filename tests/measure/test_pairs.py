"""Against torchmetrics, and where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchmetrics.functional.image import (
    peak_signal_noise_ratio,
    structural_similarity_index_measure,
)

from drawing import noise
from volute.errors import UsageError
from volute.measure.pairs import SCALES, ms_ssim, psnr, ssim


def pair(width: int = 190, height: int = 180, channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture and the same with noise, uint8."""
    a = noise(1, width, height, channels)
    shift = np.random.default_rng(0).normal(0, 20, a.shape)
    return a, np.clip(a + shift, 0, 255).astype(np.uint8)


def as_tensor(a: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(a.astype(np.float64)).reshape(*a.shape[:2], -1).permute(2, 0, 1)[None]


@pytest.mark.parametrize("channels", [1, 3])
def test_they_agree_with_torchmetrics(channels: int) -> None:
    a, b = pair(channels=channels)
    x, y = as_tensor(a), as_tensor(b)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(y, x, 255.0).item(), abs=1e-4)
    assert ssim(a, b) == pytest.approx(similarity(y, x), abs=1e-4)
    product = 1.0
    for exponent in SCALES[:-1]:
        _, contrast = structural_similarity_index_measure(
            y, x, data_range=255.0, return_contrast_sensitivity=True
        )
        product *= float(contrast) ** exponent
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    assert ms_ssim(a, b) == pytest.approx(product * similarity(y, x) ** SCALES[-1], abs=1e-4)


def similarity(y: torch.Tensor, x: torch.Tensor) -> float:
    """Return torchmetrics' SSIM without the border, where it mirrors the picture."""
    _, places = structural_similarity_index_measure(y, x, data_range=255.0, return_full_image=True)
    return float(places[..., 5:-5, 5:-5].mean())


def test_equal_pictures_are_equal() -> None:
    a, _ = pair()
    assert (psnr(a, a), ssim(a, a), ms_ssim(a, a)) == (
        math.inf,
        pytest.approx(1.0),
        pytest.approx(1.0),
    )


def test_one_step_of_256_everywhere_is_48_decibels() -> None:
    assert psnr(np.zeros((8, 8)), np.ones((8, 8))) == pytest.approx(48.1308, abs=1e-4)


def test_a_range_is_a_unit() -> None:
    a, b = pair()
    assert ssim(a / 255, b / 255, peak=1.0) == pytest.approx(ssim(a, b))


@pytest.mark.parametrize(
    ("measure", "shape", "words"),
    [
        (psnr, (8, 9), "cannot compare"),
        (ssim, (10, 10), "needs 11 px"),
        (ms_ssim, (175, 400), "needs 176 px"),
    ],
)
def test_what_cannot_be_measured_is_refused(measure, shape: tuple[int, int], words: str) -> None:
    other = (8, 8) if measure is psnr else shape
    with pytest.raises(UsageError, match=words):
        measure(np.zeros(shape), np.zeros(other))
