"""Inception-v3 as the Frechet inception distance (FID) knows it, up to the 2048 pooled features.

The architecture is Szegedy et al. 2015, arXiv:1512.00567, table 1 and figures 5 to 7 and 10; the
distance is Heusel et al. 2017, arXiv:1706.08500. The weights that give the distance its name are
TensorFlow's `inception-2015-12-05`; names and peculiarities are those of their port, pytorch-fid:
average pooling leaves the border out of its mean, and the last block has max pooling instead.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from volute.errors import UsageError

SIDE = 299
FEATURES = 2048

Shape = tuple[int, int, int]
"""Of a convolution: channels after it, height and width of its kernel."""
Branches = dict[str, tuple[Shape, ...]]
"""Convolutions one after the other, by the name that the checkpoint gives the branch."""
FORK: tuple[Shape, ...] = ((384, 1, 3), (384, 3, 1))


class Unit(nn.Module):
    """Convolution, batch norm and ReLU; padded to keep the size unless `valid` or with a stride."""

    def __init__(self, before: int, shape: Shape, stride: int = 1, valid: bool = False) -> None:
        super().__init__()
        after, high, wide = shape
        padding = (0, 0) if valid or stride > 1 else (high // 2, wide // 2)
        self.conv = nn.Conv2d(before, after, (high, wide), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Return [B, C', H', W'], not negative."""
        return self.bn(self.conv(x_BCHW)).relu()


class Mixed(nn.Module):
    """Branches side by side and a pooled one, concatenated.

    Args:
        before: channels of the input.
        branches: a single convolution has the branch's name, several have `name_1`, `name_2`, ...
        pool: the last branch.
        pooled: channels of the convolution after the pool; 0 for none.
        forks: branches that end in two convolutions on the same input, `FORK`, named `name_2a`
            and `name_2b`.
        stride: 2 halves the resolution in the last convolution of each branch.
    """

    def __init__(
        self,
        before: int,
        branches: Branches,
        pool: nn.Module,
        pooled: int = 0,
        forks: tuple[str, ...] = (),
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.chains: list[list[list[str]]] = []
        for name, shapes in branches.items():
            steps = [(shape,) for shape in shapes] + [FORK] * (name in forks)
            self.chains.append(self._chain(name, before, steps, stride))
        self.pool = pool
        self.branch_pool = Unit(before, (pooled, 1, 1)) if pooled else nn.Identity()

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Return [B, C', H, W], or about half the size with stride 2."""
        made = []
        for *trunk, ends in self.chains:
            y_BCHW = x_BCHW
            for (name,) in trunk:
                y_BCHW = self.get_submodule(name)(y_BCHW)
            made += [self.get_submodule(name)(y_BCHW) for name in ends]
        return torch.cat([*made, self.branch_pool(self.pool(x_BCHW))], 1)

    def _chain(
        self, name: str, before: int, steps: list[tuple[Shape, ...]], stride: int
    ) -> list[list[str]]:
        """Add the convolutions and return their names, step by step."""
        chain = []
        for number, shapes in enumerate(steps, 1):
            key = f"{name}_{number}" if len(steps) > 1 else name
            keys = [key + letter for letter in "ab"] if len(shapes) > 1 else [key]
            for key, shape in zip(keys, shapes, strict=True):
                self.add_module(key, Unit(before, shape, stride if number == len(steps) else 1))
            chain.append(keys)
            before = shapes[0][0]
        return chain


class FidInception(nn.Sequential):
    """Features of RGB pictures [n, 3, 299, 299] in [0, 1]: float [n, 2048], not negative."""

    def __init__(self) -> None:
        layers: dict[str, nn.Module] = {
            "Conv2d_1a_3x3": Unit(3, (32, 3, 3), stride=2),
            "Conv2d_2a_3x3": Unit(32, (32, 3, 3), valid=True),
            "Conv2d_2b_3x3": Unit(32, (64, 3, 3)),
            "pool_1": nn.MaxPool2d(3, 2),
            "Conv2d_3b_1x1": Unit(64, (80, 1, 1)),
            "Conv2d_4a_3x3": Unit(80, (192, 3, 3), valid=True),
            "pool_2": nn.MaxPool2d(3, 2),
            "Mixed_5b": _at_35(192, 32),
            "Mixed_5c": _at_35(256, 64),
            "Mixed_5d": _at_35(288, 64),
            "Mixed_6a": _to_17(),
            "Mixed_6b": _at_17(128),
            "Mixed_6c": _at_17(160),
            "Mixed_6d": _at_17(160),
            "Mixed_6e": _at_17(192),
            "Mixed_7a": _to_8(),
            "Mixed_7b": _at_8(1280, _average()),
            "Mixed_7c": _at_8(2048, nn.MaxPool2d(3, 1, 1)),
        }
        super().__init__(OrderedDict(layers))

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return the mean over the last block's 8 x 8 places."""
        return super().forward(2 * input - 1).mean((2, 3))


def load_inception(path: Path) -> FidInception:
    """Return the network with the weights of `path`, ready for inference.

    Args:
        path: safetensors with pytorch-fid's names; the classifier (`fc`) is not needed.

    Raises:
        UsageError: if the file is not that.
    """
    network = FidInception()
    try:
        tensors = {key: t.float() for key, t in load_file(path).items() if _is_used(key)}
        network.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        hint = "It is pytorch-fid's Inception-v3 as safetensors: Conv2d_1a_3x3.conv.weight and on."
        raise UsageError(f"{path} does not hold this network", hint) from error
    return network.requires_grad_(False).eval()


def _is_used(key: str) -> bool:
    return not key.startswith(("fc.", "AuxLogits.")) and not key.endswith("num_batches_tracked")


def _average() -> nn.Module:
    return nn.AvgPool2d(3, 1, 1, count_include_pad=False)


def _at_35(before: int, pooled: int) -> Mixed:
    branches: Branches = {
        "branch1x1": ((64, 1, 1),),
        "branch5x5": ((48, 1, 1), (64, 5, 5)),
        "branch3x3dbl": ((64, 1, 1), (96, 3, 3), (96, 3, 3)),
    }
    return Mixed(before, branches, _average(), pooled)


def _to_17() -> Mixed:
    branches: Branches = {
        "branch3x3": ((384, 3, 3),),
        "branch3x3dbl": ((64, 1, 1), (96, 3, 3), (96, 3, 3)),
    }
    return Mixed(288, branches, nn.MaxPool2d(3, 2), stride=2)


def _at_17(inner: int) -> Mixed:
    tall, wide = (inner, 7, 1), (inner, 1, 7)
    branches: Branches = {
        "branch1x1": ((192, 1, 1),),
        "branch7x7": ((inner, 1, 1), wide, (192, 7, 1)),
        "branch7x7dbl": ((inner, 1, 1), tall, wide, tall, (192, 1, 7)),
    }
    return Mixed(768, branches, _average(), 192)


def _to_8() -> Mixed:
    branches: Branches = {
        "branch3x3": ((192, 1, 1), (320, 3, 3)),
        "branch7x7x3": ((192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3)),
    }
    return Mixed(768, branches, nn.MaxPool2d(3, 2), stride=2)


def _at_8(before: int, pool: nn.Module) -> Mixed:
    branches: Branches = {
        "branch1x1": ((320, 1, 1),),
        "branch3x3": ((384, 1, 1),),
        "branch3x3dbl": ((448, 1, 1), (384, 3, 3)),
    }
    return Mixed(before, branches, pool, 192, forks=("branch3x3", "branch3x3dbl"))
