"""What a cluster and a ledger cost: Ray beside plain processes, and where the time of a batch goes.

    python benchmarks/cluster.py [ray] [many] [--count N] [--side PX] [--model photo-x2]

`ray`: a local Ray with a worker on each core, beside as many plain processes (`--shard`), each on
one thread, over the same pictures. `many`: small pictures, by one process on each core: how busy
the cores are; and what decoding, encoding and marking take beside the network. Without `--count`
they are 400 and 10,000 parts of photographs, of 192 px, ten minutes in all. Wants a computer that
does nothing else.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

import volute
from volute.engine.session import Session, physical_cores
from volute.handles import Upscaler

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
COUNTS = {"ray": 400, "many": 10_000}
SAMPLE = 100
"""Pictures by which the parts of the time are told."""
ONE = {"VOLUTE_THREADS": "1", "VIPS_CONCURRENCY": "1", "OMP_NUM_THREADS": "1"}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=list(COUNTS), default=list(COUNTS))
    parser.add_argument("--count", type=int)
    parser.add_argument("--side", type=int, default=192)
    parser.add_argument("--model", default="photo-x2")
    asked = parser.parse_args()
    for part in asked.parts:
        with tempfile.TemporaryDirectory() as name:
            os.environ |= {"VOLUTE_CONFIG": f"{name}/config", "VOLUTE_CACHE": f"{name}/cache"}
            folder = Path(name)
            pictures(folder / "in", asked.count or COUNTS[part], asked.side)
            print("\n".join({"ray": ray, "many": many}[part](folder, asked.model)), flush=True)


def pictures(folder: Path, count: int, side: int) -> None:
    """Write as many JPEG files: parts of the photographs, each another."""
    folder.mkdir()
    whole = [photograph(file) for file in sorted((DATA / "photos").glob("*.jpg"))]
    for index in range(count):
        picture = whole[index % len(whole)]
        left, top = 7 * index % (picture.width - side), 11 * index % (picture.height - side)
        picture.crop((left, top, left + side, top + side)).save(
            folder / f"{index:05}.jpg", quality=90
        )


def photograph(file: Path) -> Image.Image:
    """Return a photograph, 1024 px along its longer side."""
    picture = Image.open(file).convert("RGB")
    picture.thumbnail((1024, 1024))
    return picture


def ray(folder: Path, model: str) -> list[str]:
    """Return the rates of Ray and of plain processes, and their ratio."""
    cores = physical_cores()
    shards = [["--shard", f"{part}/{cores}"] for part in range(1, cores + 1)]
    plain_s, _ = together(folder, model, "plain", shards, ONE)
    ray_s, _ = together(folder, model, "ray", [["--cluster", "ray"]], {})
    count = len(list((folder / "in").iterdir()))
    ledgers = sorted((folder / "plain").glob("ledger-*.jsonl"))
    plain = sum(rate(outs_of(ledger)) for ledger in ledgers)
    actors = rate(outs_of(folder / "ray" / "ledger.jsonl"))
    return [
        "| | processes | pictures/s at work | ratio | whole command, s | ratio |",
        "|---|---:|---:|---:|---:|---:|",
        f"| plain, `--shard` | {cores} | {plain:.2f} | 1 | {plain_s:.1f} | 1 |",
        f"| `--cluster ray` | {cores} | {actors:.2f} | {actors / plain:.3f} | {ray_s:.1f} "
        f"| {plain_s / ray_s:.3f} |",
        f"\n{count} pictures; target of the first ratio: at least 0.85.",
    ]


def outs_of(ledger: Path) -> list[Path]:
    """Return the results that a ledger names."""
    from volute.engine.batch import Entry

    entries = [Entry.model_validate_json(line) for line in ledger.read_text().splitlines()]
    return [Path(entry.out) for entry in entries if entry.status == "ok"]


def rate(outs: Sequence[Path]) -> float:
    """Return files a second, from the first to the last: without the start."""
    times = [out.stat().st_mtime_ns / 1e9 for out in outs]
    return (len(times) - 1) / (max(times) - min(times))


def many(folder: Path, model: str) -> list[str]:
    """Return how busy the cores are, and where the time goes."""
    cores = physical_cores()
    shards = [["--shard", f"{part}/{cores}"] for part in range(1, cores + 1)]
    wall, cpu = together(folder, model, "out", shards, ONE)
    sources = sorted((folder / "in").iterdir())
    network, plain, marked = shares(model, sources[:SAMPLE], folder)
    rows = {"network": network, "decode, pre- and post-processing, encode": plain - network}
    rows["mark and signature"] = marked - plain
    return [
        f"{len(sources)} pictures in {wall:.0f} s by {cores} processes: "
        f"{len(sources) / wall:.1f} a second, cores {cpu / wall / cores:.0%} busy (target: 90%)",
        "\n| one picture, one thread | ms | share |",
        "|---|---:|---:|",
        *(
            f"| {name} | {1000 * spent:.1f} | {spent / marked:.0%} |"
            for name, spent in rows.items()
        ),
        f"\nBeside the network: {1 - network / marked:.0%} (target: at most 35%), "
        f"unmarked {1 - network / plain:.0%}.",
    ]


def shares(model: str, sources: Sequence[Path], folder: Path) -> tuple[float, float, float]:
    """Return seconds a picture in the network, from file to file, and that marked and signed."""
    os.environ |= ONE
    handle = volute.load(model)
    assert isinstance(handle, Upscaler)
    spent = [0.0]
    with_clock(handle._graph, spent)
    handle.upscale_file(sources[0], folder / "first.jpg")  # loads what is loaded once
    spent[0] = 0.0

    def each(unmarked: bool) -> float:
        start = time.perf_counter()
        for source in sources:
            handle.upscale_file(source, folder / f"{unmarked}.jpg", unmarked=unmarked)
        return (time.perf_counter() - start) / len(sources)

    plain = each(unmarked=True)
    return spent[0] / len(sources), plain, each(unmarked=False)


def with_clock(session: Session, spent: list[float]) -> None:
    """Have what a graph takes added up."""
    run = session.run

    def clocked(inputs: dict[str, object]) -> object:
        start = time.perf_counter()
        try:
            return run(inputs)  # type: ignore[arg-type]
        finally:
            spent[0] += time.perf_counter() - start

    session.run = clocked  # type: ignore[method-assign]


def together(
    folder: Path, model: str, out: str, more: Sequence[Sequence[str]], settings: dict[str, str]
) -> tuple[float, float]:
    """Run commands side by side and return their seconds on the wall, and of all their cores."""
    line = [sys.executable, "-m", "volute", "upscale", "in", "--model", model, "-o", out]
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    running = [
        subprocess.Popen(
            [*line, *one],
            cwd=folder,
            env=os.environ | settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for one in more
    ]
    codes = [process.wait() for process in running]
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    assert not any(codes), f"failed: {codes}"
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
