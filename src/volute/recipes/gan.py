"""Train a GAN on pictures.

    volute train gan fashion_mnist.npz --time 10m

2 cores, 10 minutes, 28 px grey: `benchmarks/generation.py` has the distances. The objective is
the relativistic pairing with R1 and R2 (Huang et al. 2024, "The GAN is dead"):

    L_D = E softplus(D(fake) - D(real)) + gamma/2 E (|dD/dreal|^2 + |dD/dfake|^2)
    L_G = E softplus(D(real) - D(fake))

Penalties are taken in every step, on a share of the batch: a lazy penalty on the whole batch costs
the same and loses modes. `classic` is DCGAN with the non-saturating loss of Goodfellow et al. 2014.
How often pictures are changed before the discriminator sees them follows from how much better it
knows those it has learned from than those held out (Karras et al. 2020, ADA, equation 1).
"""

from __future__ import annotations

import math
from functools import cached_property

import torch
import torch.nn.functional as F

from volute.nets.gan import Generator
from volute.nets.narrow import narrow_generator
from volute.recipes.files import told
from volute.recipes.gan_networks import networks, teacher
from volute.recipes.gan_settings import GanSettings
from volute.recipes.gan_vitals import GanVitals
from volute.training.adversarial import relativistic, score_pairs
from volute.training.augment import Adaptive, augment, flip
from volute.training.device import Device
from volute.training.draws import normal
from volute.training.ema import Average
from volute.training.recipe import (
    DataFacts,
    Draw,
    Exported,
    Graph,
    Held,
    few,
    portable,
    seeded,
)

TAUGHT = 10.0
"""Weight of the mean difference from a teacher's pictures, which lie in [-1, 1]."""


