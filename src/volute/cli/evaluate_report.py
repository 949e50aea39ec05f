"""The page of `volute evaluate`: the numbers, and the pictures that they speak of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

import volute
from volute.cli import page
from volute.cli.outputs import save_picture
from volute.handles.pictures import enlarged, grid, to_images
from volute.handles.sampling import Sampler
from volute.measure.evaluation import Evaluation

COLUMNS = 8


@dataclass(frozen=True)
class Real:
    """The real pictures that were measured: rows `chosen` of a data set uint8 [N, H, W, C]."""

    data: np.ndarray
    chosen: np.ndarray

    @classmethod
    def drawn(cls, data: np.ndarray, count: int) -> Real:
        """Draw `count` pictures, or all, the same at each call: their features are cached."""
        return cls(data, np.sort(np.random.default_rng(0).permutation(len(data))[:count]))

    def blocks(self, size: int) -> Iterator[np.ndarray]:
        """Yield them all, `size` at a time."""
        for start in range(0, len(self.chosen), size):
            yield np.asarray(self.data[self.chosen[start : start + size]])

    def pictures(self, rows: Sequence[int]) -> list[Image.Image]:
        """Return some of them; only these are read."""
        return to_images(np.asarray(self.data[self.chosen[list(rows)]])) if rows else []


def write_report(
    folder: Path, handle: Sampler, found: Evaluation, real: Real, n: int, seed: int
) -> Path:
    """Write `folder/index.html` and its pictures.

    Args:
        folder: where to.
        handle: the model that was measured.
        found: what was measured.
        real: the real pictures whose rows `found` names.
        n: how many samples were drawn, with which `seed`.
        seed: see `n`.
    """
    notable = found.notable
    near, rows = zip(*notable.copies, strict=True)
    wanted = (near, notable.best, notable.worst)
    drawn = iter(_drawn(handle, [row for part in wanted for row in part], n, seed))
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
        f"{handle.info.name}, {found.n:,} samples against as many real pictures, on features of "
        f"{found.extractor}, sha256 {found.sha256}."
    )
    return page.write_page(folder, made, f"volute {volute.__version__}", sections)


def _numbers(found: Evaluation) -> str:
    from volute.cli.evaluate import table

    rows = {
        name: f"{value} ({interval}); real pictures {floor}"
        for name, value, interval, floor, _ in table(found)
    }
    text = "In brackets the 95 % bootstrap interval; then what as many real pictures get."
    return page.section("In numbers", text, page.card(page.facts(rows)))


def _drawn(handle: Sampler, rows: Sequence[int], n: int, seed: int) -> list[Image.Image]:
    """Return the samples of these rows again: they depend on seed and row alone."""
    labels = handle.labels(n, seed=seed)
    classes = None if labels is None else [int(label) for label in labels[list(rows)]]
    return handle.decode(handle.latents(n, seed=seed)[list(rows)], classes=classes)


def _section(folder: Path, name: str, title: str, text: str, images: list[Image.Image]) -> str:
    sheet = grid([enlarged(image) for image in images], columns=COLUMNS)
    save_picture(sheet, folder / name, {})
    html = page.image(folder / name, folder, f"{title}: {len(images)} pictures")
    return page.section(title, text, page.card(page.figure(html, "")))
