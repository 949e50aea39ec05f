"""Train a style network: for paintings of your own, or for any.

    volute train style starry_night.jpg --time 20m -s content=photos/

The preset `own` learns a code for each painting. The preset `any` learns a style encoder instead,
from paintings, parts of them in other colours, and textures. Either goes on from another model with
`-s start=MODEL`.

Losses are those of Johnson et al. 2016 (arXiv:1603.08155) on the features of `eye`, on a part of
each batch also of VGG16 where a file is given. A moved and noisy picture must be painted as the
picture is, moved (after Ruder et al. 2018 and Wen et al. 2023, "CAP-VSTNet", without any video).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn

from volute.engine.artefact import open_artefact
from volute.errors import UsageError
from volute.nets.style_net import SIZES, StyleNet, begin
from volute.nets.stylizer import MULTIPLE, STEM, Kernels, Scales, radius, scaled
from volute.recipes.style_graphs import style_graphs
from volute.recipes.style_settings import StyleSettings
from volute.recipes.style_teacher import StyleTeacher
from volute.training.augment import flip, patch
from volute.training.device import Device
from volute.training.ema import Average
from volute.training.motion import NOISE, shifted, unsteadiness
from volute.training.optimiser import adamw, set_rate
from volute.training.painting import painted, painted_in_turn, repainted
from volute.training.recipe import (
    DataFacts,
    Draw,
    Exported,
    Held,
    PictureRecipe,
    portable,
    seeded,
)
from volute.training.style_loss import Said, StyleJudge, grid
from volute.training.styles import Styles, names
from volute.training.tutor import TOLD, Tutor
from volute.zoo import resolve

CELL = 128
"""Side in px of a style's thumbnail on the card."""
MEASURED = 16
"""Held-out pictures that are measured while learning."""
MARGIN = 16
"""Pixels on each side of a patch that are painted and not judged: the border of a patch is none of
a picture."""
JUDGED = (slice(None), slice(None), slice(MARGIN, -MARGIN), slice(MARGIN, -MARGIN))
SETTLING = 24
"""Styles by which the encoder is brought to a common scale before it learns."""
COLOUR = 0.35
"""Weight of the palette beside the correlations of features."""
GRID = 500.0
"""Weight of what repeats from square to square of the pixels that a feature stands for."""
CELLS, WINDOW = (STEM, MULTIPLE, 2 * MULTIPLE), 4
"""Sides of such squares in px, also of two together, and in how many at once it is looked for."""
SHIFTED = 0.5
"""Share of steps whose second picture is shifted by whole pixels, and is to be painted alike."""
LIKE = 5.0
"""Weight of being like what a tutor or a teacher paints, in features and in pixels."""
CLIP = 1.0
"""Norm of the gradient from which it is cut."""


@dataclass(frozen=True)
class Lesson:
    """What a batch is to be painted like."""

    codes: torch.Tensor
    """Of its styles, [S, D], each for an equal share of it."""
    said: list[Said]
    """Of the style of each picture."""
    goal: torch.Tensor
    """What is to be shown, [B, 3, H, W] in [-1, 1]."""
    same: bool
    """Whether that is a painting, to be like it at each pixel."""


