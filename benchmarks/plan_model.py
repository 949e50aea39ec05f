"""A batch on many machines, simulated: files wait for a worker, for the driver, and for the link.

Pictures are done one by one, each in a time drawn from those measured. The link to where they lie
and the driver, who writes the ledger of `--cluster ray`, serve one after the other; workers of a
machine slow each other down as measured. Of `--shard`, each worker has the files that their names'
hashes give it, and a ledger of its own. A worker that dies begins anew, and so does its file.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Costs:
    """What was measured on one machine; seconds and bytes are of one picture."""

    network_s: float
    seconds: tuple[float, ...]
    """Of as many pictures, on one thread, from file to signed file, with no other at work."""
    crowded: float
    """Times as long where every core is at work."""
    cores: int
    read_bytes: float
    written_bytes: float
    start_s: float
    """Until a process begins its first picture."""
    ray_s: float
    """Until the workers of a Ray that is started begin, and at its end."""
    driver_s: float
    """That the driver of a Ray is at work for one picture, with its ledger."""
    waiting_s: float
    """More of it for each worker that is at work."""
    find_s: float
    """To find one file in a folder, and that the ledger does not know it."""
    known_s: float
    """To read one line of a ledger."""
    known_bytes: float
    """Of memory that one line takes up while a batch runs."""


@dataclass(frozen=True)
class Site:
    """Where a batch runs."""

    workers: int
    ray: bool = False
    link: float = float("inf")
    """Bytes a second, to and from where the pictures lie, of all machines together."""
    deaths: float = 0.0
    """Of one worker, in an hour."""


def simulate(costs: Costs, site: Site, count: int, seed: int = 0) -> float:
    """Return the seconds until `count` pictures are done, from the command to its end."""
    rng = np.random.default_rng(seed)
    alone = site.workers == 1
    spent = rng.choice(costs.seconds, count) * (1 if alone else costs.crowded)
    carried = (costs.read_bytes + costs.written_bytes) / site.link
    begin = costs.start_s + count * costs.find_s + costs.ray_s * site.ray
    if site.ray:
        driver = costs.driver_s + costs.waiting_s * site.workers
        return begin + _dealt(spent, site, driver, carried, costs.start_s, rng)
    return begin + _divided(spent, site, carried, costs.start_s, rng)


def _dealt(
    spent: np.ndarray,
    site: Site,
    driver_s: float,
    carried_s: float,
    again_s: float,
    rng: np.random.Generator,
) -> float:
    """Whoever is free gets the next file, when the driver has come to it."""
    free = [0.0] * site.workers
    driver = link = last = 0.0
    risk = site.deaths / 3600
    waiting = list(spent[::-1])
    while waiting:
        seconds = waiting.pop()
        driver = max(driver, heapq.heappop(free)) + driver_s
        link = max(link, driver) + carried_s
        if risk and rng.random() < 1 - np.exp(-risk * seconds):
            heapq.heappush(free, link + seconds * rng.random() + again_s)
            waiting.insert(0, seconds)
            continue
        heapq.heappush(free, link + seconds)
        last = max(last, link + seconds)
    return last


def _divided(
    spent: np.ndarray, site: Site, carried_s: float, again_s: float, rng: np.random.Generator
) -> float:
    """Each worker has files of its own; a worker that died goes on after its ledger."""
    owner = rng.integers(0, site.workers, len(spent))
    each = np.bincount(owner, spent, site.workers)
    dead = rng.poisson(each * site.deaths / 3600)
    each += dead * (again_s + spent.mean() / 2)
    return max(float(each.max()), len(spent) * carried_s)
