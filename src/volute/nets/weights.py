"""The weights of an artefact, back into a torch network."""

from __future__ import annotations

from typing import TypeVar

from safetensors.torch import load_file
from torch import nn

from volute.engine.artefact import WEIGHTS, Artefact
from volute.errors import VoluteError

Network = TypeVar("Network", bound=nn.Module)


def filled(network: Network, artefact: Artefact, *prefixes: str) -> Network:
    """Fill a network with an artefact's tensors whose names start with one of `prefixes`.

    Several prefixes are for a network that stands in several graphs: a tensor that is the same in
    all of them is stored under the first graph's name only.

    Raises:
        VoluteError: if the tensors are not those of the network.
    """
    tensors = load_file(artefact.path / WEIGHTS)
    own = {
        name.removeprefix(prefix): tensor
        for prefix in prefixes
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    try:
        network.load_state_dict(own)
    except RuntimeError as error:
        reason = "its weights do not fit its settings"
        raise VoluteError(f"{artefact.path}: {reason}", "Export it anew from its run.") from error
    return network
