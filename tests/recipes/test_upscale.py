"""Super-resolution learns what nearest enlargement does not know, from pairs like Pillow's."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from PIL import Image

import volute.handles
from teachers import coloured
from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.exports import export_run
from volute.jobs import resume, train
from volute.nets.narrow import narrow
from volute.nets.upscaler import Upscaler, begin, folded
from volute.shrinking import shrink
from volute.training.degrade import reduced
from volute.training.run import Run


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pictures_are_reduced_as_pillow_reduces_them(scale: int) -> None:
    pixels = coloured(1, 96)[0]
    size = (96 // scale,) * 2
    theirs = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC), np.int32)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    ours = ((reduced(x, scale)[0].permute(1, 2, 0) + 1) * 127.5).round().numpy().astype(np.int32)
    assert np.abs(ours - theirs).max() <= 2
    assert (ours == theirs).mean() > 0.85  # Pillow also rounds between the two directions


TINY = {"width": 8, "blocks": 1, "batch": 8, "patch": 12, "threads": 1, "precision": "float32"}

TINY_RUN = {key: TINY[key] for key in ("threads", "precision")}


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("upscale") / "discs"
    folder.mkdir()
    for index, picture in enumerate(coloured(24, 128)):
        Image.fromarray(picture).save(folder / f"{index}.png")
    return folder


@pytest.fixture(scope="module")
def run(discs: Path) -> Run:
    return train("upscale", discs, size=64, kimg=2, out=discs.parent / "run", settings=TINY)


def test_it_beats_nearest_on_pictures_that_it_has_not_seen(run: Run) -> None:
    assert run.metrics["psnr"] > nearest_psnr() + 1


def nearest_psnr() -> float:
    x = torch.from_numpy(coloured(8, 64, seed=9)).permute(0, 3, 1, 2).float() / 127.5 - 1
    again = reduced(x, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    return 10 * np.log10(4 / (again - x).square().mean().item())


def test_the_model_says_what_tiles_need_to_know(run: Run) -> None:
    about = open_artefact(run.model).config.descriptor
    assert (about.kind, about.scale, about.size, about.radius) == ("upscale", 2, 0, 4)
    assert about.tiling_exact


def test_stopped_and_resumed_equals_uninterrupted(discs: Path, run: Run) -> None:
    stops = iter([False] * 90 + [True])
    part = train(
        "upscale", discs, size=64, kimg=2, out=discs.parent / "part", settings=TINY,
        stop=lambda: next(stops),
    )  # fmt: skip
    assert part.metrics["shown"] < 2000
    resume(part.path)
    weights = "model/weights.safetensors"
    assert (part.path / weights).read_bytes() == (run.path / weights).read_bytes()


def test_tiles_that_hold_no_patch_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "discs.npz", x=coloured(20, 64))
    with pytest.raises(UsageError, match=r"tiles of 64 px are too small: 96 px are needed"):
        train("upscale", tmp_path / "discs.npz", size=64, out=tmp_path / "run")


def test_another_scale_starts_from_what_was_learned(discs: Path, run: Run) -> None:
    small = Upscaler(3, 8, 1, 2)
    begin(small, open_artefact(run.model))
    large = Upscaler(3, 8, 1, 4)
    begin(large, open_artefact(run.model))
    x = torch.from_numpy(coloured(1, 32)).permute(0, 3, 1, 2).float() / 127.5 - 1
    repeated = small(x).repeat_interleave(2, 2).repeat_interleave(2, 3)
    torch.testing.assert_close(large(x), repeated)
    assert (repeated - x.repeat_interleave(4, 2).repeat_interleave(4, 3)).abs().max() > 0.01
    robust = Upscaler(3, 8, 1, 2, robust=True)
    begin(robust, open_artefact(run.model))
    torch.testing.assert_close(robust(x, torch.ones(1)), small(x))
    other = {**TINY, "width": 16, "start": str(run.path)}
    with pytest.raises(UsageError, match="has other bands or channels than the new network"):
        train("upscale", discs, size=64, kimg=0.1, out=discs.parent / "other", settings=other)


def test_a_deeper_network_goes_on_from_what_a_shallower_one_learned(run: Run) -> None:
    known, deeper = Upscaler(3, 8, 1, 2), Upscaler(3, 8, 3, 2)
    begin(known, open_artefact(run.model))
    begin(deeper, open_artefact(run.model))
    x = torch.from_numpy(coloured(1, 32)).permute(0, 3, 1, 2).float() / 127.5 - 1
    learned = (known(x) - x.repeat_interleave(2, 2).repeat_interleave(2, 3)).abs().mean()
    assert (deeper(x) - known(x)).abs().mean() < 0.1 * learned
    with pytest.raises(UsageError, match="or more blocks"):
        begin(Upscaler(3, 8, 0, 2), open_artefact(run.model))


def test_a_robust_model_repairs_as_much_as_it_is_told(discs: Path) -> None:
    out = discs.parent / "robust"
    made = train("upscale", discs, size=64, kimg=1, out=out, settings={**TINY, "robust": True})
    model = volute.load(made.model)
    assert isinstance(model, volute.handles.Upscaler)
    picture = coloured(1, 64, seed=3)[0]
    rough = np.random.default_rng(0).normal(picture, 12).clip(0, 255).astype(np.uint8)
    smooth = [_roughness(model.upscale(rough, strength=s)) for s in (0.0, 1.0)]
    assert smooth[1] < smooth[0]
    with pytest.raises(UsageError, match="is not between 0 and 1"):
        model.upscale(picture, strength=2)


def _roughness(picture: np.ndarray) -> float:
    return float(np.abs(np.diff(picture.astype(float), axis=0)).mean())


def test_perceptual_and_adversarial_learning_resume_to_the_byte(discs: Path) -> None:
    settings = {**TINY, "patch": 16, "perceptual": 0.1, "adversarial": 0.01}
    folder = discs.parent
    whole = train("upscale", discs, size=64, kimg=0.2, out=folder / "g", settings=settings)
    stops = iter([False] * 9 + [True])
    part = train(
        "upscale", discs, size=64, kimg=0.2, out=folder / "h", settings=settings,
        stop=lambda: next(stops),
    )  # fmt: skip
    resume(part.path)
    weights = "model/weights.safetensors"
    assert (part.path / weights).read_bytes() == (whole.path / weights).read_bytes()
    assert np.isfinite(whole.metrics["psnr"])


def test_integers_lose_little_and_are_as_exact_by_tiles(run: Run, tmp_path: Path) -> None:
    export_run(run.path, tmp_path / "model", forms=["int8"])
    model = volute.load(tmp_path / "model")
    assert isinstance(model, volute.handles.Upscaler)
    assert abs(open_artefact(tmp_path / "model").metrics()["int8_loss_db"]) < 0.1
    picture = coloured(1, 96, seed=4)[0]
    exact, fast = model.upscale(picture), model.upscale(picture, int8=True)
    assert 0 < np.abs(exact.astype(int) - fast).max() <= 12
    with patch.object(volute.handles.Upscaler, "_pixels", return_value=900):
        assert np.array_equal(model.upscale(picture, int8=True), fast)
    plain = volute.load(run.model)
    with pytest.raises(UsageError, match="has no graph in integers"):
        plain.upscale(picture, int8=True)


def test_a_robust_model_learns_in_half_precision_too(discs: Path) -> None:
    settings = {**TINY, "robust": True, "precision": "bfloat16"}
    run = train("upscale", discs, size=64, kimg=0.1, out=discs.parent / "half", settings=settings)
    assert np.isfinite(run.metrics["psnr"])


def test_a_shrunken_network_begins_near_the_large_one_and_learns_from_it(discs: Path) -> None:
    wide = {**TINY, "width": 16}
    large = train("upscale", discs, size=64, kimg=2, out=discs.parent / "wide", settings=wide)
    made = shrink(large.path, to=0.5, kimg=1, out=discs.parent / "shrunk", settings=TINY_RUN)
    before, after = (open_artefact(run.model).config for run in (large, made))
    share = after.descriptor.macs_per_pixel / before.descriptor.macs_per_pixel
    assert 0.4 < share < 0.6
    assert after.settings["teacher"] == "wide"
    assert "taught by a wider network, wide" in after.descriptor.training_data
    metrics = open_artefact(made.model).metrics()
    assert metrics["psnr"] > nearest_psnr() + 1
    assert metrics["psnr_lost"] < 1
    with pytest.raises(UsageError, match="Use: volute shrink|is no wider network"):
        resume(made.path, settings={"teacher": str(made.model)})
    for ref, words in (("garments-vae", "of kind vae"), ("photo-x2", "does not hold what it")):
        with pytest.raises(UsageError, match=words):
            shrink(ref)
    with pytest.raises(UsageError, match="is no smaller network"):
        shrink(large.path, to=1.5)


def test_the_channels_that_count_are_kept() -> None:
    large = Upscaler(1, 16, 2, 2)
    with torch.no_grad():
        for module in (large.first, *(part for b in large.blocks for part in (b.first, b.second))):
            module.plain[8:] = 0  # half of the channels are idle
        for module in (large.last, *(part for b in large.blocks for part in (b.first, b.second))):
            module.plain.normal_(std=0.1)
            module.plain[:, 8:] = 0
            if module is not large.last:
                module.plain[8:] = 0
    small = Upscaler(1, 8, 2, 2)
    narrow(small, folded(large))
    x = torch.randn(2, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(folded(small)(x), folded(large)(x))
