"""Make the pictures of the README and of docs/models.md from the shipped models.

python docs/pictures.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

import volute
from volute.handles.pictures import enlarged, grid
from volute.handles.sampling import Sampler

HERE = Path(__file__).parent / "pictures"
HEIGHT, GAP = 336, 16


def sheet(handle: Sampler, columns: int, rows: int, side: int) -> Image.Image:
    """Lay out the first samples of seed 0 as they come, `side` px each."""
    pictures = handle.sample(columns * rows, seed=0)
    page = Image.new("RGB", (columns * side, rows * side))
    for index, picture in enumerate(pictures):
        resized = picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        page.paste(resized, (index % columns * side, index // columns * side))
    return page


def main() -> None:
    """Write one grid for each model, and the strip that heads the README."""
    HERE.mkdir(exist_ok=True)
    handles = {name: volute.load(name) for name in volute.models()}
    makers = {name: made for name, made in handles.items() if isinstance(made, Sampler)}
    for name, handle in makers.items():
        pictures = handle.sample(64, seed=0)
        grid([enlarged(picture) for picture in pictures]).save(HERE / f"{name}.png", optimize=True)
    sheets = [sheet(handle, 6, 6, HEIGHT // 6) for handle in makers.values()]
    width = sum(page.width for page in sheets) + GAP * (len(sheets) - 1)
    strip = Image.new("RGB", (width, HEIGHT), "white")
    left = 0
    for page in sheets:
        strip.paste(page, (left, 0))
        left += page.width + GAP
    strip.save(HERE / "shipped.png", optimize=True)


if __name__ == "__main__":
    main()
