"""The patches of a data set that excite a channel most."""

from __future__ import annotations

import numpy as np
import torch

from volute.handles.pictures import to_floats
from volute.visualize.network import Visible

PATCHES, LOOKED_AT, BATCH = 9, 2000, 64


def strongest_patches(
    network: Visible, pictures: np.ndarray, channels: list[list[int]]
) -> list[list[list[np.ndarray]]]:
    """Return for each stage and each of its `channels` nine patches, most exciting first.

    At most 2,000 pictures of the set, spread evenly, are looked at; a picture gives one patch of a
    channel at most. A patch, uint8 [h, w, C], is what the channel's most excited unit can see.

    Args:
        network: whose channels.
        pictures: uint8 [N, size, size, C].
        channels: for each stage, which.
    """
    chosen = np.unique(np.linspace(0, len(pictures) - 1, min(LOOKED_AT, len(pictures))).astype(int))
    peaks, places = _peaks(network, pictures, chosen, channels)
    fields = _fields(network)
    result = []
    for stage, listed in enumerate(channels):
        of_stage = []
        for column in range(len(listed)):
            order = np.argsort(-peaks[stage][:, column], kind="stable")[:PATCHES]
            of_stage.append(
                [
                    _cut(pictures[chosen[row]], places[stage][row, column], fields[stage])
                    for row in order
                ]
            )
        result.append(of_stage)
    return result


def _peaks(
    network: Visible, pictures: np.ndarray, chosen: np.ndarray, channels: list[list[int]]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the highest value of each channel in each picture [N, k], and where [N, k, 2]."""
    peaks: list[list[np.ndarray]] = [[] for _ in channels]
    places: list[list[np.ndarray]] = [[] for _ in channels]
    for start in range(0, len(chosen), BATCH):
        block = np.asarray(pictures[chosen[start : start + BATCH]])
        with torch.no_grad():
            maps = network.maps(torch.from_numpy(to_floats(block)))
        for stage, listed in enumerate(channels):
            found = maps[stage][:, listed]
            value, index = found.flatten(2).max(2)
            width = found.shape[-1]
            peaks[stage].append(value.numpy())
            places[stage].append(torch.stack([index // width, index % width], 2).numpy())
    return [np.concatenate(p) for p in peaks], [np.concatenate(p) for p in places]


def _fields(network: Visible) -> list[tuple[float, int]]:
    """Return for each stage its step in pixels and the side of what a unit sees.

    Measured: the pixels on which the middle unit depends, through random inputs.
    """
    x_BCHW = torch.rand(2, network.channels, network.size, network.size).requires_grad_(True)
    fields = []
    for maps in network.maps(x_BCHW):
        middle = maps.shape[-1] // 2
        total = maps[:, :, middle, middle].sum()
        (gradient,) = torch.autograd.grad(total, x_BCHW, retain_graph=True)
        rows = (gradient != 0).any((0, 1)).any(1).nonzero()
        seen = int(rows.max() - rows.min()) + 1 if len(rows) else network.size
        fields.append((network.size / maps.shape[-1], seen))
    return fields


def _cut(picture: np.ndarray, place: np.ndarray, field: tuple[float, int]) -> np.ndarray:
    step, seen = field
    size = picture.shape[0]
    side = min(size, max(8, seen))
    top, left = (int(np.clip((c + 0.5) * step - side / 2, 0, size - side)) for c in place)
    return np.asarray(picture[top : top + side, left : left + side])
