"""The distances between sets against torchmetrics (with the features given) and prdc."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from prdc import compute_prdc
from torch import nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from volute.measure.coverage import coverage
from volute.measure.frechet import frechet_distance, kid

N, D = 400, 24


class Given(nn.Module):
    """An extractor whose pictures are the features."""

    num_features = D

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return x_BCHW.flatten(1)


@pytest.fixture(scope="module")
def sets() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(D, D)) / np.sqrt(D)
    real = rng.normal(size=(N, D)) @ mix
    return real, rng.normal(size=(N, D)) @ mix * 0.9 + 0.2


def as_pictures(features: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(features).reshape(-1, D, 1, 1)


def test_frechet_distance_equals_torchmetrics(sets: tuple[np.ndarray, np.ndarray]) -> None:
    real, made = sets
    other = FrechetInceptionDistance(feature=Given(), input_img_size=(D, 1, 1)).set_dtype(
        torch.float64
    )
    other.update(as_pictures(real), real=True)
    other.update(as_pictures(made), real=False)
    assert frechet_distance(real, made) == pytest.approx(other.compute().item(), abs=1e-4)


def test_kernel_distance_equals_torchmetrics_over_one_whole_subset(
    sets: tuple[np.ndarray, np.ndarray],
) -> None:
    real, made = sets
    other = KernelInceptionDistance(feature=Given(), subsets=1, subset_size=N)
    other.update(as_pictures(real), real=True)
    other.update(as_pictures(made), real=False)
    assert kid(real, made) == pytest.approx(other.compute()[0].item(), abs=1e-4)


def test_precision_recall_density_and_coverage_equal_prdc(
    sets: tuple[np.ndarray, np.ndarray],
) -> None:
    real, made = sets
    found = coverage(real, made)
    three, five = (compute_prdc(real, made, nearest_k=k) for k in (3, 5))
    assert found.precision == pytest.approx(three["precision"], abs=1e-4)
    assert found.recall == pytest.approx(three["recall"], abs=1e-4)
    assert found.density == pytest.approx(five["density"], abs=1e-4)
    assert found.coverage == pytest.approx(five["coverage"], abs=1e-4)
