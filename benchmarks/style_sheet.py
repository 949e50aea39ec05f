"""Contact sheets: photographs down, styles across, one sheet for each way of making them."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from style_losses import DATA, HERE, SIDE, Make, paintings, photos
from volute.training import goal, optimise
from volute.training.optimise import STEPS, optimise_picture

CELL, GAP, LIMIT = 160, 4, 600_000
"""Side of a cell and the space between in px; bytes of a sheet."""
OPTIMISED_SIDE = 224
KEPT = HERE / "results" / "style-optimised"
ROWS = 6


def sheets(makes: dict[str, Make], folder: Path, vgg: bool) -> list[Path]:
    """Write `style-NAME.jpg` for each way and for `optimised`, and return the paths.

    Args:
        makes: ways by name.
        folder: where the sheets go.
        vgg: optimise on VGG16 in place of the shipped features.
    """
    found = [sheet(name, make, folder, SIDE) for name, make in makes.items()]
    return [*found, sheet("optimised", optimised(vgg), folder, OPTIMISED_SIDE)]


def sheet(name: str, make: Make, folder: Path, side: int) -> Path:
    contents, styles = photos(ROWS, side), paintings(side)
    path = folder / f"style-{name}.jpg"
    rows = [[np.full((CELL, CELL, 3), 255, np.uint8), *map(cell, styles.values())]]
    for content in contents.values():
        rows.append([cell(content), *(cell(make(content, style)) for style in styles.values())])
    path.write_bytes(encoded(tiled(rows)))
    return path


def optimised(vgg: bool) -> Make:
    """Return what optimises; results are kept, since each takes its time."""
    weights = DATA / "perceptual" / "vgg16_relu3_3.safetensors" if vgg else None

    def make(content: np.ndarray, style: np.ndarray) -> np.ndarray:
        path = KEPT / f"{key(content)}-{key(style)}-{'vgg' if vgg else 'eye'}-{way()}.png"
        if not path.exists():
            side = max(content.shape)
            made = optimise_picture(content, style, side=side, steps=STEPS, vgg=weights)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(made).save(path)
        return np.asarray(Image.open(path))

    return make


def way() -> str:
    """Return what tells this way of optimising from others."""
    files = [Path(module.__file__ or "") for module in (goal, optimise)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


def key(picture: np.ndarray) -> str:
    return hashlib.sha256(picture.tobytes()).hexdigest()[:12]


def cell(picture: np.ndarray) -> np.ndarray:
    """Reduce the middle square of a picture to a cell."""
    side = min(picture.shape[:2])
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    square = Image.fromarray(picture[top : top + side, left : left + side])
    return np.asarray(square.resize((CELL, CELL), Image.Resampling.LANCZOS))


def tiled(rows: list[list[np.ndarray]]) -> Image.Image:
    step = CELL + GAP
    size = (len(rows[0]) * step - GAP, len(rows) * step - GAP)
    made = Image.new("RGB", size, "white")
    for y, row in enumerate(rows):
        for x, picture in enumerate(row):
            made.paste(Image.fromarray(picture), (x * step, y * step))
    return made


def encoded(picture: Image.Image) -> bytes:
    """Return a JPEG of the best quality that the limit allows."""
    for quality in range(92, 40, -4):
        stream = io.BytesIO()
        picture.save(stream, "JPEG", quality=quality, optimize=True)
        if stream.tell() <= LIMIT:
            break
    return stream.getvalue()
