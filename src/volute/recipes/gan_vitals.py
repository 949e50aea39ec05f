"""How a GAN is doing, as far as its discriminator and its pictures tell."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import nn

from volute.events import Verdict
from volute.recipes.gan_settings import FEWEST, GanSettings
from volute.training.augment import Adaptive
from volute.training.recipe import Batch, PictureRecipe, seeded


class GanVitals(PictureRecipe):
    """What the doctor and the augmentation ask of a GAN; `GanRecipe` says how it learns."""

    settings: GanSettings
    generator: nn.Module
    discriminator: nn.Module
    augment: Adaptive
    conditional: bool
    gamma: float

    @abstractmethod
    def _generate(self, latent: torch.Tensor, label: torch.Tensor | None) -> torch.Tensor: ...

    @abstractmethod
    def _logits(self, pictures: torch.Tensor, label: torch.Tensor | None) -> torch.Tensor: ...

    def adapt(self, seen: Batch, unseen: Batch, shown: int) -> None:
        """Change more pictures if those learned from score better than those held out, or fewer."""
        told = self._told(seen, unseen, shown)
        gap, margin = told["seen"] - told["unseen"], told["seen"] - told["made"]
        self.augment.follow(gap, margin, told["scatter"], self.looks)

    def vitals(self, seen: Batch, unseen: Batch, shown: int) -> dict[str, float]:
        """Return how well the discriminator tells pictures apart, and how varied those made are.

        `margin` is how much higher it scores what it learned from than what is made, `by_heart` the
        share of that which is not there for what was held out, `told` the share of pairs of a
        real and a made picture that it puts in order, `pixels` the variance of the made pictures
        over that of the real.
        """
        told = self._told(seen, unseen, shown)
        margin = told["seen"] - told["made"]
        return {
            "margin": margin,
            "scatter": told["scatter"],
            "by_heart": (told["seen"] - told["unseen"]) / margin if margin > 0 else 0.0,
            "told": told["told"],
            "pixels": told["pixels"],
        }

    def made(self, seen: Batch, shown: int) -> torch.Tensor:
        """Return pictures of the network as it learns, not averaged, of the classes seen.

        It normalises by the batch, as it does when it learns, and is left as it was.
        """
        labels = seen[1]
        rng = seeded(self.device.torch, self.seed, shown, 0xD0C)
        latent = torch.randn(
            len(labels), self.settings.latent, generator=rng, device=self.device.torch
        )
        kept = [(buffer, buffer.clone()) for buffer in self.generator.buffers()]
        with torch.no_grad():
            pictures = self._generate(latent, labels if self.conditional else None)
            for buffer, before in kept:
                buffer.copy_(before)
        return pictures.clamp(-1, 1)

    def concerns(self) -> list[Verdict]:
        """Say what is unusual about the settings."""
        found = []
        if self.settings.loss == "relativistic" and not self.gamma:
            reason = "gamma is 0: without R1 and R2 the discriminator tends to blow up."
            found.append(Verdict("WATCH", reason, "Leave -s gamma out.", "penalty"))
        if self.settings.batch < FEWEST:
            reason = f"Batches of {self.settings.batch} are so small that each step is noise."
            found.append(Verdict("WATCH", reason, "Leave -s batch out.", "batch"))
        return found

    def _told(self, seen: Batch, unseen: Batch, shown: int) -> dict[str, float]:
        """Return what the discriminator makes of pictures that are not changed."""
        made = self.made(seen, shown)
        self.discriminator.eval()
        with torch.no_grad():
            scores = [
                self._logits(pictures, labels if self.conditional else None)
                for pictures, labels in (seen, unseen, (made, seen[1]))
            ]
        self.discriminator.train()
        on_seen, on_unseen, on_made = scores
        return {
            "seen": on_seen.mean().item(),
            "unseen": on_unseen.mean().item(),
            "made": on_made.mean().item(),
            "scatter": on_seen.std().item(),
            "told": (on_seen[:, None] > on_made).float().mean().item(),
            "pixels": (made.var(0).mean() / seen[0].var(0).mean().clamp(min=1e-6)).item(),
        }
