"""How `eye` agrees with the large networks that it learned from, on pictures it has not seen.

    python benchmarks/eye.py                 # both studies
    python benchmarks/eye.py distances       # the perceptual distance against VGG16's
    python benchmarks/eye.py ranks           # FD-eye against MobileNetV2's Frechet distance

Distances: 60 crops each of photographs of BSDS500, of the 6 photographs and of the aerial pictures
that `eye_pictures.py` held back, each distorted by Pillow in five ways and four strengths. Both
distances are the same function of features (unit length, three depths).

Ranks: generators of differing quality on three sets, from barely trained to shipped. The 2,048 real
pictures of each set are new to `eye` (test pictures; held-back land). It has seen samples of the
shipped generators, and of five that were trained for moments; of digits it has seen nothing.
"""

from __future__ import annotations

import argparse
import io
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageFilter
from scipy.stats import spearmanr

import volute
from eye_pictures import is_held_out
from volute.evaluation import Made
from volute.exports import export_run
from volute.handles import Extractor
from volute.jobs import resume
from volute.measure.features import OnnxExtractor, cached_features, open_extractor
from volute.measure.frechet import frechet_distance
from volute.measure.pairs import psnr, ssim
from volute.nets.extractor import unit_distance
from volute.nets.vgg import Vgg16

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
RUNS = HERE / "results" / "runs"
SIDE, EACH, SAMPLES = 128, 60, 2048

Change = Callable[[Image.Image, float, np.random.Generator], Image.Image]


def noisy(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    pixels = np.asarray(image) + rng.normal(0, strength, (SIDE, SIDE, 3))
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))


def saved(image: Image.Image, quality: float, rng: np.random.Generator) -> Image.Image:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=int(quality))
    return Image.open(stream).convert("RGB")


def shifted(image: Image.Image, pixels: float, rng: np.random.Generator) -> Image.Image:
    moved = np.roll(np.asarray(image), int(pixels), 1)
    moved[:, : int(pixels)] = moved[:, int(pixels) : int(pixels) + 1]
    return Image.fromarray(moved)


def recoloured(image: Image.Image, factor: float, rng: np.random.Generator) -> Image.Image:
    enhance = rng.choice([ImageEnhance.Color, ImageEnhance.Brightness, ImageEnhance.Contrast])
    return enhance(image).enhance(factor)


