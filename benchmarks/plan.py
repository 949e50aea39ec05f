"""A plan on paper: what very many pictures cost on very many machines, and where it ends.

    python benchmarks/plan.py measure [--model photo-x2] [--side 192]   # writes results/plan.json
    python benchmarks/plan.py check      # the simulation beside real batches on this machine
    python benchmarks/plan.py            # the tables of docs/scaling.md, from results/plan.json

`measure` and `check` take a minute or two each and want a computer that does nothing else; the
simulation itself (`plan_model.py`) takes seconds, anywhere, and gives the same for the same seed.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

from plan_model import Costs, Site, simulate

FILE = Path(__file__).parent / "results" / "plan.json"
GBIT = 1e9 / 8
WORKERS = (1, 2, 16, 128, 1024, 4096)
COUNT = 200_000
"""Pictures of each simulated batch; from four workers' pictures on they are enough to tell."""
CHECKED = 200
HUGE = 10**9
DEATHS = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", nargs="?", choices=["measure", "check", "simulate"])
    parser.add_argument("--model", default="photo-x2")
    parser.add_argument("--side", type=int, default=192)
    asked = parser.parse_args()
    if asked.part == "measure":
        measure(asked.model, asked.side)
    costs = Costs(**json.loads(FILE.read_text(encoding="utf-8")))
    rows = check(costs, asked.model, asked.side) if asked.part == "check" else tables(costs)
    print("\n".join(rows))


def measure(model: str, side: int) -> None:
    from plan_costs import measured

    with tempfile.TemporaryDirectory() as name:
        os.environ |= {"VOLUTE_CONFIG": f"{name}/config", "VOLUTE_CACHE": f"{name}/cache"}
        costs = measured(Path(name), model, side)
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(asdict(costs), indent=1), encoding="utf-8")


def check(costs: Costs, model: str, side: int) -> list[str]:
    """Return how far the simulation is from real batches on the cores of this machine."""
    from cluster import ONE, pictures, together

    cores = costs.cores
    shards = [["--shard", f"{part}/{cores}"] for part in range(1, cores + 1)]
    ways: dict[str, tuple[Site, Sequence[Sequence[str]], dict[str, str]]] = {
        "one process": (Site(1), [[]], ONE),
        f"`--shard`, {cores} processes": (Site(cores), shards, ONE),
        f"`--cluster ray`, {cores} workers": (Site(cores, True), [["--cluster", "ray"]], {}),
    }
    rows = ["| | simulated s | measured s | off by |", "|---|---:|---:|---:|"]
    with tempfile.TemporaryDirectory() as name:
        os.environ |= {"VOLUTE_CONFIG": f"{name}/config", "VOLUTE_CACHE": f"{name}/cache"}
        folder = Path(name)
        pictures(folder / "in", CHECKED, side)
        together(folder, model, "warm", [["--shard", "1/20"]], ONE)
        for number, (way, (site, lines, settings)) in enumerate(ways.items()):
            told = simulate(costs, site, CHECKED)
            real, _ = together(folder, model, f"out{number}", lines, settings)
            rows.append(f"| {way} | {told:.1f} | {real:.1f} | {told / real - 1:+.0%} |")
    return rows


def tables(costs: Costs) -> list[str]:
    each = sum(costs.seconds) / len(costs.seconds)
    start = time.perf_counter()
    return [
        f"One picture on one thread: {1000 * each:.0f} ms, of them {1000 * costs.network_s:.0f} in "
        f"the network; {costs.crowded:.2f} times as long where all cores are at work. "
        f"{costs.read_bytes / 1000:.0f} kB are read, {costs.written_bytes / 1000:.0f} written. "
        f"A process starts in {costs.start_s:.1f} s, a Ray in {costs.ray_s:.1f}; its driver takes "
        f"{1000 * costs.driver_s:.2f} ms for a picture and {1e6 * costs.waiting_s:.1f} us more for "
        f"each worker. A file is found in {1e6 * costs.find_s:.0f} us, a line of a ledger read in "
        f"{1e6 * costs.known_s:.0f}, and held in {costs.known_bytes:,.0f} bytes.",
        "",
        *growth(costs),
        "",
        *ends(costs),
        "",
        *huge(costs),
        f"\n(simulated in {time.perf_counter() - start:.0f} s)",
    ]


def growth(costs: Costs) -> list[str]:
    """Return what share of their work the workers do, the more there are."""
    ways = {
        "`--shard`": Site(1),
        "`--shard`, link of 10 Gbit/s": Site(1, link=10 * GBIT),
        "`--cluster ray`": Site(1, ray=True),
        "`--cluster ray`, a death each 100 h": Site(1, ray=True, deaths=DEATHS),
    }
    rows = [
        f"| {COUNT:,} pictures | "
        + " | ".join(f"{n:,} worker{'s' * (n > 1)}" for n in WORKERS)
        + " |"
    ]
    rows.append("|---|" + "---:|" * len(WORKERS))
    each = sum(costs.seconds) / len(costs.seconds)
    for way, site in ways.items():
        cells = []
        for workers in WORKERS:
            spent = simulate(costs, replace(site, workers=workers), COUNT)
            ideal = COUNT * each * (costs.crowded if workers > 1 else 1) / workers
            cells.append(f"{COUNT / spent:,.0f}/s ({ideal / spent:.0%})")
        rows.append(f"| {way} | {' | '.join(cells)} |")
    return rows


def ends(costs: Costs) -> list[str]:
    """Return from where on more workers give nothing."""
    each = sum(costs.seconds) / len(costs.seconds) * costs.crowded
    moved = costs.read_bytes + costs.written_bytes
    rows = ["| what ends it | pictures/s | workers |", "|---|---:|---:|"]
    for gbits in (1, 10, 100):
        rate = gbits * GBIT / moved
        rows.append(f"| a link of {gbits} Gbit/s | {rate:,.0f} | {rate * each:,.0f} |")
    workers = next(n for n in range(1, 10**6) if (costs.driver_s + costs.waiting_s * n) * n > each)
    rows.append(f"| the driver of one Ray | {workers / each:,.0f} | {workers:,} |")
    finders = each / costs.find_s
    rows.append(f"| each part looks at all names | {finders / each:,.0f} | {finders:,.0f} |")
    return rows


def huge(costs: Costs) -> list[str]:
    """Return what 10^9 pictures cost, in folders of a million."""
    folder = 10**6
    rows = [
        f"| {HUGE:,} pictures, folders of {folder:,} | core hours | on 16 cores | on 1,024 |",
        "|---|---:|---:|---:|",
    ]
    each = sum(costs.seconds) / len(costs.seconds) * costs.crowded
    begin = costs.start_s + folder * costs.find_s
    hours = HUGE * each / 3600
    several = [simulate(costs, Site(n), folder) * HUGE / folder / 3600 for n in (16, 1024)]
    apart = [(HUGE / folder * (folder * each + begin)) / 3600 / n for n in (16, 1024)]
    for way, times in {"each folder by all (`--shard`)": several, "a folder each": apart}.items():
        told = " | ".join(f"{one:,.0f} h" for one in times)
        rows.append(f"| {way} | {hours:,.0f} | {told} |")
    network = costs.network_s / (sum(costs.seconds) / len(costs.seconds))
    rows.append(f"\nOf it the network: {network:.0%}.")
    return rows


if __name__ == "__main__":
    main()
