"""Painting batches of pictures in several styles, while learning."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from volute.nets.stylizer import MULTIPLE, Kernels, paint
from volute.training.device import Device


def shares(pictures: int, groups: int) -> torch.Tensor:
    """Return the group of each picture: one behind another, as equal as can be."""
    return torch.arange(pictures) * groups // pictures


def painted(
    content_BCHW: torch.Tensor, kernels: list[Kernels], device: Device, mirrored: bool = True
) -> torch.Tensor:
    """Paint each share of a batch in [-1, 1] with its own style; `mirrored` is that of `paint`."""
    content = content_BCHW.contiguous(memory_format=torch.channels_last)
    parts = content.split(shares(len(content), len(kernels)).bincount().tolist())
    with device.autocast():
        made = [paint(x, style, mirrored) for x, style in zip(parts, kernels, strict=True)]
    return torch.cat(made).float()


@torch.no_grad()
def painted_whole(picture: torch.Tensor, kernels: Kernels) -> torch.Tensor:
    """Paint [1, 3, H, H] in float32; a rest that is no whole square stays black."""
    side = picture.shape[2] // MULTIPLE * MULTIPLE
    made = paint(picture[:, :, :side, :side], kernels, mirrored=True).clamp(-1, 1)
    rest = picture.shape[2] - side
    return F.pad(made, (0, rest, 0, rest), value=-1)
