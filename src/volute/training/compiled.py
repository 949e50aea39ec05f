"""Compiling what a step calls, where a trial says that it pays.

`torch.compile` makes one loop of the small operations between products (Ansel et al. 2024, "PyTorch
2", ASPLOS). What that gains depends on network and machine: 1.6 times the speed for a language
model, 0.6 for a VAE on the same CPU. It cannot differentiate twice, so what has penalties stays as
it is.
"""

from __future__ import annotations

import math
import os
import time
import warnings

from volute.errors import VoluteError
from volute.events import Emit, Note
from volute.paths import cache_dir, explained
from volute.training.checkpoint import untouched
from volute.training.feed import Feed
from volute.training.recipe import Batch, Recipe
from volute.training.run import RunConfig

LEAST_S = 20 * 60
"""Budget from which a trial, of a minute or more, is worth it."""
PAYS = 0.9
"""Share of the time that a compiled step must at most take."""
ALIKE = 0.05
"""Share by which the loss of a compiled step may differ: dropout draws otherwise."""
ROUNDS, ENOUGH_S = 6, 10.0
EARLY = 0.1
"""Progress at which steps are tried: learning rates have risen."""


class UnlikeError(Exception):
    """A compiled step has another loss."""


def decided(config: RunConfig, recipe: Recipe, feed: Feed, shown: int, emit: Emit) -> RunConfig:
    """Return the settings with the decision whether to compile, and let `recipe` follow it.

    Args:
        config: what is asked for.
        recipe: with its state.
        feed: begun for it; what comes next is tried on.
        shown: images so far.
        emit: is told what is tried and chosen.

    Raises:
        VoluteError: if it is asked for and fails.
    """
    recipe.compiling = False
    on = _asked(config, recipe, emit) and _pays(config, recipe, feed, shown, emit)
    recipe.compiling = on
    return config.model_copy(update={"compile": "on" if on else "off"})


def _asked(config: RunConfig, recipe: Recipe, emit: Emit) -> bool:
    """Tell whether to try: never by itself where a result is to be reproducible (`kimg`)."""
    alone = recipe.group.size == 1 and not config.recompute
    if config.compile == "auto":
        known = recipe.device.torch.type in ("cpu", "cuda")
        return recipe.compiles and known and alone and config.time_s >= LEAST_S
    if config.compile == "on" and not alone:
        emit(Note("compile", "off: not with several processes, nor with recompute"))
    return config.compile == "on" and alone


def _pays(config: RunConfig, recipe: Recipe, feed: Feed, shown: int, emit: Emit) -> bool:
    """Try it; tell whether it pays, or works if it is asked for."""
    emit(Note("compile", "trying torch.compile: a minute or more"))
    batch = feed.next(recipe.batch, shown)
    _keep_here()
    try:
        with untouched(recipe), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            _compare(recipe, batch)
            return config.compile == "on" or _faster(recipe, batch, emit)
    except Exception as error:  # of a compiler, of what that calls, of a driver
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        if config.compile == "on":
            what = f"the networks of {config.kind} cannot be compiled here: {reason}"
            raise VoluteError(what, "Go on without: -s compile=off") from error
        emit(Note("compile", f"off: {reason}"))
        return False


def _compare(recipe: Recipe, batch: Batch) -> None:
    """Take one step in either way.

    Raises:
        UnlikeError: if their losses differ.
    """
    losses = []
    for compiling in (False, True):
        recipe.compiling = compiling
        with untouched(recipe):
            losses.append(recipe.step(*batch, EARLY, 0)["loss"])
    plain, compiled = losses
    if not math.isclose(plain, compiled, rel_tol=ALIKE):
        raise UnlikeError(f"its loss is {compiled:.4g}, not {plain:.4g}")


def _faster(recipe: Recipe, batch: Batch, emit: Emit) -> bool:
    plain, fused = raced(recipe, batch)
    pays = fused < PAYS * plain
    times = f"{fused * 1000:.3g} ms a step compiled, {plain * 1000:.3g} ms not"
    emit(Note("compile", f"{'on' if pays else 'off'}: {times}"))
    return pays


def raced(recipe: Recipe, batch: Batch) -> tuple[float, float]:
    """Return the seconds of the fastest of some steps as they are, and compiled; taken in turn."""
    best = {False: math.inf, True: math.inf}
    end = time.perf_counter() + ENOUGH_S
    for _ in range(ROUNDS):
        for recipe.compiling in best:
            start = time.perf_counter()
            recipe.step(*batch, EARLY, 0)
            best[recipe.compiling] = min(best[recipe.compiling], time.perf_counter() - start)
        if time.perf_counter() > end:
            break
    return best[False], best[True]


def _keep_here() -> None:
    """Keep what is compiled in a folder of one's own: it is code, and by default goes to /tmp."""
    folder = cache_dir() / "compiled"
    with explained(folder):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
