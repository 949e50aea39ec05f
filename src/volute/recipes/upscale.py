"""Train a super-resolution network on pictures of one kind.

    volute train upscale photos/ --preset fine --time 60m -s scale=2

High-resolution tiles are reduced by an antialiased bicubic filter and rounded to 8 bits, as when a
picture is made small; the network learns the way back. Whole pictures are held out, and PSNR and
SSIM on them are shown while it learns. `benchmarks/upscaling.py` has the results.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field

from volute.config import Config
from volute.errors import UsageError
from volute.measure import pairs
from volute.nets.upscaler import Upscaler, folded
from volute.training.augment import flip, turn
from volute.training.device import Device
from volute.training.ema import Average
from volute.training.optimiser import adamw, set_rate
from volute.training.recipe import DataFacts, Draw, Exported, Graph, Held, Recipe, portable, seeded

MARGIN = 4
"""Low-resolution pixels on each side of a patch that only the reduction sees."""
CLIP = 0.3
"""Norm of the gradient from which it is cut; its median is 0.1. One step of a rare large gradient
killed a network at the rate of 3e-3."""
MEASURED = 64
"""Held-out tiles that are measured while learning."""


class UpscaleSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    scale: Literal[2, 3, 4] = 2
    width: int = Field(32, ge=8, le=256)
    blocks: int = Field(5, ge=0, le=64)
    """Residual blocks of two convolutions."""
    batch: int = Field(16, ge=1, le=1024)
    patch: int = Field(40, ge=8, le=256)
    """Side of what the network sees while it learns, in low-resolution pixels."""
    lr: float = Field(1.5e-3, gt=0)
    lr_end: float = Field(1e-3, gt=0, le=1)
    """Share of the learning rate that is left at the end, by a cosine."""
    warmup: float = Field(0.01, gt=0, lt=1)
    """Share of the budget over which the learning rate rises."""
    shrink: float = Field(0.5, gt=0, le=1)
    """Each batch is first reduced by a random factor from this to 1: several scales of a picture,
    and fewer traces of its compression."""
    spectrum: float = Field(0.05, ge=0)
    """Weight of the loss on the Fourier transform beside that on pixels."""
    held_out: float = Field(0.05, gt=0, lt=0.9)
    """Share of the pictures that is measured on and never learned from."""
    ema_kimg: float = Field(20.0, gt=0)


PRESETS: dict[str, dict[str, object]] = {
    "fast": {"width": 16, "blocks": 6},
    "fine": {},
    "large": {"width": 64, "blocks": 10, "batch": 64},
}


class UpscaleRecipe(Recipe):
    """The network and its step; see `volute.training.recipe.Recipe`."""

    settings: UpscaleSettings

    def __init__(
        self, settings: UpscaleSettings, facts: DataFacts, device: Device, seed: int
    ) -> None:
        super().__init__(settings, facts, device, seed)
        self.held_out = settings.held_out
        need = settings.scale * (settings.patch + 2 * MARGIN)
        if facts.size < need:
            raise UsageError(
                f"tiles of {facts.size} px are too small: {need} px are needed",
                f"Add: --size {math.ceil(need / 32) * 32}, or a smaller -s patch=",
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Upscaler(facts.channels, settings.width, settings.blocks, settings.scale)
        self.network = device.place(network)
        self.modules = {"upscaler": self.network}
        self.averages = {"upscaler": Average(self.network, settings.ema_kimg * 1000)}
        self.optimisers = {"upscaler": adamw(self.network.parameters(), settings.lr, 0.0)}

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Take one step on the difference of pixels and of spectra."""
        settings, rng = self.settings, seeded(self.device.torch, self.seed, shown)
        optimiser = self.optimisers["upscaler"]
        set_rate(optimiser, settings.lr, progress, settings.lr_end, settings.warmup)
        small, large = self._patches(turn(flip(pictures, rng), rng), rng)
        with self.device.autocast():
            made = self.network(small.contiguous(memory_format=torch.channels_last))
        pixels = (made.float() - large).abs().mean()
        spectra = torch.fft.rfft2(made.float()) - torch.fft.rfft2(large)
        spectrum = torch.view_as_real(spectra).abs().mean() / math.sqrt(large[0, 0].numel())
        loss = pixels + settings.spectrum * spectrum
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        optimiser.step()
        self.averages["upscaler"].update(self.network, len(pictures), shown + len(pictures))
        return {"loss": loss.item()}

    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the pictures made small and large again."""
        return self._again(pictures)

    def evaluate(self, held: Held) -> dict[str, float]:
        """Return PSNR in dB and SSIM on held-out tiles, a border of `scale` pixels left out."""
        scores = []
        for pictures, _ in held():
            edge = slice(self.settings.scale, -self.settings.scale)
            for made, real in zip(self._again(pictures), pictures, strict=True):
                a, b = (_bytes(x)[edge, edge] for x in (made, real))
                scores.append((pairs.psnr(a, b), pairs.ssim(a, b)))
            if len(scores) >= MEASURED:
                break
        noise, structure = (sum(score) / len(scores) for score in zip(*scores, strict=True))
        return {"psnr": noise, "ssim": structure}

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the averaged network, its branches folded."""
        average = portable(self.averages["upscaler"].network)
        assert isinstance(average, Upscaler)
        network = portable(folded(average))
        assert isinstance(network, Upscaler)
        side = self.facts.size // self.settings.scale
        picture = torch.zeros(2, self.facts.channels, side, side)
        return Exported(
            [Graph("upscaler", network, {"picture": picture}, "enlarged", free=True)],
            self.preview(*draw(16)),
            radius=network.radius,
            side=0,
            scale=self.settings.scale,
            exact=True,
            metrics=self.evaluate(held),
        )

    def _patches(
        self, pictures: torch.Tensor, rng: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Cut one place out of every picture: reduced [B, C, P, P], and as it is [B, C, sP, sP].

        All are first reduced by one random factor. The reduction to P sees `MARGIN` more pixels on
        each side, so that a patch's border is no border of a picture.
        """
        scale, patch = self.settings.scale, self.settings.patch
        side, need = pictures.shape[2], scale * (patch + 2 * MARGIN)
        draw = torch.rand(3, generator=rng, device=pictures.device).tolist()
        least = max(self.settings.shrink, need / side)
        seen = min(side, math.ceil(need / (least + (1 - least) * draw[0])))
        top, left = (int(place * (side - seen + 1)) for place in draw[1:])
        region = pictures[:, :, top : top + seen, left : left + seen]
        region = F.interpolate(region, (need, need), mode="bicubic", antialias=True).clamp(-1, 1)
        inside = slice(MARGIN, MARGIN + patch)
        large = slice(scale * inside.start, scale * inside.stop)
        return reduced(region, scale)[:, :, inside, inside], region[:, :, large, large]

    def _again(self, pictures: torch.Tensor) -> torch.Tensor:
        with torch.no_grad(), self.device.autocast():
            small = reduced(pictures, self.settings.scale)
            return self.averages["upscaler"].network(small).float().clamp(-1, 1)


def reduced(pictures: torch.Tensor, scale: int) -> torch.Tensor:
    """Reduce [B, C, H, W] in [-1, 1] by an antialiased bicubic filter, rounded to 8 bits.

    The filter is that of Pillow and of MATLAB's `imresize` (Keys 1981 with a = -0.5).
    """
    size = [side // scale for side in pictures.shape[2:]]
    small = F.interpolate(pictures, size, mode="bicubic", antialias=True, align_corners=False)
    return ((small.clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1


def _bytes(x_CHW: torch.Tensor) -> np.ndarray:
    pixels = ((x_CHW + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(1, 2, 0).cpu().numpy()
