"""What a picture that is optimised should be like: content, style, colours, bands.

Style is the mean and covariance of features (Gatys et al. 2016, with the mean taken out of the Gram
matrix), content the features themselves at a quarter of the resolution.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

CONTENT, COLOURS, BANDS = 0.3, 1.0, 0.3
"""Weights of the content, the colours and the bands, beside a weight of 1 for the style."""
CONTENT_DEPTH = 3
"""Content is read from this map, or from the deepest if there are fewer."""
FAINT = 0.03
"""Deviation of colours in [-1, 1] under which their error is no longer relative."""
OPPONENT = ((0.299, 0.587, 0.114), (0.5, -0.419, -0.081), (-0.169, -0.331, 0.5))
"""Luma and two colour differences of BT.601."""

Features = Callable[[torch.Tensor], list[torch.Tensor]]
"""Maps a picture [1, 3, H, W] in [-1, 1] to features [1, C, h, w] at several depths."""


class Goal:
    """What a picture should be like at one size.

    Args:
        content: [1, 3, H, W] in [-1, 1].
        style: [1, 3, h, w], the same.
        features: what both are read by.
        strength: weight of the style.
    """

    def __init__(
        self, content: torch.Tensor, style: torch.Tensor, features: Features, strength: float
    ) -> None:
        self.features, self.strength = features, strength
        self.size = content.shape[-2:]
        with torch.no_grad():
            self.content = features(content)[:CONTENT_DEPTH][-1]
            self.style = [_moments(x) for x in features(style)]
            colours = _opponent(style)
            self.mean = colours.mean((2, 3))
            self.spreads = [_Spread(x) for x in [colours, *_bands(style)]]

    def __call__(self, picture: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return the loss of [1, 3, H, W], and its parts: style, content, colours, bands."""
        found = self.features(picture)
        style = [_relative(_moments(x), y) for x, y in zip(found, self.style, strict=True)]
        colours = _opponent(picture)
        spreads = [
            spread(x) for x, spread in zip([colours, *_bands(picture)], self.spreads, strict=True)
        ]
        parts = {
            "style": torch.stack(style).mean(),
            "content": _relative(found[:CONTENT_DEPTH][-1], self.content),
            "colours": (colours.mean((2, 3)) - self.mean).square().sum() + spreads[0],
            "bands": torch.stack(spreads[1:]).mean(),
        }
        outside = (picture.abs() - 1).relu().square().mean()
        styled = parts["style"] + COLOURS * parts["colours"] + BANDS * parts["bands"]
        return {"loss": self.strength * styled + CONTENT * parts["content"] + outside} | parts


class _Spread:
    """The covariances of a style's colours; calling it gives how far those of others are."""

    def __init__(self, style_BCHW: torch.Tensor) -> None:
        self.wanted = _covariances(style_BCHW)
        deviations = self.wanted.diagonal().sqrt() + FAINT
        self.scale = deviations[:, None] * deviations

    def __call__(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        return ((_covariances(x_BCHW) - self.wanted) / self.scale).square().mean()


def _moments(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Return the covariances of channels and their means, [C, C + 1]."""
    return torch.cat([_covariances(x_BCHW), x_BCHW[0].mean((1, 2))[:, None]], 1)


def _covariances(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Return those of channels, [C, C]."""
    flat = x_BCHW[0].flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    return flat @ flat.T / flat.shape[1]


def _relative(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return (made - wanted).square().sum() / (wanted.square().sum() + 1e-6)


def _opponent(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Map RGB to luma and two colour differences."""
    return torch.einsum("oc,bchw->bohw", torch.tensor(OPPONENT).to(x_BCHW), x_BCHW)


def _bands(x_BCHW: torch.Tensor) -> list[torch.Tensor]:
    """Return differences of neighbours, in luma and colour, at full and half resolution."""
    x = _opponent(x_BCHW)
    found = []
    for _ in range(2):
        found += [x[..., 1:] - x[..., :-1], x[..., 1:, :] - x[..., :-1, :]]
        found += [x[..., 1:, 1:] - x[..., :-1, :-1], x[..., 1:, :-1] - x[..., :-1, 1:]]
        x = F.avg_pool2d(x, 2)
    return found
