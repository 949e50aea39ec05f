"""What was found in a network, as pictures: heat in colours, features of a stage on one sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from volute.handles.pictures import grid, to_bytes, to_floats, to_images
from volute.visualize.attribution import grad_cam, occlusion
from volute.visualize.maximise import maximised
from volute.visualize.network import Visible
from volute.visualize.patches import strongest_patches

SHOWN = 6
CELL = 132
COLOURS = np.array(
    [[10, 8, 30], [88, 24, 110], [187, 55, 84], [249, 142, 9], [252, 255, 164]], np.float64
)
"""From cold to hot."""


@dataclass(frozen=True)
class Stage:
    """The channels of one stage that the picture excites most."""

    side: int
    width: int
    """How many channels the stage has."""
    channels: tuple[int, ...]
    maps: list[Image.Image]
    """Where in the picture each is excited."""
    wanted: list[Image.Image]
    """What excites each most, drawn by activation maximisation."""
    patches: list[Image.Image]
    """Nine patches of the data that excite each most; empty without data."""

    def sheet(self) -> Image.Image:
        """Return all of it on one picture, a column for each channel."""
        return grid([*self.maps, *self.wanted, *self.patches], columns=len(self.channels))


@dataclass(frozen=True)
class Decision:
    """What the network says of the picture, and which pixels made it say so."""

    ranking: list[tuple[str, float]]
    """Classes with probabilities (a classifier) or logits (a discriminator), highest first."""
    cam: Image.Image
    hidden: Image.Image


def stages(network: Visible, picture_HWC: np.ndarray, data: np.ndarray | None) -> list[Stage]:
    """Return the strongest features of each stage for a picture uint8 [size, size, C].

    `data`, uint8 [N, size, size, C], is where the patches come from.
    """
    x_BCHW = torch.from_numpy(to_floats(picture_HWC[None]))
    with torch.no_grad():
        maps = [found[0] for found in network.maps(x_BCHW)]
    chosen = [_strongest(found) for found in maps]
    patches = strongest_patches(network, data, chosen) if data is not None else None
    result = []
    for index, (found, channels) in enumerate(zip(maps, chosen, strict=True)):
        wanted = to_bytes(maximised(network, index, channels).numpy())
        result.append(
            Stage(
                found.shape[-1],
                len(found),
                tuple(channels),
                [_cell(painted(_unit(found[channel]))) for channel in channels],
                [_cell(image) for image in to_images(wanted)],
                [_nine(part) for part in patches[index]] if patches else [],
            )
        )
    return result


def decision(network: Visible, picture_HWC: np.ndarray) -> Decision | None:
    """Return what decided over a picture uint8 [size, size, C]; None for an encoder."""
    if network.decide is None:
        return None
    x_CHW = torch.from_numpy(to_floats(picture_HWC[None]))[0]
    with torch.no_grad():
        logits = network.decide(network.maps(x_CHW[None])[-1])[0]
    numbers = logits.softmax(0) if network.part == "classifier" else logits
    order = numbers.argsort(descending=True).tolist()
    heats = [find(network, network.decide, x_CHW, order[0]) for find in (grad_cam, occlusion)]
    cam, hidden = (_over(picture_HWC, heat.numpy()) for heat in heats)
    ranking = [(network.classes[index], float(numbers[index])) for index in order]
    return Decision(ranking, cam, hidden)


def painted(heat_HW: np.ndarray) -> Image.Image:
    """Return numbers in [0, 1] as colours from cold to hot."""
    place = heat_HW.clip(0, 1) * (len(COLOURS) - 1)
    low = np.minimum(place.astype(int), len(COLOURS) - 2)
    share = (place - low)[..., None]
    colours = COLOURS[low] * (1 - share) + COLOURS[low + 1] * share
    return Image.fromarray(np.rint(colours).astype(np.uint8))


def _strongest(maps_CHW: torch.Tensor) -> list[int]:
    peaks = maps_CHW.flatten(1).max(1).values
    return peaks.topk(min(SHOWN, len(peaks))).indices.tolist()


def _unit(values_HW: torch.Tensor) -> np.ndarray:
    low, high = values_HW.min(), values_HW.max()
    return ((values_HW - low) / (high - low).clamp(min=1e-12)).numpy()


def _over(picture_HWC: np.ndarray, heat_HW: np.ndarray) -> Image.Image:
    """Lay heat over a picture in grey: what is cold stays grey."""
    (image,) = to_images(picture_HWC[None])
    grey, colours = image.convert("L").convert("RGB"), painted(heat_HW)
    share = Image.fromarray(np.rint(heat_HW * 190).astype(np.uint8))
    return _cell(Image.composite(colours, grey, share), 2 * CELL)


def _nine(patches: list[np.ndarray]) -> Image.Image:
    side = CELL // 3
    images = [image.convert("RGB").resize((side, side)) for image in map(_image, patches)]
    images += [Image.new("RGB", (side, side), "white")] * (9 - len(images))
    return _cell(grid(images, columns=3))


def _image(pixels_HWC: np.ndarray) -> Image.Image:
    (image,) = to_images(pixels_HWC[None])
    return image


def _cell(image: Image.Image, side: int = CELL) -> Image.Image:
    return image.convert("RGB").resize((side, side), Image.Resampling.BICUBIC)
