"""MicroAST, the small network for any style that ours learns from and is measured against.

Wang et al. 2023, "MicroAST: Towards super-fast ultra-resolution arbitrary style transfer",
arXiv:2211.15313; its checkpoints are MIT. Written anew from the published architecture.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

PARTS = ("content_encoder", "style_encoder", "modulator", "decoder")
SMALLEST = 20
"""Least side in px of content and style: reflection reaches 4 px, and 1 px at a quarter."""

Signals = tuple[list[torch.Tensor], list[torch.Tensor], list[torch.Tensor]]
"""Features [B, 64, h, w] of a style at two depths, and the weights and biases [B, 64, 1, 1]."""


class MicroAST(nn.Module):
    """Any style on any content; pictures are RGB in [0, 1], of 20 px a side or more.

    Args:
        folder: where the four checkpoints lie, `decoder_iter_160000.pth.tar` and so on.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.content_encoder, self.style_encoder = Encoder(), Encoder()
        self.modulator, self.decoder = Modulator(), Decoder()
        for part in PARTS:
            (path,) = folder.glob(f"{part}_iter_*.pth.tar")
            tensors = torch.load(path, map_location="cpu", weights_only=True)
            own = {name.replace(".conv_layer", ""): value for name, value in tensors.items()}
            self.get_submodule(part).load_state_dict(own)
        self.requires_grad_(False).eval()

    def signals(self, style_BCHW: torch.Tensor) -> Signals:
        """Return what the decoder must know of styles [B, 3, h, w]: once for each style."""
        features = self.style_encoder(style_BCHW)
        return features, *self.modulator(features)

    def paint(
        self, content_BCHW: torch.Tensor, signals: Signals, alpha: float = 1.0
    ) -> torch.Tensor:
        """Return content [B, 3, H, W] in the styles of `signals`, as many or one; not clipped.

        H and W come out as the next multiples of 4.
        """
        return self.decoder(self.content_encoder(content_BCHW), *signals, alpha)

    def forward(
        self, content_BCHW: torch.Tensor, style_BCHW: torch.Tensor, alpha: float = 1.0
    ) -> torch.Tensor:
        """Return content [B, 3, H, W] in the styles [B or 1, 3, h, w]."""
        return self.paint(content_BCHW, self.signals(style_BCHW), alpha)

    @torch.inference_mode()
    def stylize(self, content: np.ndarray, style: np.ndarray) -> np.ndarray:
        """Map two pictures, uint8 RGB [H, W, 3], to one of the first's size."""
        made = self(as_batch(content), as_batch(style))
        return as_picture(made)[: content.shape[0], : content.shape[1]]


class Residual(nn.Module):
    """Two convolutions; a style may weigh their outputs against their inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(64, 64, 3), conv(64, 64, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [B, 64, h, w] to the same."""
        return x + self.conv2(F.relu(self.conv1(x)))

    def modulated(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Map [B, 64, h, w] to the same under the weight and bias [B, 64, 1, 1] of a style."""
        h = F.relu(weight * self.conv1(x) + bias * x)
        return x + weight * self.conv2(h) + bias * h


class Encoder(nn.Module):
    """Features at a quarter of the resolution, after one and after two residual blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.enc1 = nn.Sequential(
            *[conv(3, 16, 9), nn.ReLU()],
            *[conv(16, 32, 3, 2, 16), nn.ReLU(), conv(32, 32, 1), nn.ReLU()],
            *[conv(32, 64, 3, 2, 32), nn.ReLU(), conv(64, 64, 1), nn.ReLU()],
            Residual(),
        )
        self.enc2 = nn.Sequential(Residual())

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Map [B, 3, H, W] to two of [B, 64, H / 4, W / 4]."""
        near = self.enc1(x)
        return [near, self.enc2(near)]


class Modulator(nn.Module):
    """Weights and biases of the two decoder blocks, from a style's features."""

    def __init__(self) -> None:
        super().__init__()
        for name in ("weight1", "bias1", "weight2", "bias2"):
            self.add_module(name, nn.Sequential(conv(64, 64, 3, 1, 64), nn.AdaptiveAvgPool2d(1)))

    def forward(self, found: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Map features at two depths to two weights and two biases [B, 64, 1, 1]."""
        read = {name: part(found[int(name.endswith("2"))]) for name, part in self.named_children()}
        return [read["weight1"], read["weight2"]], [read["bias1"], read["bias2"]]


class Decoder(nn.Module):
    """Content to a picture: each block after the style's mean and deviation were put on."""

    def __init__(self) -> None:
        super().__init__()
        self.dec1, self.dec2 = Residual(), Residual()
        self.dec3 = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="bilinear"),
            *[conv(64, 32, 3, 1, 32), nn.ReLU(), conv(32, 32, 1), nn.ReLU()],
            nn.Upsample(scale_factor=2, mode="bilinear"),
            *[conv(32, 16, 3, 1, 16), nn.ReLU(), conv(16, 16, 1), nn.ReLU()],
            conv(16, 3, 9),
        )

    def forward(
        self,
        content: list[torch.Tensor],
        style: list[torch.Tensor],
        weights: list[torch.Tensor],
        biases: list[torch.Tensor],
        alpha: float,
    ) -> torch.Tensor:
        """Map features [B, 64, h, w] at two depths to pictures [B, 3, 4h, 4w]."""
        x = content[1]
        for depth, block in ((1, self.dec1), (0, self.dec2)):
            x = torch.lerp(x, restyled(x, style[depth]), alpha)
            x = block.modulated(x, weights[depth], biases[depth])
        return self.dec3(x)


def restyled(content: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
    """Give content the channel means and deviations of style (Huang and Belongie 2017, AdaIN)."""
    (mean, deviation), (wanted, spread) = moments(content), moments(style)
    return (content - mean) / deviation * spread + wanted


def moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and deviation of each channel."""
    variance, mean = torch.var_mean(x, (2, 3), keepdim=True)
    return mean, (variance + 1e-5).sqrt()


def conv(before: int, after: int, side: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Return a convolution that mirrors what lies beyond the border."""
    return nn.Conv2d(before, after, side, stride, side // 2, groups=groups, padding_mode="reflect")


def as_batch(picture: np.ndarray) -> torch.Tensor:
    """Map uint8 [H, W, 3] to [1, 3, H, W] in [0, 1]."""
    return torch.tensor(picture).permute(2, 0, 1)[None].float() / 255


def as_picture(x_BCHW: torch.Tensor) -> np.ndarray:
    """Map the first of [B, 3, H, W] in [0, 1] to uint8 [H, W, 3]."""
    return (x_BCHW[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).contiguous().numpy()
