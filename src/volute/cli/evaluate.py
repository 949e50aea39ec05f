"""`volute evaluate`: how good a generator is, in numbers that say how sure they are."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from volute.cli.data import Set, open_for
from volute.cli.sample import AsJson, ModelRef, Overwrite, Seed
from volute.events import Emit, Progress

if TYPE_CHECKING:
    import numpy as np

    from volute.handles.sampling import Sampler
    from volute.measure.evaluation import Evaluation

BLOCK = 512
COLUMNS = ("measure", "samples", "95 % interval", "real pictures", "better")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(evaluate)


def evaluate(
    model: ModelRef,
    source: Annotated[Path, typer.Argument(metavar="DATA", help="What the model learned from.")],
    extractor: Annotated[
        Path, typer.Option("--extractor", help="ONNX: image [n, 3, S, S] to features [n, d].")
    ],
    n: Annotated[int, typer.Option("-n", help="How many samples to measure.")] = 10_000,
    seed: Seed = 0,
    set_: Set = None,
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="Folder for a page with the pictures.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Measure samples of a model against real pictures.

    Frechet distance, KID, precision, recall, density, coverage, Vendi score and near copies, on the
    features that the extractor gives. Each has a 95 % bootstrap interval, and beside it what as
    many real pictures get. The distance is no FID: that name belongs to one Inception network.
    With -o, a page shows the pictures behind the numbers: the samples nearest to a real picture,
    the best and the worst, and real pictures that no sample comes near.

    \b
    Examples:
      volute evaluate garments-gan fashion_mnist.npz --extractor mobilenetv2_trunk.onnx
      volute evaluate runs/photos-1 photos/ --extractor trunk.onnx -n 2048 -o report/
    """
    from volute.cli.evaluate_report import Real, write_report
    from volute.cli.outputs import choose_folder
    from volute.cli.sample import load_sampler
    from volute.cli.show import live
    from volute.measure import evaluation
    from volute.measure.features import OnnxExtractor, cached_features

    handle = load_sampler(model)
    features = OnnxExtractor(extractor)
    folder = choose_folder(out, "", overwrite) if out else None
    about = handle.info.descriptor
    data = open_for(model, source, about.size, about.channels, set_)
    real_ones = Real.drawn(data, 2 * n)
    count = len(real_ones.chosen)
    evaluation.check_enough(n, count)
    with live() as emit:
        blocks = real_ones.blocks(BLOCK)
        real = _gather(lambda x: cached_features(features, x), blocks, count, emit)
        made = _gather(features, _samples(handle, n, seed), n, emit)
    found = evaluation.evaluate(made, real, features.name, features.sha256, seed)
    if folder:
        write_report(folder, handle, found, real_ones, n, seed)
    if as_json:
        values = dataclasses.asdict(found) | {"biased": found.biased, "model": handle.info.name}
        typer.echo(json.dumps(values, indent=2))
    else:
        _tell(handle.info.name, source, found)
        if folder:
            typer.echo(f"page     {folder / 'index.html'}    Open it in a browser.")


def _samples(handle: Sampler, n: int, seed: int) -> Iterator[np.ndarray]:
    import numpy as np

    made = (np.asarray(image) for image, _ in handle.stream(n, seed=seed))
    while block := [picture for _, picture in zip(range(BLOCK), made, strict=False)]:
        stacked = np.stack(block)
        yield stacked[..., None] if stacked.ndim == 3 else stacked


def _gather(
    extract: Callable[[np.ndarray], np.ndarray],
    blocks: Iterable[np.ndarray],
    count: int,
    emit: Emit,
) -> np.ndarray:
    """Return the features of all blocks: what is held is features, never all pictures."""
    import numpy as np

    parts, done, start = [], 0, time.perf_counter()
    for block in blocks:
        parts.append(extract(block))
        done += len(block)
        spent = time.perf_counter() - start
        emit(Progress(done, done / count, done / spent, spent * (count / done - 1)))
    return np.concatenate(parts)


def _tell(name: str, source: Path, found: Evaluation) -> None:
    from volute.cli.models import show

    biased = "  biased: under 2,048 samples, compare at equal n only" if found.biased else ""
    typer.echo(f"{name} against {source}: {found.n:,} pictures of each{biased}")
    typer.echo(f"near copies were searched among {found.searched:,} real pictures")
    typer.echo(f"features {found.extractor}, sha256 {found.sha256[:16]}")
    show(COLUMNS, table(found))


def table(found: Evaluation) -> list[tuple[str, ...]]:
    """Return a row of words for each measure, in the order of COLUMNS."""
    biased = {"Frechet distance": "Frechet distance (biased)"} if found.biased else {}
    return [
        (
            biased.get(measure.name, measure.name),
            _number(measure.value),
            f"{_number(measure.low)} to {_number(measure.high)}",
            _number(measure.floor),
            measure.better,
        )
        for measure in found.measures
    ]


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
