"""`volute features`: what a network sees in a picture, as one page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from volute.cli.data import Set
from volute.cli.sample import ModelRef, Overwrite

if TYPE_CHECKING:
    import numpy as np

    from volute.visualize.network import Visible
    from volute.visualize.sheets import Decision, Stage

WHAT = {
    "classifier": "the classifier",
    "discriminator": "the discriminator of the GAN",
    "encoder": "the encoder of the VAE",
    "feature network": "the feature network",
}


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(features)


def features(
    model: ModelRef,
    picture: Annotated[Path, typer.Argument(metavar="PICTURE", help="What to show it.")],
    data: Annotated[
        Path | None, typer.Option("--data", help="Where patches come from; default: the run's own.")
    ] = None,
    set_: Set = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="The folder to write.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Show what a network sees in a picture.

    Writes a page and its PNG files: for each stage the channels that the picture excites most,
    where it does so, what each of them looks for, and the patches of the data that excite it most;
    and which pixels decided, by Grad-CAM and by occlusion. For a classifier, the encoder of a VAE,
    the discriminator of a GAN's run, or a feature network. Needs torch.

    \b
    Examples:
      volute features garments-classify shirt.png --data fashion_mnist.npz
      volute features runs/photos-1 photos/0001.jpg -o seen/
    """
    import volute
    from volute.cli.outputs import choose_folder
    from volute.cli.show import live
    from volute.config import parse_settings
    from volute.evaluation import open_like, run_source

    _ = volute.jobs  # says what is missing where there is no torch
    from volute.handles.pictures import squared
    from volute.media.photo import read_picture
    from volute.visualize.network import open_network
    from volute.visualize.sheets import decision, stages

    network = open_network(model)
    pixels = squared(read_picture(picture).array, network.size, network.channels)
    folder = choose_folder(out, f"{network.name}-features", overwrite)
    source = data or run_source(model)
    known = None
    if source is not None:
        with live() as emit:
            given = parse_settings(set_ or [])
            known = open_like(model, source, network.size, network.channels, given, emit)
    found = stages(network, pixels, known)
    file = _write(folder, picture, network, pixels, found, decision(network, pixels))
    typer.echo(f"page     {file}    Open it in a browser.")


def _write(
    folder: Path,
    picture: Path,
    network: Visible,
    pixels: np.ndarray,
    found: list[Stage],
    decided: Decision | None,
) -> Path:
    import volute
    from volute.cli import page
    from volute.cli.outputs import save_picture

    sections = [_decision(folder, network, pixels, decided)]
    for number, stage in enumerate(found, 1):
        target = folder / f"stage-{number}.png"
        save_picture(stage.sheet(), target, {"model": network.name, "channels": stage.channels})
        sections.append(_stage(folder, target, number, stage, pixels.shape[0]))
    made = (
        f"What {WHAT[network.part]} {network.name} sees in {picture.name}. Stages go from fine to "
        "coarse; of each, the channels are shown that this picture excites most."
    )
    return page.write_page(folder, made, f"volute {volute.__version__}", sections)


def _decision(folder: Path, network: Visible, pixels: np.ndarray, decided: Decision | None) -> str:
    from volute.cli import page
    from volute.cli.outputs import save_picture
    from volute.handles.pictures import to_images

    (seen,) = to_images(pixels[None])
    pictures = {"picture": seen.resize((264, 264))}
    if decided is not None:
        pictures |= {"grad-cam": decided.cam, "occlusion": decided.hidden}
    captions = {
        "picture": ("The picture", "as the network gets it."),
        "grad-cam": ("Grad-CAM.", "Hot: the features here speak for the answer."),
        "occlusion": ("Occlusion.", "Hot: with a grey square here, the answer grows weaker."),
    }
    figures = []
    for name, image in pictures.items():
        save_picture(image, folder / f"{name}.png", {"model": network.name})
        html = page.image(folder / f"{name}.png", folder, " ".join(captions[name]))
        figures.append(page.figure(html, *captions[name]))
    if decided is None:
        return page.section("The picture", "It decides nothing: it describes.", page.card(*figures))
    percent = network.part == "classifier"
    rows = {
        label: f"{value:.1%}" if percent else f"{value:.2f}" for label, value in decided.ranking[:5]
    }
    said = decided.ranking[0][0]
    title = f"Its answer: {said}" if percent else f"Its score as {said}"
    text = "And which pixels made it say so." if percent else "The higher, the more real it looks."
    return page.section(title, text, page.card(page.pair(*figures)), page.card(page.facts(rows)))


def _stage(folder: Path, file: Path, number: int, stage: Stage, size: int) -> str:
    from volute.cli import page

    rows = ["where the picture excites it", "what it looks for, drawn from noise"]
    rows += ["nine patches of the data that excite it most"] if stage.patches else []
    names = ", ".join(str(channel) for channel in stage.channels)
    text = f"Channels {names} of {stage.width}, one column each. Rows: {'; '.join(rows)}."
    alt = f"Features of stage {number}: {text}"
    step = size // stage.side
    title = f"Stage {number}: {stage.side} x {stage.side} places, one for every {step} px"
    return page.section(title, text, page.card(page.figure(page.image(file, folder, alt), "")))
