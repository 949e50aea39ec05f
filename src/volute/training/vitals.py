"""What a doctor measures of a training: signs that cost little.

Of weights: how far they moved and how large they grew. Of pictures that are made from noise:
features of the shipped extractor, beside those of pictures that are learned from.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from volute.measure.features import FeatureExtractor, open_extractor
from volute.training.feed import Feed
from volute.training.recipe import LOOK, PictureRecipe, Recipe

MOST_KNOWN = 1024
"""Pictures learned from among which copies are looked for."""


class Weights:
    """How the weights of the networks move."""

    def __init__(self, recipe: Recipe) -> None:
        learned = {
            id(parameter)
            for optimiser in recipe.optimisers.values()
            for group in optimiser.param_groups
            for parameter in group["params"]
        }
        self._modules = {
            name: module
            for name, module in recipe.modules.items()
            if any(id(parameter) in learned for parameter in module.parameters())
        }
        self._before = {name: _flat(module) for name, module in self._modules.items()}
        self._first = {name: vector.norm() for name, vector in self._before.items()}

    def signs(self, steps: int) -> dict[str, float]:
        """Return for each network three numbers, after `steps` steps since the last call.

        `moved` is how far its weights went, `gradient` how long its last gradient is (both over
        the weights' length, the first over the square root of the steps, as of a walk at random),
        `grown` how much longer the weights are than at first.
        """
        found = {}
        for name, module in self._modules.items():
            now = _flat(module)
            length = now.norm().clamp(min=1e-12)
            moved = (now - self._before[name]).norm() / length / math.sqrt(max(steps, 1))
            found[f"{name}.moved"] = moved.item()
            found[f"{name}.grown"] = (length / self._first[name].clamp(min=1e-12)).item()
            found[f"{name}.gradient"] = (_gradient(module) / length).item()
            self._before[name] = now
        return found


class Gallery:
    """Made pictures beside real ones, in the features of an extractor."""

    def __init__(self, recipe: PictureRecipe, feed: Feed) -> None:
        self._recipe, self._feed = recipe, feed
        self._threads = recipe.device.threads
        self._known = np.empty((0, 0), np.float32)
        self._extract: FeatureExtractor | None = None

    def own(self, shown: int) -> dict[str, float]:
        """Return the signs that the recipe itself knows of."""
        seen, unseen = self._feed.draw(LOOK, shown), self._feed.unseen(LOOK, shown)
        return self._recipe.vitals(seen, unseen, shown)

    def signs(self, shown: int) -> dict[str, float]:
        """Return how varied and how new pictures are that the network makes now.

        `variety` is the variance of their features over that of real pictures, `groups` how many
        of the neighbourhoods of 64 real pictures they reach, over how many others do, `copies` how
        much nearer than held-out pictures they lie to what is learned from: 0 is as far, 1 a copy.
        """
        made = self._recipe.made(self._feed.draw(LOOK, shown), shown)
        if made is None or not torch.isfinite(made).all():
            return {}
        if not len(self._known):
            self._begin()
        features = self._features(made)
        found = {
            "variety": _variance(features) / max(self._variance, 1e-9),
            "groups": _reached(features, self._marks) / self._reached,
        }
        return found | self._copies(features)

    def _begin(self) -> None:
        self._extract = open_extractor(threads=self._threads)
        self._marks = self._features(self._feed.draw(LOOK, 0)[0])
        others = self._features(self._feed.draw(LOOK, LOOK)[0])
        self._known = np.concatenate([self._marks, others])
        few = self._feed.learned <= MOST_KNOWN
        self._unseen = self._features(self._feed.unseen(LOOK if few else 0, 0)[0])
        self._variance, self._reached = _variance(others), _reached(others, self._marks)

    def _copies(self, features: np.ndarray) -> dict[str, float]:
        """Compare with all that is learned from, once all of it is known."""
        if not len(self._unseen):
            return {}
        if len(self._known) < self._feed.learned:
            more = self._features(self._feed.draw(LOOK, len(self._known))[0])
            self._known = np.concatenate([self._known, more])
            return {}
        usual = np.median(_nearest(self._unseen, self._known))
        return {"copies": 1 - float(np.median(_nearest(features, self._known)) / usual)}

    def _features(self, pictures: torch.Tensor) -> np.ndarray:
        assert self._extract is not None
        pixels = ((pictures.float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        return self._extract(np.ascontiguousarray(pixels.permute(0, 2, 3, 1).numpy()))


def _flat(module: nn.Module) -> torch.Tensor:
    return torch.cat([p.detach().float().flatten() for p in module.parameters()])


def _gradient(module: nn.Module) -> torch.Tensor:
    parts = [p.grad.float().norm() for p in module.parameters() if p.grad is not None]
    return torch.stack(parts).norm() if parts else torch.zeros(())


def _variance(features: np.ndarray) -> float:
    return float(features.var(0).sum())


def _squares(rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    return ((rows**2).sum(1)[:, None] + (among**2).sum(1) - 2 * rows @ among.T).clip(min=0)


def _nearest(rows: np.ndarray, among: np.ndarray) -> np.ndarray:
    return np.sqrt(_squares(rows, among).min(1))


def _reached(features: np.ndarray, marks: np.ndarray) -> float:
    """Return the effective number of marks that are the nearest of some row."""
    counts = np.bincount(_squares(features, marks).argmin(1))
    share = counts[counts > 0] / len(features)
    return float(np.exp(-(share * np.log(share)).sum()))
