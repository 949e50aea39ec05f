"""The feature network: what pictures look like to a convolutional network, small enough to ship.

Five stages, each at half the resolution of the one before. Linear heads read three of them as the
features of a larger network would be at those depths (full, half and quarter resolution), and the
mean of the last as its global feature. `volute train extractor` teaches it both.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from volute.engine.artefact import open_artefact
from volute.errors import UsageError, VoluteError
from volute.nets.weights import filled
from volute.zoo import resolve

DEPTHS = 3
"""How many stages have a head for spatial features."""
WIDTHS = (8, 128)
"""The least and the most channels of the first stage."""


class Extractor(nn.Module):
    """Features of RGB pictures [B, 3, H, W] in [-1, 1].

    H and W are 16 or more for the global features, 4 or more for spatial ones and the distance.

    Args:
        width: channels of the first stage; the others have 3, 5.5, 8 and 9 times as many.
        targets: channels that the three spatial heads and the global head give while they learn;
            None for what `folded` makes of any: as many as they read, the global head one more.
    """

    def __init__(self, width: int = 16, targets: tuple[int, ...] | None = None) -> None:
        super().__init__()
        self.width = width
        fine, half, quarter, eighth, last = (round(width * times) for times in (1, 3, 5.5, 8, 9))
        pooled = width * 14
        self.stages = nn.ModuleList(
            [
                _stage([3, fine, fine], pool=False),
                _stage([fine, half, half]),
                _stage([half, quarter, quarter, quarter]),
                _stage([quarter, eighth, eighth]),
                _stage([eighth, last]),
            ]
        )
        self.widen = nn.Sequential(nn.Conv2d(last, pooled, 1), nn.ReLU())
        reads = (fine, half, quarter, pooled)
        *spatial, whole = zip(reads, targets or reads, strict=True)
        self.heads = nn.ModuleList([nn.Conv2d(a, b, 1, bias=False) for a, b in spatial])
        self.norm = nn.BatchNorm1d(pooled) if targets else nn.Identity()
        self.whole = nn.Linear(*whole) if targets else nn.Linear(pooled, pooled + 1)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the global features, float32 [B, D]; best at 128 x 128 px."""
        return self.decide(self.maps(x_BCHW)[-1])

    def maps(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of each stage [B, C, H, W], from fine to coarse, after their ReLU."""
        return self._through(x_BCHW, self.stages)

    def spatial(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Return what the three heads read at full, half and quarter resolution.

        What a perceptual loss (Johnson et al. 2016, arXiv:1603.08155) compares, and what Gram
        matrices are made of: mean squares are about 1 at each depth.
        """
        return self.read(self._through(x_BCHW, self.stages[:DEPTHS]))

    def read(self, maps: list[torch.Tensor]) -> list[torch.Tensor]:
        """Return what the three heads read in the first of the `maps`."""
        return [head(stage).float() for head, stage in zip(self.heads, maps, strict=False)]

    def decide(self, last_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the global features, float32 [B, D], that those of the last stage give."""
        pooled = self.widen(last_BCHW).mean((2, 3)).float()
        return self.whole(self.norm(pooled)).float()

    def distance(self, a_BCHW: torch.Tensor, b_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the perceptual distance of each pair: [B], 0 but for rounding to 12.

        The squared difference of features of unit length, its mean over the places of each depth
        and its sum over depths (Zhang et al. 2018, arXiv:1801.03924, eq. 1 with equal weights).
        """
        return unit_distance(self.spatial(a_BCHW), self.spatial(b_BCHW))

    def folded(self) -> Extractor:
        """Return a copy for use: its heads give no more features than they read.

        A head W = Q R (thin QR): R's features have the lengths, angles and distances of W's, since
        the columns of Q are orthonormal. The global head's norm and bias go into it.
        """
        copy = Extractor(self.width)
        own = {name: value for name, value in self.state_dict().items() if "norm." not in name}
        for name in [name for name in own if name.startswith("heads")]:
            own[name] = _triangle(own[name].flatten(1))[:, :, None, None]
        whole, norm = self.whole, self.norm
        own_norm = norm.state_dict()
        assert isinstance(norm, nn.BatchNorm1d)
        mean, variance = own_norm["running_mean"], own_norm["running_var"]
        scale = norm.weight * (variance + norm.eps).rsqrt()
        shift = whole.bias + whole.weight @ (norm.bias - scale * mean)
        both = _triangle(torch.cat([whole.weight * scale, shift[:, None]], 1))
        own["whole.weight"], own["whole.bias"] = both[:, :-1], both[:, -1]
        copy.load_state_dict(own)
        return copy.eval()

    def _through(self, x_BCHW: torch.Tensor, stages: nn.ModuleList) -> list[torch.Tensor]:
        found = []
        for stage in stages:
            x_BCHW = stage(x_BCHW)
            found.append(x_BCHW)
        return found


def unit_distance(a: list[torch.Tensor], b: list[torch.Tensor]) -> torch.Tensor:
    """Return the distance [B] of two lists of features [B, C, H, W]; see `Extractor.distance`.

    |a/|a| - b/|b||^2 = 2 - 2 a.b / |a||b|, which costs a third of the memory traffic.
    """
    parts = [2 - 2 * _cosine(x, y).mean((1, 2)) for x, y in zip(a, b, strict=True)]
    return torch.stack(parts).sum(0)


def load_extractor(ref: str | Path = "eye") -> Extractor:
    """Return the network of an `extractor` model, frozen; gradients reach the pictures.

    Raises:
        UsageError: if `ref` is no model, or one of another kind.
        VoluteError: if its weights do not fit its settings.
    """
    artefact = open_artefact(resolve(ref))
    config = artefact.config
    if config.descriptor.kind != "extractor":
        raise UsageError(f"{config.name} is a {config.descriptor.kind}, not an extractor")
    width = config.settings.get("width")
    if not (isinstance(width, int) and WIDTHS[0] <= width <= WIDTHS[1]):
        raise VoluteError(f"{artefact.path}: width = {width!r} is no width of an extractor")
    network = Extractor(width)
    return filled(network, artefact, "distance.network.").eval().requires_grad_(False)


class Embedding(nn.Module):
    """The global features of pictures in [0, 1], as the graphs of feature extractors take them."""

    def __init__(self, network: Extractor) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map [B, 3, H, W] RGB in [0, 1] to [B, D]."""
        return self.network(image * 2 - 1)


class Distance(nn.Module):
    """The perceptual distance of pictures in [0, 1]."""

    def __init__(self, network: Extractor) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        """Map two [B, 3, H, W] RGB in [0, 1] to [B]."""
        return self.network.distance(image * 2 - 1, other * 2 - 1)


def _cosine(a_BCHW: torch.Tensor, b_BCHW: torch.Tensor) -> torch.Tensor:
    """Return the cosine of the features at each place: [B, H, W]; 1 where both are zero."""
    tiny = 1e-8
    product = (a_BCHW * b_BCHW).sum(1) + tiny
    squares = (a_BCHW.square().sum(1) + tiny) * (b_BCHW.square().sum(1) + tiny)
    return product * squares.rsqrt()


def _triangle(weight: torch.Tensor) -> torch.Tensor:
    """Return R of weight = Q R, square: rows of zeros where `weight` is wider than high."""
    triangle = torch.linalg.qr(weight.double()).R.float()
    return F.pad(triangle, (0, 0, 0, triangle.shape[1] - len(triangle)))


def _stage(channels: list[int], pool: bool = True) -> nn.Sequential:
    layers: list[nn.Module] = [] if not pool else [nn.MaxPool2d(2)]
    for before, after in pairwise(channels):
        layers += [
            nn.Conv2d(before, after, 3, padding=1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(),
        ]
    return nn.Sequential(*layers)
