"""Train the watermark: a network that hides 96 bits in any picture, and one that reads them.

    volute train watermark photos/ --time 20m

Both learn together from the bits alone: the strength of what is added is set, not learned, so that
it cannot fade to nothing. It begins at 14 dB on grey, and nothing changes on the way. Only while
bits are read well does the mark become fainter, down to 28 dB, and the picture appear; then changes
(JPEG, blur, noise, sizes, colours, crops) become harsher; then the mark fainter again, down to the
PSNR of the setting. `benchmarks/provenance.py` has the results.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from volute.errors import UsageError
from volute.nets.halved import Halved
from volute.nets.watermark import (
    SIDE,
    HalfMarkRefiner,
    MarkDecoder,
    MarkEncoder,
)
from volute.recipes.watermark_settings import WatermarkSettings
from volute.training import resaved as way
from volute.training.augment import flip, turn
from volute.training.degrade import blurred, in_bytes, in_bytes_through
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
from volute.training.shown import grid
from volute.training.visible import laid_under

STRONG, FAIR = 14.0, 28.0
"""PSNR in dB of the mark at the beginning, and when the first changes come."""
CLIP = 1.0
"""Norm of the gradient from which it is cut."""
MEMORY = 0.02
"""Share of the latest batch in the mean by which dials are turned."""
TOLD = 25
"""Steps between two looks at the losses, since each look waits for a GPU."""
NATIVE = (96, 128, 192, 256)
"""Sides in px of what is marked."""
GREY = 8
"""One picture in so many is grey, and its mark too."""
SHOWN = 80
"""Side of the pictures on the card."""
MEASURED = 128
"""Held-out pictures that are measured while learning."""
SHRUNK = 1.0
"""What is added to the covariance of logits, as a share of its mean variance. With less, odds of
crops, in which some bits are gone, are blurred: with 0.1, 79 % were read after crop and JPEG, not
85 % (89 pictures); the p-values of unmarked pictures stay what they should be."""
CLEAN = 6000
"""Unmarked pictures from which the mean and covariance of logits are taken."""


class Dials(nn.Module):
    """How harsh changes are and how faint the mark: turned up only while bits are read well.

    Buffers, so that a resumed run goes on with them, and so that no step waits for a GPU.
    """

    right: torch.Tensor
    harsh: torch.Tensor
    faint: torch.Tensor
    before: torch.Tensor

    def __init__(self, settings: WatermarkSettings) -> None:
        super().__init__()
        self.settings = settings
        for name in ("right", "harsh", "faint", "before"):
            self.register_buffer(name, torch.zeros(()))

    def psnr(self) -> torch.Tensor:
        """Return what the mark has now, in dB."""
        return STRONG + self.faint * (self.settings.psnr - STRONG)

    def there(self) -> torch.Tensor:
        """Return how much of a picture's contrast there is: all of it from 28 dB on."""
        return ((self.psnr() - STRONG) / (FAIR - STRONG)).clamp(max=1)

    @torch.no_grad()
    def turn(self, right: torch.Tensor, progress: float) -> None:
        """Take the share of bits that were read in the step that began at `progress`."""
        settings = self.settings
        passed = (progress - self.before).clamp(0, 0.01)
        self.before.fill_(progress)
        self.right.lerp_(right, MEMORY)
        fair = self.psnr() >= FAIR
        ready = (self.right > settings.gate_faint) & (~fair | (self.harsh >= 1))
        self.faint.add_(ready * passed / settings.fainter).clamp_(max=1)
        ready = (self.right > settings.gate) & fair
        self.harsh.add_(ready * passed / settings.harsher).clamp_(max=1)


