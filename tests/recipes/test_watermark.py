"""The watermark learns to be read, faint and harsh only once it is, and is exported as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import volute.recipes.watermark as recipe_module
from drawing import noise
from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.jobs import train
from volute.provenance import visible
from volute.provenance.watermark import Watermark
from volute.recipes import create, resolve_settings
from volute.recipes.watermark import Dials, WatermarkRecipe, whitening
from volute.recipes.watermark_settings import WatermarkSettings
from volute.training import resaved
from volute.training.device import Device
from volute.training.recipe import DataFacts
from volute.training.visible import just_noticeable, laid_under

CPU = Device(torch.device("cpu"), "float32", 1)


def made(**over: object) -> WatermarkRecipe:
    settings = resolve_settings("watermark", "tiny", over)
    recipe = create("watermark", settings, DataFacts(256, 3, 0, 16), CPU)
    assert isinstance(recipe, WatermarkRecipe)
    return recipe


def batch(count: int, side: int = 128) -> torch.Tensor:
    pixels = np.stack([noise(seed, side, side) for seed in range(count)])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_bits_are_read_after_a_few_steps() -> None:
    recipe = made(bits=8, batch=12, lr=3e-3, warmup=0.001)
    pictures, steps = batch(12), 24
    for step in range(steps):
        recipe.step(pictures, torch.zeros(12), 0.0, 12 * step)
    mean = float(recipe.dials.right) / (1 - (1 - recipe_module.MEMORY) ** steps)
    assert mean > 0.65


def test_a_step_is_a_function_of_its_state() -> None:
    first, second = made(batch=4), made(batch=4)
    for recipe in (first, second):
        recipe.dials.harsh.fill_(1)
        recipe.dials.faint.fill_(0.8)
        recipe.step(batch(4), torch.zeros(4), 0.3, 40)
    for a, b in zip(first.parameters, second.parameters, strict=True):
        assert torch.equal(a, b)


def test_dials_turn_only_while_bits_are_read() -> None:
    settings = WatermarkSettings(harsher=0.1, fainter=0.1)
    dials = Dials(settings)
    for step in range(100):
        dials.turn(torch.tensor(0.5), step / 1000)
    assert dials.psnr() == recipe_module.STRONG
    assert dials.there() == 0
    order = []
    for step in range(100, 800):
        dials.turn(torch.tensor(1.0), step / 1000)
        order.append((float(dials.faint), float(dials.harsh)))
    faint, harsh = np.array(order).T
    assert faint[-1] == harsh[-1] == 1
    assert np.all(faint[(harsh > 0) & (harsh < 1)] < 0.6)  # faint waits for harsh
    assert np.all(harsh[faint < 0.53] == 0)  # and harsh for a fair mark
    assert float(dials.there()) == 1


def test_the_mask_is_the_one_in_use() -> None:
    x = batch(1, 97)
    pixels = ((x[0].permute(1, 2, 0) + 1) * 127.5).round().numpy().astype(np.uint8)
    theirs = visible.just_noticeable(pixels)
    assert np.allclose(just_noticeable(x)[0, 0].numpy(), theirs, atol=1e-3)


def test_a_mark_has_the_strength_that_is_said() -> None:
    x = batch(3) * 0.5
    added = torch.randn(3, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    error = (laid_under(x, added, 38.0) - x).square().mean((1, 2, 3))
    assert torch.allclose(-10 * (error / 4).log10(), torch.full((3,), 38.0), atol=0.05)


def test_jpeg_is_near_to_pillows() -> None:
    import io

    from PIL import Image

    pixels = noise(7, 128, 128)
    grain = np.random.default_rng(0).integers(-20, 20, pixels.shape)
    pixels = np.clip(pixels + grain, 0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=50)
    theirs = np.asarray(Image.open(stream)).astype(float)
    x = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    ours = resaved.jpeg(x, torch.tensor([50.0]), subsampled=True)[0].permute(1, 2, 0)
    ours = (ours.numpy() + 1) * 127.5
    assert np.abs(ours - theirs).mean() < 0.2 * np.abs(theirs - pixels).mean()


@pytest.mark.parametrize("amount", [0.0, 1.0])
def test_gradients_pass_what_becomes_of_a_picture(amount: float) -> None:
    x = batch(8).requires_grad_(True)
    rng = torch.Generator().manual_seed(1)
    changed = resaved.resaved(x, torch.tensor(amount), rng, 0.7)
    assert torch.equal(changed, x) == (amount == 0)
    resaved.cropped(changed, torch.tensor(amount), rng, 4).sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().mean()) > 0.4


def test_whitening_makes_logits_isotropic() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(5000, 6)) @ (np.eye(6) + 0.3 * rng.normal(size=(6, 6))) + 3
    constants = whitening(logits.astype(np.float32))
    white = (logits - constants["white.mean"]) @ constants["white.root"]
    before, after = (np.linalg.eigvalsh(np.cov(x, rowvar=False)) for x in (logits, white))
    assert after[-1] / after[0] < 0.5 * before[-1] / before[0]
    assert np.allclose(white.mean(0), 0, atol=0.1)


def test_grey_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="RGB"):
        create("watermark", WatermarkSettings(), DataFacts(256, 1, 0, 16), CPU)


def test_the_export_is_what_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    (tmp_path / "data").mkdir()
    for seed in range(16):
        Image.fromarray(noise(seed, 256, 256)).save(tmp_path / "data" / f"{seed}.png")
    monkeypatch.setattr(recipe_module, "CLEAN", 100)
    settings = {"threads": 1, "precision": "float32", "batch": 4, "held_out": 0.2}
    run = train(
        "watermark",
        tmp_path / "data",
        preset="tiny",
        kimg=0.008,
        out=tmp_path / "run",
        settings=settings,
        device="cpu",
    )
    watermark = Watermark(open_artefact(run.model), 1)
    picture = noise(1, 200, 150)
    marked = watermark.embed(picture, 5)
    assert marked.shape == picture.shape
    assert 37 < 10 * np.log10(255**2 / np.square(marked - picture.astype(float)).mean()) < 42
    assert watermark.read(picture).p_value > 1e-6
