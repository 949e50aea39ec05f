"""Activation maximisation: the pictures that excite channels most, from noise.

A picture is a spectrum whose frequencies are scaled by 1/f, so that the search does not end in
pixel noise, and it is moved by a few pixels in every step, so that what is found does not hang on
one grid (Olah, Mordvintsev and Schubert 2017, "Feature visualization").
"""

from __future__ import annotations

import torch

from volute.training.recipe import seeded
from volute.visualize.network import Visible

STEPS, RATE = 160, 0.05


def maximised(network: Visible, stage: int, channels: list[int], seed: int = 0) -> torch.Tensor:
    """Return for each channel of a stage a picture [C, size, size] in [-1, 1] that excites it."""
    rng = seeded(torch.device("cpu"), seed, stage)
    side = network.size
    spectrum = torch.randn(
        len(channels), network.channels, side, side // 2 + 1, 2, generator=rng
    ).mul_(0.05)
    spectrum.requires_grad_(True)
    optimiser = torch.optim.Adam([spectrum], lr=RATE)
    reach = max(1, side // 16)
    which = torch.tensor(channels)
    for _ in range(STEPS):
        dy, dx = (torch.randint(-reach, reach + 1, (2,), generator=rng)).tolist()
        moved = _picture(spectrum, side).roll((dy, dx), (2, 3))
        maps = network.maps(moved)[stage]
        excited = maps[torch.arange(len(channels)), which].mean((1, 2))
        optimiser.zero_grad()
        (-excited.sum()).backward()
        optimiser.step()
    return _picture(spectrum, side).detach()


def _picture(spectrum: torch.Tensor, side: int) -> torch.Tensor:
    rows, columns = torch.fft.fftfreq(side)[:, None], torch.fft.rfftfreq(side)
    scale = 1 / torch.hypot(rows, columns).clamp(min=1 / side)
    pixels = torch.fft.irfft2(torch.view_as_complex(spectrum) * scale, s=(side, side), norm="ortho")
    return torch.tanh(pixels / 2)
