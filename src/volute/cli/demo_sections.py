"""What stands on the demo page. `SECTIONS` is the page, from top to bottom.

Each function takes the `Demo`, puts its pictures into the page's folder, and returns HTML made with
`page`. A new capability adds its function to that list.
"""

from __future__ import annotations

import datetime
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import volute
from volute.cli import page
from volute.cli.outputs import save_animation, save_picture
from volute.engine.artefact import open_artefact
from volute.engine.card import facts
from volute.handles import load
from volute.handles.pictures import grid, to_images
from volute.handles.sampling import Sampler
from volute.training.run import Run
from volute.visualize.network import Visible
from volute.visualize.sheets import stages
from volute.zoo import shipped

ROWS = 6
FRAMES = 8
SHELL = """\
pip install "volute[train]"

volute data check photos/              # what is in there, and what would be left out
volute train gan photos/ --time 30m    # subfolders become classes; Ctrl-C saves
volute sample runs/photos-1 -n 64 --grid
volute interpolate runs/photos-1"""
PYTHON = """\
import volute

run = volute.train("gan", "photos/", size=64, time="30m")
model = volute.load(run.model)
for picture in model.sample(16, seed=0):
    picture.show()"""


@dataclass(frozen=True)
class Demo:
    """What the sections show: the page's folder, the run that was just made, its model and data."""

    folder: Path
    run: Run
    model: Sampler
    real: np.ndarray
    """uint8 [n, H, W, C]."""
    labels: np.ndarray
    """int64 [n], indices of `model.classes`."""
    judge: Visible
    """The discriminator that taught the generator."""

    def place(self, name: str) -> Path:
        """Return where a picture of this name goes."""
        return self.folder / "pictures" / name


def write_demo(demo: Demo) -> Path:
    """Make the pictures and the page; return `index.html`."""
    sections = [make(demo) for make in SECTIONS]
    day = datetime.date.today()
    made = (
        f"This page was written by volute demo on {day.day} {day:%B %Y}, on the machine that ran "
        "it. Nothing was downloaded, nothing was sent. Pictures called real are real; all others "
        "were drawn by a network, and none was picked by hand."
    )
    return page.write_page(demo.folder, made, f"volute {volute.__version__}", sections)


def trained_here(demo: Demo) -> str:
    """Show the training: real beside generated, facts, pictures over time, curves."""
    size, count = demo.model.info.descriptor.size, f"{len(demo.real):,}"
    return page.section(
        "Trained just now on this machine",
        f"A GAN learned to draw digits from {count} scanned ones (8 x 8 px, enlarged to "
        f"{size} x {size}). Its weights were random numbers when it began.",
        page.card(_real_and_generated(demo)),
        page.card(page.facts(_training_facts(demo), big=True)),
        _film(demo),
        _curves(demo),
    )


def latent_walk(demo: Demo) -> str:
    """Show a walk through the latent space of the model that was just trained."""
    film = _walk(demo, demo.model, "walk", len(demo.model.classes))
    run = shlex.quote(str(demo.run.path))
    again = page.block(
        "The model lies beside this page. Go on with it: other walks, other samples, or more "
        "training from where it stopped.",
        page.commands(
            f"volute interpolate {run} --class 3\n"
            f"volute sample {run} -n 64 --seed 7 --grid\n"
            f"volute resume {run} --time 10m"
        ),
    )
    return page.section(
        "A walk through its latent space",
        f"Every picture stands for one point in a space of {demo.model.info.latent} dimensions. "
        "Here one point wanders from sample to sample and back, drawn as each of the digits.",
        page.card(page.pair(page.figure(film, "One latent, ten classes."), again)),
    )


def what_the_judge_sees(demo: Demo) -> str:
    """Show the features of the discriminator on a real digit, stage by stage."""
    cards = []
    for number, stage in enumerate(stages(demo.judge, demo.real[0], demo.real), 1):
        file = demo.place(f"stage-{number}.png")
        save_picture(stage.sheet(), file, {})
        title = f"Stage {number}: {stage.side} x {stage.side} places."
        text = f"{len(stage.channels)} of {stage.width} channels, one a column."
        html = page.image(file, demo.folder, f"Features of the discriminator, stage {number}")
        cards.append(page.card(page.figure(html, title, text)))
    return page.section(
        "What its judge learned to see",
        "A discriminator told real digits from drawn ones and so taught the generator. These are "
        "the features that a real digit excites most: where, what each looks for (drawn from "
        "noise), and the nine patches of the data that excite it most. Strokes first, then shapes.",
        *cards,
    )


def shipped_models(demo: Demo) -> str:
    """Show samples, a walk and the facts of every picture generator that ships with volute."""
    kinds = {name: open_artefact(path).config.descriptor.kind for name, path in shipped().items()}
    cards = [_shipped(demo, name) for name, kind in kinds.items() if kind in ("gan", "vae")]
    if not cards:
        return ""
    return page.section(
        "Models that come with volute",
        "Trained beforehand with the same commands, sampled here a moment ago without PyTorch.",
        *cards,
    )


def your_own(demo: Demo) -> str:
    """Tell how to do the same with other pictures."""
    return page.section(
        "Do it with your own pictures",
        "A folder, zip, tar or npz of any mixture of pictures will do. A machine that only "
        "samples needs no PyTorch: there, pip install volute is enough.",
        page.commands(SHELL),
        page.commands(PYTHON),
    )


SECTIONS: list[Callable[[Demo], str]] = [
    trained_here,
    latent_walk,
    what_the_judge_sees,
    shipped_models,
    your_own,
]


