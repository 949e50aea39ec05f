"""Distil a small feature network from large ones, on pictures of your own.

    volute train extractor pictures/ --size 160 --time 50m -s name=eye \\
        -s spatial_teacher=vgg16_relu3_3.safetensors -s global_teacher=mobilenetv2_trunk.onnx

Fifty minutes on two cores showed it 69,000 pictures and made `eye`.

After Hinton et al. 2015, arXiv:1503.02531, on features instead of logits; crops, colours and
mixtures are the same for teacher and student (Beyer et al. 2022, arXiv:2106.05237). Each picture
comes twice, the second time distorted: the student learns the features of both and their
difference, so that its distances agree with the teacher's. `benchmarks/eye.py` measures how well
they do.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import nn

from volute.config import Config
from volute.errors import UsageError
from volute.measure.features import OnnxExtractor
from volute.nets.extractor import DEPTHS, WIDTHS, Distance, Embedding, Extractor, unit_distance
from volute.nets.vgg import CHANNELS, Vgg16
from volute.recipes.files import Teacher
from volute.training.augment import flip
from volute.training.device import Device
from volute.training.distort import colour, distort
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

SIDE = 128
"""Of the pictures that the network learns from, in px."""
WINDOW = 64
"""Of the part in which spatial features are compared, another at each step."""


class ExtractorSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    spatial_teacher: Teacher = ""
    """VGG16 up to relu3_3: safetensors with torchvision's names."""
    global_teacher: Teacher = ""
    """ONNX: `image` [n, 3, S, S] RGB in [0, 1] to features [n, `global_features`]."""
    global_features: int = Field(1280, ge=1, le=8192)
    width: int = Field(16, ge=WIDTHS[0], le=WIDTHS[1])
    """Channels of the first stage."""
    batch: int = Field(16, ge=4, le=1024)
    lr: float = Field(2e-3, gt=0)
    global_lr: float = Field(1e-3, gt=0)
    """Of the weights of the global head: its many small targets drown in larger steps."""
    lr_end: float = Field(0.01, gt=0, le=1)
    """Share of the learning rate that is left at the end, by a cosine."""
    warmup: float = Field(0.02, gt=0, lt=1)
    """Share of the budget over which the learning rate rises."""
    weight_decay: float = Field(0.01, ge=0)
    ema_kimg: float = Field(10.0, gt=0)


PRESETS: dict[str, dict[str, object]] = {
    "tiny": {},
    "small": {"width": 24, "batch": 32},
    "base": {"width": 32, "batch": 64},
    "large": {"width": 48, "batch": 128},
}


