"""Painting batches of pictures in several styles, while learning."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from volute.nets.stylizer import MULTIPLE, Kernels, Scales, measure, paint
from volute.training.device import Device


def painted(
    content_BCHW: torch.Tensor, kernels: Kernels, device: Device
) -> tuple[torch.Tensor, torch.Tensor, Scales]:
    """Paint a batch in [-1, 1], each style an equal share of it; see `measure`."""
    with device.autocast():
        made, strokes, scales = measure(content_BCHW, kernels)
    return made.float(), strokes.float(), scales


def repainted(
    content_1CHW: torch.Tensor, kernels: Kernels, device: Device, mirrored: bool
) -> torch.Tensor:
    """Paint a picture in [-1, 1] with given plain kernels; `mirrored` is that of `paint`."""
    with device.autocast():
        return paint(content_1CHW, kernels, mirrored).float()


@torch.no_grad()
def painted_whole(picture: torch.Tensor, kernels: Kernels) -> torch.Tensor:
    """Paint [1, 3, H, H] in float32; a rest that is no whole square stays black."""
    side = picture.shape[2] // MULTIPLE * MULTIPLE
    made = measure(picture[:, :, :side, :side], kernels)[0].clamp(-1, 1)
    rest = picture.shape[2] - side
    return F.pad(made, (0, rest, 0, rest), value=-1)


def painted_in_turn(pictures: torch.Tensor, kernels: Sequence[Kernels]) -> torch.Tensor:
    """Paint each of pictures [B, 3, H, H] with the next of kernels; see `painted_whole`."""
    made = [painted_whole(x, kernels[at % len(kernels)]) for at, x in enumerate(pictures.split(1))]
    return torch.cat(made)
