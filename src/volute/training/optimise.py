"""Style transfer by optimisation: the pixels themselves are learned, for one picture.

Gatys, Ecker and Bethge 2016, "Image style transfer using convolutional neural networks", from
coarse to fine as in their 2017 paper on its control, arXiv:1611.07865. It takes minutes where a
network takes moments, and is what fast networks are measured against.

As there, pooling is by average: a gradient through the greatest of four pixels leaves a grid in the
picture. The style is the mean and covariance of features, Gram matrices that do not mix the two:
with means and deviations alone its strokes lose their shape. L-BFGS reaches a lower loss than Adam
in as many steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from volute.errors import UsageError
from volute.events import Emit, Progress, silent
from volute.nets.extractor import load_extractor
from volute.nets.vgg import Vgg16
from volute.training.goal import CONTENT_DEPTH, Features, Goal
from volute.training.recipe import seeded

LEVELS = (0.25, 0.5, 1.0)
"""Sides at which the picture is optimised in turn, as shares of the whole."""
STEPS = 180
SMALLEST = 32
"""Shortest side in px of what is optimised, and of a style."""
NOISE = 0.1
"""Deviation of what is added to the content at the start: flat areas have no gradient."""
CHUNK, HISTORY = 10, 20
"""Evaluations of the loss between two looks at the clock; steps that L-BFGS remembers."""
Watch = Callable[[int, dict[str, float], torch.Tensor], bool]
"""Is given the evaluations done, the losses and the picture; says whether to stop."""


def optimise(
    content: torch.Tensor,
    style: torch.Tensor,
    features: Features,
    *,
    strength: float = 1.0,
    steps: int = STEPS,
    seed: int = 0,
    watch: Watch = lambda done, losses, picture: False,
) -> torch.Tensor:
    """Return the content in the style, [1, 3, H, W] in [-1, 1].

    The loss is `strength` * (style + COLOURS * colours + BANDS * bands) + CONTENT * content, each
    relative to the size of what is wanted. Colours are the mean and covariance of the pixels; bands
    are covariances, over luma and colour, of the differences of neighbours: they let the result
    have no more noise than the style has, as total variation would, yet keep its strokes.

    Args:
        content: [1, 3, H, W] in [-1, 1]; 32 px a side or more.
        style: [1, 3, h, w], the same; its scale is that at which strokes come out.
        features: what style and content are read by.
        strength: weight of the style, 0 or more; 1 is usual.
        steps: evaluations of the loss, in all.
        seed: of the noise at the start. The same seed gives the same picture.
        watch: called every few evaluations; returning True ends the work with what is there.

    Raises:
        UsageError: if `strength` is negative, `steps` under 1, or a picture too small.
    """
    _check(content, style, strength, steps)
    noise = torch.randn(content.shape, generator=seeded(torch.device("cpu"), seed))
    picture = content + NOISE * noise.to(content)
    done = 0
    for index, share in enumerate(LEVELS):
        goal = Goal(_scaled(content, share), _scaled(style, share), features, strength)
        picture = F.interpolate(picture, size=goal.size, mode="bicubic", antialias=True)
        until = steps * (index + 1) // len(LEVELS)
        picture, done, stopped = _descend(picture, goal, done, until, watch)
        if stopped:
            break
    whole = F.interpolate(picture, size=content.shape[-2:], mode="bicubic", antialias=True)
    return whole.clamp(-1, 1)


def optimise_picture(
    content: np.ndarray,
    style: np.ndarray,
    *,
    side: int = 512,
    strength: float = 1.0,
    steps: int = STEPS,
    seed: int = 0,
    vgg: Path | None = None,
    emit: Emit = silent,
    preview: Callable[[np.ndarray], None] = lambda picture: None,
    stop: Callable[[], bool] = lambda: False,
) -> np.ndarray:
    """Return a picture in a style, of the content's size and type.

    It is worked on with its longer side at `side` px or its own, if that is less, and enlarged to
    its size after. The style's shorter side is brought to that of the picture, never enlarged.

    Args:
        content: RGB [H, W, 3], uint8, or floats in [0, 1].
        style: uint8 RGB [h, w, 3].
        side: longer side in px that is worked on; time and memory grow with its square.
        strength, steps, seed: as of `optimise`.
        vgg: VGG16 up to relu3_3 as safetensors; None for the shipped `eye`.
        emit: is told how far the work is, every few evaluations.
        preview: is given the picture so far with it, uint8, at the size that is worked on.
        stop: asked as often; True ends the work with what is there.

    Raises:
        UsageError: if an argument is out of range, or `vgg` holds another network.
    """
    check(side, strength, steps)
    start = time.perf_counter()
    whole = _batch(content)
    small = _resized(whole, min(1.0, side / max(whole.shape[-2:])))
    drawn = _batch(style)
    drawn = _resized(drawn, min(1.0, min(small.shape[-2:]) / min(drawn.shape[-2:])))

    def watch(done: int, losses: dict[str, float], picture: torch.Tensor) -> bool:
        passed = time.perf_counter() - start
        left = passed * (steps - done) / done
        emit(Progress(done, done / steps, done / passed, left, losses, "steps"))
        preview(_pixels(picture))
        return stop()

    made = optimise(
        small, drawn, features_of(vgg), strength=strength, steps=steps, seed=seed, watch=watch
    )
    made = F.interpolate(made, whole.shape[-2:], mode="bicubic").clamp(-1, 1)
    if content.dtype == np.uint8:
        return _pixels(made)
    return ((made[0].permute(1, 2, 0) + 1) / 2).contiguous().numpy()


def features_of(vgg: Path | None = None) -> Features:
    """Return what styles are read by: VGG16 of a file, or `eye`; both with average pooling.

    Raises:
        UsageError: if the file does not hold VGG16 up to relu3_3.
    """
    if vgg is not None:
        teacher = Vgg16(vgg)
        _averaging(teacher)
        return teacher
    network = load_extractor()
    _averaging(network)

    def features(x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        maps = network.maps(x_BCHW)
        return network.read(maps[:CONTENT_DEPTH]) + maps[CONTENT_DEPTH:]

    return features


def _descend(
    start: torch.Tensor, goal: Goal, done: int, until: int, watch: Watch
) -> tuple[torch.Tensor, int, bool]:
    """Return the picture after evaluation `until`, how many were done, and whether to stop."""
    picture = start.detach().clone().requires_grad_(True)
    optimiser = torch.optim.LBFGS(
        [picture],
        tolerance_grad=0.0,
        tolerance_change=0.0,
        history_size=HISTORY,
        line_search_fn="strong_wolfe",
    )
    losses: dict[str, float] = {}

    def closure() -> torch.Tensor:
        nonlocal done, losses
        parts = goal(picture)
        (picture.grad,) = torch.autograd.grad(parts["loss"], picture)
        losses = {name: part.item() for name, part in parts.items()}
        done += 1
        return parts["loss"].detach()

    while done < until:
        before = done
        limit = min(CHUNK, until - done)
        optimiser.param_groups[0].update(max_iter=limit, max_eval=limit)
        optimiser.step(closure)
        if watch(min(done, until), losses, picture.detach()):
            return picture.detach(), done, True
        if done == before + 1 < until:  # nowhere lower to go: only the start was evaluated
            break
    return picture.detach(), until, False


def check(side: int, strength: float, steps: int) -> None:
    """Raise UsageError for what cannot be; see `optimise_picture`."""
    if side < SMALLEST:
        raise UsageError(f"side = {side} px is too small", f"Give {SMALLEST} px or more.")
    if not strength >= 0:
        raise UsageError(f"strength = {strength} is out of range", "Give 0 or more; 1 is usual.")
    if steps < 1:
        raise UsageError(f"steps = {steps} is out of range", f"Give 1 or more, such as {STEPS}.")


def _check(content: torch.Tensor, style: torch.Tensor, strength: float, steps: int) -> None:
    check(SMALLEST, strength, steps)
    for name, picture in (("content", content), ("style", style)):
        height, width = picture.shape[-2:]
        if min(height, width) < SMALLEST:
            hint = f"Give {SMALLEST} px a side or more."
            raise UsageError(f"the {name} of {width} x {height} px is too small", hint)


def _scaled(x_BCHW: torch.Tensor, share: float) -> torch.Tensor:
    """Scale to a share of the size, though to no side under SMALLEST."""
    share = max(share, SMALLEST / min(x_BCHW.shape[-2:]))
    size = [round(length * share) for length in x_BCHW.shape[-2:]]
    return F.interpolate(x_BCHW, size=size, mode="bicubic", antialias=True)


def _averaging(network: nn.Module) -> None:
    """Replace pooling by the greatest with pooling by average."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                setattr(module, name, nn.AvgPool2d(child.kernel_size))


def _resized(x_BCHW: torch.Tensor, share: float) -> torch.Tensor:
    """Scale a picture, to SMALLEST px a side or more."""
    size = [max(SMALLEST, round(length * share)) for length in x_BCHW.shape[-2:]]
    return F.interpolate(x_BCHW, size, mode="bicubic", antialias=True).clamp(-1, 1)


def _batch(picture_HWC: np.ndarray) -> torch.Tensor:
    white = 255 if picture_HWC.dtype == np.uint8 else 1
    planes = torch.from_numpy(np.array(picture_HWC)).permute(2, 0, 1)[None].float()
    return planes / white * 2 - 1


def _pixels(x_BCHW: torch.Tensor) -> np.ndarray:
    values = ((x_BCHW[0].clamp(-1, 1) + 1) * 127.5).round().byte()
    return values.permute(1, 2, 0).cpu().contiguous().numpy()
