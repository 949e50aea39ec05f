"""Train a super-resolution network on pictures of one kind.

    volute train upscale photos/ --preset fine --time 60m -s scale=2

High-resolution tiles are reduced by an antialiased bicubic filter and rounded to 8 bits, as when a
picture is made small; the network learns the way back, by the difference of pixels and of spectra.
Whole pictures are held out, and PSNR and SSIM on them are shown while it learns.
`benchmarks/upscaling.py` has the results.

The preset `robust` learns from pictures that were also blurred, noisy and compressed. Textures that
look sharper but are invented come with `-s perceptual=0.05 -s adversarial=0.005` (Johnson et al.
2016 with `eye`; the pairing of `gan`): never the default, for they contradict the source.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.measure import pairs
from volute.nets.extractor import load_extractor
from volute.nets.gan import Discriminator
from volute.nets.narrow import narrow
from volute.nets.upscaler import Upscaler, begin, folded
from volute.nets.weights import filled
from volute.recipes.files import told
from volute.recipes.upscale_settings import UpscaleSettings
from volute.training.adversarial import Judge
from volute.training.augment import flip, turn
from volute.training.degrade import degrade, in_bytes, reduced
from volute.training.device import Device
from volute.training.ema import Average
from volute.training.optimiser import adamw, set_rate
from volute.training.recipe import (
    DataFacts,
    Draw,
    Exported,
    Graph,
    Held,
    PictureRecipe,
    portable,
    seeded,
)
from volute.zoo import resolve

MARGIN = 4
"""Low-resolution pixels on each side of a patch that only the reduction sees."""
BETA2 = 0.99
CLIP = 0.3
"""Norm of the gradient from which it is cut; its median is 0.1. One step of a rare large gradient
killed a network at the rate of 3e-3."""
SHOWN = 112
"""Side of the pictures on the card."""
MEASURED = 64
"""Held-out tiles that are measured while learning."""


class UpscaleRecipe(PictureRecipe):
    """The network and its step; see `volute.training.recipe.Recipe`."""

    settings: UpscaleSettings
    compiles = True

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
            network = Upscaler(
                facts.channels, settings.width, settings.blocks, settings.scale, settings.robust
            )
            side = settings.patch * settings.scale
            judge = Discriminator(side, facts.channels, 0, 64) if settings.adversarial else None
        self.network = device.place(network)
        self.modules = {"upscaler": self.network}
        self.averages = {"upscaler": Average(self.network, settings.ema_kimg * 1000)}
        self.optimisers = {"upscaler": adamw(self.network.parameters(), settings.lr, 0.0, BETA2)}
        self.judge: Judge | None = None
        if judge is not None:
            self.modules["discriminator"] = device.place(judge)
            self.optimisers["discriminator"] = adamw(judge.parameters(), settings.lr, 0.0, BETA2)
            self.judge = Judge(judge, self.optimisers["discriminator"], settings.gamma, device)
        self.eye = load_extractor().to(device.torch) if settings.perceptual else None

    def prepare(self) -> None:
        """Start from the model that is named, or from its most important channels.

        Raises:
            UsageError: if it is no model, has other bands or channels, or more blocks.
        """
        if self.settings.start:
            begin(self.network, open_artefact(resolve(self.settings.start)))
        if self.settings.teacher:
            narrow(self.network, self.teacher)
        if self.settings.start or self.settings.teacher:
            average = self.averages["upscaler"].network
            average.load_state_dict(self.network.state_dict())

    @cached_property
    def teacher(self) -> Upscaler:
        """The wider network that is learned from, as it runs."""
        artefact = open_artefact(resolve(self.settings.teacher))
        wide, about = UpscaleSettings.make(artefact.config.settings), artefact.config.descriptor
        own, facts = self.settings, self.facts
        fits = about.kind == "upscale" and about.channels == facts.channels
        if not fits or wide.width <= own.width or _shape(wide) != _shape(own):
            what = f"{artefact.config.name} is no wider network of the same scale, colours, blocks"
            raise UsageError(what, "Use: volute shrink MODEL")
        large = Upscaler(about.channels, wide.width, wide.blocks, wide.scale, wide.robust)
        large = filled(folded(large), artefact, "upscaler.").requires_grad_(False)
        return large.to(self.device.torch)

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Take one step on the difference of pixels and of spectra, and on what else has weight."""
        settings, rng = self.settings, seeded(self.device.torch, self.seed, shown, *self.group.mark)
        for optimiser in self.optimisers.values():
            set_rate(optimiser, settings.lr, progress, settings.lr_end, settings.warmup)
        small, large, strength = self._patches(turn(flip(pictures, rng), rng), rng)
        with self.device.autocast():
            seen = small.contiguous(memory_format=torch.channels_last)
            made = self.fast(self.network)(seen, *strength)
        made = made.float()
        loss = _difference(made, large, settings.spectrum)
        metrics = {"loss": loss.item()}
        if settings.teacher:
            with torch.no_grad(), self.device.autocast():
                taught = self.teacher(small, *strength).float()
            loss = loss + _difference(made, taught, settings.spectrum)
        if self.eye is not None:
            distance = self.eye.distance(_coloured(made), _coloured(large)).mean()
            loss = loss + settings.perceptual * distance
            metrics["perceptual"] = distance.item()
        if self.judge is not None:
            self.judge.group = self.group
            metrics["d_loss"] = self.judge.learn(large, made.detach())
            loss = loss + settings.adversarial * self.judge.verdict(large, made)
        self.optimisers["upscaler"].zero_grad(set_to_none=True)
        self.group.backward(loss, self.network.parameters())
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimisers["upscaler"].step()
        count = len(pictures) * self.group.size
        self.averages["upscaler"].update(self.network, count, shown + count)
        return metrics

    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the pictures made small and large again."""
        return self._again(pictures, self.averages["upscaler"].network)

    def evaluate(self, held: Held) -> dict[str, float]:
        """Return PSNR in dB and SSIM on held-out tiles, a border of `scale` pixels left out."""
        return self._scores(held, self.averages["upscaler"].network)

    def _lost(self, held: Held) -> dict[str, float]:
        """Return how much lower that is than of the teacher, if there is one."""
        if not self.settings.teacher:
            return {}
        own, wide = self.evaluate(held), self._scores(held, self.teacher)
        return {f"{name}_lost": wide[name] - own[name] for name in own}

    def _scores(self, held: Held, network: nn.Module) -> dict[str, float]:
        scores = []
        for pictures, _ in held():
            edge = slice(self.settings.scale, -self.settings.scale)
            for made, real in zip(self._again(pictures, network), pictures, strict=True):
                a, b = (_bytes(x)[edge, edge] for x in (made, real))
                scores.append((pairs.psnr(a, b), pairs.ssim(a, b)))
            if len(scores) >= MEASURED:
                break
        noise, structure = (sum(score) / len(scores) for score in zip(*scores, strict=True))
        return {"psnr": noise, "ssim": structure}

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the averaged network, its branches folded."""
        inputs = {"picture": torch.zeros(2, self.facts.channels, *[self._small_side()] * 2)}
        if self.settings.robust:
            inputs["strength"] = torch.tensor([0.0, 1.0])
        average = portable(self.averages["upscaler"].network)
        assert isinstance(average, Upscaler)
        network = portable(folded(average))
        assert isinstance(network, Upscaler)
        return Exported(
            [Graph("upscaler", network, inputs, "enlarged", free=True)],
            self.preview(*draw(9))[:, :, :SHOWN, :SHOWN],
            radius=network.radius,
            side=0,
            scale=self.settings.scale,
            exact=True,
            metrics=self.evaluate(held) | self._lost(held),
            tutor=self.settings.teacher and f"a wider network, {told(self.settings.teacher)}",
        )

    def _small_side(self) -> int:
        return self.facts.size // self.settings.scale

    def _patches(
        self, pictures: torch.Tensor, rng: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """Cut one place out of every picture.

        All are first reduced by one random factor. The reduction to P sees `MARGIN` more pixels on
        each side, so that a patch's border is no border of a picture.

        Returns:
            Made small [B, C, P, P], as it is [B, C, sP, sP], and the strengths [B] if robust.
        """
        scale, patch = self.settings.scale, self.settings.patch
        side, need = pictures.shape[2], scale * (patch + 2 * MARGIN)
        place = torch.rand(3, generator=rng, device=pictures.device).tolist()
        least = max(self.settings.shrink, need / side)
        seen = min(side, math.ceil(need / (least + (1 - least) * place[0])))
        top, left = (int(share * (side - seen + 1)) for share in place[1:])
        region = pictures[:, :, top : top + seen, left : left + seen]
        region = F.interpolate(region, (need, need), mode="bicubic", antialias=True).clamp(-1, 1)
        strength = []
        if self.settings.robust:
            draw = torch.rand(len(region), generator=rng, device=region.device)
            strength = [(1.1 * draw - 0.1).clamp(min=0)]  # some have nothing to repair
        inside = slice(MARGIN, MARGIN + patch)
        large = slice(scale * inside.start, scale * inside.stop)
        small = self._made_small(region, strength, rng)
        return small[:, :, inside, inside], region[:, :, large, large], strength

    def _made_small(
        self, pictures: torch.Tensor, strength: list[torch.Tensor], rng: torch.Generator
    ) -> torch.Tensor:
        if strength:
            return in_bytes(degrade(pictures, self.settings.scale, strength[0], rng))
        return reduced(pictures, self.settings.scale)

    def _again(self, pictures: torch.Tensor, network: nn.Module) -> torch.Tensor:
        """Return pictures made small and large again; for a robust network, spoiled half way."""
        rng = seeded(self.device.torch, self.seed, 0x5EED)
        half = torch.full((len(pictures),), 0.5, device=pictures.device)
        strength = [half] if self.settings.robust else []
        with torch.no_grad():  # in float32, as it will run
            small = self._made_small(pictures, strength, rng)
            made: torch.Tensor = network(small, *strength)
            return made.clamp(-1, 1)


def _shape(settings: UpscaleSettings) -> tuple[int, int, bool]:
    """Return what a network has in common with its teacher."""
    return settings.scale, settings.blocks, settings.robust


def _difference(made: torch.Tensor, large: torch.Tensor, spectrum: float) -> torch.Tensor:
    """Return the mean difference of pixels plus, weighted, that of the Fourier transforms."""
    spectra = torch.view_as_real(torch.fft.rfft2(made) - torch.fft.rfft2(large))
    scale = math.sqrt(large[0, 0].numel())
    return (made - large).abs().mean() + spectrum * spectra.abs().mean() / scale


def _coloured(pictures: torch.Tensor) -> torch.Tensor:
    """Return RGB [B, 3, H, W] of grey, RGB or RGBA."""
    return pictures[:, :3] if pictures.shape[1] > 1 else pictures.expand(-1, 3, -1, -1)


def _bytes(x_CHW: torch.Tensor) -> np.ndarray:
    pixels = ((x_CHW + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return pixels.permute(1, 2, 0).cpu().numpy()
