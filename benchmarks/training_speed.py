"""How fast the `tiny` GAN trains with its gradient penalties, beside what the CPU could do.

    python benchmarks/training_speed.py

Prints images/s at 28 and 32 px, and the FLOP of a step (counted by PyTorch: convolutions and matrix
products, forward, backward and double backward) per second as a share of the rate of a 2048 x 2048
matrix product measured in the same run, in float32 and in bfloat16.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from volute.recipes import create, resolve_settings
from volute.training.device import Device, choose
from volute.training.recipe import DataFacts

SIDE = 2048


class FlopCount(TorchDispatchMode):
    """Adds up PyTorch's FLOP formulas; its own FlopCounterMode cannot see a gradient's gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.flop = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Count and run one operator, or the parts that it is composed of."""
        kwargs = kwargs or {}
        formula = flop_registry.get(func._overloadpacket)
        if formula is None:
            with self:
                parts = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if parts is NotImplemented else parts
        result = func(*args, **kwargs)
        self.flop += formula(*args, **kwargs, out_val=result)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0, help="for each size and precision")
    arguments = parser.parse_args()
    device = choose("cpu", threads=arguments.threads)
    rates = {"float32": product_rate(torch.float32), "bfloat16": product_rate(torch.bfloat16)}
    print(f"{device.say()}; {SIDE}^3 matrix product: " + ", ".join(
        f"{name} {rate / 1e9:.0f} GFLOP/s" for name, rate in rates.items()))  # fmt: skip
    print("\n| GAN `tiny` | images/s | GFLOP an image | GFLOP/s | of float32 | of bfloat16 |")
    print("|---|---:|---:|---:|---:|---:|")
    for size in (28, 32):
        speed, flop = measured(size, arguments.seconds, device)
        shares = " | ".join(f"{speed * flop / rate:.0%}" for rate in rates.values())
        print(f"| {size} px grey, {device.precision} | {speed:.0f} | {flop / 1e9:.3f} "
              f"| {speed * flop / 1e9:.0f} | {shares} |", flush=True)  # fmt: skip


def measured(size: int, seconds: float, device: Device) -> tuple[float, float]:
    """Return images/s (by the median step) and the FLOP that each image shown costs."""
    facts = DataFacts(size=size, channels=1, classes=0, pictures=60_000)
    recipe = create("gan", resolve_settings("gan", "tiny", {}), facts, device)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(recipe.batch, 1, size, size, generator=generator) * 2 - 1
    labels = torch.zeros(recipe.batch, dtype=torch.int64)
    shown = 0

    def step() -> None:
        nonlocal shown
        recipe.step(pictures, labels, 0.5, shown)
        shown += recipe.batch

    for _ in range(5):
        step()
    with FlopCount() as count:
        step()
    return recipe.batch / median_time(step, seconds), count.flop / recipe.batch


def product_rate(kind: torch.dtype) -> float:
    """Return the FLOP/s of a square matrix product."""
    a, b = (torch.randn(SIDE, SIDE).to(kind) for _ in range(2))
    a @ b
    return 2 * SIDE**3 / median_time(lambda: a @ b, 3.0)


def median_time(work: Callable[[], object], seconds: float) -> float:
    times: list[float] = []
    while sum(times) < seconds:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
