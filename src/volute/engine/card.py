"""The model card: a Markdown page, filled from what the artefact itself says.

The front matter is the one that model hubs read. Nothing in it is typed by hand, so a card cannot
disagree with the model beside it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from volute.engine.artefact import ArtefactConfig

WHAT = {
    "gan": "a generative adversarial network: a generator that turns random numbers into pictures",
    "vae": "a variational autoencoder: it packs pictures into short vectors and draws new ones",
    "style": "a stylizer: it repaints a picture in the manner of another",
    "upscale": "a super-resolution network: it enlarges pictures",
    "lm": "a convolutional language model: it continues texts",
    "classify": "a classifier: it tells which of its classes a picture shows",
    "texts": "a classifier of texts: it tells which of its classes a text belongs to",
    "extractor": "a feature network: it measures pictures and how far apart they look",
    "watermark": "a watermark: one network hides bits in pictures, another reads them",
    "detector": "a detector of traces that convolutional networks leave in the pictures they make",
}
VERBS = {
    "gan": ("volute sample {name} -n 16 --grid", "volute interpolate {name}"),
    "vae": ("volute sample {name} -n 16 --grid", "volute reconstruct {name} picture.png"),
    "classify": ("volute classify {name} picture.png", "volute classify {name} folder/ --json"),
    "texts": ("volute classify {name} text.txt", "volute classify {name} - < lines.txt"),
    "detector": ("volute verify picture.png", "volute info {name}"),
    "extractor": ("volute evaluate garments-gan pictures/ --extractor {name}",),
    "upscale": (
        "volute upscale photo.jpg --model {name}",
        "volute upscale scans/ --model {name} -o large/",
    ),
    "lm": (
        'volute write {name} --prompt "It was"',
        "volute score {name} text.txt",
    ),
    "style": (
        "volute stylize photo.jpg --model {name} --style {style}",
        "volute stylize film.mp4 --model {name} --style {style} --strength 0.8",
    ),
}
CALLS = {
    "gan": ".sample(16, seed=0)",
    "vae": ".sample(16, seed=0)",
    "classify": '.classify("picture.png")',
    "texts": '.classify("How far is it from Denver to Aspen ?")',
    "extractor": '.distance("picture.png", "other.png")',
    "upscale": '.upscale("picture.png")',
    "style": '.stylize("picture.png", style={style})',
    "lm": '.write("It was", tokens=200)',
    "watermark": '.read("picture.png")',
    "detector": '.look("picture.png")',
}

PIXELS = (
    "From 64 px a side on, its pixels carry an ID of 16 bits, under volute's public key, which the "
    "manifest names"
)
MARKS = {
    "gan": f"{PIXELS}.",
    "vae": f"{PIXELS}.",
    "style": f"{PIXELS}.",
    "upscale": f"{PIXELS}; not those of DICOM, NIfTI and GeoTIFF, whose numbers are measured.",
    "lm": "From 200 tokens on, a text carries a mark in its words, under volute's public key.",
}
"""What an output carries besides its manifest, by kind of model."""
MARKED = """
## Marks

- Every file that volute makes with it carries a signed manifest (C2PA): the model, the SHA-256 of \
its weights, parameters, and the history of what was worked on.
- {mark}
- `volute verify FILE` reads both and says how sure that is; `--unmarked` leaves both out.
- To report abuse: {abuse}
"""
ABUSE = "ADDRESS (whoever publishes this model puts one here)"

PAGE = """\
{front}
# {name}

{intro}
{picture}
## Use

```
{commands}
```

```python
import volute
model = volute.load({quoted})
result = model{call}
```

The name stands for a shipped model; for any other, give the path of this folder.

## Facts

{facts}

## Training

{training}

## Measures

{measures}

## Intended use and limits

{limits}
{marks}
## Licence

