"""The super-resolution network: 3x3 convolutions at low resolution, then a pixel shuffle.

Nothing but local convolutions, so the receptive radius is small and known and tiles can be exact.
Each convolution learns as a sum of branches and runs as one (Ding et al. 2021, arXiv:2101.03697;
Zhang et al. 2021, "Edge-oriented convolution block", use it for super-resolution). The branches are
summed as kernels before they meet the picture (Hu et al. 2022, arXiv:2204.00826), so learning costs
little more than running.
"""

from __future__ import annotations

import copy
import math

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from volute.engine.artefact import WEIGHTS, Artefact
from volute.errors import UsageError


class Branched(nn.Module):
    """A 3x3 convolution whose kernel is a 3x3, a 1x1, and a 1x1-3x3-1x1 through twice as many."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.plain = nn.Parameter(nn.Conv2d(before, after, 3).weight.detach())
        self.bias = nn.Parameter(torch.zeros(after))
        self.point = nn.Parameter(torch.zeros(after, before))
        self.into = nn.Parameter(nn.Conv2d(before, 2 * before, 1).weight[:, :, 0, 0].detach())
        self.middle = nn.Parameter(nn.Conv2d(2 * before, 2 * after, 3).weight.detach())
        self.out = nn.Parameter(torch.zeros(after, 2 * after))

    def kernel(self) -> torch.Tensor:
        """Return the sum of the branches, [after, before, 3, 3]."""
        deep = torch.einsum("om,mnhw,ni->oihw", self.out, self.middle, self.into)
        return self.plain + deep + F.pad(self.point[:, :, None, None], (1, 1, 1, 1))

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, before, H, W] to [B, after, H, W]."""
        return F.conv2d(x_BCHW, self.kernel(), self.bias, padding=1)

    def folded(self) -> nn.Conv2d:
        """Return the same convolution as one kernel."""
        after, before = self.plain.shape[:2]
        convolution = nn.Conv2d(before, after, 3, padding=1)
        convolution.load_state_dict({"weight": self.kernel(), "bias": self.bias})
        return convolution


class Block(nn.Module):
    """Two convolutions around a shortcut, without normalisation (Lim et al. 2017, EDSR)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = Branched(width, width), Branched(width, width)
        nn.init.normal_(self.second.plain, std=1e-3)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Map [B, width, H, W] to the same shape."""
        return x_BCHW + self.second(F.relu(self.first(x_BCHW)))


class Upscaler(nn.Module):
    """Enlarge pictures [B, bands, H, W] in [-1, 1] by a whole factor.

    It starts as nearest-neighbour enlargement and learns what to add.

    Args:
        bands: channels in and out.
        width: channels inside.
        blocks: residual blocks.
        scale: 2, 3 or 4.
        robust: whether it is also told how strongly to repair.
    """

    def __init__(
        self, bands: int, width: int, blocks: int, scale: int, robust: bool = False
    ) -> None:
        super().__init__()
        self.scale, self.robust = scale, robust
        self.radius = 2 + 2 * blocks
        self.first = Branched(bands + robust, width)
        self.blocks = nn.Sequential(*[Block(width) for _ in range(blocks)])
        self.last = Branched(width, bands * scale**2)
        nn.init.zeros_(self.last.plain)

    def forward(self, x_BCHW: torch.Tensor, strength: torch.Tensor | None = None) -> torch.Tensor:
        """Map [B, bands, H, W], and strengths [B] in [0, 1], to [B, bands, scale H, scale W]."""
        seen = x_BCHW
        if strength is not None:
            plane = strength[:, None, None, None].expand(-1, 1, *x_BCHW.shape[2:])
            seen = torch.cat([x_BCHW, plane], 1)
        added = self.last(self.blocks(self.first(seen)))
        nearest = x_BCHW.repeat_interleave(self.scale**2, 1)
        return F.pixel_shuffle(nearest + added, self.scale)


def begin(network: Upscaler, artefact: Artefact) -> None:
    """Give a network that has learned nothing the kernels of another, whose scale may differ.

    Blocks that the other lacks stay as they are, close to the identity, so that a larger network
    goes on from a smaller one (Chen et al. 2016, "Net2Net", arXiv:1511.05641).

    Raises:
        UsageError: if the other has another number of bands or channels, or more blocks.
    """
    tensors = load_file(artefact.path / WEIGHTS)
    numbers = [int(name.split(".")[2]) for name in tensors if ".blocks." in name]
    blocks = max(numbers, default=-1) + 1
    if blocks > len(network.blocks):
        raise _unlike(artefact)
    with torch.no_grad():
        for name, module in network.named_modules():
            if not isinstance(module, Branched) or _is_new(name, blocks):
                continue
            weight, bias = (tensors.get(f"upscaler.{name}.{part}") for part in ("weight", "bias"))
            if weight is None or bias is None:
                raise _unlike(artefact)
            if name == "last":
                weight, bias = _rescaled(weight, network), _rescaled(bias, network)
            if name == "first":  # the other knows of no strength
                more = max(0, module.plain.shape[1] - weight.shape[1])
                weight = F.pad(weight, (0, 0, 0, 0, 0, min(more, int(network.robust))))
            if weight.shape != module.plain.shape:
                raise _unlike(artefact)
            module.plain.copy_(weight)
            module.bias.copy_(bias)


def _is_new(name: str, blocks: int) -> bool:
    place, _, rest = name.partition(".")
    return place == "blocks" and int(rest.split(".")[0]) >= blocks


def _rescaled(tensor: torch.Tensor, network: Upscaler) -> torch.Tensor:
    """Repeat or drop what stands for the pixels within one, [bands * s * s, ...]."""
    bands = network.last.plain.shape[0] // network.scale**2
    before = math.isqrt(len(tensor) // bands)
    place = torch.arange(network.scale) * before // network.scale
    grid = tensor.unflatten(0, (bands, before, before))
    return grid[:, place][:, :, place].flatten(0, 2)


def _unlike(artefact: Artefact) -> UsageError:
    what = (
        f"{artefact.config.name} has other bands or channels than the new network, or more blocks"
    )
    return UsageError(what, "Give the same preset and colours, or leave -s start out.")


def folded(network: Upscaler) -> Upscaler:
    """Return a copy for use, each convolution one kernel."""
    network = copy.deepcopy(network)
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Branched):
                setattr(module, name, child.folded())
    return network.eval()
