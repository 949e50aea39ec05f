"""How surely traces of networks are found, in what is left out first, and where there are none.

    python benchmarks/provenance_detector.py                   # 35 min on one quiet core
    python benchmarks/provenance_detector.py --parts real      # 3 min: false alarms alone
    python benchmarks/provenance_detector.py data FOLDER       # what the shipped one learns from

For each family of up-samplers that is left out, a detector learns from the other three, with the
command and the data of the shipped one; it then sees pictures that new networks of that family made
anew: one each from 1/2, 1/4 and 1/8 of the sides. No picture is one that was learned
from: parts of each sixth of `photos`, of each seventh of `land`, of BSDS500 and BSD100.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageFilter

import volute
from volute.jobs import train
from volute.nets.remaker import FAMILIES, Remaker, drawn
from volute.provenance.detector import LARGE, Detector, open_artefact, resolve
from volute.recipes.detector import learn
from volute.recipes.known import auc

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
SIDE, MARGIN = 256, 16
FACTORS = (2, 4, 8)
REMAKERS, STEPS, BATCH, PART = 3, 250, 8, 48
PARTS = ("left-out", "families", "ours", "real")
Pictures = list[np.ndarray]
Change = Callable[[np.ndarray], np.ndarray]


def files(held: bool) -> dict[str, list[Path]]:
    """Return what is learned from, or what is measured on."""
    photos = sorted((DATA / "photos").glob("*.jpg"))
    found = {"photos": [p for k, p in enumerate(photos) if (k % 6 == 5) == held], "land": []}
    for folder in sorted((DATA / "land").iterdir()):
        of_class = sorted(folder.glob("*.jpg"))
        found["land"] += [p for k, p in enumerate(of_class) if (k % 7 == 6) == held]
    return found


def lay_out(folder: Path) -> None:
    """Link what is learned from into a folder, each source in its own."""
    for source, paths in files(held=False).items():
        (folder / source).mkdir(parents=True, exist_ok=True)
        for path in paths:
            (folder / source / path.name).symlink_to(path.resolve())


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def parts(picture: np.ndarray, side: int, most: int) -> Pictures:
    """Return squares, evenly picked from all that there are."""
    rows, columns = (length // side for length in picture.shape[:2])
    places = [(y * side, x * side) for y in range(rows) for x in range(columns)]
    picked = places[:: max(1, len(places) // most)][:most]
    return [picture[y : y + side, x : x + side] for y, x in picked]


def saved(x: np.ndarray, form: str = "JPEG", **options: int) -> np.ndarray:
    stream = io.BytesIO()
    Image.fromarray(x).save(stream, form, **options)
    return np.asarray(Image.open(stream).convert("RGB"))


def resized(x: np.ndarray, share: float) -> np.ndarray:
    size = round(x.shape[1] * share), round(x.shape[0] * share)
    return np.asarray(Image.fromarray(x).resize(size, Image.Resampling.BICUBIC))


def jpeg(quality: int) -> Change:
    return lambda x: saved(x, quality=quality)


def filtered(kind: ImageFilter.Filter) -> Change:
    return lambda x: np.asarray(Image.fromarray(x).filter(kind))


SAVED: dict[str, Change] = {
    "as it is": lambda x: x,
    "JPEG 95": jpeg(95),
    "JPEG 85": jpeg(85),
    "JPEG 75": jpeg(75),
}
EDITED: dict[str, Change] = {
    "WebP 80": lambda x: saved(x, "WEBP", quality=80),
    "JPEG 60": jpeg(60),
    "to 0.7, JPEG 85": lambda x: saved(resized(x, 0.7), quality=85),
    "doubled, bicubic, JPEG 85": lambda x: saved(resized(x, 2), quality=85),
    "doubled by repeating": lambda x: x.repeat(2, 0).repeat(2, 1),
    "blurred, sigma 1": filtered(ImageFilter.GaussianBlur(1)),
    "sharpened": filtered(ImageFilter.UnsharpMask(2, 150, 0)),
}


def scored(detector: Detector, pictures: Pictures, change: Change) -> tuple[np.ndarray, list[str]]:
    """Return the score of each picture and its answer."""
    small = min(pictures[0].shape[:2]) < LARGE
    logits = [detector.logits(change(x)) for x in pictures]
    answers = [detector.judge(x, small).answer for x in logits]
    return np.array([np.median(x) for x in logits]), answers


def remade(family: str, pictures: Pictures, learned: torch.Tensor) -> Pictures:
    """Return the pictures made anew, each by one of some new networks of a family."""
    draw, rng = np.random.default_rng(FAMILIES.index(family) + 100), torch.Generator()
    made: Pictures = [np.empty(0)] * len(pictures)
    for number in range(REMAKERS):
        torch.manual_seed(1000 + number)
        plan = replace(drawn(draw, (family,)), factor=FACTORS[number % len(FACTORS)])
        network = Remaker(plan)
        optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
        for _ in range(STEPS):
            which = draw.choice(len(learned), BATCH, False)
            top, left = draw.integers(0, SIDE - PART + 1, 2)
            part = learned[which, :, top : top + PART, left : left + PART]
            off = learn(network, optimiser, part.float() / 127.5 - 1, rng)
        print(f"<!-- {network.plan}: off by {off:.3f} -->", flush=True)
        for k in range(number, len(pictures), REMAKERS):
            x = torch.from_numpy(pictures[k].copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
            with torch.no_grad():
                y = network(F.pad(x, [MARGIN] * 4, mode="reflect"), rng)
            y = y[0, :, MARGIN:-MARGIN, MARGIN:-MARGIN].permute(1, 2, 0).clamp(-1, 1)
            made[k] = ((y + 1) * 127.5).round().byte().numpy()
    return made


def row(name: str, detector: Detector, real: Pictures, made: Pictures, apart: int = 1) -> None:
    """Print how well `made` is told from `real`, saved alike, and what is said of it.

    With `apart`, also of each so many of them by themselves.
    """
    theirs = [scored(detector, real, change)[0] for change in SAVED.values()]
    mine = [scored(detector, made, change) for change in SAVED.values()]
    for part in [slice(None), *(slice(k, None, apart) for k in range(apart if apart > 1 else 0))]:
        which = name if part == slice(None) else f"{name}, 1/{FACTORS[part.start]}"
        cells = [which, str(len(made[part]))]
        for known, (scores, answers) in zip(theirs, mine, strict=True):
            found = 100 * np.mean([answer == "generated" for answer in answers[part]])
            cells.append(f"{auc(known, scores[part]):.3f} / {found:.0f} %")
        print("|", " | ".join(cells), "|", flush=True)


def heading(first: str, columns: list[str]) -> None:
    cells = [first, "pictures", *columns]
    print("\n|", " | ".join(cells), "|\n" + "|-" * len(cells) + "|", flush=True)


def squares(held: bool, most: int, each: int) -> Pictures:
    """Return parts of photographs and whole aerial pictures, as many of both."""
    found = files(held)
    photos = [part for path in found["photos"] for part in parts(read(path), SIDE, each)]
    land = [x for x in map(read, found["land"]) if x.shape == (SIDE, SIDE, 3)]
    return photos[:: max(1, len(photos) // most)][:most] + land[:: len(land) // most][:most]


def ours(real: Pictures) -> Iterator[tuple[str, Pictures, Pictures]]:
    """Yield what our own models make, and real pictures to tell it from."""
    half, land = real[: len(real) // 2], real[len(real) // 2 :]
    samples = [np.asarray(x) for x in volute.load("land-gan").sample(60, seed=0)]
    side = samples[0].shape[0]
    yield f"`land-gan`, {side} px", [x[:side, :side] for x in land], samples
    for name, scale in (("photo-x2", 2), ("photo-x4", 4), ("photo-x2-robust", 2)):
        model = volute.load(name)
        made = [np.asarray(model.upscale(resized(x, 1 / scale))) for x in half[:24]]
        yield f"`{name}` of photographs", half, made
    painter = volute.load("painter")
    styles = list(painter.info.styles)
    made = [
        np.asarray(painter.stylize(x, style=styles[k % len(styles)]))
        for k, x in enumerate(half[:12])
    ]
    yield "`painter` of photographs", half, made


def false_alarms(detector: Detector) -> None:
    """Print how often real pictures are called generated, and how often unsure."""
    found = files(held=True)
    sets: dict[str, Pictures] = {
        "photographs, parts of 512 px": [
            part for path in found["photos"] for part in parts(read(path), 512, 12)
        ],
        "photographs, whole": [read(path) for path in found["photos"]],
        "aerial, 256 px": [read(path) for path in found["land"][::2]],
        "BSDS500, 481 x 321 px": [
            read(p) for p in sorted((DATA / "bsds500/train").glob("*.jpg"))[::2]
        ],
        "BSD100, 481 x 321 px": [read(p) for p in sorted((DATA / "sr_test/BSD100/hr").iterdir())],
    }
    heading("real pictures: called generated / unsure, %", list(SAVED))
    for name, pictures in sets.items():
        alarms(name, detector, pictures, SAVED)
    heading("the same, edited", list(EDITED))
    pooled = [x for name, pictures in sets.items() if "whole" not in name for x in pictures[::3]]
    alarms("a third of them", detector, pooled, EDITED)


def alarms(name: str, detector: Detector, pictures: Pictures, changes: dict[str, Change]) -> None:
    cells = [name, str(len(pictures))]
    for change in changes.values():
        answers = np.array([detector.look(change(x)).answer for x in pictures])
        shares = [100 * float(np.mean(answers == answer)) for answer in ("generated", "unsure")]
        cells.append(f"{shares[0]:.1f} / {shares[1]:.1f}")
    print("|", " | ".join(cells), "|", flush=True)


def left_out(family: str, given: dict[str, str], minutes: float) -> Detector:
    """Return a detector that did not learn from a family: the one given, or a new one."""
    if family in given:
        return Detector(open_artefact(resolve(given[family])), 1)
    with tempfile.TemporaryDirectory() as name:
        lay_out(Path(name) / "real")
        how = {"left_out": family, "threads": 1}
        run = train(
            "detector",
            Path(name) / "real",
            time=60 * minutes,
            out=Path(name) / "run",
            settings=how,
            device="cpu",
        )
        return Detector(open_artefact(run.model), 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", help="data FOLDER: only lay out what is learned from")
    parser.add_argument("--model", default="trace")
    parser.add_argument("--leave", default="transposed", help="families to leave out, by commas")
    parser.add_argument("--given", nargs="*", default=[], help="FAMILY=MODEL that did without it")
    parser.add_argument("--keep", default="", help="npz to keep what is made anew in, and use it")
    parser.add_argument("--parts", default=",".join(PARTS), help="which tables, by commas")
    parser.add_argument("--minutes", type=float, default=25)
    args = parser.parse_args()
    if args.what:
        return lay_out(Path(args.what[1]))
    torch.set_num_threads(1)
    given = dict(pair.split("=", 1) for pair in args.given)
    asked = args.parts.split(",")
    real = squares(True, 45, 9)
    shipped = Detector(open_artefact(resolve(args.model)), 1)
    if "real" in asked:
        false_alarms(shipped)
    made = kept(Path(args.keep), real) if {"left-out", "families"} & {*asked} else {}
    heading("AUC / share called generated", list(SAVED))
    for family in args.leave.split(",") if "left-out" in asked else ():
        detector = left_out(family, given, args.minutes)
        row(f"**{family}, left out**", detector, real, made[family], len(FACTORS))
    for family in FAMILIES if "families" in asked else ():
        row(f"{family}, new networks", shipped, real, made[family], len(FACTORS))
    for name, theirs, mine in ours(real) if "ours" in asked else ():
        row(name, shipped, theirs, mine)
    return None


def kept(file: Path, real: Pictures) -> dict[str, Pictures]:
    """Return what is made anew by each family, from a file if it is there."""
    if file.is_file():
        return {family: list(made) for family, made in np.load(file).items()}
    learned = torch.from_numpy(np.stack(squares(False, 200, 8))).permute(0, 3, 1, 2)
    made = {family: remade(family, real, learned) for family in FAMILIES}
    if file.name:
        np.savez(file, **{family: np.stack(pictures) for family, pictures in made.items()})
    return made


if __name__ == "__main__":
    main()
