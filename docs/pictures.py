"""Make the pictures of the README and of docs/models.md from the shipped models.

python docs/pictures.py
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

import volute
from volute.evaluation import open_source
from volute.events import silent
from volute.handles import Stylizer, Upscaler
from volute.handles.pictures import enlarged, grid
from volute.handles.sampling import Sampler
from volute.visualize.network import open_network
from volute.visualize.sheets import stages

HERE = Path(__file__).parent / "pictures"
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[2] / "shared" / "data"))
PHOTO = "budgie-oakland-zoo-otters.jpg"
PAINTED = "budgie-roman-colosseum.jpg"
COLUMNS, CELL = 4, 256
PAINTING = "picabia_udnie_1913.jpg"
PART = (480, 480, 736, 736)
"""Left, top, right and bottom in px."""
HEIGHT, GAP = 336, 16


def sheet(handle: Sampler, columns: int, rows: int, side: int) -> Image.Image:
    """Lay out the first samples of seed 0 as they come, `side` px each."""
    pictures = handle.sample(columns * rows, seed=0)
    page = Image.new("RGB", (columns * side, rows * side))
    for index, picture in enumerate(pictures):
        resized = picture.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
        page.paste(resized, (index % columns * side, index // columns * side))
    return page


def features() -> None:
    """Write what `garments-classify` sees in the second test picture, and `eye` in a photograph."""
    with np.load(DATA / "fashion_mnist.npz") as garments:
        picture, others = garments["x_test"][1, ..., None], garments["x_train"][..., None]
    save_stages("garments-classify", picture, others, "features.png")
    crop = {"data": {"crop": "tiles", "mode": "RGB"}}
    squares = open_source(DATA / "photos", 128, crop, silent).pictures
    with Image.open(DATA / "photos" / PHOTO) as photo:
        side = min(photo.size)
        square = photo.convert("RGB").crop((0, 0, side, side)).resize((128, 128))
    save_stages("eye", np.asarray(square), squares[:: len(squares) // 2000], "eye.png")


def save_stages(model: str, picture: np.ndarray, others: np.ndarray, name: str) -> None:
    """Write the first three stages of a model side by side."""
    sheets = [stage.sheet() for stage in stages(open_network(model), picture, others)[:3]]
    strip = beside(sheets)
    strip = strip.resize((strip.width // 2, strip.height // 2), Image.Resampling.LANCZOS)
    strip.save(HERE / name, optimize=True)


def beside(sheets: list[Image.Image]) -> Image.Image:
    """Lay pictures side by side with a gap."""
    width = sum(page.width for page in sheets) + GAP * (len(sheets) - 1)
    strip = Image.new("RGB", (width, sheets[0].height), "white")
    left = 0
    for page in sheets:
        strip.paste(page, (left, 0))
        left += page.width + GAP
    return strip


def enlarging() -> None:
    """Write a part of a painting that no model has learned from, made small and enlarged by 4."""
    with Image.open(DATA / "style" / "paintings" / PAINTING) as painting:
        part = painting.convert("RGB").crop(PART)
    small = part.resize((part.width // 4, part.height // 4), Image.Resampling.BICUBIC)
    model = volute.load("photo-x4")
    assert isinstance(model, Upscaler)
    made = [
        small.resize(part.size, Image.Resampling.NEAREST),
        small.resize(part.size, Image.Resampling.BICUBIC),
        model.upscale(small),
        part,
    ]
    beside(made).save(HERE / "enlarged.png", optimize=True)


def painting() -> None:
    """Write a photograph as `painter` paints it in each of its styles."""
    model = volute.load("painter")
    assert isinstance(model, Stylizer)
    with Image.open(DATA / "photos" / PAINTED) as photo:
        side = min(photo.size)
        square = photo.convert("RGB").crop((0, 0, side, side)).resize((512, 512))
    made = [model.stylize(square, style=name) for name in model.styles]
    page = Image.new("RGB", (COLUMNS * CELL, -(-len(made) // COLUMNS) * CELL), "white")
    for index, picture in enumerate(made):
        cell = picture.resize((CELL, CELL), Image.Resampling.LANCZOS)
        page.paste(cell, (index % COLUMNS * CELL, index // COLUMNS * CELL))
    page.save(HERE / "painted.jpg", quality=88, optimize=True)


def main() -> None:
    """Write one grid for each model, the README's strip, features, enlargements, paintings."""
    HERE.mkdir(exist_ok=True)
    handles = {name: volute.load(name) for name in volute.models()}
    makers = {name: made for name, made in handles.items() if isinstance(made, Sampler)}
    for name, handle in makers.items():
        pictures = handle.sample(64, seed=0)
        grid([enlarged(picture) for picture in pictures]).save(HERE / f"{name}.png", optimize=True)
    sheets = [sheet(handle, 6, 6, HEIGHT // 6) for handle in makers.values()]
    beside(sheets).save(HERE / "shipped.png", optimize=True)
    features()
    enlarging()
    if "painter" in handles:
        painting()


if __name__ == "__main__":
    main()
