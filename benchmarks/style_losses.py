"""What a stylised picture is measured by: content and style losses of two networks, and edges.

Features are those of VGG16 (relu1_2, relu2_2, relu3_3) and of SqueezeNet 1.1 (relu1, fire3, fire5,
fire7), each depth scaled to a root mean square of about 1 on photographs.

Style loss: squared differences of channel means and of channel deviations, the mean over channels,
the sum over depths (Huang and Belongie 2017, arXiv:1703.06868, eq. 13; as in MicroAST).
Content loss: squared differences of relu3_3 or fire5, each channel brought to mean 0 and deviation
1 first, so that a style's colours and contrasts do not count against it (as in AdaAttN and AST).
Edges: SSIM of the Sobel magnitudes of the lumas of content and result.

    python benchmarks/style_losses.py --quick         # MicroAST alone
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from squeezenet import SqueezeNet
from volute.measure.pairs import ssim
from volute.nets.microast import MicroAST, as_batch
from volute.nets.vgg import Vgg16

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
SIDE, QUICK_SIDE, QUICK_PHOTOS = 512, 256, 6
LUMA = np.array([0.299, 0.587, 0.114])

Make = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Content and style, uint8 RGB [H, W, 3], to the content in that style."""
Pictures = dict[str, np.ndarray]
Maps = list[torch.Tensor]


@dataclass(frozen=True)
class Losses:
    """Of one pair, or the mean of many."""

    vgg_content: float
    vgg_style: float
    squeeze_content: float
    squeeze_style: float
    edges: float


NAMES = [field.name for field in fields(Losses)]
Table = dict[tuple[str, str], Losses]
"""The losses of each pair of content and style, by their names."""


class Judge:
    """Both networks; what it read of contents and styles it keeps, so that each is read once.

    Args:
        data: the data folder, with `perceptual/`.
    """

    def __init__(self, data: Path = DATA) -> None:
        self.vgg = Vgg16(data / "perceptual" / "vgg16_relu3_3.safetensors")
        self.squeeze = SqueezeNet(data / "perceptual" / "squeezenet1_1.safetensors")

    @torch.inference_mode()
    def read(self, picture: np.ndarray) -> tuple[Maps, Maps]:
        """Return the features of uint8 RGB [H, W, 3] by both networks."""
        batch = as_batch(picture) * 2 - 1
        return self.vgg(batch), self.squeeze(batch)

    def losses(self, made: np.ndarray, content: np.ndarray, style: np.ndarray) -> Losses:
        """Return the losses of one picture."""
        return against(
            self.read(made), relief(made), self.read(content), relief(content), self.style(style)
        )

    def style(self, style: np.ndarray) -> tuple[Maps, Maps]:
        """Return the moments of both networks' features of a style."""
        vgg, squeeze = self.read(style)
        return [moments(x) for x in vgg], [moments(x) for x in squeeze]


def against(
    made: tuple[Maps, Maps],
    made_relief: np.ndarray,
    content: tuple[Maps, Maps],
    content_relief: np.ndarray,
    style: tuple[Maps, Maps],
) -> Losses:
    """Compare what was read of a result with what was read of its content and style."""
    found = []
    for own, wanted, wanted_moments, depth in zip(made, content, style, (-1, 2), strict=True):
        found.append(float((plain(own[depth]) - plain(wanted[depth])).square().mean()))
        pairs = zip(own, wanted_moments, strict=True)
        found.append(sum(2 * float((moments(x) - y).square().mean()) for x, y in pairs))
    return Losses(*found, edges=ssim(made_relief, content_relief))