class GanRecipe(GanVitals):
    """The generator, the discriminator and their step; see `volute.training.recipe.Recipe`."""

    from_noise = True

    def __init__(self, settings: GanSettings, facts: DataFacts, device: Device, seed: int) -> None:
        super().__init__(settings, facts, device, seed)
        self.held_out = few(facts.pictures)
        self.looks = max(256, min(2048, 5 * facts.pictures))
        small = facts.size <= 32
        self.usual = {"lr": 2e-3 if small else 5e-4, "gamma": 0.2 if small else 0.05}
        self.lr = self.usual["lr"] if settings.lr == "auto" else settings.lr
        self.gamma = self.usual["gamma"] if settings.gamma == "auto" else settings.gamma
        end = settings.gamma_end
        self.gamma_end = (0.25 if small else 1.0) if end == "auto" else end
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            generator, discriminator = networks(settings, facts)
        self.generator = device.place(generator)
        self.discriminator = device.place(discriminator)
        self.augment = Adaptive(facts.pictures).to(device.torch)
        self.modules = {
            "generator": self.generator,
            "discriminator": self.discriminator,
            "augment": self.augment,
        }
        self.averages = {"generator": Average(self.generator, settings.ema_kimg * 1000)}
        self.optimisers = {
            name: torch.optim.Adam(
                module.parameters(),
                lr=self.lr,
                betas=(settings.beta1, settings.beta2),
                eps=1e-8,
                fused=True,
            )
            for name, module in self.modules.items()
            if name != "augment"
        }
        self.conditional = facts.classes > 0 and settings.networks == "modern"

    def prepare(self) -> None:
        """Begin with the most important channels of the teacher, if there is one.

        Raises:
            UsageError: if it is no wider generator of the same pictures.
        """
        if self.settings.teacher:
            assert isinstance(self.generator, Generator)
            narrow_generator(self.generator, self.teacher)
            average = self.averages["generator"].network
            average.load_state_dict(self.generator.state_dict())

    @cached_property
    def teacher(self) -> Generator:
        """The wider generator that is learned from."""
        return self.device.place(teacher(self.settings, self.facts))

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Take one discriminator and one generator step on the same noise."""
        rng = self.stream(shown)
        cosine = 0.5 + 0.5 * math.cos(math.pi * min(progress, 1.0))
        self._set_rate(cosine)
        gamma = self.gamma * _mix(cosine, self.gamma_end)
        label = labels if self.conditional else None
        real = flip(pictures, rng) if self.settings.flip else pictures
        latent = normal((len(real), self.settings.latent), rng)
        fake = self._generate(latent, label)
        metrics = self._discriminator_step(real, fake.detach(), label, gamma, rng)
        metrics |= self._generator_step(real, fake, label, rng, self._taught(latent, label, fake))
        metrics["augmented"] = self.augmented
        count = len(real) * self.group.size
        self.averages["generator"].update(self.generator, count, shown + count)
        return metrics

    @property
    def augmented(self) -> float:
        """The share of pictures that are changed before the discriminator sees them."""
        asked = self.settings.augment
        return self.augment.share.item() if asked == "auto" else float(asked)

    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Sample the averaged generator with the labels of `pictures`, same noise each time."""
        rng = seeded(self.device.torch, self.seed, 0x5EED)
        latent = torch.randn(
            len(labels), self.settings.latent, generator=rng, device=self.device.torch
        )
        network = self.averages["generator"].network
        with torch.no_grad(), self.device.autocast():
            made = network(latent, labels) if self.conditional else network(latent)
        return made.float()

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the averaged generator."""
        inputs = {"latent": torch.zeros(2, self.settings.latent)}
        if self.conditional:
            inputs["label"] = torch.tensor([0, self.facts.classes - 1])
        network = portable(self.averages["generator"].network)
        graph = Graph("generator", network, inputs, "picture")
        samples = self.preview(*draw(64))
        return Exported(
            [graph],
            samples,
            radius=self.facts.size,
            latent=self.settings.latent,
            labelled=self.conditional,
            tutor=self.settings.teacher and f"a wider generator, {told(self.settings.teacher)}",
        )

    def _generate(self, latent: torch.Tensor, label: torch.Tensor | None) -> torch.Tensor:
        with self.device.autocast():
            made = self.generator(latent) if label is None else self.generator(latent, label)
        return made.float()

    def _score(
        self,
        pictures: torch.Tensor,
        label: torch.Tensor | None,
        rng: torch.Generator,
        each: int = 1,
    ) -> torch.Tensor:
        share = self.augmented
        return self._logits(augment(pictures, share, rng, each) if share else pictures, label)

    def _logits(self, pictures: torch.Tensor, label: torch.Tensor | None) -> torch.Tensor:
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with self.device.autocast():
            if label is None:
                logits = self.discriminator(pictures)
            else:
                logits = self.discriminator(pictures, label)
        return logits.float()

    def _discriminator_step(
        self,
        real: torch.Tensor,
        fake: torch.Tensor,
        label: torch.Tensor | None,
        gamma: float,
        rng: torch.Generator,
    ) -> dict[str, float]:
        self.discriminator.requires_grad_(True)
        if self.settings.loss == "relativistic":
            on_real, on_fake, penalty = score_pairs(
                lambda pictures, labels: self._score(pictures, labels, rng, each=2),
                real,
                fake,
                label,
                max(1, round(self.settings.penalty_share * len(real))),
            )
            loss = relativistic(on_real, on_fake)
        else:  # apart, because batch norm must not see both at once
            on_real, on_fake = self._score(real, label, rng), self._score(fake, label, rng)
            loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
            penalty = torch.zeros_like(loss)
        self._descend("discriminator", loss + gamma / 2 * penalty)
        return {
            "d_loss": loss.item(),
            "penalty": penalty.item(),
            "real_logit": on_real.mean().item(),
            "fake_logit": on_fake.mean().item(),
        }

    def _generator_step(
        self,
        real: torch.Tensor,
        fake: torch.Tensor,
        label: torch.Tensor | None,
        rng: torch.Generator,
        taught: torch.Tensor | None,
    ) -> dict[str, float]:
        self.discriminator.requires_grad_(False)
        on_fake = self._score(fake, label, rng)
        if self.settings.loss == "relativistic":
            with torch.no_grad():
                on_real = self._score(real, label, rng)
            loss = relativistic(on_fake, on_real)
        else:
            loss = F.softplus(-on_fake).mean()
        metrics = {"g_loss": loss.item()}
        if taught is not None:
            loss = loss + TAUGHT * taught
            metrics["from_teacher"] = taught.item()
        self._descend("generator", loss)
        return metrics

    def _taught(
        self, latent: torch.Tensor, label: torch.Tensor | None, fake: torch.Tensor
    ) -> torch.Tensor | None:
        """Return how far pictures are from what the teacher makes of the same noise."""
        if not self.settings.teacher:
            return None
        with torch.no_grad(), self.device.autocast():
            wanted = self.teacher(latent) if label is None else self.teacher(latent, label)
        return (fake - wanted.float()).abs().mean()

    def _descend(self, name: str, loss: torch.Tensor) -> None:
        optimiser = self.optimisers[name]
        optimiser.zero_grad(set_to_none=True)
        self.group.backward(loss, self.modules[name].parameters())
        optimiser.step()

    def _set_rate(self, cosine: float) -> None:
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = self.lr * _mix(cosine, self.settings.lr_end)


def _mix(cosine: float, end: float) -> float:
    return end + (1 - end) * cosine
