"""Super-resolution: quality beside cost, in one run on one machine.

    python benchmarks/upscaling.py photo-x2-fast photo-x2 photo-x4-fast photo-x4 \
        --rival EFDN=efdn-x4.onnx

PSNR on luma (BT.601, 16 to 235), a border of `scale` pixels left out; the low-resolution pictures
are those of the published sets (antialiased bicubic), given in colour. Milliseconds are for one
megapixel of output, from a 960 x 540 picture in 8-bit RGB, the best of five: ours with all
conversions, a rival's graph alone. A rival is an ONNX file from RGB in [0, 1] to RGB in [0, 1], or
from luma alone.

The share is what the network reaches through the engine of the rate of a large float32 matrix
product on the same cores.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import volute
from volute.handles import Upscaler

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data")) / "sr_test"
SETS = ("Set5", "BSD100")
LUMA = np.array([65.481, 128.553, 24.966])
SIZE = (540, 960)

Enlarge = Callable[[np.ndarray], np.ndarray]
"""uint8 RGB [H, W, 3] to luma [sH, sW], 16 to 235."""


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


def best(work: Callable[[], object], repeats: int = 5) -> float:
    """Return the seconds of the fastest of some repeats, after one that does not count."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def row(name: str, scale: int, enlarge: Enlarge, about: str, seconds: float | None) -> str:
    scores = []
    for data in SETS:
        made = [psnr(enlarge(a), luma(b), scale) for a, b in pairs(data, scale)]
        scores.append(f"{np.mean(made):.2f}")
    megapixels = SIZE[0] * SIZE[1] * scale**2 / 1e6
    cost = "-" if seconds is None else f"{1000 * seconds / megapixels:.0f}"
    return f"| {name} | x{scale} | {about} | {' | '.join(scores)} | {cost} |"


def bicubic(scale: int) -> str:
    """Return the row of Pillow, and that of OpenCV where it is installed."""

    def pillow(small: np.ndarray) -> np.ndarray:
        size = (small.shape[1] * scale, small.shape[0] * scale)
        return np.asarray(Image.fromarray(small).resize(size, Image.Resampling.BICUBIC))

    ways = {"Pillow": pillow}
    with contextlib.suppress(ModuleNotFoundError):
        import cv2

        ways["OpenCV"] = lambda small: cv2.resize(
            small, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC
        )
    rows = []
    for name, way in ways.items():
        seconds = best(lambda enlarge=way: enlarge(random_picture()))
        made = lambda small, enlarge=way: luma(enlarge(small))  # noqa: E731
        rows.append(row(f"bicubic ({name})", scale, made, "- | -", seconds))
    return "\n".join(rows)


def of_luma(model: Upscaler, int8: bool) -> Enlarge:
    """Return what enlarges the luma as it is, unrounded, as the published figures are taken."""
    return lambda small: (
        model.upscale(luma(small).astype(np.float32) / 255, int8=int8).clip(0, 1) * 255
    )


def rows_of(name: str, model: Upscaler) -> list[str]:
    scale, picture = model.info.descriptor.scale, random_picture()
    rows = []
    for int8 in (False, True)[: 1 + ("int8" in model.info.graphs)]:
        about = model.info.descriptor
        work = f"{about.parameters:,} | {about.macs_per_pixel * 1280 * 720 / 1e9:.1f}"
        seconds = best(lambda kind=int8: model.upscale(picture, int8=kind))
        title = f"**{name}**" + " int8" * int8
        rows.append(row(title, scale, of_luma(model, int8), work, seconds))
    return rows


def rival(text: str) -> str:
    """Return the row of an ONNX file given as NAME=FILE."""
    import onnx
    import onnxruntime

    name, _, file = text.partition("=")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(file, options)
    entry = session.get_inputs()[0]
    weights = sum(int(np.prod(w.dims)) for w in onnx.load(file).graph.initializer)

    def run(small: np.ndarray) -> np.ndarray:
        if entry.shape[1] == 1:
            return session.run(
                None, {entry.name: luma(small).astype(np.float32)[None, None] / 255}
            )[0]
        planes = small.transpose(2, 0, 1)[None].astype(np.float32) / 255
        return session.run(None, {entry.name: planes})[0]

    def enlarge(small: np.ndarray) -> np.ndarray:
        made = run(small)[0].clip(0, 1) * 255
        return (
            made[0] if len(made) == 1 else luma(np.rint(made).astype(np.uint8).transpose(1, 2, 0))
        )

    scale = run(np.zeros((64, 64, 3), np.uint8)).shape[2] // 64
    seconds = best(lambda: run(random_picture()))
    return row(name, scale, enlarge, f"{weights:,} | -", seconds)


def random_picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)


def speeds(models: dict[str, Upscaler]) -> list[str]:
    """Return rows of what the engine reaches, on luma alone and in colour."""
    a = np.random.default_rng(0).random((2048, 2048), np.float32)
    top = 2 * 2048**3 / best(lambda: a @ a) / 1e9
    rows = [f"float32 matrix product: {top:.0f} GFLOP/s", ""]
    rows += [
        "| model | GFLOP/s | share | 960 x 540, luma | colour | int8, luma |",
        "|---|" + "---:|" * 5,
    ]
    for name, model in models.items():
        about = model.info.descriptor
        grey = random_picture()[..., 0].astype(np.float32) / 255
        seconds = best(lambda m=model, x=grey: m.upscale(x))
        colour = best(lambda m=model: m.upscale(random_picture()))
        work = 2 * about.macs_per_pixel * grey.size * about.scale**2 / seconds / 1e9
        cells = [f"{work:.0f}", f"{work / top:.0%}", f"{1 / seconds:.1f}/s", f"{1 / colour:.1f}/s"]
        if "int8" in model.info.graphs:
            fast = best(lambda m=model, x=grey: m.upscale(x, int8=True))
            cells.append(f"{1 / fast:.1f}/s, x{seconds / fast:.2f}")
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("models", nargs="*")
    parser.add_argument("--rival", action="append", default=[])
    arguments = parser.parse_args()
    models: dict[str, Upscaler] = {}
    for ref in arguments.models:
        model = volute.load(ref)
        assert isinstance(model, Upscaler), f"{ref} is no upscaler"
        models[model.info.name] = model
    scales = sorted({model.info.descriptor.scale for model in models.values()} or {2, 4})
    print("| network | scale | parameters | GMAC to 1280x720 | Set5 | BSD100 | ms per megapixel |")
    print("|---|---|---:|---:|---:|---:|---:|")
    for scale in scales:
        print(bicubic(scale), flush=True)
    for name, model in models.items():
        print("\n".join(rows_of(name, model)), flush=True)
    for text in arguments.rival:
        print(rival(text), flush=True)
    if models:
        print("", *speeds(models), sep="\n")


if __name__ == "__main__":
    main()
