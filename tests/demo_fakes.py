"""A made-up run beside real tiny models, so that the demo page is tested without training."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from make_artefact import SIZE, make_gan
from volute import zoo
from volute.cli.demo_sections import Demo
from volute.engine.artefact import open_artefact
from volute.handles import Generator
from volute.nets.gan import Discriminator
from volute.training.run import Run, RunConfig
from volute.visualize.network import Visible

EVIL = '<b>"Bag" & co</b>'
GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", EVIL)
SHOWN = (1600, 6400, 16000, 32000, 48000, 64000)


def fake_demo(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """Return a Demo in `folder`, with two tiny models in place of the shipped ones."""
    models = folder.with_name(f"{folder.name}-zoo")
    make_gan(models / "garments-gan", classes=GARMENTS, name="garments-gan")
    make_gan(models / "land-gan", channels=3, name="land-gan")
    monkeypatch.setattr(zoo, "HERE", models)
    run = fake_run(folder / "run")
    make_gan(run.model, classes=tuple("0123456789"), name="digits-gan")
    rng = np.random.default_rng(0)
    real = rng.integers(0, 256, (120, SIZE, SIZE, 1), dtype=np.uint8)
    model = Generator(open_artefact(run.model))
    judge = Discriminator(SIZE, 1, 10, width=16, cap=16).eval().requires_grad_(False)
    seen = Visible("digits-gan", "discriminator", judge.maps, judge.decide, model.classes, SIZE, 1)
    return Demo(folder, run, model, real, np.arange(120) % 10, seen)


def fake_run(folder: Path) -> Run:
    """Write what a training of 60 s leaves behind, but for the model and the state."""
    run = Run(folder)
    config = RunConfig(kind="gan", source="digits.npz", preset="tiny", size=SIZE, time_s=60.0)
    place = {"device": "cpu", "precision": "bfloat16", "threads": 2}
    config.model_copy(update=place).write(folder / "config.toml")
    lines = [json.dumps(log_row(number)) + "\n" for number in range(41)]
    (folder / "log.jsonl").write_text("".join(lines))
    (folder / "samples").mkdir()
    for shown in SHOWN:
        both = Image.effect_noise((16 * SIZE, 8 * SIZE), 90)
        both.save(folder / "samples" / f"{shown:09d}.png")
    return run


def log_row(number: int) -> dict[str, float]:
    """Return a row of log.jsonl: losses that meet, logits that swing."""
    near = math.exp(-number / 5)
    swing = math.sin(number / 3)
    return {
        "shown": 1600 * number,
        "seconds": 1.5 * number,
        "rate": 1066.0,
        "g_loss": 0.7 + near,
        "d_loss": 0.7 - near / 2,
        "real_logit": swing,
        "fake_logit": swing - near,
        "penalty": 0.1,
    }
