"""Style transfer: speed, losses, steadiness and looks, beside MicroAST, in one run.

    python benchmarks/style.py painter --unseen StyleID/data/sty --own wave-run --painting wave.jpg
    python benchmarks/style.py painter --quick --only quality
    python benchmarks/style.py painter --only sheet --sheet docs/pictures

Content is cut to 512 x 512 px, a style's shorter side brought to 512 px. `style_losses.py` says
what is measured on a picture, `volute.measure.motion` what on a film. Ratios are ours divided by
theirs, those of each style the mean of ratios; of edges they are differences. Unseen styles are any
folder of pictures, such as the 40 of StyleID (jiwoogit/StyleID, data/sty), on 6 photographs.
"""

from __future__ import annotations

import argparse
import functools
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

import volute
from style_losses import (
    DATA,
    QUICK_PHOTOS,
    QUICK_SIDE,
    SIDE,
    Judge,
    Make,
    Pictures,
    mean,
    measure_pairs,
    of_means,
    paintings,
    photos,
    ratios,
    short,
    table,
)
from style_sheet import optimised, sheets
from style_speed import speeds
from volute.handles import Stylizer
from volute.measure.motion import Film, Treat, flicker, pan, rotate, temporal_error, zoom
from volute.nets.microast import MicroAST, as_batch, as_picture

PARTS = ("speed", "quality", "own", "steady", "sheet")
STEADY_PHOTOS, STEADY_STYLES, FRAMES = 6, 4, 5
OWN_PHOTOS = 4
Begin = Callable[[np.ndarray, np.ndarray], Treat]
"""What repaints the frames of a film, from a style and the first frame."""
MOTIONS: dict[str, Callable[[np.ndarray, int], Film]] = {
    "pan": functools.partial(pan, count=FRAMES),
    "zoom": functools.partial(zoom, count=FRAMES),
    "rotate": functools.partial(rotate, count=FRAMES),
}


def painter(ref: str) -> Make:
    """Return what a model makes; each style is read once."""
    handle = volute.load(ref)
    assert isinstance(handle, Stylizer), f"{ref} is no style model"
    read: dict[int, tuple[np.ndarray, object]] = {}

    def make(content: np.ndarray, style: np.ndarray) -> np.ndarray:
        if id(style) not in read:
            read[id(style)] = (style, handle.style(style))
        return handle.stylize(content, style=read[id(style)][1])

    return make


def anchor() -> Make:
    """Return what MicroAST makes; each style is read once."""
    network = MicroAST(DATA / "style" / "microast")
    read: dict[int, tuple[np.ndarray, object]] = {}

    @torch.inference_mode()
    def make(content: np.ndarray, style: np.ndarray) -> np.ndarray:
        if id(style) not in read:
            read[id(style)] = (style, network.signals(as_batch(style)))
        return as_picture(network.paint(as_batch(content), read[id(style)][1]))

    return make


def quality(title: str, ours: Make, contents: Pictures, styles: Pictures) -> str:
    """Return the losses of both on every pair, and their ratio by style."""
    makes = {"ours": ours, "MicroAST": anchor()}
    found = measure_pairs(makes, contents, styles, Judge(), watch)
    rows = {name: mean(losses.values()) for name, losses in found.items()}
    rows["ratio of means"] = of_means(rows["ours"], rows["MicroAST"])
    rows["mean of ratios"] = ratios(found["ours"], found["MicroAST"])
    for style in styles:
        some = [
            {pair: losses for pair, losses in found[name].items() if pair[1] == style}
            for name in makes
        ]
        rows[style] = ratios(*some)
    return f"{title}: {len(contents)} photographs x {len(styles)} styles\n\n{table(rows)}\n"


def own(ref: str, painting: Path, side: int) -> str:
    """Return the losses of a network for one style beside those of the optimised pictures."""
    handle = volute.load(ref)
    assert isinstance(handle, Stylizer), f"{ref} is no style model"
    name = handle.styles[0]
    makes: dict[str, Make] = {
        "own network": lambda content, style: handle.stylize(content, style=name),
        "optimised": optimised(vgg=False),
    }
    contents, styles = photos(OWN_PHOTOS, side), {painting.stem: short(painting, side)}
    found = measure_pairs(makes, contents, styles, Judge(), watch)
    rows = {name: mean(losses.values()) for name, losses in found.items()}
    rows["ratio of means"] = of_means(*rows.values())
    return f"One style, {painting.name}\n\n{table(rows)}\n"