class StyleRecipe(PictureRecipe):
    """The network and its step; see `volute.training.recipe.Recipe`."""

    settings: StyleSettings

    def __init__(
        self, settings: StyleSettings, facts: DataFacts, device: Device, seed: int
    ) -> None:
        super().__init__(settings, facts, device, seed)
        self.held_out = settings.held_out
        if not (settings.styles or settings.teacher):
            raise UsageError("there is no painting to learn from", "volute train style wave.jpg")
        if facts.channels != 3:
            raise UsageError("a style network learns from colours", "Add: -s data.mode=RGB")
        need = settings.patch + 2 * MARGIN
        if facts.size < need:
            hint = f"Add: --size {math.ceil(need / 32) * 32}, or a smaller -s patch="
            raise UsageError(f"pictures of {facts.size} px are too small", hint)
        self.judge = StyleJudge(device, settings.vgg)
        more = settings.views if settings.encoder else 0
        self.supply = Styles(settings.styles, more, seed, self.judge.said)
        self.tutor = Tutor(settings.tutor, self.supply, device) if settings.tutor else None
        self.teacher = StyleTeacher(settings, self.supply, device) if settings.teacher else None
        self.styles = tuple(self.teacher.styles) if self.teacher else names(settings.styles)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = StyleNet(**self._sizes(), styles=0 if settings.encoder else len(self.styles))
        self.net = device.place(net)
        self.modules = {"style": self.net}
        self.averages = {"style": Average(self.net, settings.ema_kimg * 1000)}
        self.optimisers = {"style": adamw(self.net.parameters(), settings.lr, 0.0, 0.99)}

    def prepare(self) -> None:
        """Start from the teacher, or the model that is named.

        Raises:
            UsageError: if that is no style model, or of another width, blocks, bank or code.
        """
        if self.teacher:
            self.teacher.hand_down(self.net)
        elif self.settings.start:
            pictures = [self._picture(number) for number in range(len(self.settings.styles))]
            artefact = open_artefact(resolve(self.settings.start))
            begin(self.net, artefact, self._sizes(), pictures)
        elif self.net.encoder is not None:
            numbers = range(min(SETTLING, self.supply.count))
            self.net.encoder.settle([self._picture(n) for n in numbers])
        self.averages["style"].network.load_state_dict(self.net.state_dict())

    def _sizes(self) -> dict[str, int]:
        return {name: getattr(self.settings, name) for name in SIZES}

    def _picture(self, number: int) -> torch.Tensor:
        """Return a view as the encoder takes it."""
        return self.supply.view(number).picture.to(self.device.torch)

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Take one step on style, content, strength and steadiness."""
        settings = self.settings
        rng = seeded(self.device.torch, self.seed, shown, *self.group.mark)
        optimiser = self.optimisers["style"]
        set_rate(optimiser, settings.lr, progress, settings.lr_end, settings.warmup)
        content = patch(flip(pictures, rng), settings.patch + 2 * MARGIN, rng)
        lesson = self._lesson(content, rng)
        kernels = self.net.painter(lesson.codes)
        made, strokes, scales = painted(content, kernels, self.device)
        inner, goal = made[JUDGED], lesson.goal[JUDGED]
        style, kept = self.judge.losses(inner, goal, lesson.said, rng, lesson.same)
        if lesson.same:
            kept = LIKE * (kept + (inner - goal).square().mean((1, 2, 3)))
        off = self.judge.off_colour(inner, lesson.said)
        unsteady = made.new_zeros(())
        if settings.steady:
            unsteady = self._unsteady(content, made, kernels, scales, rng)
        cells = [cell for cell in CELLS if (WINDOW + 1) * cell <= made.shape[2]]
        gridded = sum((grid(strokes, cell, WINDOW) for cell in cells), made.new_zeros(()))
        loss = (
            settings.style * (style + COLOUR * off).mean()
            + kept.mean()
            + settings.steady * unsteady
            + GRID * gridded
        )
        optimiser.zero_grad(set_to_none=True)
        self.group.backward(loss, self.net.parameters())
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        optimiser.step()
        count = len(pictures) * self.group.size
        self.averages["style"].update(self.net, count, shown + count)
        return {
            "loss": loss.item(),
            "style": style.mean().item(),
            "content": kept.mean().item(),
            "colour": off.mean().item(),
            "steady": unsteady.item(),
            "grid": gridded.item(),
        }

    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Paint each picture with the next of the paintings."""
        return painted_in_turn(pictures, self._kernels())

    def evaluate(self, held: Held) -> dict[str, float]:
        """Return the losses of style and content on held-out pictures, by the features of `eye`."""
        pictures = next((found[:MEASURED] for found, _ in held()), None)
        if pictures is None:  # few sources: none is left to measure on
            return {}
        made = self.preview(pictures, torch.zeros(0))
        if self.teacher:
            return self.teacher.compared(made, pictures, self.judge)
        count = len(self.styles)
        said = [self.supply.view(index % count).said for index in range(len(pictures))]
        with torch.no_grad():
            style, content = self.judge.by_eye(made, pictures, said)
        return {"held_style": style.mean().item(), "held_content": content.mean().item()}

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the averaged networks, the codes of the paintings and what they look like."""
        net = cast(StyleNet, portable(self.averages["style"].network))
        with torch.no_grad():
            codes = self._known(net)
        side = self.facts.size // MULTIPLE * MULTIPLE
        tutor = self.teacher.told if self.teacher else TOLD if self.tutor else ""
        return Exported(
            style_graphs(net, codes[:1], side),
            self._thumbnails(draw),
            radius=radius(self.settings.blocks),
            side=0,
            multiple=MULTIPLE,
            exact=True,
            styles=self.styles,
            examples=tuple(Path(path).name for path in self.settings.styles),
            tutor=tutor,
            metrics=self.evaluate(held),
            tensors={"styles.codes": codes.numpy()},
        )

    def _lesson(self, content: torch.Tensor, rng: torch.Generator) -> Lesson:
        """Draw styles, and say what a batch is to be like in them: as a teacher paints, in all."""
        settings = self.settings
        if self.teacher:
            groups = math.gcd(settings.groups, len(content))
            codes = self.teacher.draw(groups, settings.whole, rng)
            goal = self.teacher.paint(content, codes)
            said = [self.judge.said(one) for one in goal[JUDGED].split(1)]
            return Lesson(codes, said, goal, same=True)
        groups = math.gcd(min(settings.groups, self.supply.count), len(content))
        views = self.supply.draw(groups, settings.whole, rng)
        with self.device.autocast():
            codes = self._codes(self.net, views).float()
        said = [
            self.supply.view(view).said for view in views for _ in range(len(content) // groups)
        ]
        if self.tutor:
            return Lesson(codes, said, self.tutor.paint(content, views, rng), same=True)
        return Lesson(codes, said, content, same=False)

    def _known(self, net: StyleNet) -> torch.Tensor:
        """Return the codes [K, D] of the styles that are known by name."""
        if self.teacher:
            return self.teacher.codes.to(net.painter.mix.weight.device)
        return self._codes(net, list(range(len(self.styles))))

    def _codes(self, net: StyleNet, numbers: list[int]) -> torch.Tensor:
        """Return the codes [n, D] of views."""
        pictures = [] if net.codes is not None else [self._picture(n) for n in numbers]
        place = net.painter.mix.weight.device
        return net.read(numbers, [picture.to(place) for picture in pictures])

    def _unsteady(
        self,
        content: torch.Tensor,
        made: torch.Tensor,
        kernels: Kernels,
        scales: Scales,
        rng: torch.Generator,
    ) -> torch.Tensor:
        """Return how far one picture, moved, is painted from the painted one, moved.

        It keeps the scales of the picture as it was, as the frames of a shot do. Where it is noisy
        as well, the second time with zeros beyond the border, as in use: so they come to matter
        little. At the scales of a picture that is plainer than the noise, that would blow up.
        """
        chosen = int(torch.rand(1, generator=rng, device=rng.device) * len(content))
        if content[chosen].var((1, 2)).mean() < NOISE**2:
            return made.new_zeros(())
        exact = torch.rand(1, generator=rng, device=rng.device).item() < SHIFTED
        compare = shifted if exact else unsteadiness
        plain = scaled(kernels, scales, chosen)
        return compare(
            lambda x: repainted(x, plain, self.device, mirrored=exact),
            content[chosen][None],
            made[chosen][None],
            rng,
        )

    @torch.no_grad()
    def _kernels(self) -> list[Kernels]:
        """Return those of each style by the averaged network."""
        net = cast(StyleNet, self.averages["style"].network)
        return [net.painter(code[None]) for code in self._known(net)]

    def _thumbnails(self, draw: Draw) -> torch.Tensor:
        """Return a square number of pictures: one picture in each style, then other pictures."""
        count = len(self.styles)
        cells = math.ceil(math.sqrt(count + 1)) ** 2
        pictures, _ = draw(cells - count + 1)
        shown = torch.cat([pictures[:1].expand(count, -1, -1, -1), pictures[1:]])
        made = painted_in_turn(shown, self._kernels())
        return F.interpolate(made, (CELL, CELL), mode="bicubic", antialias=True)
