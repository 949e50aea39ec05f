"""The verbs `write` and `score`: texts, continued and weighed."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from volute.cli.sample import AsJson, Overwrite
from volute.errors import UsageError

if TYPE_CHECKING:
    import numpy as np

    from volute.handles import LanguageModel

Model = Annotated[str, typer.Argument(help="Shipped name, run or artefact.")]


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.command()(write)
    app.command()(score)


def write(
    model: Model,
    prompt: Annotated[
        list[str] | None, typer.Option("--prompt", help="How it begins; several: several texts.")
    ] = None,
    tokens: Annotated[int, typer.Option("--tokens", help="How many to write, at most.")] = 500,
    temperature: Annotated[
        float, typer.Option("--temperature", help="0: always the likeliest.")
    ] = 0.8,
    top_p: Annotated[float, typer.Option("--top-p", help="0 to 1.")] = 1.0,
    min_p: Annotated[float, typer.Option("--min-p", help="0 to 1.")] = 0.02,
    stop: Annotated[list[str] | None, typer.Option("--stop", help="Ends before this text.")] = None,
    seed: Annotated[int | None, typer.Option(help="For the same text again.")] = None,
    label: Annotated[
        str, typer.Option("--class", metavar="NAME", help="Of this kind, if it learned kinds.")
    ] = "",
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="A file to write to, signed.")
    ] = None,
    unmarked: Annotated[
        bool, typer.Option("--unmarked", help="Leave out mark and signature.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Continue a text.

    It is written to standard output as it comes, behind the prompt; or to -o, with a signed
    manifest beside it that ends in .c2pa. Tokens are bytes (a letter of English is one, others are
    two to four), or byte pairs where a model learned those. What it says is what texts like those
    it learned from say: it knows no facts. From 200 tokens on it carries a mark that no reader sees
    and `volute verify` finds, except at temperature 0, where there is no choice to put it in.

    \b
    Examples:
      volute write runs/shakespeare-1 --prompt "ROMEO:" --tokens 300
      volute write runs/shakespeare-1 --prompt "ROMEO:" -o scene.txt
      volute write MODEL --prompt "Once" --prompt "Twice" --seed 1 --json
      volute write MODEL --prompt "Q: why?" --stop "Q:" --temperature 0.5
    """
    from volute.cli.outputs import tell_unmarked
    from volute.handles.writing import Sampling

    handle = _language(model)
    how: dict[str, Any] = {"temperature": temperature, "top_p": top_p, "min_p": min_p}
    how |= {"stop": tuple(stop or ()), "seed": seed, "unmarked": unmarked}
    marked = Sampling.make(how).marks(tokens)
    how |= {"tokens": tokens, "label": label}
    prompts = prompt or [""]
    if out is not None:
        _save(handle, prompts, out, how, as_json)
    elif as_json:
        texts = handle.write(prompts, **how)
        pairs = [
            {"prompt": begun, "text": text, "marked": marked}
            for begun, text in zip(prompts, texts, strict=True)
        ]
        typer.echo(json.dumps(pairs, ensure_ascii=False, indent=2))
    elif len(prompts) > 1:
        for begun, text in zip(prompts, handle.write(prompts, **how), strict=True):
            typer.echo(f"{begun}{text}\n")
    else:
        _show(prompts[0], handle.stream(prompts[0], **how))
    if unmarked:
        tell_unmarked()
    elif marked and not as_json:
        typer.echo("marked   volute verify finds it (--unmarked leaves it out)", err=True)


def _save(
    handle: LanguageModel, prompts: list[str], out: Path, how: dict[str, Any], as_json: bool
) -> None:
    """Write one text to a file that is not there yet, signed unless it is to be unmarked."""
    from volute.cli.show import tell
    from volute.provenance.manifest import signed_file

    if len(prompts) > 1:
        raise UsageError(f"{len(prompts)} texts do not fit into {out}", "Give one --prompt.")
    if out.exists():
        raise UsageError(f"{out} is there already", "Choose another -o.")
    told = {key: how[key] for key in ("temperature", "top_p", "min_p", "tokens")}
    told |= {"class": how["label"] or None}
    origin = None if how["unmarked"] else handle.origin("write", told, seed=how["seed"])
    with signed_file(out, origin, tell) as part:
        text = prompts[0] + handle.write(prompts[0], **how)
        part.write_text(text + "\n", encoding="utf-8", errors="surrogateescape")
    typer.echo(json.dumps({"out": str(out)}) if as_json else f"saved    {out}")


def _show(begun: str, pieces: Iterator[str]) -> None:
    sys.stdout.write(begun)
    for piece in pieces:
        sys.stdout.write(piece)
        sys.stdout.flush()
    sys.stdout.write("\n")


def score(
    model: Model,
    file: Annotated[Path, typer.Argument(help="A text.")],
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the text with each surprise as a colour.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: AsJson = False,
) -> None:
    """Say how well a model predicts a text.

    Bits per byte are what a perfect compressor with this model would need: 8 for noise, about 2 for
    a text like those it learned from.

    \b
    Examples:
      volute score runs/shakespeare-1 hamlet.txt
      volute score MODEL letter.txt --html letter.html
    """
    from volute.cli.heat import heat_map
    from volute.cli.outputs import choose
    from volute.paths import write_text

    handle, data = _language(model), _mapped(file)
    if html is not None:
        choose(html, "", overwrite)
    found = handle.score(data)
    if html is not None:
        write_text(html, heat_map(file.name, data, found, handle.info.name))
    if as_json:
        values = {"bits_per_byte": found.bits_per_byte, "bytes": len(data)}
        values |= {"nats": found.nats.tolist()}
        if handle.info.settings.get("bpe"):
            values["ends"] = found.ends.tolist()
        typer.echo(json.dumps(values))
        return
    typer.echo(f"{found.bits_per_byte:.4f} bits per byte of {len(data):,} bytes")


def _mapped(file: Path) -> np.ndarray:
    import numpy as np

    if not file.is_file():
        raise UsageError(f"there is no text {file}", "Check the name.")
    return np.memmap(file, np.uint8, "r") if file.stat().st_size else np.zeros(0, np.uint8)


def _language(ref: str) -> LanguageModel:
    from volute.handles import LanguageModel, load

    handle = load(ref)
    if not isinstance(handle, LanguageModel):
        kind = handle.info.descriptor.kind
        raise UsageError(f"{handle.info.name} cannot write: it is of kind {kind}", "Use an lm.")
    return handle
