"""Super-resolution of what does not fit the memory: peak memory and rate, each in its own process.

    python benchmarks/upscaling_large.py photo-x2-fast

Makes GeoTIFFs (uint16, one band) and PNGs (8-bit grey) of several sizes in a temporary folder,
enlarges each with `volute upscale --memory 1GB`, and prints the largest resident memory that the
process had and its rate, beside the rate of the same network over one picture of 1,024 x 1,024 px
in a single piece for each core.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import rasterio
from PIL import Image
from rasterio.transform import from_origin

import volute
from volute.engine.session import Session
from volute.handles import Upscaler

SIDES = {"tif": (1600, 7500, 20_000), "png": (1600, 7500, 15_000)}
PIECE = 1024


def rows_of(side: int, rows: int, top: int) -> np.ndarray:
    """Return some rows of a field of smooth hills and noise, uint16."""
    rng = np.random.default_rng(top)
    y, x = np.mgrid[top : top + rows, 0:side].astype(np.float32)
    hills = 6000 + 3000 * np.sin(x / 97) * np.cos(y / 71) + 800 * np.sin((x + y) / 11)
    return (hills + rng.normal(0, 60, hills.shape)).astype(np.uint16)


def make(path: Path, side: int) -> None:
    if path.suffix == ".png":
        whole = np.concatenate([rows_of(side, 500, top) >> 6 for top in range(0, side, 500)])
        Image.fromarray(whole[:side].astype(np.uint8)).save(path, compress_level=1)
        return
    place = from_origin(500_000, 5_000_000, 10, 10)
    about = {"driver": "GTiff", "height": side, "width": side, "count": 1, "dtype": "uint16"}
    tiled = {"tiled": True, "blockxsize": 256, "blockysize": 256, "crs": "EPSG:32633"}
    with rasterio.open(path, "w", **about, **tiled, transform=place) as out:
        for top in range(0, side, 500):
            rows = min(500, side - top)
            out.write(rows_of(side, rows, top), 1, window=((top, top + rows), (0, side)))


def enlarge(path: Path, model: str) -> tuple[float, float]:
    """Return the seconds and the peak resident memory in MB of the command."""
    out = path.with_name("out" + path.suffix)
    program = Path(sys.executable).with_name("volute")
    command = [program, "upscale", path, "--model", model, "-o", out, "--memory", "1GB"]
    start, peak = time.perf_counter(), 0.0
    with subprocess.Popen(command) as process:
        while process.poll() is None:  # rusage would count this process, from before the exec
            peak = max(peak, high_water(process.pid))
            time.sleep(0.05)
    assert process.returncode == 0, f"{path.name} failed"
    return time.perf_counter() - start, peak


def high_water(process: int) -> float:
    """Return the most resident memory in MB that a process has had since it began."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0][1]) / 1024 if lines else 0.0


def untiled(model: Upscaler) -> float:
    """Return megapixels of input a second of the network, one large piece a core at a time."""
    cores = len(os.sched_getaffinity(0))
    graph = Session(model._artefact.graph("upscaler"), threads=1)
    piece = {"picture": np.zeros((1, 1, PIECE, PIECE), np.float32)}
    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(lambda _: graph.run(piece), range(cores)))
        start = time.perf_counter()
        list(pool.map(lambda _: graph.run(piece), range(4 * cores)))
    return 4 * cores * PIECE**2 / 1e6 / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model")
    model = parser.parse_args().model
    handle = volute.load(model)
    assert isinstance(handle, Upscaler)
    print("| file | megapixels out | peak memory, MB | seconds | Mpx in a second | of untiled |")
    print("|---|---:|---:|---:|---:|---:|", flush=True)
    for ending, sides in SIDES.items():
        for side in sides:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / f"field.{ending}"
                make(path, side)
                top = untiled(handle)
                seconds, memory = enlarge(path, model)
            rate = side**2 / 1e6 / seconds
            large = side**2 * handle.info.descriptor.scale**2 / 1e6
            cells = [f"{large:,.0f}", f"{memory:,.0f}", f"{seconds:.1f}", f"{rate:.2f}"]
            print(f"| {ending} | {' | '.join(cells)} | {rate / top:.0%} |", flush=True)


if __name__ == "__main__":
    main()