def moments(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Return the channel means and deviations [2, C]."""
    variance, mean = torch.var_mean(x_BCHW[0], (1, 2))
    return torch.stack([mean, variance.sqrt()])


def plain(x_BCHW: torch.Tensor) -> torch.Tensor:
    """Bring each channel to mean 0 and deviation 1; channels that are all but empty stay small."""
    variance, mean = torch.var_mean(x_BCHW, (2, 3), keepdim=True)
    return (x_BCHW - mean) * (variance + 1e-3).rsqrt()


def relief(picture: np.ndarray) -> np.ndarray:
    """Return the Sobel magnitude of the luma of uint8 RGB, [H - 2, W - 2], 0 to 255 * sqrt(2)."""
    y = picture.astype(np.float64) @ LUMA
    across = y[:, 2:] - y[:, :-2]
    down = y[2:] - y[:-2]
    gx = (across[:-2] + 2 * across[1:-1] + across[2:]) / 4
    gy = (down[:, :-2] + 2 * down[:, 1:-1] + down[:, 2:]) / 4
    return np.hypot(gx, gy)


def measure_pairs(
    makes: dict[str, Make],
    contents: Pictures,
    styles: Pictures,
    judge: Judge,
    watch: Callable[[str], None] = lambda text: None,
) -> dict[str, Table]:
    """Return the losses of each way on every content in every style."""
    read_styles = {name: judge.style(style) for name, style in styles.items()}
    found: dict[str, Table] = {name: {} for name in makes}
    for content_name, content in contents.items():
        watch(content_name)
        read, edges = judge.read(content), relief(content)
        for style_name, style in styles.items():
            for name, make in makes.items():
                made = make(content, style)
                found[name][content_name, style_name] = against(
                    judge.read(made), relief(made), read, edges, read_styles[style_name]
                )
    return found


def mean(table: Iterable[Losses]) -> Losses:
    return Losses(*np.mean([astuple(row) for row in table], axis=0).tolist())


def ratios(ours: Table, theirs: Table) -> Losses:
    """Return the mean over pairs of ours divided by theirs; for edges the difference, ours less."""
    a, b = (np.array([astuple(table[pair]) for pair in theirs]) for table in (ours, theirs))
    return Losses(*np.mean(a[:, :-1] / b[:, :-1], 0).tolist(), float((a - b)[:, -1].mean()))


def of_means(ours: Losses, theirs: Losses) -> Losses:
    """Return our means divided by theirs; for edges the difference."""
    a, b = np.array(astuple(ours)), np.array(astuple(theirs))
    return Losses(*(a[:-1] / b[:-1]).tolist(), float((a - b)[-1]))


def square(path: Path, side: int) -> np.ndarray:
    """Return a content picture: its short side scaled to `side`, its middle cut out."""
    picture = short(path, side)
    top, left = ((length - side) // 2 for length in picture.shape[:2])
    return picture[top : top + side, left : left + side].copy()


def short(path: Path, side: int) -> np.ndarray:
    """Return a picture with its short side scaled to `side`: MicroAST's setting for styles."""
    picture = Image.open(path).convert("RGB")
    scale = side / min(picture.size)
    size = (round(picture.width * scale), round(picture.height * scale))
    return np.array(picture.resize(size, Image.Resampling.BICUBIC))


def photos(count: int, side: int, data: Path = DATA) -> Pictures:
    """Return photographs, evenly taken from those that there are."""
    files = sorted((data / "photos").iterdir())
    chosen = [files[index * len(files) // count] for index in range(min(count, len(files)))]
    return {path.stem: square(path, side) for path in chosen}


def paintings(side: int, folder: Path = DATA / "style" / "paintings") -> Pictures:
    return {path.stem: short(path, side) for path in sorted(folder.iterdir())}


def table(found: dict[str, Losses]) -> str:
    """Return rows of a Markdown table."""
    head = ["", "VGG content", "VGG style", "Squeeze content", "Squeeze style", "SSIM of edges"]
    rows = [f"| {' | '.join(head)} |", "|---|" + "---:|" * len(NAMES)]
    for name, losses in found.items():
        cells = [f"{value:.3f}" for value in astuple(losses)]
        rows.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--photos", type=int, default=38)
    parser.add_argument("--unseen", type=Path, help="a folder of styles in place of the paintings")
    parser.add_argument("--quick", action="store_true", help="6 photographs at 256 px")
    arguments = parser.parse_args()
    count = min(arguments.photos, QUICK_PHOTOS) if arguments.quick else arguments.photos
    side = QUICK_SIDE if arguments.quick else SIDE
    styles = paintings(side, arguments.unseen) if arguments.unseen else paintings(side)
    teacher = MicroAST(DATA / "style" / "microast")
    start = time.perf_counter()
    makes: dict[str, Make] = {"MicroAST": teacher.stylize, "content as it is": lambda c, s: c}
    found = measure_pairs(makes, photos(count, side), styles, Judge())
    print(table({name: mean(rows.values()) for name, rows in found.items()}))
    by_style = {
        name: mean(row for pair, row in found["MicroAST"].items() if pair[1] == name)
        for name in styles
    }
    print("", table(by_style), f"\n{time.perf_counter() - start:.0f} s", sep="\n")


if __name__ == "__main__":
    main()
