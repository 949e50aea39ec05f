"""What each of several processes does in the tests: the work that a JSON file names, one by one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from safetensors.numpy import save_file

from volute import jobs, recipes
from volute.errors import VoluteError
from volute.training.device import choose
from volute.training.distributed import join
from volute.training.joint import joint
from volute.training.recipe import DataFacts

Work = dict[str, Any]


def launch(works: Sequence[Work], folder: Path, size: int = 2, code: int = 0) -> list[str]:
    """Do the works in `size` processes, as `torchrun` would; return what each wrote."""
    (folder / "works.json").write_text(json.dumps(works), encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    common |= {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size)}
    common["PYTHONPATH"] = os.pathsep.join(sys.path)
    children = [
        subprocess.Popen(
            [sys.executable, __file__, str(folder / "works.json")],
            env=os.environ | common | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    said = [child.communicate(timeout=120)[1] for child in children]
    assert all((child.returncode == 0) == (code == 0) for child in children), "\n".join(said)
    return said


def do(works: Sequence[Work]) -> None:
    """Do them in this process, with plain descent, and without what is not compared."""
    with (
        patch("volute.training.doctor.Gallery", _Blind),
        patch("volute.jobs.package"),
        patch("torch.optim.Adam", plain),
        patch("torch.optim.AdamW", plain),
    ):
        for work in works:
            WORKS[work["do"]](**work["with"])


def plain(parameters: Any, lr: float = 1e-3, **_: object) -> Any:  # noqa: N802
    """Return plain descent: Adam makes steps as large as any of what is rounding alone."""
    return torch.optim.SGD(parameters, lr=lr)


class _Blind:
    def __init__(self, *_: object) -> None:
        pass

    def own(self, shown: int) -> dict[str, float]:
        return {}

    signs = own


def _gradients(kind: str, settings: Work, out: str) -> None:
    """Write the gradients of one step by the networks that learn, of 16 pictures."""
    facts, group = DataFacts(16, 1, 2, 256, (128, 128)), join()
    checked = recipes.resolve_settings(kind, next(iter(recipes.KINDS[kind].presets)), settings)
    recipe = recipes.create(kind, checked, facts, choose("cpu", "float32", 1), seed=0)
    recipe.group = group
    found: dict[str, np.ndarray] = {}
    for network in recipe.modules.values():
        joint(network, group)
    for name, optimiser in recipe.optimisers.items():
        network = recipe.modules[name]

        def keep(*_: object, name: str = name, network: torch.nn.Module = network) -> None:
            for key, parameter in network.named_parameters():
                assert parameter.grad is not None
                found[f"{name}.{key}"] = parameter.grad.numpy().copy()

        optimiser.register_step_pre_hook(keep)
    draw = torch.Generator().manual_seed(1)
    pictures = torch.rand(16, 1, 16, 16, generator=draw) * 2 - 1
    labels = torch.randint(2, (16,), generator=draw)
    with group.step():
        recipe.step(pictures[group.part], labels[group.part], 0.5, 1600)
    if group.first:
        save_file(found, out)


def _unlucky(**how: Any) -> None:
    """Train, but fail in the second process, in its second step."""
    calls = iter(range(9))

    def stop() -> bool:
        if join().rank == 1 and next(calls) == 1:
            raise VoluteError("out of luck")
        return False

    jobs.train(**how, stop=stop)


WORKS: dict[str, Callable[..., object]] = {
    "gradients": _gradients,
    "train": jobs.train,
    "resume": jobs.resume,
    "unlucky": _unlucky,
}

if __name__ == "__main__":
    do(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