class WatermarkRecipe(PictureRecipe):
    """Both networks and their step; see `volute.training.recipe.Recipe`."""

    settings: WatermarkSettings

    def __init__(
        self, settings: WatermarkSettings, facts: DataFacts, device: Device, seed: int
    ) -> None:
        super().__init__(settings, facts, device, seed)
        self.held_out = settings.held_out
        if facts.channels != 3:
            raise UsageError("the watermark is learned from RGB", "Add: -s data.mode=RGB")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            encoder = MarkEncoder(settings.bits, settings.width)
            decoder = MarkDecoder(settings.bits)
        self.encoder, self.decoder = device.place(encoder), device.place(decoder)
        self.dials = Dials(settings).to(device.torch)
        self.modules = {"encoder": self.encoder, "decoder": self.decoder, "dials": self.dials}
        half_life = settings.ema_kimg * 1000
        self.averages = {
            "encoder": Average(self.encoder, half_life),
            "decoder": Average(self.decoder, half_life),
        }
        self.parameters = [*self.encoder.parameters(), *self.decoder.parameters()]
        self.optimisers = {"both": adamw(self.parameters, settings.lr, 0.0)}
        self._told: dict[str, float] = {}

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Hide random bits, change the pictures, read, and learn from what was read wrongly."""
        settings, dials = self.settings, self.dials
        rng = seeded(self.device.torch, self.seed, shown, *self.group.mark)
        set_rate(self.optimisers["both"], settings.lr, progress, settings.lr_end, settings.warmup)
        draw = np.random.default_rng([self.seed, shown])
        pictures = dials.there() * _sized(turn(flip(pictures, rng), rng), draw)
        grey = (torch.arange(len(pictures), device=pictures.device) % GREY == 0)[
            :, None, None, None
        ]
        pictures = torch.where(grey, pictures.mean(1, keepdim=True), pictures)
        bits = torch.randint(
            2, (len(pictures), settings.bits), generator=rng, device=pictures.device
        ).float()
        with self.device.autocast():
            added = self.encoder(_small(pictures), 2 * bits - 1).float()
        added = torch.where(grey, added.mean(1, keepdim=True), added)
        marked = in_bytes_through(laid_under(pictures, added, dials.psnr()))
        share = float(draw.uniform(0.45, 1.5)) if draw.random() < 0.6 else 1.0
        changed = way.resaved(marked, dials.harsh, rng, share, bool(draw.random() < 0.75))
        seen = way.cropped(_small(changed), dials.harsh, rng, len(pictures) // 2)
        with self.device.autocast():
            logits = self.decoder(seen.contiguous(memory_format=torch.channels_last)).float()
        loss = F.binary_cross_entropy_with_logits(logits, bits)
        self.optimisers["both"].zero_grad(set_to_none=True)
        self.group.backward(loss, self.parameters)
        torch.nn.utils.clip_grad_norm_(self.parameters, CLIP)
        self.optimisers["both"].step()
        count = len(pictures) * self.group.size
        for name in ("encoder", "decoder"):
            self.averages[name].update(self.modules[name], count, shown + count)
        right = ((logits > 0) == (bits > 0.5)).float().mean(1)
        whole = self.group.mean(right[len(pictures) // 2 :].mean())
        dials.turn(whole, progress)
        if shown // self.batch % TOLD == 0:
            cut = right[: len(pictures) // 2].mean()
            values = {"loss": loss, "bits": whole, "bits_cut": cut, "harsh": dials.harsh}
            values["psnr"] = dials.psnr()
            self._told = {name: value.item() for name, value in values.items()}
        return self._told

    def show(self, draw: Draw) -> np.ndarray:
        """Return nine pictures on the left, the same marked on the right."""
        pictures, labels = draw(9)
        return np.concatenate([grid(pictures), grid(self.preview(pictures, labels))], 1)

    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the pictures marked."""
        return self._marked(pictures)[0]

    def evaluate(self, held: Held) -> dict[str, float]:
        """Return the share of bits read after each change, of held-out pictures."""
        right: dict[str, list[float]] = {}
        count = 0
        for pictures, _ in held():
            for part in pictures.split(MEASURED // 2):
                marked, bits = self._marked(part)
                for name, changed in self._changes(in_bytes(marked)):
                    with torch.no_grad():
                        logits = self.averages["decoder"].network(changed)
                    right.setdefault(name, []).append(
                        ((logits > 0) == (bits > 0)).float().mean().item()
                    )
                error = (marked - part).square().mean((1, 2, 3))
                right.setdefault("psnr_held", []).append((-10 * (error / 4).log10()).mean().item())
                count += len(part)
                if count >= MEASURED:
                    return {name: sum(values) / len(values) for name, values in right.items()}
        return {name: sum(values) / len(values) for name, values in right.items()}

    def _marked(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return pictures marked with random messages by the averaged encoder, and those."""
        rng = seeded(self.device.torch, self.seed, 0x5EED)
        shape = (len(pictures), self.settings.bits)
        message = torch.randint(2, shape, generator=rng, device=pictures.device) * 2.0 - 1
        with torch.no_grad():
            added = self.averages["encoder"].network(_small(pictures), message)
            return laid_under(pictures, added, self.settings.psnr), message

    def _changes(self, x: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
        """Return what is measured: as it is, saved, made small, blurred, noisy, coloured, cut."""
        rng = seeded(self.device.torch, self.seed, 0xC4A)
        quality = torch.full((len(x),), 50.0, device=x.device)
        half = F.interpolate(x, scale_factor=0.5, mode="bilinear", antialias=True)
        noisy = in_bytes(x + torch.randn(x.shape, generator=rng, device=x.device) * 8 / 127.5)
        sigma = torch.ones(len(x), 2, device=x.device)
        bright = in_bytes(((x + 1) * 1.2).clamp(0, 2) - 1)
        saved = _small(way.jpeg(x, quality, True))
        edge = round(SIDE * (1 - math.sqrt(0.5)) / 2)
        hole = torch.zeros(SIDE, SIDE, device=x.device)
        hole[edge:-edge, edge:-edge] = 1
        return [
            ("clean", _small(x)),
            ("jpeg50", saved),
            ("half", _small(half)),
            ("blur1", _small(blurred(x, sigma))),
            ("noise8", _small(noisy)),
            ("bright", _small(bright)),
            ("crop", _small(x) * hole),
            ("crop_jpeg50", saved * hole),
            ("moved", torch.roll(_small(x), (4, -4), (2, 3))),
        ]

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the averaged networks in half precision, and what unmarked pictures read as."""
        encoder, decoder = (portable(self.averages[n].network) for n in ("encoder", "decoder"))
        assert isinstance(encoder, MarkEncoder)
        assert isinstance(decoder, MarkDecoder)
        reader, refiner = Halved(decoder).eval(), HalfMarkRefiner(decoder).eval()
        picture = torch.zeros(2, 3, SIDE, SIDE)
        message = torch.ones(2, self.settings.bits)
        drawn = {"picture": picture, "message": message}
        laid = {"picture": picture, "noticeable": torch.ones(2, 1, SIDE, SIDE)}
        laid["residual"] = torch.ones(2, 3, SIDE, SIDE)  # two inputs must not be one tensor
        graphs = [
            Graph("encoder", Halved(encoder).eval(), drawn, "residual"),
            Graph("refiner", refiner, laid | {"message": message}, "refined"),
            Graph("decoder", reader, {"picture": picture}, "logits"),
        ]
        return Exported(
            graphs,
            self.preview(*draw(9))[:, :, :SHOWN, :SHOWN],
            radius=0,
            side=SIDE,
            metrics=self.evaluate(held),
            tensors=self._white(reader, draw),
        )

    def _white(self, decoder: nn.Module, draw: Draw) -> dict[str, np.ndarray]:
        """Return the mean of the logits of unmarked pictures, and what makes them isotropic."""
        logits = []
        with torch.no_grad():
            for number in range(math.ceil(CLEAN / 100)):
                pictures = draw(100)[0].cpu()
                sized = _sized(pictures, np.random.default_rng(number))
                logits.append(decoder(_small(sized)))
        return whitening(torch.cat(logits).numpy())


def whitening(logits_NB: np.ndarray) -> dict[str, np.ndarray]:
    """Return the mean [B] of logits and what makes them isotropic, nearly: [B, B], symmetric."""
    values, vectors = np.linalg.eigh(np.cov(logits_NB.astype(np.float64), rowvar=False))
    root = (vectors / np.sqrt(values + SHRUNK * values.mean())) @ vectors.T
    mean = logits_NB.mean(0)
    return {"white.mean": mean.astype(np.float32), "white.root": root.astype(np.float32)}


def _sized(pictures: torch.Tensor, draw: np.random.Generator) -> torch.Tensor:
    """Cut one place out of all pictures and bring it to one of the sides of `NATIVE`."""
    whole = pictures.shape[2]
    side = min(int(draw.choice(NATIVE, p=(0.1, 0.15, 0.25, 0.5))), whole)
    seen = int(draw.integers(side, whole + 1)) if draw.random() < 0.5 else whole
    top, left = (int(draw.integers(whole - seen + 1)) for _ in "yx")
    region = pictures[:, :, top : top + seen, left : left + seen]
    if seen == side:
        return region
    return F.interpolate(region, (side, side), mode="bilinear", antialias=True)


def _small(pictures: torch.Tensor) -> torch.Tensor:
    """Bring pictures to what the networks see."""
    if pictures.shape[2:] == (SIDE, SIDE):
        return pictures
    return F.interpolate(pictures, (SIDE, SIDE), mode="bilinear", antialias=True)