{licence}. The licence covers these weights; the training data keeps its own.
"""


def card_text(
    config: ArtefactConfig,
    metrics: Mapping[str, Any],
    training: Mapping[str, str],
    pictured: bool,
) -> str:
    """Return the card as Markdown with YAML front matter.

    Args:
        config: the artefact's configuration.
        metrics: measures; numbers are shown with four digits.
        training: further rows of the training table.
        pictured: whether `samples.png` lies beside the card.
    """
    kind, name = "texts" if config.of_texts else config.descriptor.kind, config.name
    data = {"data": config.descriptor.training_data, "licence": config.descriptor.licence}
    style = config.styles[0] if config.styles else "painting.jpg"
    words = {"name": shlex.quote(name), "style": shlex.quote(style)}
    made = {"preset": config.preset, "volute": config.volute, "made on": config.created}
    return PAGE.format(
        front=_front_matter(config),
        name=name,
        intro=f"`{name}` is {WHAT[kind]}. It was trained on: {config.descriptor.training_data}.",
        picture=f"\n![Samples of {name}](samples.png)\n" if pictured else "",
        commands="\n".join(VERBS.get(kind, ("volute info {name}",))).format(**words),
        quoted=json.dumps(name, ensure_ascii=False),
        call=CALLS.get(kind, ".info").format(style=json.dumps(style, ensure_ascii=False)),
        facts=_table(facts(config).items()),
        training=_table({**data, **training, **made}.items()),
        measures=_table(_measures(metrics)) if metrics else "None were taken.",
        limits=_limits(config),
        marks=marks(kind),
        licence=config.descriptor.licence,
    )


def renewed(card: str, config: ArtefactConfig, metrics: Mapping[str, Any]) -> str:
    """Return a card for a model made from another: with its own name, facts and measures.

    Args:
        card: of the other.
        config: of the model.
        metrics: as for `card_text`.
    """
    for name, table in (("Facts", facts(config).items()), ("Measures", _measures(metrics))):
        before, title, rest = card.partition(f"\n## {name}\n")
        behind = rest.partition("\n## ")
        card = f"{before}{title}\n{_table(table)}\n{behind[1]}{behind[2]}" if title else card
    title = re.compile(r"^# .*$", re.MULTILINE)
    return title.sub(lambda _: f"# {config.name}", card, count=1)


def marks(kind: str, abuse: str = ABUSE) -> str:
    """Return what the outputs of a kind of model carry, as a section; empty: it makes no media.

    Args:
        kind: of model.
        abuse: where to report it.
    """
    return MARKED.format(mark=MARKS[kind], abuse=abuse) if kind in MARKS else ""


def facts(config: ArtefactConfig) -> dict[str, str]:
    """Return the model's size, cost and shape as words, for the card and for `volute info`."""
    about = config.descriptor
    colours = {1: "grey", 3: "RGB", 4: "RGBA"}.get(about.channels, f"{about.channels} channels")
    pixels = about.size * about.size
    work = f"{about.macs_per_pixel * pixels / 1e6:,.1f} million a picture" if pixels else ""
    if about.kind == "lm":
        tokens = config.settings.get("bpe")
        unit = "token" if tokens else "byte"
        rows = {
            "kind": about.kind,
            "parameters": f"{about.parameters:,}",
            "multiply-adds": f"{about.macs_per_pixel:,.0f} a {unit}",
            "reach": f"{about.radius} {unit}s",
        }
        known = {"vocabulary": f"{tokens:,} tokens"} if tokens and isinstance(tokens, int) else {}
        return rows | known
    if config.of_texts:
        return {
            "kind": f"{about.kind}, of texts",
            "parameters": f"{about.parameters:,}",
            "reads": f"the first {about.radius:,} bytes",
            "classes": ", ".join(config.classes),
            "abstains under": f"{config.threshold:.1%}",
        }
    rows = {
        "kind": about.kind,
        "size": f"{about.size} x {about.size} px" if about.size else "any",
        "channels": f"{about.channels} ({colours})",
        "parameters": f"{about.parameters:,}",
        "weights in": "" if config.numbers == "float32" else config.numbers,
        "multiply-adds": work or f"{about.macs_per_pixel:,.0f} a pixel",
        "enlarges": f"x{about.scale}" if about.scale > 1 else "",
        "radius": f"{about.radius} px; tiles are exact" if about.tiling_exact else "",
        "latent": str(config.latent) if config.latent else "",
        "classes": ", ".join(config.classes),
        "styles": ", ".join(config.styles),
        "abstains under": f"{config.threshold:.1%}" if config.threshold else "",
    }
    return {key: value for key, value in rows.items() if value}


def _front_matter(config: ArtefactConfig) -> str:
    generates = config.descriptor.kind in ("gan", "vae")
    task = ["pipeline_tag: unconditional-image-generation"] if generates else []
    lines = [
        f"license: {json.dumps(config.descriptor.licence.lower(), ensure_ascii=False)}",
        "library_name: volute",
        *task,
        f"tags: [volute, onnx, {config.descriptor.kind}]",
    ]
    return "\n".join(["---", *lines, "---"])


def _limits(config: ArtefactConfig) -> str:
    generates = config.descriptor.kind in ("gan", "vae")
    shown = "texts" if config.of_texts else "pictures"
    lines = [
        f"It knows nothing but its training data ({config.descriptor.training_data}) and repeats "
        "that data's gaps and biases.",
        "It is meant for study, prototypes and art. Do not use it for decisions about people, for "
        "diagnosis, or as evidence of anything.",
    ]
    if generates:
        lines += [
            f"Its outputs are {config.descriptor.size} x {config.descriptor.size} px and "
            "synthetic: mark them as such wherever you show them.",
            "An output may resemble a training picture. Compare before you publish.",
        ]
    if config.descriptor.kind == "upscale":
        lines.append(
            "What it adds is a guess at what was there, however sharp: measure nothing in it and "
            "base no diagnosis on it. --check shows where it contradicts its source, --faithful "
            "makes the two agree."
        )
    if config.descriptor.kind == "style":
        lines.append(
            "It was taught by few pictures: styles unlike them come out less like themselves. What "
            "it makes is no longer a photograph: say so wherever you show it."
        )
    if config.descriptor.kind == "lm":
        lines.append(
            "It writes what texts like its own say, and knows no facts: say wherever you show it "
            "that a machine wrote it. A passage may be one it learned from: see longest_copy."
        )
    if config.descriptor.kind == "classify":
        lines.append(
            f"It answers with one of its classes whatever it is shown: of {shown} unlike its "
            "training data, even a certain answer means nothing."
        )
    return "\n".join(f"- {line}" for line in lines)


def _measures(metrics: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    for key, value in metrics.items():
        yield key, f"{value:.4g}" if isinstance(value, float) else str(value)


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = [f"| {_cell(key)} | {_cell(value)} |" for key, value in rows]
    return "\n".join(["| | |", "|-|-|", *cells])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
