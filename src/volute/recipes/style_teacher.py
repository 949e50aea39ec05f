"""A wider style network that a narrower one learns from: what it knows, and what it paints.

Both take the same codes, so the narrow one has the same styles and reads paintings as the wide one
does; only painting is learned. No painting is needed for that: the codes of styles are enough, and
what an encoder reads in textures.
"""

from __future__ import annotations

import numpy as np
import torch

from volute.engine.artefact import Artefact, open_artefact
from volute.errors import UsageError, VoluteError
from volute.measure import pairs
from volute.nets.narrow import narrow_painter
from volute.nets.painter import Painter
from volute.nets.style_encoder import StyleEncoder
from volute.nets.style_net import StyleNet
from volute.nets.weights import filled
from volute.recipes.style_settings import StyleSettings
from volute.training.device import Device
from volute.training.painting import painted, painted_in_turn
from volute.training.style_loss import StyleJudge
from volute.training.styles import Styles, names, picked
from volute.zoo import resolve

ALIKE = ("blocks", "bank", "code", "encoder")
"""Settings that a network has in common with its teacher."""


class StyleTeacher:
    """A painter that stays as it is, and the styles that it knows.

    Args:
        settings: of the network that learns.
        supply: paintings, and what else an encoder reads.
        device: where it works.

    Raises:
        UsageError: if it is no wider network of the same blocks, bank and code, knows no style, or
            cannot read the paintings.
    """

    def __init__(self, settings: StyleSettings, supply: Styles, device: Device) -> None:
        artefact = open_artefact(resolve(settings.teacher))
        wide = _wider(artefact, settings)
        self.name, about = artefact.config.name, artefact.config.descriptor
        cost = f"{about.macs_per_pixel:,.0f} multiply-adds a pixel"
        self.told = f"a wider stylizer, {self.name} ({cost})"
        painter = Painter(wide.code, wide.width, wide.blocks, wide.bank)
        filled(painter, artefact, "modulator.network.painter.")
        self.painter = device.place(painter).requires_grad_(False)
        self.encoder: StyleEncoder | None = None
        if wide.encoder:
            encoder = filled(StyleEncoder(wide.code), artefact, "encoder.network.")
            self.encoder = device.place(encoder).requires_grad_(False)
        self.supply, self.device = supply, device
        self._read: dict[int, torch.Tensor] = {}
        self.styles = self._known(artefact, names(settings.styles))

    @property
    def codes(self) -> torch.Tensor:
        """Those of the styles that it knows by name, [K, D]."""
        return torch.stack(list(self.styles.values()))

    def hand_down(self, net: StyleNet) -> None:
        """Give a narrower network the channels that count, and what it reads styles by."""
        narrow_painter(net.painter, self.painter, self.codes)
        if net.encoder is not None and self.encoder is not None:
            net.encoder.load_state_dict(self.encoder.state_dict())
        if net.codes is not None:
            net.codes.data.copy_(self.codes)

    def draw(self, count: int, whole: float, rng: torch.Generator) -> torch.Tensor:
        """Return codes [count, D] at random, a share `whole` those of styles known by name."""
        codes, first = self.codes, len(self.supply.paintings)
        more = self.supply.count - first
        numbers = picked(count, len(codes), more, whole, rng)
        return torch.stack(
            [codes[n] if n < len(codes) else self._of(first + n - len(codes)) for n in numbers]
        )

    @torch.no_grad()
    def paint(self, content_BCHW: torch.Tensor, codes_SD: torch.Tensor) -> torch.Tensor:
        """Return pictures in [-1, 1] as it paints them, each style an equal share of them."""
        made, *_ = painted(content_BCHW, self.painter(codes_SD), self.device)
        return made

    @torch.no_grad()
    def compared(
        self, made: torch.Tensor, pictures: torch.Tensor, judge: StyleJudge
    ) -> dict[str, float]:
        """Return how far it is from its own to others' paintings of pictures [B, 3, H, W].

        Each picture is in the next of the styles that it knows. The correlations of features lie
        `style_from_teacher` from those of its painting, of content `content_lost` more is lost.
        """
        own = painted_in_turn(pictures, [self.painter(code[None]) for code in self.codes])
        said = [judge.said(one) for one in own.split(1)]
        style, content = judge.by_eye(made, pictures, said)
        _, before = judge.by_eye(own, pictures, said)
        ratios = [pairs.psnr(_bytes(a), _bytes(b)) for a, b in zip(made, own, strict=True)]
        return {
            "held_content": content.mean().item(),
            "content_lost": (content - before).mean().item(),
            "style_from_teacher": style.mean().item(),
            "psnr_from_teacher": float(np.mean(ratios)),
        }

    def _known(self, artefact: Artefact, given: tuple[str, ...]) -> dict[str, torch.Tensor]:
        """Return the codes of styles by name: a painting takes the place of a stored one."""
        stored = torch.from_numpy(artefact.tensors(["styles.codes"])["styles.codes"]).float()
        known, code = artefact.config.styles, self.painter.mix.in_features
        if stored.shape != (len(known), code):
            what = f"{artefact.path}: codes {list(stored.shape)} do not fit its styles"
            raise VoluteError(what, "Export it anew from its run.")
        styles = dict(zip(known, stored.to(self.device.torch), strict=True))
        new = [name for name in given if name not in styles]
        if new and self.encoder is None:
            what = f"{self.name} has no style encoder: it cannot read {', '.join(new)}"
            raise UsageError(what, "Leave -s styles= out.")
        if self.encoder is not None:
            styles |= {name: self._of(number) for number, name in enumerate(given)}
        if not styles:
            what = f"{self.name} knows no style by name"
            raise UsageError(what, "Give some: -s styles=paintings/")
        return styles

    @torch.no_grad()
    def _of(self, number: int) -> torch.Tensor:
        """Return the code [D] of a view, read once."""
        if number not in self._read:
            assert self.encoder is not None
            picture = self.supply.picture(number).to(self.device.torch)
            self._read[number] = self.encoder(picture)[0]
        return self._read[number]


def _wider(artefact: Artefact, settings: StyleSettings) -> StyleSettings:
    """Return what is set of the teacher's networks, once it is known to be one."""
    config = artefact.config
    told = {name: config.settings[name] for name in ("width", *ALIKE) if name in config.settings}
    wide = StyleSettings.make(told) if config.descriptor.kind == "style" else None
    if (
        wide is None
        or wide.width <= settings.width
        or any(getattr(wide, name) != getattr(settings, name) for name in ALIKE)
    ):
        what = f"{config.name} is no wider stylizer of the same blocks, bank, code and encoder"
        raise UsageError(what, "Use: volute shrink MODEL")
    return wide


def _bytes(x_CHW: torch.Tensor) -> np.ndarray:
    return ((x_CHW + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).cpu().numpy()