def blurred(image: Image.Image, radius: float, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


CHANGES: dict[str, tuple[Change, tuple[float, ...]]] = {
    "blur": (blurred, (0.5, 1, 2, 4)),
    "noise": (noisy, (4, 10, 25, 60)),
    "JPEG": (saved, (80, 40, 15, 5)),
    "shift": (shifted, (1, 2, 4, 8)),
    "colour": (recoloured, (0.3, 0.7, 1.3, 2)),
}


def held_out() -> Iterator[tuple[str, Image.Image]]:
    """Yield crops of pictures that `eye` has not seen, with the name of their set."""
    rng = np.random.default_rng(0)
    folders = {"BSDS500": [DATA / "bsds500" / "train"], "photos": [DATA / "photos"]}
    folders["land"] = sorted((DATA / "land").iterdir())
    for name, parts in folders.items():
        files = [
            path
            for part in parts
            for index, path in enumerate(sorted(part.iterdir()))
            if name == "BSDS500" or is_held_out(index)
        ]
        for index in range(EACH):
            picture = Image.open(files[index * len(files) // EACH]).convert("RGB")
            if name == "photos":
                picture = picture.reduce(2 + index % 3)
            left, top = (int(rng.integers(max(1, side - SIDE + 1))) for side in picture.size)
            yield name, picture.crop((left, top, left + SIDE, top + SIDE))


def distances(ref: str) -> None:
    """Print the correlations of the perceptual distance, of PSNR and of SSIM with VGG16's."""
    network = volute.load(ref)
    assert isinstance(network, Extractor)
    teacher = Vgg16(DATA / "perceptual" / "vgg16_relu3_3.safetensors")
    rng = np.random.default_rng(1)
    rows: list[tuple[str, str, float, float, float, float]] = []
    for name, picture in held_out():
        whole = np.asarray(picture)
        for kind, (change, strengths) in CHANGES.items():
            for strength in strengths:
                other = np.asarray(change(picture, strength, rng))
                rows.append(
                    (
                        name,
                        kind,
                        vgg_distance(teacher, whole, other),
                        network.distance(whole, other),
                        -psnr(whole, other),
                        -ssim(whole, other),
                    )
                )
    print(f"\n{len(rows):,} pairs of {SIDE} px; correlations with the distance of VGG16\n")
    print("| pairs | number | eye, linear | eye, ranks | PSNR, ranks | SSIM, ranks |")
    print("|---|---:|---:|---:|---:|---:|")
    print(line("all", rows))
    for column in (1, 0):
        for group in dict.fromkeys(row[column] for row in rows):
            print(line(group, [row for row in rows if row[column] == group]))


def vgg_distance(teacher: Vgg16, a: np.ndarray, b: np.ndarray) -> float:
    both = torch.from_numpy(np.stack([a, b])).permute(0, 3, 1, 2).float() / 127.5 - 1
    features = teacher(both)
    return float(unit_distance([f[:1] for f in features], [f[1:] for f in features]))


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(spearmanr(a, b).statistic)


def line(name: str, rows: list[tuple]) -> str:
    values = np.array([row[2:] for row in rows])
    finite = np.isfinite(values).all(1)
    wanted, eye, noise, structure = values[finite].T
    cells = [
        f"{np.corrcoef(wanted, eye)[0, 1]:.3f}",
        *(f"{rank_correlation(wanted, other):.3f}" for other in (eye, noise, structure)),
    ]
    return f"| {name} | {finite.sum():,} | {' | '.join(cells)} |"


# Each kind is trained to the first budget, exported, resumed to the next, and so on.
BUDGETS = {
    "garments": {"gan": (1, 3, 8, 20, 60), "vae": (2, 20, 80), "classic": (3, 15)},
    "digits": {"gan": (1, 3, 8, 20, 60), "vae": (2, 20, 80), "classic": (3, 15)},
    "land": {"gan": (3, 8, 20, 40), "vae": (4, 30), "classic": (3, 10)},
}
SOURCES = {"garments": "fashion_mnist.npz", "digits": "mnist.npz", "land": "land"}
SHIPPED = {"garments": ("garments-gan", "garments-vae"), "land": ("land-gan",), "digits": ()}


def generators(name: str) -> Iterator[str]:
    """Yield the models of a set, training those that are not there yet."""
    crop = {"data": {"crop": "tiles"}} if name == "land" else {}
    for kind, budgets in BUDGETS[name].items():
        run = RUNS / f"eye-{name}-{kind}"
        for budget in budgets:
            model = RUNS / f"eye-{name}-{kind}-{budget}kimg"
            if not model.exists():
                print("training", model.name, flush=True)
                if run.exists():
                    resume(run, kimg=budget)
                else:
                    volute.train(
                        "vae" if kind == "vae" else "gan",
                        DATA / SOURCES[name],
                        preset="classic" if kind == "classic" else "tiny",
                        size=64 if name == "land" else 28,
                        kimg=budget,
                        seed=5,
                        out=run,
                        settings=crop,
                    )
                export_run(run, model)
            yield str(model)
    yield from SHIPPED[name]


def unseen(name: str) -> np.ndarray:
    """Return real pictures that `eye` has not learned from: uint8 [N, H, W, C]."""
    if name != "land":
        return np.load(DATA / SOURCES[name])["x_test"][..., None]
    tiles = []
    for folder in sorted((DATA / "land").iterdir()):
        for index, path in enumerate(sorted(folder.iterdir())):
            if is_held_out(index):
                array = np.asarray(Image.open(path).convert("RGB"))[:256, :256]
                rows = range(0, array.shape[0] - 63, 64), range(0, array.shape[1] - 63, 64)
                tiles += [array[y : y + 64, x : x + 64] for y in rows[0] for x in rows[1]]
    return np.stack(tiles)


def ranks(ref: str, trunk: Path) -> None:
    """Print both Frechet distances of every generator, and how their orders agree."""
    eye, teacher = open_extractor(ref), OnnxExtractor(trunk)
    table: dict[str, list[tuple[str, float, float]]] = {}
    for name in BUDGETS:
        pictures = unseen(name)
        order = np.random.default_rng(0).permutation(len(pictures))[: 2 * SAMPLES]
        real, floor = pictures[order[:SAMPLES]], pictures[order[SAMPLES:]]
        sets = {"real pictures": floor}
        for model in generators(name):
            handle = volute.load(model)
            sets[Path(model).name.removeprefix("eye-")] = np.concatenate(
                list(Made(handle, SAMPLES, 1).blocks())
            )
        table[name] = [
            (
                made,
                *(
                    frechet_distance(cached_features(one, x), cached_features(one, real))
                    for one in (eye, teacher)
                ),
            )
            for made, x in sets.items()
        ]
    show_ranks(table, eye.sha256, teacher.sha256)


def show_ranks(table: dict[str, list[tuple[str, float, float]]], eye: str, teacher: str) -> None:
    print(f"\n{SAMPLES:,} samples each; eye {eye[:16]}, MobileNetV2 {teacher[:16]}\n")
    print("| set | pictures | FD-eye | Frechet distance (MobileNetV2) |")
    print("|---|---|---:|---:|")
    for name, rows in table.items():
        for made, own, wanted in sorted(rows, key=lambda row: row[2]):
            print(f"| {name} | {made} | {own:.2f} | {wanted:.1f} |")
    print("\n| set | generators | rank correlation | linear, of logarithms |")
    print("|---|---:|---:|---:|")
    everything = {"all": [row for rows in table.values() for row in rows]}
    for name, rows in (table | everything).items():
        own, wanted = np.array([row[1:] for row in rows if row[0] != "real pictures"]).T
        logs = np.corrcoef(np.log(own), np.log(wanted))[0, 1]
        print(f"| {name} | {len(own)} | **{rank_correlation(own, wanted):.3f}** | {logs:.3f} |")
    kept = HERE / "results" / "eye.json"
    kept.write_text(json.dumps(table, indent=1), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("study", nargs="?", choices=("distances", "ranks"))
    parser.add_argument("--model", default="eye", help="a shipped name, a run or an artefact")
    parser.add_argument(
        "--trunk", type=Path, default=DATA / "perceptual" / "mobilenetv2_trunk.onnx"
    )
    arguments = parser.parse_args()
    if arguments.study != "ranks":
        distances(arguments.model)
    if arguments.study != "distances":
        ranks(arguments.model, arguments.trunk)


if __name__ == "__main__":
    main()
