"""SqueezeNet 1.1, a second opinion on pictures beside VGG16: a yardstick, never shipped.

Iandola et al. 2016, arXiv:1602.07360.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

TAPS = (1, 4, 7, 10)
"""Where features are read: the first ReLU, fire3, fire5 and fire7."""
SCALES = (38.0, 61.0, 46.0, 26.0)
"""Root mean square of each depth on photographs."""


class SqueezeNet(nn.Module):
    """Features after relu1, fire3, fire5 and fire7, divided by `SCALES`.

    Args:
        path: safetensors with torchvision's names, for RGB in [0, 1]: the normalisation is in the
            first layer.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        pool = [nn.MaxPool2d(3, 2, ceil_mode=True) for _ in range(3)]
        self.features = nn.Sequential(
            *[nn.Conv2d(3, 64, 3, 2), nn.ReLU(), pool[0]],
            *[Fire(64, 16, 64), Fire(128, 16, 64), pool[1]],
            *[Fire(128, 32, 128), Fire(256, 32, 128), pool[2]],
            *[Fire(256, 48, 192), Fire(384, 48, 192), Fire(384, 64, 256), Fire(512, 64, 256)],
        )
        self.classifier = nn.Sequential(nn.Identity(), nn.Conv2d(512, 1000, 1))
        self.load_state_dict({key: value.float() for key, value in load_file(path).items()})
        self.requires_grad_(False).eval()

    def forward(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        """Return the features of [B, 3, H, W] in [-1, 1], at a half to a sixteenth of the size."""
        x_BCHW = (x_BCHW + 1) / 2
        found = []
        for index, layer in enumerate(self.features[: TAPS[-1] + 1]):
            x_BCHW = layer(x_BCHW)
            if index in TAPS:
                found.append(x_BCHW)
        return [x / scale for x, scale in zip(found, SCALES, strict=True)]

    def classes(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        """Return the logits of the 1,000 classes of ImageNet, [B, 1000]; best at 224 px."""
        found = self.features((x_BCHW + 1) / 2)
        return self.classifier(found).relu().mean((2, 3))


class Fire(nn.Module):
    """Few channels, then many by kernels of 1 and of 3 px side by side."""

    def __init__(self, before: int, few: int, many: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(before, few, 1)
        self.expand1x1 = nn.Conv2d(few, many, 1)
        self.expand3x3 = nn.Conv2d(few, many, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [B, before, h, w] to [B, 2 * many, h, w]."""
        x = self.squeeze(x).relu()
        return torch.cat([self.expand1x1(x), self.expand3x3(x)], 1).relu()
