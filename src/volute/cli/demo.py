"""`volute demo`: train on real handwritten digits here and now, and show everything on one page."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from volute.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    import numpy as np

SIDE = 16
DIGITS = "digits.npz"
MARK = ".volute-demo"
MADE = (MARK, "index.html", "pictures", "run", DIGITS)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(demo)


def demo(
    out: Annotated[Path, typer.Option("-o", "--out", help="Folder for the page.")] = Path("demo"),
    time: Annotated[str, typer.Option("--time", help="How long to train.")] = "60s",
) -> None:
    """Learn real digits, write a page that shows it.

    A GAN is trained on scikit-learn's 1,797 handwritten digits, here and now, and sampled; the
    shipped models are too. An earlier demo in the same folder is made anew.

    \b
    Examples:
      volute demo
      volute demo --time 5m -o digits/
    """
    from volute import jobs
    from volute.cli.demo_sections import Demo, write_demo
    from volute.cli.show import live
    from volute.engine.artefact import open_artefact
    from volute.handles import Generator
    from volute.paths import write_text
    from volute.visualize.network import open_network

    images, labels = _digits()
    _clear(out)
    real = _enlarged(images)
    write_text(out / MARK, "Made by volute demo, and made anew by the next.\n")
    _write_npz(out / DIGITS, real, labels)
    names = [str(digit) for digit in range(10)]
    with live() as emit:
        run = jobs.train(
            "gan",
            out / DIGITS,
            time=time,
            size=SIDE,
            out=out / "run",
            settings={"name": "digits-gan", "licence": "BSD-3-Clause", "data": {"classes": names}},
            emit=emit,
        )
    model = Generator(open_artefact(run.model))
    page = write_demo(Demo(out, run, model, real, labels, open_network(run.path)))
    typer.echo(f"page     {page}    Open it in a browser.")
    typer.echo("studio   volute studio    Make, restyle, enlarge, write and train on one page.")


def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: float [1797, 8, 8] in 0..16, and int [1797]."""
    import numpy as np

    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise MissingExtraError("the demo's digits come with scikit-learn", "dev") from error
    pixels, labels = (np.asarray(part) for part in load_digits(return_X_y=True))
    return pixels.reshape(-1, 8, 8), labels


def _enlarged(images: np.ndarray) -> np.ndarray:
    """Return digits in 0..16 as uint8 [n, SIDE, SIDE, 1]."""
    import numpy as np
    from PIL import Image

    grey = (images * (255 / 16)).round().astype(np.uint8)
    size, smooth = (SIDE, SIDE), Image.Resampling.LANCZOS
    large = [np.asarray(Image.fromarray(digit).resize(size, smooth)) for digit in grey]
    return np.stack(large)[..., None]


def _write_npz(target: Path, pictures: np.ndarray, labels: np.ndarray) -> None:
    import numpy as np

    from volute.paths import atomic_file

    with atomic_file(target) as part:
        np.savez_compressed(part, x_train=pictures, y_train=labels)


def _clear(folder: Path) -> None:
    """Remove an earlier demo from `folder`; refuse a place that holds something else."""
    if not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / MARK).exists()):
        raise UsageError(f"{folder} is there already and is no demo", "Choose another -o.")
    for name in MADE:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
