"""Files repainted by optimisation: the slow way, for one picture at a time."""

from __future__ import annotations

import hashlib
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from PIL import Image

from volute.engine.artefact import open_artefact
from volute.engine.stylize import Restyler, untouched
from volute.errors import UsageError
from volute.events import Emit, Saved, silent
from volute.handles.marked import Marks
from volute.handles.masks import Mask, laid_over
from volute.handles.stylizer import Stylized
from volute.media import families, video
from volute.media.raster import Canvas, Raster, Work
from volute.paths import atomic_file, new_output
from volute.provenance.manifest import Origin, signed_file
from volute.training.optimise import STEPS, optimise_picture
from volute.zoo import resolve

MOST = 50_000_000
"""Pixels of a picture: it is optimised in one piece, and held in memory several times."""
STRIPS = 4_000_000
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
    style_file: Path | None = None,
    unmarked: bool = False,
    emit: Emit = silent,
) -> Stylized:
    """Repaint a photograph by `optimise_picture`; see `volute.handles.Stylizer.stylize_file`.

    Every ten seconds what there is so far goes to `OUT.preview.png`, which is gone at the end. The
    result has the depth of the picture, but no more detail than `side` px hold.

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
        style_file: where the style is from; its history goes into that of the result.
        unmarked: neither mark nor sign it.
        emit: is told the progress.

    Raises:
        UsageError: for a film, more than 50 megapixels, or an argument that is out of range.
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
    look = Look(new_output(out.with_name(f"{out.name}.preview.png")), emit)

    def network(block_BCHW: np.ndarray) -> np.ndarray:
        made = optimise_picture(
            ((block_BCHW[0].transpose(1, 2, 0) + 1) / 2).clip(0, 1),
            style,
            side=side,
            strength=strength,
            steps=steps,
            vgg=vgg,
            emit=emit,
            preview=look,
        )
        return made.transpose(2, 0, 1)[None] * 2 - 1

    origin = None if unmarked else _origin(source, style_file, vgg, strength, side, steps)
    marks = Marks(origin if strength else None)
    restyler = Restyler(network, network, 0, 1, 1, keep_colour)
    with laid_over(mask) as over:

        def run(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
            if not strength:
                untouched(raster, canvas, STRIPS)
                return
            if raster.height * raster.width > MOST:
                what = f"{source} is too large to be optimised: {MOST // 1_000_000} megapixels"
                raise UsageError(what, "Make it smaller, or leave --method optimise out.")
            restyler.run(raster, canvas, MOST, mask=over)

        model = f"volute {version('volute')} by optimisation, {strength:.0%}"
        work = Work(scale=1, run=marks.after(run), model=model, done="stylized")
        try:
            with signed_file(out, origin, emit, marks.laid) as part:
                notes = family.enlarge(source, part, work)
        finally:
            look.gone()
    return Stylized(out, tuple(notes))


def _origin(
    source: Path, style: Path | None, vgg: Path | None, strength: float, side: int, steps: int
) -> Origin:
    """Return how the result comes about: the network that looks is all that there is of a model."""
    if vgg is None:
        eye = open_artefact(resolve("eye"))
        name, digest = eye.config.name, eye.digest
    else:
        with vgg.open("rb") as stream:
            name, digest = "VGG16", hashlib.file_digest(stream, "sha256").hexdigest()
    how = {"method": "optimise", "strength": strength, "side": side, "steps": steps}
    inputs = () if style is None else (style,)
    return Origin("stylize", name, digest, how, parent=source, inputs=inputs)


class Look:
    """Saves what there is so far to a file of its own, but not more often than every few seconds.

    Args:
        path: a free name.
        emit: is told of each.
    """

    def __init__(self, path: Path, emit: Emit) -> None:
        self.path, self.emit, self.saved = path, emit, False
        self.last = time.monotonic()

    def __call__(self, picture: np.ndarray) -> None:
        """Take uint8 RGB [H, W, 3]."""
        if time.monotonic() - self.last < LOOK_S:
            return
        with atomic_file(self.path) as part:
            Image.fromarray(picture).save(part, format="PNG")
        self.saved = True
        self.emit(Saved(self.path, "preview"))
        self.last = time.monotonic()

    def gone(self) -> None:
        """Remove the file, if there was one."""
        if self.saved:
            self.path.unlink(missing_ok=True)
