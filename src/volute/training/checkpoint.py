"""The state of a training as one safetensors file: networks, averages, optimisers, counters.

The previous state stays beside the newest, and each is whole or absent, so that a kill at any
moment loses at most the work since the last one. Beside them lies the last one that was found to be
sound, to which a training that went wrong returns. Nothing is pickled.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load as from_bytes
from safetensors.torch import save as to_bytes

from volute.errors import UsageError, VoluteError
from volute.paths import atomic_file, explained
from volute.training.recipe import Recipe

NEWEST, PREVIOUS, SOUND = "newest.safetensors", "previous.safetensors", "sound.safetensors"


@dataclass(frozen=True)
class Counters:
    """How far a run is: images shown and seconds of training."""

    shown: int = 0
    seconds: float = 0.0


def save(folder: Path, recipe: Recipe, counters: Counters) -> None:
    """Write the state; the one before becomes `previous`.

    Raises:
        VoluteError: if a weight is not finite (nothing is written), or the place refuses.
    """
    tensors = _tensors(recipe)
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise VoluteError(f"the weights became NaN or infinite ({name})")
    newest = folder / NEWEST
    with atomic_file(newest) as part:
        part.write_bytes(_bytes(tensors, counters))
        if newest.exists():
            newest.replace(folder / PREVIOUS)


def keep(folder: Path) -> None:
    """Remember that the state before the newest is sound, if there is one."""
    previous, sound = folder / PREVIOUS, folder / SOUND
    if previous.exists():
        with explained(sound):
            sound.unlink(missing_ok=True)
            _linked(previous, sound)


def go_back(folder: Path) -> None:
    """Make the last sound state the newest; without one there is none, as at the beginning."""
    newest = folder / NEWEST
    with explained(newest):
        for path in (newest, folder / PREVIOUS):
            path.unlink(missing_ok=True)
        if (folder / SOUND).exists():
            _linked(folder / SOUND, newest)


def _linked(source: Path, target: Path) -> None:
    """Make `target` the same file, or a copy where the disk has no links, as a memory stick."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def load(folder: Path, recipe: Recipe) -> Counters:
    """Fill `recipe` with the newest state that is whole, and return its counters.

    Without any state the recipe stays as it is and the counters are zero.

    Raises:
        UsageError: if the state is of other networks.
        VoluteError: if no state is whole.
    """
    found = [folder / name for name in (NEWEST, PREVIOUS) if (folder / name).exists()]
    for path in found:
        try:
            with safe_open(path, "pt") as stream:
                counted = json.loads(stream.metadata()["counters"])
                counters = Counters(counted["shown"], counted["seconds"])
                tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, KeyError, ValueError):
            continue
        try:
            _fill(recipe, tensors)
        except (RuntimeError, KeyError) as error:
            raise UsageError(
                f"the state in {path} is of other networks than these settings make",
                "Settings that change the networks need a new run: volute train ...",
            ) from error
        return counters
    if found:
        raise VoluteError(f"no whole state in {folder}", "Start the training again from its data.")
    return Counters()


@contextlib.contextmanager
def untouched(recipe: Recipe) -> Iterator[None]:
    """Let `recipe` forget at the end of the block what it learned there."""
    tensors = {name: value.clone() for name, value in _tensors(recipe).items()}
    try:
        yield
    finally:
        _fill(recipe, tensors)


def share(recipe: Recipe, counters: Counters) -> Counters:
    """Give all processes the state and the counters of the first one, which alone has read them."""
    if recipe.group.size == 1:
        return counters
    data = _bytes(_tensors(recipe), counters) if recipe.group.first else b""
    data = recipe.group.tell(data)
    if not recipe.group.first:
        _fill(recipe, from_bytes(data))
        length = int.from_bytes(data[:8], "little")
        told = json.loads(data[8 : 8 + length])["__metadata__"]["counters"]
        counters = Counters(**json.loads(told))
    return counters


def _bytes(tensors: dict[str, torch.Tensor], counters: Counters) -> bytes:
    whole = {name: value.contiguous() for name, value in tensors.items()}
    return to_bytes(whole, metadata={"counters": json.dumps(asdict(counters))})


def _tensors(recipe: Recipe) -> dict[str, torch.Tensor]:
    tensors = {}
    for name, module in recipe.modules.items():
        tensors |= {f"module.{name}.{key}": value for key, value in module.state_dict().items()}
    for name, average in recipe.averages.items():
        state = average.network.state_dict()
        tensors |= {f"average.{name}.{key}": value for key, value in state.items()}
    for name, optimiser in recipe.optimisers.items():
        for index, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{name}.{index}.{key}": value for key, value in state.items()}
    return tensors


def _fill(recipe: Recipe, tensors: dict[str, torch.Tensor]) -> None:
    for name, module in recipe.modules.items():
        module.load_state_dict(_under(tensors, f"module.{name}."))
    for name, average in recipe.averages.items():
        average.network.load_state_dict(_under(tensors, f"average.{name}."))
    for name, optimiser in recipe.optimisers.items():
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        state: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in _under(tensors, f"optimiser.{name}.").items():
            index, field = key.split(".", 1)
            like = parameters[int(index)]
            if value.shape == like.shape:  # fused steps need the parameter's own memory layout
                value = torch.empty_like(like).copy_(value)
            state.setdefault(int(index), {})[field] = value
        whole = optimiser.state_dict()
        optimiser.load_state_dict({"state": state, "param_groups": whole["param_groups"]})


def _under(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
