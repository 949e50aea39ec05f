"""How fast the engines run the shipped models, and what bfloat16 and integers lose.

    python benchmarks/engines.py [MODEL...]

Needs the extra `openvino`, about a minute and a computer that does nothing else. Times are the
least of turns that the engines take, as in `--engine auto`; what is lost is measured on Set5
(`VOLUTE_DATA`), as PSNR of the luma.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

import volute
from volute.engine.artefact import open_artefact
from volute.engine.session import DEFAULT, Engine
from volute.handles import Upscaler
from volute.speed.cases import Case, cases
from volute.speed.choose import ROLES, able, compared, least
from volute.zoo import resolve, shipped

SHARED = Path(__file__).parents[2] / "shared" / "data"
SET5 = Path(os.environ.get("VOLUTE_DATA", SHARED)) / "sr_test" / "Set5"
LUMA = np.array([65.481, 128.553, 24.966]) / 255
SECONDS = 1.5


def main(names: list[str]) -> None:
    engines = [DEFAULT, *able()]
    print("| model | graph | " + " | ".join(map(str, engines)) + " |")
    print("|---|---|" + "---:|" * len(engines))
    for name in names:
        artefact = open_artefact(resolve(name))
        floating = None
        for case in cases(artefact) if artefact.config.graphs else []:
            if case.role in ROLES:
                print(f"| {name} | {case.role} | {' | '.join(cells(case, engines, floating))} |")
                floating = case.session().run(case.inputs) if case.role == "upscaler" else None
    print(flush=True)
    for name in names:
        if open_artefact(resolve(name)).config.descriptor.kind == "upscale":
            print(f"{name} on Set5: {quality(name, engines)}", flush=True)


def cells(case: Case, engines: list[Engine], floating: np.ndarray | None) -> list[str]:
    """Return the milliseconds on the default, then how many times as fast, and the difference."""
    sessions = {engine: case.session(None, engine) for engine in engines}
    made = {engine: session.run(case.inputs) for engine, session in sessions.items()}
    best = dict.fromkeys(engines, float("inf"))
    rounds, end = 0, time.perf_counter() + SECONDS
    while rounds < 2 or time.perf_counter() < end:
        rounds += 1
        for engine, session in sessions.items():
            best[engine] = min(best[engine], least(case, session))
    found = [f"{1000 * best[DEFAULT]:.1f} ms"]
    for engine in engines[1:]:
        words, within = compared(case.role, made[DEFAULT], made[engine], floating)
        refused = "" if within else ", refused"
        found.append(f"{best[DEFAULT] / best[engine]:.2f} x ({words}{refused})")
    return found


def quality(name: str, engines: list[Engine]) -> str:
    """Return PSNR on Set5 for each engine, and in integers, where the pictures are here."""
    if not SET5.exists():
        return "not measured, the pictures are not here"
    told = [f"{engine} {score(volute.load(name, engine=engine), False):.3f}" for engine in engines]
    if "int8" in open_artefact(resolve(name)).config.graphs:
        told += [
            f"{engine} int8 {score(volute.load(name, engine=engine), True):.3f}"
            for engine in engines
        ]
    return ", ".join(told) + " dB"


def score(model: Upscaler, int8: bool) -> float:
    scale = model.info.descriptor.scale
    found = []
    for small in sorted((SET5 / f"x{scale}").iterdir()):
        (large,) = (SET5 / "hr").glob(f"{small.stem.split('x')[0]}*")
        pixels = np.asarray(Image.open(small).convert("RGB"))
        height, width = (scale * side for side in pixels.shape[:2])
        wanted = np.asarray(Image.open(large).convert("RGB"))[:height, :width] @ LUMA
        made = model.upscale(pixels, int8=int8) @ LUMA
        inside = slice(scale, -scale)
        found.append(10 * np.log10(255**2 / np.square(made - wanted)[inside, inside].mean()))
    return float(np.mean(found))


if __name__ == "__main__":
    main(sys.argv[1:] or list(shipped()))
