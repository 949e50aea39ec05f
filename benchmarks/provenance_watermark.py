"""What the watermark of pictures survives, how often it is seen where there is none, what it costs.

    python benchmarks/provenance_watermark.py                # 90 min on one core
    python benchmarks/provenance_watermark.py --quick        # 5 min: a tenth of the pictures

Marked are pictures that it did not learn from (sr_test, land), photographs as wholes of up to 1024
px, and samples of our own models. Every number is the share in which the right ID is read at a
false-positive rate of 1e-6. JPEG and WebP are Pillow's, at its defaults but for the quality. Rivals
carry 32 bits and count as read from 30 right ones on, which a fair coin gives in 1.2e-7; what was
cut or made small is brought back to its size for them.

Unmarked pictures are each read once under the public key, as `volute verify` reads them.
"""

from __future__ import annotations

import argparse
import io
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

import volute
from volute.data.scenes import scene
from volute.measure import pairs
from volute.provenance.watermark import THREADS, Watermark, open_artefact, resolve

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
LEVEL = 1e-6
LARGEST = 1024
ENOUGH = 30
"""Of 32 bits that must be right."""
Mark = Callable[[np.ndarray, int], np.ndarray]
Read = Callable[[np.ndarray, int], bool]
Attack = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def saved(x: np.ndarray, rng: np.random.Generator, form: str, **options: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(x).save(stream, form, **options)
    return np.asarray(Image.open(stream).convert("RGB"))


def halved(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    image = Image.fromarray(x)
    small = image.resize((image.width // 2, image.height // 2), Image.Resampling.BICUBIC)
    return np.asarray(small.resize(image.size, Image.Resampling.BICUBIC))


def cropped(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Keep half of the area, its aspect, at a random place."""
    height, width = (round(side * 0.5**0.5) for side in x.shape[:2])
    top, left = rng.integers(x.shape[0] - height + 1), rng.integers(x.shape[1] - width + 1)
    return x[top : top + height, left : left + width]


def blurred(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(Image.fromarray(x).filter(ImageFilter.GaussianBlur(1)))


def noisy(x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return in_bytes(x + rng.normal(0, 8, x.shape))


def lit(x: np.ndarray, rng: np.random.Generator, times: float) -> np.ndarray:
    return in_bytes(x * times)


def contrasted(x: np.ndarray, rng: np.random.Generator, times: float) -> np.ndarray:
    return in_bytes(x.mean() + (x - x.mean()) * times)


def in_bytes(x: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(x), 0, 255).astype(np.uint8)


jpeg50 = partial(saved, form="JPEG", quality=50)
ATTACKS: dict[str, Attack] = {
    "clean": lambda x, rng: x,
    "JPEG 50": jpeg50,
    "to half and back": halved,
    "crop, half of the area": cropped,
    "blur, sigma 1": blurred,
    "noise, sigma 8": noisy,
    "brightness + 20 %": partial(lit, times=1.2),
    "brightness - 20 %": partial(lit, times=0.8),
    "contrast + 20 %": partial(contrasted, times=1.2),
    "contrast - 20 %": partial(contrasted, times=0.8),
    "crop, then JPEG 50": lambda x, rng: jpeg50(cropped(x, rng), rng),
    "WebP 80, then PNG": partial(saved, form="WEBP", quality=80),
    "mirrored": lambda x, rng: np.ascontiguousarray(x[:, ::-1]),
}


def ours(model: str) -> tuple[Mark, Read]:
    mark = Watermark(open_artefact(resolve(model)), 1)

    def read(x: np.ndarray, ident: int) -> bool:
        found = mark.read(x)
        return found.p_value <= LEVEL and found.ident == ident

    return mark.embed, read


def rival(method: str) -> tuple[Mark, Read]:
    """Return invisible-watermark, which takes BGR; the ID is repeated in its 32 bits."""
    from imwatermark import WatermarkDecoder, WatermarkEncoder

    def bits(ident: int) -> list[int]:
        return [ident >> k & 1 for k in range(16)] * 2

    def embed(x: np.ndarray, ident: int) -> np.ndarray:
        encoder = WatermarkEncoder()
        encoder.set_watermark("bits", bits(ident))
        return np.ascontiguousarray(encoder.encode(x[..., ::-1].copy(), method)[..., ::-1])

    def read(x: np.ndarray, ident: int) -> bool:
        found = WatermarkDecoder("bits", 32).decode(x[..., ::-1].copy(), method)
        return int(np.equal(found, bits(ident)).sum()) >= ENOUGH

    return embed, read


def robustness(
    name: str, scheme: tuple[Mark, Read], pictures: list[np.ndarray], scale_back: bool
) -> list[str]:
    """Return a row of the table: quality, ms, and the share read after each change."""
    embed, read = scheme
    rng = np.random.default_rng(0)
    quality, right, took = [], dict.fromkeys(ATTACKS, 0), []
    for x in pictures:
        ident = int(rng.integers(1 << 16))
        start = time.perf_counter()
        marked = embed(x, ident)
        took.append((time.perf_counter() - start) * 1e9 / (x.shape[0] * x.shape[1]))
        quality.append((pairs.psnr(x, marked), pairs.ssim(x, marked)))
        for attack, change in ATTACKS.items():
            changed = change(marked, rng)
            if scale_back and changed.shape != x.shape:
                size = x.shape[1], x.shape[0]
                changed = np.asarray(Image.fromarray(changed).resize(size))
            right[attack] += read(changed, ident)
    noise, structure = np.mean(quality, 0)
    shares = [f"{100 * count / len(pictures):.1f}" for count in right.values()]
    return [name, f"{noise:.1f}", f"{structure:.4f}", *shares]


def whole(path: Path) -> np.ndarray:
    image = Image.open(path).convert("RGB")
    image.thumbnail((LARGEST, LARGEST))
    return np.asarray(image)


def marked_pictures(every: int) -> list[np.ndarray]:
    """Return what is marked: 105 of sr_test, 105 of land, 38 photographs, 32 of our own."""
    paths = [*sorted((DATA / "sr_test").glob("*/hr/*")), *unlearned_land()[::16]]
    found = [whole(path) for path in [*paths, *sorted((DATA / "photos").glob("*.jpg"))][::every]]
    return found + own(32 // every, enlarged=True)


def unlearned_land() -> list[Path]:
    """Return the pictures whose number is no multiple of 5: the others were learned from."""
    return [p for p in sorted((DATA / "land").rglob("*.jpg")) if int(p.stem[-2:]) % 5]


def own(count: int, enlarged: bool) -> list[np.ndarray]:
    """Return samples of the shipped GAN, 64 px, or 128 px if enlarged by the shipped network."""
    images = volute.load("land-gan").sample(count, seed=3) if count else []
    if enlarged:
        images = [volute.upscale("photo-x2-fast", image) for image in images]
    return [np.asarray(image.convert("RGB")) for image in images]


def unmarked_pictures(every: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield pictures without a mark, with what kind they are."""
    for path in sorted((DATA / "land").rglob("*.jpg"))[::every]:
        x = whole(path)
        yield "land", x
        yield "thumbnails", np.asarray(Image.fromarray(x).resize((96, 96)))
    for path in sorted((DATA / "photos").glob("*.jpg"))[::every]:
        image = Image.open(path).convert("RGB")
        yield "photographs", whole(path)
        x = np.asarray(image)
        for top in range(0, x.shape[0] - 256, 256):
            for left in range(0, x.shape[1] - 256, 256):
                yield "parts of photographs", x[top : top + 256, left : left + 256]
    for path in sorted((DATA / "sr_test").rglob("*.png"))[::every]:
        if min(Image.open(path).size) >= 64:
            yield "sr_test", whole(path)
    for x in own(1500 // every, False) + own(500 // every, True):
        yield "our own samples", x
    rng = np.random.default_rng(1)
    for _ in range(2000 // every):
        yield "drawn scenes and pages", scene(rng, 256)
    for _ in range(500 // every):
        yield "flat and ramps", flat(rng)


def flat(rng: np.random.Generator) -> np.ndarray:
    """Return one colour, or a ramp between two, some with noise of a few levels."""
    side = int(rng.integers(64, 400))
    share = np.linspace(0, 1, side)[:, None, None] * rng.integers(2) * np.ones((1, side, 1))
    a, b = rng.integers(0, 256, (2, 3))
    grain = rng.normal(0, rng.choice([0, 0, 1, 3]), (side, side, 3))
    return in_bytes(a + (b - a) * share + grain)


def false_positives(model: str, every: int) -> list[list[str]]:
    """Return rows: kind, pictures, least p-value, and how many lie under each level."""
    from scipy.stats import beta

    mark = Watermark(open_artefact(resolve(model)), 1)
    found: dict[str, list[float]] = {}
    for kind, x in unmarked_pictures(every):
        found.setdefault(kind, []).append(mark.read(x).p_value)
    found["all"] = [p for values in found.values() for p in values]
    rows = []
    for kind, values in found.items():
        under = [int(np.sum(np.array(values) <= level)) for level in (1e-2, 1e-4, LEVEL)]
        most = beta.ppf(0.975, under[-1] + 1, len(values) - under[-1])
        rows.append(
            [kind, f"{len(values):,}", f"{min(values):.1e}", *map(str, under), f"{most:.1e}"]
        )
    return rows


def speed(model: str, runs: int = 20) -> str:
    """Return the median ms for a 512 x 512 picture, as it comes with volute."""
    mark = Watermark(open_artefact(resolve(model)), THREADS)
    x = whole(sorted((DATA / "photos").glob("*.jpg"))[0])[:512, :512]
    x = np.asarray(Image.fromarray(x).resize((512, 512)))
    embedding, reading = [], []
    for _ in range(runs):
        for call, times in ((lambda: mark.embed(x, 1), embedding), (lambda: mark.read(x), reading)):
            start = time.perf_counter()
            call()
            times.append((time.perf_counter() - start) * 1e3)
    return f"512 x 512: {np.median(embedding):.0f} ms to embed, {np.median(reading):.0f} ms to read"


def table(model: str = "mark", every: int = 1, rivals: bool = True) -> str:
    """Return all of it as Markdown."""
    pictures = marked_pictures(every)
    rows = [robustness(model, ours(model), pictures, scale_back=False)]
    if rivals:
        large = [x for x in pictures if min(x.shape[:2]) >= 256]  # they refuse smaller ones
        for method in ("dwtDct", "dwtDctSvd"):
            rows.append(robustness(method, rival(method), large, scale_back=True))
    first = ["", "PSNR", "SSIM", *ATTACKS]
    turned = [list(row) for row in zip(first, *rows, strict=True)]
    unmarked = ["unmarked", "pictures", "least p", "<= 1e-2", "<= 1e-4", "<= 1e-6", "at most"]
    return "\n\n".join(
        [
            f"{len(pictures)} pictures, % read at 1e-6",
            markdown(turned[0], turned[1:]),
            markdown(unmarked, false_positives(model, every)),
            speed(model),
        ]
    )


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="mark")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-rivals", action="store_true")
    options = parser.parse_args()
    print(table(options.model, 10 if options.quick else 1, not options.no_rivals))


if __name__ == "__main__":
    main()