def _real_and_generated(demo: Demo) -> str:
    classes = list(range(len(demo.model.classes)))
    columns = [demo.real[demo.labels == label][:ROWS] for label in classes]
    real = [column[row] for row in range(ROWS) for column in columns]
    made = demo.model.sample(ROWS * len(classes), seed=0, classes=classes)
    first, second = (
        _sheet(demo, name, images, len(classes), f"Grid of {name} digits, one column for each")
        for name, images in (("real", to_images(np.stack(real))), ("generated", made))
    )
    return page.pair(
        page.figure(first, "Real.", f"The first {ROWS} of each digit in the data."),
        page.figure(second, "Generated.", f"The first {ROWS} of each that were drawn, seed 0."),
    )


def _training_facts(demo: Demo) -> dict[str, str]:
    config, last = demo.run.config, demo.run.metrics
    device = f"{config.threads} CPU threads" if config.device == "cpu" else config.device
    return {
        "training time": f"{last['seconds']:,.0f} s",
        "images shown": f"{last['shown']:,}",
        "images per second": f"{last['shown'] / last['seconds']:,.0f}",
        "generator parameters": f"{demo.model.info.descriptor.parameters:,}",
        "device": device,
        "precision": config.precision,
    }


def _film(demo: Demo) -> str:
    """Return the generated halves of the run's sample grids as a row over time."""
    files = sorted((demo.run.path / "samples").glob("*.png"))
    picked = np.linspace(0, len(files) - 1, min(FRAMES, len(files))).round().astype(int)
    frames = []
    for file in (files[index] for index in picked):
        when = f"After {int(file.stem):,} images"
        target = demo.place(f"film-{file.name}")
        with Image.open(file) as both:
            made = both.crop((both.width // 2, 0, both.width, both.height))
        save_picture(made, target, {"shown": int(file.stem)})
        html = page.image(target, demo.folder, f"Grid of generated digits: {when.lower()}")
        frames.append(page.figure(html, when))
    return page.heading("How it got there") + page.film(frames)


def _curves(demo: Demo) -> str:
    rows = page.read_log(demo.run.path / "log.jsonl")
    losses = page.curves(
        rows,
        {"g_loss": "generator", "d_loss": "discriminator"},
        "Losses.",
        "In a GAN they do not fall to zero: two networks play against each other, and it is well "
        "when neither runs away. Each point is one batch.",
    )
    logits = page.curves(
        rows,
        {"real_logit": "real", "fake_logit": "generated"},
        "The discriminator's logits.",
        "Only their difference has a meaning: the closer, the harder the two are to tell apart.",
    )
    return page.card(page.pair(losses, logits))


def _shipped(demo: Demo, name: str) -> str:
    start = time.perf_counter()
    model = load(name)
    assert isinstance(model, Sampler)
    model.arrays(1)
    first = time.perf_counter() - start
    count = len(model.classes)
    columns = count if 2 <= count <= 10 else 8
    classes = list(range(count)) or None
    start = time.perf_counter()
    images = model.sample(columns * ROWS, seed=0, classes=classes)
    each = (time.perf_counter() - start) / len(images)
    speed = {
        "first picture": f"{first * 1000:,.0f} ms, with loading",
        "further pictures": f"{each * 1000:.1f} ms each",
    }
    samples = _sheet(demo, name, images, columns, f"Grid of samples from {name}")
    film = _walk(demo, model, f"{name}-walk", columns)
    order = "Each column is a class, in the order below." if columns == count else ""
    return page.card(
        page.heading(name),
        page.pair(
            page.figure(samples, "Samples.", f"The first {len(images)}, seed 0. {order}"),
            page.figure(film, "A walk", "through the latent space and back."),
        ),
        page.chips(model.classes),
        page.facts(speed | _card_facts(model)),
    )


def _card_facts(model: Sampler) -> dict[str, str]:
    about = model.info.descriptor
    rows = {key: value for key, value in facts(model.info).items() if key != "classes"}
    return rows | {"trained on": about.training_data, "licence": about.licence}


def _walk(demo: Demo, model: Sampler, name: str, count: int) -> str:
    """Return an <img> of walks in two rows: one latent in `count` classes, else `count` seeds."""
    walks = [
        model.interpolate(4, steps=24, seed=1, classes=index)
        if model.classes
        else model.interpolate(4, steps=24, seed=index)
        for index in range(count)
    ]
    factor = max(1, 96 // model.info.descriptor.size)
    columns = -(-count // 2)
    frames = [_tiled(moment, columns, factor) for moment in zip(*walks, strict=True)]
    film, still = demo.place(f"{name}.webp"), demo.place(f"{name}-still.png")
    save_animation(frames, film)
    save_picture(frames[0], still, {})
    alt = f"Animation: {count} walks through the latent space of {model.info.name}"
    return page.image(film, demo.folder, alt, still)


def _sheet(demo: Demo, name: str, images: Sequence[Image.Image], columns: int, alt: str) -> str:
    """Return an <img> of pictures laid out row by row."""
    target = demo.place(f"{name}.png")
    save_picture(_tiled(images, columns), target, {})
    return page.image(target, demo.folder, alt)


def _tiled(images: Sequence[Image.Image], columns: int, factor: int = 1) -> Image.Image:
    """Return pictures on one, `factor` times as large, with transparent gaps."""
    sheet = grid([image.convert("RGBA") for image in images], columns)
    return sheet.resize((sheet.width * factor, sheet.height * factor), Image.Resampling.NEAREST)
