"""The page of `volute evaluate`: the numbers, and the pictures that they speak of."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import volute
from volute.cli import page
from volute.cli.outputs import save_picture
from volute.evaluation import Trial
from volute.handles.pictures import enlarged, grid
from volute.measure.evaluation import Evaluation

COLUMNS = 8


def write_report(folder: Path, trial: Trial) -> Path:
    """Write `folder/index.html` and its pictures."""
    found, real, samples = trial.found, trial.real, trial.samples
    notable = found.notable
    near, rows = zip(*notable.copies, strict=True)
    wanted = (near, notable.best, notable.worst)
    drawn = iter(samples.pictures([row for part in wanted for row in part]))
    copied, best, worst = ([next(drawn) for _ in part] for part in wanted)
    copies = [image for pair in zip(copied, real.pictures(rows), strict=True) for image in pair]
    parts = [
        (
            "Nearest to a real picture",
            "Pairs: a sample, then the real picture that its features lie nearest to. If they are "
            "the same picture, the model copies.",
            copies,
        ),
        (
            "Where real pictures are densest",
            "The most typical samples.",
            best,
        ),
        (
            "Farthest from any real picture",
            "The worst samples, or the boldest.",
            worst,
        ),
        (
            "Real pictures that no sample comes near",
            "What the model leaves out.",
            real.pictures(notable.uncovered),
        ),
    ]
    sections = [_numbers(found)]
    for index, (title, text, images) in enumerate(parts):
        if images:
            sections.append(_section(folder, f"pictures-{index}.png", title, text, images))
    made = (
        f"{samples.name}, {found.n:,} samples against as many real pictures, on features of "
        f"{found.extractor}, sha256 {found.sha256}."
    )
    return page.write_page(folder, made, f"volute {volute.__version__}", sections)


def _numbers(found: Evaluation) -> str:
    from volute.cli.evaluate import table

    rows = {
        name: f"{value} ({interval})" + ("" if floor == "-" else f"; real pictures {floor}")
        for name, value, interval, floor, _ in table(found)
    }
    text = "In brackets the 95 % bootstrap interval; then what as many real pictures get."
    return page.section("In numbers", text, page.card(page.facts(rows)))


def _section(folder: Path, name: str, title: str, text: str, images: list[Image.Image]) -> str:
    sheet = grid([enlarged(image) for image in images], columns=COLUMNS)
    save_picture(sheet, folder / name, {})
    html = page.image(folder / name, folder, f"{title}: {len(images)} pictures")
    return page.section(title, text, page.card(page.figure(html, "")))
