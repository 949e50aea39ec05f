"""All that learns of a style model, and how a new one goes on from another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from volute.engine.artefact import Artefact
from volute.errors import UsageError
from volute.nets.painter import Painter
from volute.nets.style_encoder import StyleEncoder
from volute.nets.weights import filled

SIZES = ("width", "blocks", "bank", "code")
"""Settings in which two models must agree."""


class StyleNet(nn.Module):
    """The painter, and how a style is read or known.

    Args:
        code: length of a style's code.
        width: of the painter; see `Painter`.
        blocks: likewise.
        bank: likewise.
        styles: how many codes are learned each by itself; 0 for an encoder instead.
    """

    def __init__(self, code: int, width: int, blocks: int, bank: int, styles: int) -> None:
        super().__init__()
        self.painter = Painter(code, width, blocks, bank)
        self.encoder = None if styles else StyleEncoder(code)
        self.codes = nn.Parameter(0.1 * torch.randn(styles, code)) if styles else None

    def read(self, numbers: Sequence[int], pictures: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the codes [n, code] of styles, by their numbers or by their pictures."""
        if self.codes is not None:
            return self.codes[list(numbers)]
        assert self.encoder is not None
        return torch.cat([self.encoder(picture) for picture in pictures])


def begin(
    net: StyleNet, artefact: Artefact, sizes: dict[str, int], pictures: Sequence[torch.Tensor]
) -> None:
    """Give a network that has learned nothing the kernels and codes of another.

    Codes of its own styles are what the other's encoder reads in their pictures; of one that knows
    only styles by name, the mean of these.

    Args:
        net: what begins.
        artefact: what it goes on from.
        sizes: `SIZES` of the new network.
        pictures: of its own styles, [1, 3, H, W] in [-1, 1].

    Raises:
        UsageError: if the other is no style model, of another size, or lacks an encoder.
    """
    _check(artefact, sizes, net.encoder is not None)
    filled(net.painter, artefact, "modulator.network.painter.")
    place = net.painter.mix.weight.device
    with torch.no_grad():
        if net.encoder is not None:
            filled(net.encoder, artefact, "encoder.network.")
        if net.codes is None:
            return
        if "encoder" in artefact.config.graphs:
            encoder = filled(StyleEncoder(sizes["code"]), artefact, "encoder.network.").to(place)
            net.codes.copy_(torch.cat([encoder(picture) for picture in pictures]))
        else:
            known = torch.from_numpy(artefact.tensors(["styles.codes"])["styles.codes"])
            net.codes.copy_(known.mean(0).expand_as(net.codes))


def _check(artefact: Artefact, sizes: dict[str, int], reads: bool) -> None:
    config = artefact.config
    if config.descriptor.kind != "style":
        what = f"{config.name} is of kind {config.descriptor.kind}, not style"
        raise UsageError(what, "Start from a model of kind style.")
    for name, size in sizes.items():
        theirs = config.settings.get(name)
        if theirs != size:
            what = f"{config.name} has {name} {theirs}, the new network {size}"
            raise UsageError(what, f"Add: -s {name}={theirs}")
    if reads and "encoder" not in config.graphs:
        raise UsageError(f"{config.name} has no style encoder to start from")
