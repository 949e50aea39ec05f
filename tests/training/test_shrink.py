"""A narrower generator begins with the channels of a wide one that count, and learns from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from shapes import TINY
from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.jobs import resume, train
from volute.nets.blocks import Residual
from volute.nets.gan import Generator
from volute.nets.narrow import narrow_generator
from volute.shrinking import shrink


def _idle(network: Generator) -> None:
    """Switch off the second half of the channels that each batch norm sees."""
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.normal_(generator=rng)
                module.weight.uniform_(0.5, 1.5, generator=rng)
                for part in (module.weight, module.bias):
                    part[len(part) // 2 :] = 0


@pytest.mark.parametrize(("blocks", "resampling"), [(0, "bilinear"), (1, "transposed")])
def test_what_counts_is_kept(blocks: int, resampling: str) -> None:
    torch.manual_seed(0)
    large = Generator(16, 1, 3, 8, 64, 128, blocks, resampling)
    small = Generator(16, 1, 3, 8, 32, 64, blocks, resampling)
    _idle(large)
    for module in large.modules():  # nothing but what is normalised is seen by a convolution
        if isinstance(module, Residual):
            module.branch[5].weight.data.zero_()
            module.branch[5].bias.data.zero_()
    narrow_generator(small, large)
    latent, label = torch.randn(4, 8), torch.tensor([0, 1, 2, 0])
    made, wanted = (network.eval()(latent, label) for network in (small, large))
    torch.testing.assert_close(made, wanted)


def test_a_shrunken_gan_learns_from_the_large_one(shapes_npz: Path, tmp_path: Path) -> None:
    wide = {**TINY["gan"], "width": 64}
    large = train("gan", shapes_npz, kimg=0.5, out=tmp_path / "wide", settings=wide)
    made = shrink(large.path, to=0.4, kimg=0.5, out=tmp_path / "small")
    before, after = (open_artefact(run.model).config for run in (large, made))
    share = after.descriptor.macs_per_pixel / before.descriptor.macs_per_pixel
    assert 0.25 < share < 0.55
    assert after.classes == before.classes
    assert "taught by a wider generator, wide" in after.descriptor.training_data
    assert made.metrics["from_teacher"] < 0.5
    with pytest.raises(UsageError, match="is no wider generator"):
        resume(made.path, settings={"teacher": str(made.model)})
    with pytest.raises(UsageError, match="of kind vae"):
        shrink("garments-vae", shapes_npz)


def test_what_is_set_joins_what_the_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr("volute.jobs.train", lambda *_, **how: given.update(how))
    shrink("land-gan", "land/", settings={"data": {"crop": "tiles"}})
    assert given["size"] == 64
    assert given["settings"]["data"] == {"mode": "RGB", "labels": True, "crop": "tiles"}
    assert given["settings"]["width"] < 96
