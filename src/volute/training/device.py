"""Where training runs and in which precision: chosen once, said, and recorded in the run."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import nn

from volute.errors import UsageError

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True)
class Device:
    """A torch device with the precision and the number of CPU threads in use there."""

    torch: torch.device
    precision: str
    threads: int

    def autocast(self) -> contextlib.AbstractContextManager[object]:
        """Return the context in which networks run: bfloat16 where chosen, else float32."""
        if self.precision == "float32":
            return contextlib.nullcontext()
        return torch.autocast(self.torch.type, torch.bfloat16)

    def place(self, module: Module) -> Module:
        """Move a network here, channels last: pooling and resampling run 2 to 10 times faster."""
        return channels_last(module.to(self.torch))

    def say(self) -> str:
        """Return the line that training shows."""
        if self.torch.type == "cpu":
            threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
            return f"CPU, {threads} · {self.precision}"
        name = torch.cuda.get_device_name(self.torch) if self.torch.type == "cuda" else "GPU"
        return f"{name} · {self.precision}"


def channels_last(module: Module) -> Module:
    """Lay the weights of 2-D convolutions out channels last, in place.

    A copy into strides that say so, since `contiguous` leaves a weight of one input channel as it
    is, and PyTorch then takes its layer's output, and all that follows, for channels first.
    """
    for parameter in module.parameters():
        if parameter.dim() == 4:
            weight = torch.empty_like(parameter, memory_format=torch.channels_last)
            parameter.data = weight.copy_(parameter.data)
    return module


def choose(
    device: str = "auto", precision: str = "auto", threads: int = 0, processes: int = 1
) -> Device:
    """Pick the device, precision and thread count; `auto` and 0 mean the best there is.

    The cores are divided among `processes` on this machine.

    Raises:
        UsageError: if the device that was asked for is not here.
    """
    if device == "auto":
        device = _best_device()
    try:
        place = torch.device(device)
        torch.zeros(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"device {device} is not available here", "Use what there is: --device auto"
        ) from error
    share = max(1, _cores() // processes)
    threads = min(threads or share, share) if processes > 1 else threads or share
    torch.set_num_threads(threads)
    if place.type == "cpu":
        _keep_memory()
        torch.set_flush_denormal(True)
    if precision == "auto":
        precision = "bfloat16" if _bfloat16_pays(place) else "float32"
    return Device(place, precision, threads)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _bfloat16_pays(place: torch.device) -> bool:
    """Tell whether bfloat16 convolutions beat float32 here.

    CPUs that have the instructions may still be slower with them (0.6 times on one Xeon without
    AMX, 1.5 times on a Zen 4), so a race of about 0.2 s decides.
    """
    if place.type != "cpu":
        return place.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    mkldnn = torch.backends.mkldnn.is_available()
    if not (mkldnn and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    layer = channels_last(nn.Conv2d(128, 128, 3, padding=1))
    x_BCHW = torch.randn(32, 128, 14, 14).to(memory_format=torch.channels_last)

    def step(bf16: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            layer(x_BCHW).sum().backward()

    return _best_time(lambda: step(True)) < 0.9 * _best_time(lambda: step(False))


def _best_time(work: Callable[[], None], repeats: int = 4) -> float:
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def _keep_memory() -> None:
    """Stop glibc from giving large blocks back after every step (1.2 to 1.3 times faster)."""
    if not sys.platform.startswith("linux"):
        return
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        trim_threshold, top_pad, mmap_threshold = -1, -2, -3
        if not mallopt(mmap_threshold, 1 << 30):
            mallopt(mmap_threshold, 32 << 20)  # the most that an older glibc takes
        mallopt(trim_threshold, (1 << 31) - 1)
        mallopt(top_pad, 1 << 26)