def steady(ref: str, side: int) -> str:
    """Return temporal errors and flicker, as the mean over photographs and styles.

    As in films, the first frame is measured and the scales are kept.
    """
    handle, theirs = volute.load(ref), anchor()
    assert isinstance(handle, Stylizer), f"{ref} is no style model"
    stills = [short(path, side + side // 8) for path in some_photos()]
    styles = list(paintings(side).values())
    styles = [styles[index * len(styles) // STEADY_STYLES] for index in range(STEADY_STYLES)]
    begins: dict[str, Begin] = {
        "ours": lambda style, first: functools.partial(
            handle.stylize, style=handle.style(style, like=first)
        ),
        "MicroAST": lambda style, first: lambda frame: theirs(frame, style),
        "frames as they are": lambda style, first: lambda frame: frame,
    }
    rows = ["| RMS, of 1 | pan | zoom | rotate | flicker |", "|---" + "|---:" * 4 + "|"]
    values = {}
    for name, begin in begins.items():
        watch(name)
        found = [_errors(begin, style, still, side) for style in styles for still in stills]
        values[name] = np.mean(found, 0)
        rows.append(f"| {name} | {' | '.join(f'{v:.4f}' for v in values[name])} |")
    ratio = values["ours"] / values["MicroAST"]
    rows.append(f"| ours / MicroAST | {' | '.join(f'{v:.2f}' for v in ratio)} |")
    return "\n".join(rows) + "\n"


def _errors(begin: Begin, style: np.ndarray, still: np.ndarray, side: int) -> list[float]:
    films = [film(still, side) for film in MOTIONS.values()]
    moving = [temporal_error(begin(style, film.frames[0]), film) for film in films]
    quiet = still[:side, :side]
    return [*moving, flicker(begin(style, quiet), quiet)]


def some_photos() -> list[Path]:
    files = sorted((DATA / "photos").iterdir())
    return [files[index * len(files) // STEADY_PHOTOS] for index in range(STEADY_PHOTOS)]


def watch(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", nargs="?", default="painter")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--photos", type=int, default=38)
    parser.add_argument("--quick", action="store_true", help="6 photographs, all at 256 px")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--unseen", type=Path, help="a folder of styles it has not learned from")
    parser.add_argument("--own", help="a model for one style")
    parser.add_argument("--painting", type=Path, help="that style")
    parser.add_argument("--sheet", type=Path, help="a folder for the contact sheets")
    parser.add_argument("--vgg", action="store_true", help="optimise the sheet on VGG16")
    options = parser.parse_args()
    if options.own and not options.painting:
        parser.error("--own needs --painting")
    return options


def main() -> None:
    options = parsed()
    side = QUICK_SIDE if options.quick else SIDE
    count = min(options.photos, QUICK_PHOTOS) if options.quick else options.photos
    torch.set_num_threads(options.threads)
    styles = paintings(side)
    if "speed" in options.only:
        print(*speeds(options.model, options.threads, styles), "", sep="\n", flush=True)
    ours = painter(options.model)
    if "quality" in options.only:
        contents = photos(count, side)
        print(quality("The paintings", ours, contents, styles), flush=True)
        if options.unseen:
            unseen = paintings(side, options.unseen)
            print(quality("Unseen styles", ours, photos(QUICK_PHOTOS, side), unseen), flush=True)
    if "own" in options.only and options.own:
        print(own(options.own, options.painting, side), flush=True)
    if "steady" in options.only:
        print(steady(options.model, side), flush=True)
    if "sheet" in options.only and options.sheet:
        makes = {"painter": ours, "microast": anchor()}
        print(*sheets(makes, options.sheet, options.vgg), sep="\n")


if __name__ == "__main__":
    main()
