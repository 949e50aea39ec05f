"""VGG16 up to relu3_3, the features that perceptual losses are usually made of: a teacher.

Simonyan and Zisserman 2014, arXiv:1409.1556. The weights are a file of the person's own.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from volute.errors import UsageError

CHANNELS = (64, 128, 256)
MEAN = (123.68, 116.779, 103.939)
SCALES = (200.0, 430.0, 480.0)
"""Root mean square of each depth on photographs."""


class Vgg16(nn.Module):
    """Features after relu1_2, relu2_2 and relu3_3, divided by `SCALES`.

    Args:
        path: safetensors with torchvision's names, `features.0.weight` and so on, for RGB in
            [0, 255] less the mean.

    Raises:
        UsageError: if the file is not that.
    """

    mean: torch.Tensor

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None])
        layers: list[nn.Module] = []
        before = 3
        for depth, (after, count) in enumerate(zip(CHANNELS, (2, 2, 3), strict=True)):
            layers += [nn.MaxPool2d(2)] if depth else []
            for _ in range(count):
                layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
                before = after
        self.features = nn.Sequential(*layers)
        try:
            tensors = {key: t.float() for key, t in load_file(path).items()}
            self.features.load_state_dict(
                {key.removeprefix("features."): t for key, t in tensors.items()}
            )
        except (OSError, SafetensorError, RuntimeError) as error:
            hint = "It is VGG16 up to relu3_3 as safetensors: features.0.weight to features.14.bias"
            raise UsageError(f"{path} does not hold this network", hint) from error
        self.requires_grad_(False).eval()

    def forward(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of [B, 3, H, W] in [-1, 1] at full, half and quarter resolution."""
        x_BCHW = (x_BCHW + 1) * 127.5 - self.mean
        found = []
        for index, layer in enumerate(self.features):
            x_BCHW = layer(x_BCHW)
            if index in (3, 8, 15):
                found.append(x_BCHW)
        return [x / scale for x, scale in zip(found, SCALES, strict=True)]
