"""PSNR of super-resolution on Set5 and BSD100, by the field's protocol, bicubic beside it.

    python benchmarks/upscaling.py MODEL...      # shipped names, runs or artefacts

On luma (BT.601, 16 to 235), a border of `scale` pixels left out; the low-resolution pictures are
those of the published sets (antialiased bicubic). A model of one band is given the luma alone, one
of three the colours. Milliseconds are for one 960 x 540 picture, the best of five.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

import volute
from volute.handles import Upscaler

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data")) / "sr_test"
SETS = ("Set5", "BSD100")
LUMA = np.array([65.481, 128.553, 24.966])


def luma(picture: np.ndarray) -> np.ndarray:
    """Return the BT.601 luma of uint8 RGB, 16 to 235, float."""
    return 16 + picture.astype(np.float64) @ LUMA / 255


def psnr(made: np.ndarray, wanted: np.ndarray, border: int) -> float:
    inside = (slice(border, -border),) * 2
    return 10 * float(np.log10(255**2 / np.square(made - wanted)[inside].mean()))


def pairs(name: str, scale: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return low- and high-resolution RGB pictures, the high one cut to a multiple."""
    found = []
    for path in sorted((DATA / name / f"x{scale}").iterdir()):
        small = np.asarray(Image.open(path).convert("RGB"))
        (large,) = (DATA / name / "hr").glob(f"{path.stem.split('x')[0]}*")
        height, width = (scale * side for side in small.shape[:2])
        found.append((small, np.asarray(Image.open(large).convert("RGB"))[:height, :width]))
    return found


def bicubic(small: np.ndarray, scale: int) -> np.ndarray:
    size = (small.shape[1] * scale, small.shape[0] * scale)
    return luma(np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)))


def enlarged(model: Upscaler, small: np.ndarray) -> np.ndarray:
    if model.info.descriptor.channels == 3:
        return luma(model.upscale(small))
    return model.upscale(luma(small).astype(np.float32) / 255).clip(0, 1) * 255


def row(name: str, model: Upscaler | None, scale: int) -> str:
    scores = []
    for data in SETS:
        made = [
            psnr(bicubic(a, scale) if model is None else enlarged(model, a), luma(b), scale)
            for a, b in pairs(data, scale)
        ]
        scores.append(f"{np.mean(made):.2f}")
    if model is None:
        return f"| {name} | x{scale} | - | - | {' | '.join(scores)} | - |"
    about = model.info.descriptor
    work = f"{about.macs_per_pixel * 1280 * 720 / 1e9:.1f}"
    cells = [f"{about.parameters:,}", work, *scores, f"{milliseconds(model):.0f}"]
    return f"| {name} | x{scale} | {' | '.join(cells)} |"


def milliseconds(model: Upscaler) -> float:
    shape = (540, 960, 3)[: 3 if model.info.descriptor.channels == 3 else 2]
    picture = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        model.upscale(picture)
        times.append(time.perf_counter() - start)
    return 1000 * min(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*")
    models = {}
    for ref in parser.parse_args().models:
        model = volute.load(ref)
        assert isinstance(model, Upscaler), f"{ref} is no upscaler"
        models[model.info.name] = model
    scales = sorted({model.info.descriptor.scale for model in models.values()} or {2, 4})
    print("| model | scale | parameters | GMAC to 1280x720 | Set5 | BSD100 | ms |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for scale in scales:
        print(row("bicubic", None, scale))
    for name, model in models.items():
        print(row(name, model, model.info.descriptor.scale))


if __name__ == "__main__":
    main()
