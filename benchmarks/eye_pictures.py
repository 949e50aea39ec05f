"""Cut the pictures that the shipped feature network `eye` learns from.

    python benchmarks/eye_pictures.py FOLDER

Real pictures at several scales (photographs, aerial pictures, paintings, garments), pictures that
the shipped generators make, and noise of several spectra, as JPEG files of 160 px. Photographs and
aerial pictures with `is_held_out` are left out: `benchmarks/eye.py` measures on them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

import volute

DATA = Path(os.environ.get("VOLUTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
SIDE = 160
MOST = 60
"""Squares of one picture at one scale."""
BICUBIC = Image.Resampling.BICUBIC


def is_held_out(index: int) -> bool:
    """Tell whether the picture of this number, of its folder sorted by name, is measured on."""
    return index % 6 == 5


def scaled(
    path: Path, scales: tuple[float, ...], rng: np.random.Generator
) -> Iterator[Image.Image]:
    """Yield squares from anywhere in a picture at each scale."""
    picture = Image.open(path).convert("RGB")
    for scale in scales:
        size = tuple(max(SIDE, round(side * scale)) for side in picture.size)
        small = picture.resize(size, BICUBIC) if scale != 1 else picture
        fit = (small.width // SIDE) * (small.height // SIDE)
        for _ in range(min(fit, MOST)):
            left = int(rng.integers(small.width - SIDE + 1))
            top = int(rng.integers(small.height - SIDE + 1))
            yield small.crop((left, top, left + SIDE, top + SIDE))


def land(path: Path, rng: np.random.Generator) -> Iterator[Image.Image]:
    """Yield an aerial picture whole, in parts, and in tiles of 64 px as generators make them."""
    picture = Image.open(path).convert("RGB")
    yield picture.resize((SIDE, SIDE), BICUBIC)
    for side in (SIDE, SIDE, 64, 64):
        left, top = (int(rng.integers(max(1, length - side))) for length in picture.size)
        yield picture.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), BICUBIC)


def noise(rng: np.random.Generator) -> Image.Image:
    """Return noise whose spectrum falls as 1/f^a, a in 0..2.5, in related colours."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
    frequency[0, 0] = 1
    falling = frequency ** -rng.uniform(0, 2.5)
    planes = np.fft.ifft2(np.fft.fft2(rng.normal(size=(3, SIDE, SIDE))) * falling).real
    mixed = np.tensordot(rng.normal(size=(3, 3)) * 0.3 + rng.normal(), planes, 1)
    mixed = mixed / mixed.std() * rng.uniform(10, 70) + rng.uniform(40, 215, (3, 1, 1))
    return Image.fromarray(mixed.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))


def early() -> Iterator[Image.Image]:
    """Yield what barely trained generators make: no blob and no checkerboard should be new."""
    plans = [("gan", "fashion_mnist.npz", 28, 3), ("vae", "fashion_mnist.npz", 28, 8)]
    plans += [("gan", "land", 64, 6), ("vae", "land", 64, 6), ("gan", "land", 64, 25)]
    with tempfile.TemporaryDirectory() as folder:
        for index, (kind, source, size, kimg) in enumerate(plans):
            out = Path(folder) / str(index)
            crop = {"data": {"crop": "tiles"}} if source == "land" else {}
            run = volute.train(
                kind, DATA / source, size=size, kimg=kimg, seed=77, out=out, settings=crop
            )
            yield from made(run.path, 300)


def made(model: str | Path, count: int) -> Iterator[Image.Image]:
    """Yield what a generator makes."""
    for image, _ in volute.load(model).stream(count, seed=99):
        yield image.convert("RGB").resize((SIDE, SIDE), BICUBIC)


def every(folder: Path) -> list[Path]:
    """Return the pictures in a folder that are learned from."""
    return [path for index, path in enumerate(sorted(folder.iterdir())) if not is_held_out(index)]


def pictures(data: Path) -> Iterator[Image.Image]:
    """Yield them all."""
    rng = np.random.default_rng(0)
    for path in every(data / "photos"):
        yield from scaled(path, (1, 0.5, 0.25, 0.125), rng)
    for folder in sorted((data / "land").iterdir()):
        for path in every(folder):
            yield from land(path, rng)
    for path in sorted((data / "style" / "paintings").iterdir()):
        yield from scaled(path, (1, 0.5, 0.25), rng)
    garments = np.load(data / "fashion_mnist.npz")["x_train"][:2500]
    for garment in garments:
        yield Image.fromarray(garment).convert("RGB").resize((SIDE, SIDE), BICUBIC)
    for model, count in (("land-gan", 2500), ("garments-gan", 800), ("garments-vae", 500)):
        yield from made(model, count)
    yield from early()
    for _ in range(1000):
        yield noise(rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    folder.mkdir(parents=True)
    count = 0
    for count, image in enumerate(pictures(DATA), 1):  # noqa: B007
        image.save(folder / f"{count:06d}.jpg", quality=95)
    print(f"{count:,} pictures of {SIDE} px in {folder}")


if __name__ == "__main__":
    main()
