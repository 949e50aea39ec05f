"""What marks cost, what they survive, and what is found.

    python benchmarks/provenance.py                     # all sections; see each for its minutes
    python benchmarks/provenance.py signing --runs 100  # 1 min on one core

Each section prints the table that `docs/provenance.md` quotes.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from c2pa import Context, Reader
from PIL import Image

from volute.paths import atomic_file
from volute.provenance import Origin, keys, verify
from volute.provenance.manifest import signed_file

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
SIDE = 512
WEIGHTS = "00" * 32
HOW = {"truncation": 0.7, "index": 3, "class": "coat"}
SAMPLED = Origin("sample", "garments-gan", WEIGHTS, HOW, seed=7)


def signing(folder: Path, runs: int) -> None:
    """Print what signing adds to writing a file, in ms and bytes, and what reading takes.

    A file is written with and without, in turns; both wait for the disk. Given are the least time
    with less the least time without, on the wall and of the CPU, as other work only adds to them.
    """
    columns = [f"512 x 512 px, {runs} runs", "plain kB", "+ bytes", "+ ms", "+ CPU ms"]
    columns += ["all of verify, CPU ms", "official reader"]
    print("|", " | ".join(columns), "|\n" + "|-" * len(columns) + "|")
    photo = _photo()
    parent, style = folder / "parent.png", folder / "style.png"
    for file in (parent, style):
        _write(photo, file, SAMPLED)
    upscaled = Origin("upscale", "photo-x2", WEIGHTS, {"scale": 2}, parent=parent)
    plain = folder / "plain.png"
    photo.save(plain)
    first = Origin("upscale", "photo-x2", WEIGHTS, {"scale": 2}, parent=plain)
    painted = Origin("stylize", "painter", WEIGHTS, {"strength": 1.0}, None, parent, (style,))
    rows = {
        "PNG": ("a.png", SAMPLED),
        "PNG, upscaled from a plain PNG": ("d.png", first),
        "PNG, upscaled from a signed PNG": ("b.png", upscaled),
        "PNG, painted, from two signed PNGs": ("c.png", painted),
        "JPEG": ("a.jpg", SAMPLED),
        "WebP": ("a.webp", SAMPLED),
        "TIFF": ("a.tif", SAMPLED),
        "GIF": ("a.gif", SAMPLED),
        "AVIF": ("a.avif", SAMPLED),
    }
    for name, (file, origin) in rows.items():
        _row(name, photo, folder / file, origin, runs)


def _row(name: str, photo: Image.Image, target: Path, origin: Origin, runs: int) -> None:
    photo.save(target)
    data = target.read_bytes()
    times = np.empty((2, runs, 2))
    for run in range(runs):
        times[0, run] = _timed(lambda: _copied(data, target, None))
        times[1, run] = _timed(lambda: _copied(data, target, origin))
    plain, signed = times.min(1)
    size, (wall, cpu) = target.stat().st_size - len(data), signed - plain
    reading = min(_timed(lambda: verify(target))[1] for _ in range(runs))
    cells = [name, f"{len(data) / 1000:.0f}", f"{size:,}", f"{wall:.1f}", f"{cpu:.1f}"]
    print("|", " | ".join([*cells, f"{reading:.1f}", _officially(target)]), "|", flush=True)


def _copied(data: bytes, target: Path, origin: Origin | None) -> None:
    with signed_file(target, origin) if origin else atomic_file(target) as part:
        part.write_bytes(data)


def _write(photo: Image.Image, target: Path, origin: Origin) -> None:
    with signed_file(target, origin) as part:
        photo.save(part)


def _officially(target: Path) -> str:
    trust = {"trust": {"user_anchors": keys.authority_pem().decode()}}
    with Reader(str(target), context=Context.from_dict(trust)) as reader:
        return str(reader.get_validation_state())


def _photo() -> Image.Image:
    """Return the middle of a photograph, or a picture of smooth noise where there is none."""
    for file in sorted((DATA / "photos").rglob("*.jp*g")):
        with Image.open(file) as image:
            if min(image.size) >= SIDE:
                left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
                return image.convert("RGB").crop((left, top, left + SIDE, top + SIDE))
    small = np.random.default_rng(0).integers(0, 256, (SIDE // 8, SIDE // 8, 3), np.uint8)
    return Image.fromarray(small).resize((SIDE, SIDE), Image.Resampling.BICUBIC)


def _timed(work: Callable[[], object]) -> np.ndarray:
    """Return the milliseconds of a piece of work: on the wall, and of the CPU."""
    start = np.array([time.perf_counter(), time.process_time()])
    work()
    return (np.array([time.perf_counter(), time.process_time()]) - start) * 1000


SECTIONS: dict[str, Callable[[Path, int], None]] = {"signing": signing}


def main() -> None:
    """Run the sections that are asked for, with keys of their own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; all by default")
    parser.add_argument("--runs", type=int, default=50)
    given = parser.parse_args()
    for name in given.sections or SECTIONS:
        print(f"\n## {name}\n")
        with tempfile.TemporaryDirectory() as folder:
            os.environ["VOLUTE_CONFIG"] = str(Path(folder) / "config")
            SECTIONS[name](Path(folder), given.runs)


if __name__ == "__main__":
    main()
