"""Files repainted by optimisation: the slow way, for one picture at a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from volute.engine.stylize import Restyler, untouched
from volute.errors import UsageError
from volute.events import Emit, Saved, silent
from volute.handles.masks import Mask, laid_over
from volute.handles.stylizer import Stylized
from volute.media import families, video
from volute.media.raster import Canvas, Raster, Work
from volute.paths import atomic_file
from volute.training.optimise import STEPS, optimise_picture

WHOLE = 1 << 60
"""Pixels of a tile: the picture is optimised in one piece."""
LOOK_S = 10.0
"""Seconds between previews."""


def repaint_file(
    source: str | Path,
    out: str | Path,
    *,
    style: np.ndarray,
    strength: float = 1.0,
    keep_colour: bool = False,
    mask: Mask | None = None,
    side: int = 512,
    steps: int = STEPS,
    vgg: Path | None = None,
    emit: Emit = silent,
) -> Stylized:
    """Repaint a photograph by `optimise_picture`; see `volute.handles.Stylizer.stylize_file`.

    Every ten seconds what there is so far goes to `OUT.preview.png`, which is gone at the end.

    Args:
        source: a photograph.
        out: what to write; there in full or not at all.
        style: uint8 RGB [h, w, 3].
        strength: in [0, 1]; weighs the style against the content.
        keep_colour: as for `stylize_file`.
        mask: as for `stylize_file`.
        side: longer side in px at which it is worked on; the result is enlarged from there.
        steps: evaluations of the loss.
        vgg: VGG16 up to relu3_3 as safetensors; None for the shipped `eye`.
        emit: is told the progress.

    Raises:
        UsageError: for a film, or an argument that is out of range.
        DataError: if the source cannot be read, or holds measurements.
        VoluteError: if the target cannot be written.
    """
    source, out = Path(source), Path(out)
    if not 0 <= strength <= 1:
        raise UsageError(f"strength = {strength} is not between 0 and 1")
    family = families.of_picture(source)
    if video.is_video(source):
        what = f"{source}: a film is not optimised, frame by frame it would take days"
        raise UsageError(what, "Leave --method optimise out.")
    look = out.with_name(f"{out.name}.preview.png")

    def network(block_BCHW: np.ndarray) -> np.ndarray:
        pixels = np.rint((block_BCHW[0].transpose(1, 2, 0) + 1) * 127.5).clip(0, 255)
        made = optimise_picture(
            pixels.astype(np.uint8),
            style,
            side=side,
            strength=strength,
            steps=steps,
            vgg=vgg,
            emit=emit,
            preview=_every(LOOK_S, look, emit),
        )
        return made.transpose(2, 0, 1)[None].astype(np.float32) / 127.5 - 1

    restyler = Restyler(network, network, 0, 1, 1, keep_colour)
    with laid_over(mask, source) as over:

        def run(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
            if strength:
                restyler.run(raster, canvas, WHOLE, mask=over)
            else:
                untouched(raster, canvas, WHOLE)

        model = f"volute {version('volute')} by optimisation, {strength:.0%}"
        work = Work(scale=1, run=run, model=model, done="stylized")
        try:
            with atomic_file(out) as part:
                notes = family.enlarge(source, part, work)
        finally:
            look.unlink(missing_ok=True)
    return Stylized(out, tuple(notes))


def _every(seconds: float, path: Path, emit: Emit) -> Callable[[np.ndarray], None]:
    """Return what saves a picture, but not more often than every few seconds."""
    last = time.monotonic()

    def preview(picture: np.ndarray) -> None:
        nonlocal last
        if time.monotonic() - last < seconds:
            return
        with atomic_file(path) as part:
            Image.fromarray(picture).save(part, format="PNG")
        emit(Saved(path, "preview"))
        last = time.monotonic()

    return preview
