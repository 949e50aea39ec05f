"""A larger network's paintings as what a style network is to paint (Hinton et al. 2015).

What a statistic of a whole picture leaves open, such as where an outline goes, a painting says at
each pixel: a small network learns that in a tenth of the pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F

from volute.errors import UsageError
from volute.nets.microast import MicroAST, Signals
from volute.training.device import Device
from volute.training.styles import Styles

TOLD = "MicroAST (Wang et al. 2023, arXiv:2211.15313, MIT)"
STRIDE = 8
"""Pixels by fewer than which its pictures are shifted at random: what it paints by squares, and not
by what is there, is then of no use to whoever learns from it."""


class Tutor:
    """MicroAST, and what it makes of each view of a style.

    Args:
        folder: of its four checkpoints.
        supply: of styles.
        device: where it works.

    Raises:
        UsageError: if they are not there.
    """

    def __init__(self, folder: str, supply: Styles, device: Device) -> None:
        try:
            network = MicroAST(Path(folder))
        except (ValueError, OSError, RuntimeError) as error:
            hint = "tutor= names the folder with decoder_iter_160000.pth.tar and the other three."
            raise UsageError(f"{folder} does not hold MicroAST's checkpoints", hint) from error
        self.network = device.place(network)
        self.supply, self.device = supply, device
        self._signals: dict[int, Signals] = {}

    @torch.no_grad()
    def paint(
        self, content_BCHW: torch.Tensor, views: Sequence[int], rng: torch.Generator
    ) -> torch.Tensor:
        """Return square pictures in [-1, 1] as it paints them, each view an equal share of them."""
        side = content_BCHW.shape[2]
        down, right = (torch.rand(2, generator=rng, device=rng.device) * STRIDE).int().tolist()
        wide = F.pad((content_BCHW + 1) / 2, (STRIDE,) * 4, mode="reflect")
        moved = wide[..., down : down + side + STRIDE, right : right + side + STRIDE]
        with self.device.autocast():
            made = [
                self.network.paint(part.contiguous(), self._read(view)).float()
                for part, view in zip(moved.chunk(len(views)), views, strict=True)
            ]
        top, left = STRIDE - down, STRIDE - right
        return (2 * torch.cat(made) - 1).clamp(-1, 1)[..., top : top + side, left : left + side]

    def _read(self, view: int) -> Signals:
        if view not in self._signals:
            unit = (self.supply.whole(view).to(self.device.torch) + 1) / 2
            self._signals[view] = self.network.signals(unit)
        return self._signals[view]
