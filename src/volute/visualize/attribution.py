"""Which pixels decided: Grad-CAM and occlusion. Both give heat [H, W] in [0, 1]."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from volute.visualize.network import Decide, Visible

FINEST = 7
WINDOWS = 16


def grad_cam(network: Visible, decide: Decide, x_CHW: torch.Tensor, index: int) -> torch.Tensor:
    """Return where the features speak for class `index`.

    The channels of a stage are weighted by the mean gradient of the class's logit, summed, and kept
    where positive (Selvaraju et al. 2017, arXiv:1610.02391, equations 1 and 2). The stage is the
    coarsest of at least 7 px: coarser ones point nowhere in a small picture.
    """
    maps = network.maps(x_CHW[None].clone().requires_grad_(True))
    stage = max((k for k, found in enumerate(maps) if found.shape[-1] >= FINEST), default=0)
    (gradient,) = torch.autograd.grad(decide(maps[-1])[0, index], maps[stage])
    heat = F.relu((gradient.mean((2, 3), keepdim=True) * maps[stage]).sum(1, keepdim=True))
    return _spread(heat.detach(), x_CHW.shape[-1])


def occlusion(network: Visible, decide: Decide, x_CHW: torch.Tensor, index: int) -> torch.Tensor:
    """Return how much the logit of class `index` falls when a grey square hides each place.

    The square has a quarter of the side (Zeiler and Fergus 2014, arXiv:1311.2901, section 4.2).
    """
    side = x_CHW.shape[-1]
    reach = side / 8
    centres = (torch.arange(WINDOWS) + 0.5) * side / WINDOWS
    places = torch.arange(side) + 0.5
    hidden = (places[None] - centres[:, None]).abs() < reach
    mask_NHW = (hidden[:, None, :, None] & hidden[None, :, None, :]).flatten(0, 1)
    with torch.no_grad():
        whole = decide(network.maps(x_CHW[None])[-1])[0, index]
        scores = [
            decide(network.maps(x_CHW * ~mask[:, None])[-1])[:, index]
            for mask in mask_NHW.split(WINDOWS)
        ]
    heat = F.relu(whole - torch.cat(scores)).unflatten(0, (WINDOWS, WINDOWS))
    return _spread(heat[None, None], side)


def _spread(heat_11HW: torch.Tensor, side: int) -> torch.Tensor:
    large = F.interpolate(heat_11HW, (side, side), mode="bilinear", align_corners=False)[0, 0]
    return large / large.max().clamp(min=1e-12)
