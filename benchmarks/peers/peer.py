"""What the scripts of other projects share: they train for a time and leave samples in one file.

Each runs in an environment of its own (`environment.py`) and knows of volute only what it is
measured by.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch


class OutOfTimeError(Exception):
    """Raised inside a training of another project when its budget is spent."""


class Budget:
    """Counts pictures and seconds of a training; `count` raises when the time is up."""

    def __init__(self, seconds: float) -> None:
        self.allowed, self.shown, self.seconds = seconds, 0, 0.0
        self.start = time.perf_counter()

    def count(self, pictures: int) -> None:
        """Count a step on so many pictures."""
        self.shown += pictures
        self.seconds = time.perf_counter() - self.start
        if self.seconds >= self.allowed:
            raise OutOfTimeError


def parse(description: str) -> argparse.Namespace:
    """Return the arguments that each script takes; the random seed is set."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("data", type=Path, help="npz with x_train and x_test, uint8 [N, 28, 28]")
    parser.add_argument("out", type=Path, help="npz to write")
    parser.add_argument("--seconds", type=float, required=True, help="to train")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, required=True, help="samples to make")
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    np.random.seed(arguments.seed)
    return arguments


def coded(n: int) -> int:
    """Return on how many test pictures bits per dimension are measured beside n samples."""
    return n // 10


def patch_torchvision() -> None:
    """Let torchvision be imported beside a torch that was built without its operators."""
    register = torch.library.register_fake

    def lenient(name: object, *given: object, **named: object) -> object:
        if isinstance(name, str) and name.startswith("torchvision::"):
            return lambda function: function
        return register(name, *given, **named)

    torch.library.register_fake = lenient


def to_bytes(pictures: torch.Tensor) -> np.ndarray:
    """Turn [n, 1, H, W] in [0, 1] into uint8 [n, H, W, 1]."""
    scaled = pictures.detach().clamp(0, 1).mul(255).round().to(torch.uint8)
    return scaled.permute(0, 2, 3, 1).numpy()


def save(out: Path, budget: Budget, **arrays: np.ndarray) -> None:
    """Write samples [n, H, W, 1] under the names of what drew them, with what was spent."""
    np.savez_compressed(out, **arrays, shown=budget.shown, seconds=budget.seconds)