class ExtractorRecipe(PictureRecipe):
    """The feature network and its step; see `volute.training.recipe.Recipe`."""

    settings: ExtractorSettings

    def __init__(
        self, settings: ExtractorSettings, facts: DataFacts, device: Device, seed: int
    ) -> None:
        super().__init__(settings, facts, device, seed)
        if facts.channels != 3 or facts.size < SIDE:
            raise UsageError(
                f"an extractor learns from RGB pictures of {SIDE} px or more, not from "
                f"{facts.channels} channels at {facts.size} px",
                "Add: --size 160 -s data.mode=RGB",
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = Extractor(settings.width, (*CHANNELS, settings.global_features))
        self.network = device.place(network)
        self.modules = {"extractor": self.network}
        self.averages = {"extractor": Average(self.network, settings.ema_kimg * 1000)}
        head = network.whole.weight
        trunk = [parameter for parameter in network.parameters() if parameter is not head]
        self.optimisers = {
            "trunk": adamw(trunk, settings.lr, settings.weight_decay),
            "global": adamw([head], settings.global_lr, settings.weight_decay),
        }

    def prepare(self) -> None:
        """Read the teachers."""
        path = _given(self.settings.spatial_teacher, "spatial_teacher")
        self.spatial_teacher = self.device.place(Vgg16(path))
        path = _given(self.settings.global_teacher, "global_teacher")
        self.global_teacher = OnnxExtractor(path)
        count = self.global_teacher.dimension
        if count != self.settings.global_features:
            raise UsageError(
                f"the teacher of the global feature gives {count:,} numbers a picture",
                f"Add: -s global_features={count}",
            )

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Take one step towards the teachers' features of pictures and of their distortions."""
        rng = seeded(self.device.torch, self.seed, shown, *self.group.mark)
        settings = self.settings
        for name, lr in (("trunk", settings.lr), ("global", settings.global_lr)):
            rates = (lr, progress, settings.lr_end, settings.warmup)
            set_rate(self.optimisers[name], *rates)
        clean = _varied(pictures, rng)
        x_BCHW = torch.cat([clean, distort(clean, rng)])
        x_BCHW = x_BCHW.contiguous(memory_format=torch.channels_last)
        corner = torch.randint((SIDE - WINDOW) // 4 + 1, (2,), generator=rng, device=rng.device)
        top, left = (4 * corner).tolist()
        seen, whole = self._teach(x_BCHW, top, left)
        with self.device.autocast():
            maps = self.network.maps(x_BCHW)
            compared = [_some(stage) for stage in maps[:DEPTHS]]
            made = self.network.read(_window(compared, top, left))
            embedded = self.network.decide(maps[-1])
        parts = [_compare(m, s) for m, s in zip(made, seen, strict=True)]
        features, changes = torch.stack([torch.stack(part) for part in parts]).mean(0)
        centre = whole.mean(0)
        losses = {
            "features": features,
            "changes": changes,
            "distance": _ratio(_distance(made), _distance(seen)),
            "global": (embedded - whole).square().sum() / (whole - centre).square().sum(),
        }
        loss = losses["features"] + losses["changes"] + losses["distance"] + 4 * losses["global"]
        self.network.zero_grad(set_to_none=True)
        self.group.backward(loss, self.network.parameters())
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        for optimiser in self.optimisers.values():
            optimiser.step()
        count = len(pictures) * self.group.size
        self.averages["extractor"].update(self.network, count, shown + count)
        return {"loss": loss.item()} | {name: value.item() for name, value in losses.items()}

    def preview(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the three strongest directions of the quarter-resolution features as colours."""
        network = self.averages["extractor"].network
        assert isinstance(network, Extractor)
        with torch.no_grad():
            features = network.spatial(_centre(pictures))[-1]
        flat = features.permute(0, 2, 3, 1).flatten(0, 2)
        _, _, axes = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
        colours = (features.permute(0, 2, 3, 1) - flat.mean(0)) @ axes[:3].T
        scaled = colours / (2 * colours.flatten(0, 2).std(0))
        return F.interpolate(scaled.permute(0, 3, 1, 2).clamp(-1, 1), pictures.shape[2:])

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the averaged network, its heads folded: global features, and the distance."""
        average = portable(self.averages["extractor"].network)
        assert isinstance(average, Extractor)
        network = portable(average.folded())
        assert isinstance(network, Extractor)
        picture, another = torch.zeros(2, 2, 3, SIDE, SIDE)
        pair = {"image": picture, "other": another}
        shown = F.interpolate(self.preview(*draw(16)), (40, 40), mode="area")
        return Exported(
            [
                Graph("distance", Distance(network).eval(), pair, "distance", free=True),
                Graph("embedding", Embedding(network).eval(), {"image": picture}, "features"),
            ],
            shown,
            radius=SIDE,
            side=SIDE,
        )

    @torch.no_grad()
    def _teach(
        self, x_BCHW: torch.Tensor, top: int, left: int
    ) -> tuple[list[torch.Tensor], torch.Tensor]:
        """Return the teachers' spatial features in the window and global features [B, D]."""
        with self.device.autocast():
            spatial = _window(self.spatial_teacher(_some(x_BCHW)), top, left)
        side = self.global_teacher.side
        large = F.interpolate(x_BCHW, (side, side), mode="bicubic", align_corners=False)
        image = (large.clamp(-1, 1) * 0.5 + 0.5).contiguous().cpu().numpy()
        whole = torch.from_numpy(self.global_teacher.run(image)).to(self.device.torch)
        return [feature.float() for feature in spatial], whole


def _varied(pictures: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Crop anywhere at any scale to `SIDE`, mirror, recolour a third, distort a third."""
    count, place = len(pictures), pictures.device
    draw = torch.rand(4, count, generator=rng, device=place)
    least = SIDE / 2 / pictures.shape[2]
    share = least + (1 - least) * draw[0]
    zero = torch.zeros_like(share)
    matrix = torch.stack(
        [
            torch.stack([share, zero, (2 * draw[1] - 1) * (1 - share)], 1),
            torch.stack([zero, share, (2 * draw[2] - 1) * (1 - share)], 1),
        ],
        1,
    )
    places = F.affine_grid(matrix, [count, 3, SIDE, SIDE], align_corners=False)
    cropped = F.grid_sample(pictures, places, padding_mode="reflection", align_corners=False)
    cropped = flip(cropped, rng)
    part = count // 3
    strength = torch.rand(part, generator=rng, device=place)
    recoloured = colour(cropped[:part], strength, rng).clamp(-1, 1)
    return torch.cat([recoloured, distort(cropped[part : 2 * part], rng), cropped[2 * part :]])


def _centre(pictures: torch.Tensor) -> torch.Tensor:
    start = (pictures.shape[2] - SIDE) // 2
    return pictures[:, :, start : start + SIDE, start : start + SIDE]


def _some(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Return every other picture, and their distortions, of [2B, ...]: [B, ...].

    Spatial features are learned fast and cost the most.
    """
    before, after = x_BCHW.chunk(2)
    return torch.cat([before[::2], after[::2]])


def _window(features: list[torch.Tensor], top: int, left: int) -> list[torch.Tensor]:
    """Return the part of `WINDOW` px at (top, left) of features at full, 1/2, 1/4 resolution."""
    parts = []
    for depth, feature in enumerate(features):
        side, y, x = WINDOW >> depth, top >> depth, left >> depth
        parts.append(feature[:, :, y : y + side, x : x + side])
    return parts


def _distance(features: list[torch.Tensor]) -> torch.Tensor:
    """Return the distances [B] of pictures from their distortions: the halves of each of [2B]."""
    pairs = [feature.chunk(2) for feature in features]
    return unit_distance([before for before, _ in pairs], [after for _, after in pairs])


def _compare(made: torch.Tensor, wanted: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the error of features, and that of what distortion changes, as shares of these.

    The halves of [2B, C, H, W] are the pictures and their distortions. All distortions count the
    same, however weak.
    """
    error = made - wanted
    before, after = error.chunk(2)
    change_error = _squares(after - before)
    before, after = wanted.chunk(2)
    change = _squares(after - before)
    share = change_error / (change + 0.01 * change.mean())
    return error.square().sum() / wanted.square().sum(), share.mean()


def _squares(x_BCHW: torch.Tensor) -> torch.Tensor:
    return x_BCHW.square().flatten(1).sum(1)


def _ratio(made: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Return the squared logarithm of the ratio of distances [B]."""
    floor = 1e-3
    return ((made + floor) / (wanted + floor)).log().square().mean()


def _given(path: str, setting: str) -> Path:
    if not path:
        raise UsageError(f"an extractor needs the setting {setting}", f"Add: -s {setting}=FILE")
    if not Path(path).is_file():
        raise UsageError(f"{setting}: there is no file {path}")
    return Path(path)
