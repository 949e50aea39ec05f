"""What a batch costs on this machine, measured: the numbers that `plan.py` simulates with."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import volute
from cluster import ONE, SAMPLE, pictures, together, with_clock
from plan_model import Costs
from volute.cluster.spread import spread
from volute.cluster.with_ray import joined
from volute.engine.batch import Entry, Ledger, begin, settled
from volute.engine.inputs import gathered
from volute.engine.session import physical_cores
from volute.engine.sources import Local
from volute.events import Emit, silent
from volute.handles import Upscaler

LINES = 20_000
"""Of a ledger, and files of a folder, by which their cost is told."""
CALLS = 1000
"""Of a Ray's workers that do nothing."""
CROWD = 200
"""Calls that a driver waits for at once."""


@dataclass(frozen=True)
class Nothing:
    """A task that does nothing: see `volute.cluster.task.Task`."""

    def opened(self) -> None:
        """See `Task`."""

    def how(self, tool: Any) -> str:
        """See `Task`."""
        return "nothing"

    def do(self, tool: Any, item: Any, emit: Emit) -> Any:
        """See `Task`."""
        return item


def measured(folder: Path, model: str, side: int) -> Costs:
    """Return the costs of small pictures that a model enlarges."""
    pictures(folder / "in", SAMPLE, side)
    sources = sorted((folder / "in").iterdir())
    seconds, network = one_by_one(folder, model, sources)
    (folder / "first").mkdir()
    start = started(folder, sources[0], model, sum(seconds) / len(seconds))
    cores = physical_cores()
    driver, starting = driven(folder, cores)
    find, known, known_bytes = looked_up(folder)
    made = [path.stat().st_size for path in (folder / "alone").iterdir()]
    return Costs(
        network_s=network,
        seconds=tuple(seconds),
        crowded=crowded(folder, model, len(sources), cores),
        cores=cores,
        read_bytes=sum(path.stat().st_size for path in sources) / len(sources),
        written_bytes=sum(made) / len(made),
        start_s=start,
        ray_s=starting,
        driver_s=driver,
        waiting_s=waited(),
        find_s=find,
        known_s=known,
        known_bytes=known_bytes,
    )


def one_by_one(folder: Path, model: str, sources: list[Path]) -> tuple[list[float], float]:
    """Return the seconds of each picture on one thread, and the mean of the network alone."""
    os.environ |= ONE
    handle = volute.load(model)
    assert isinstance(handle, Upscaler)
    (folder / "alone").mkdir()
    handle.upscale_file(sources[0], folder / "warm.jpg")
    spent, times = [0.0], []
    with_clock(handle._graph, spent)
    for source in sources:
        start = time.perf_counter()
        handle.upscale_file(source, folder / "alone" / source.name)
        times.append(time.perf_counter() - start)
    return times, spent[0] / len(sources)


def started(folder: Path, source: Path, model: str, picture_s: float) -> float:
    """Return the seconds of a command with one picture, less the picture."""
    words = ["upscale", str(source), "--model", model, "--overwrite", "-o", str(folder / "first")]
    line, best = [sys.executable, "-m", "volute", *words], float("inf")
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(line, check=True, env=os.environ | ONE, stdout=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - start)
    return best - picture_s


def crowded(folder: Path, model: str, count: int, cores: int) -> float:
    """Return how many times as long a picture takes where every core is at work."""
    shards = [["--shard", f"{part}/{cores}"] for part in range(1, cores + 1)]
    together(folder, model, "crowd-warm", [[]], ONE)
    alone, _ = together(folder, model, "crowd-one", [[]], ONE)
    every, _ = together(folder, model, "crowd-all", shards, ONE)
    return max(1.0, every * cores / alone)


def driven(folder: Path, cores: int) -> tuple[float, float]:
    """Return what a Ray's driver takes for one item with its ledger, and for start and end."""
    os.environ["PYTHONPATH"] = str(Path(__file__).parent)  # where workers find `Nothing`
    ledger, out = Ledger(folder / "driven"), folder / "driven" / "a.jpg"
    start = time.perf_counter()
    list(spread(Nothing(), "nothing", cores, lambda index: index, silent))
    starting = time.perf_counter() - start

    def take(index: int) -> Entry:
        return begin(Local(folder / str(index)), out, "nothing", ledger)

    times = []
    for _, entry in spread(Nothing(), "nothing", CALLS, take, silent):
        ledger.add(entry)
        times.append(time.perf_counter())
    return (times[-1] - times[0]) / (CALLS - 1), starting


def waited() -> float:
    """Return what one more call that is not done costs a driver that waits for the first."""
    with joined(silent) as ray:
        never = ray.remote(num_cpus=10**4)(physical_cores)
        calls, done = [never.remote() for _ in range(CROWD)], ray.put(0)

        def best(some: list[Any]) -> float:
            times = []
            for _ in range(50):
                start = time.perf_counter()
                ray.wait([*some, done], timeout=5)
                times.append(time.perf_counter() - start)
            return min(times)

        return max(0.0, (best(calls) - best([])) / CROWD)


def looked_up(folder: Path) -> tuple[float, float, float]:
    """Return seconds to find a file that no ledger knows, to read a line, and the line's bytes."""
    many = folder / "many"
    many.mkdir()
    for index in range(LINES):
        (many / f"{index:06}.jpg").touch()
    ledger = Ledger(folder / "none")
    start = time.perf_counter()
    items = gathered([str(many)])
    for item in items:
        settled(item.source, folder / "none" / item.name, "how", ledger, False)
    find = (time.perf_counter() - start) / LINES
    entry = Entry(source=str(many / "0.jpg"), out=str(many / "0.jpg"), status="ok", how="volute")
    lines = (
        entry.model_copy(update={"source": f"{many}/{index:06}.jpg"}).model_dump_json()
        for index in range(LINES)
    )
    (folder / "known").mkdir()
    (folder / "known" / "ledger.jsonl").write_text("\n".join(lines), encoding="utf-8")
    start = time.perf_counter()
    Ledger(folder / "known")
    known = (time.perf_counter() - start) / LINES
    tracemalloc.start()
    held = Ledger(folder / "known")
    size = tracemalloc.get_traced_memory()[0] / LINES
    tracemalloc.stop()
    del held
    return find, known, size
