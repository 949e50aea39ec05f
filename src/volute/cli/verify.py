"""`volute verify`: what files tell of their origin."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from volute.cli.batch import ClusterOption, Inputs, ShardOption
from volute.cli.sample import AsJson, Overwrite
from volute.errors import VoluteError, printable

if TYPE_CHECKING:
    from volute.cluster.task import Lost
    from volute.engine.sources import Source
    from volute.events import Emit
    from volute.provenance import Verdict

BROKEN = 5
"""Exit code if a manifest is broken."""


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(verify)


def verify(
    files: Inputs,
    html: Annotated[Path | None, typer.Option("--html", help="Also write a report.")] = None,
    overwrite: Overwrite = False,
    shard: ShardOption = None,
    cluster: ClusterOption = None,
    as_json: AsJson = False,
) -> None:
    """Tell where files come from: what was signed, what is marked.

    Three findings, which say nothing of each other. Manifest: absent; intact (as it was signed, by
    whom is unknown); trusted (by keys of this computer, or imported ones); or broken. Watermark: p
    is how likely a text or picture without the mark is to show as much of it; up to 1e-05 (texts)
    or 1e-06 (pictures) it counts as found. Detector: p is the share of real pictures with as strong
    traces of up-sampling by a network: up to 0.005 generated, up to 0.05 unsure, else no evidence.
    Nothing is fetched but what a URL names. No evidence does not mean that a person made it: marks
    can be removed, other programs leave none, and the detector knows few networks. The exit code is
    5 if a manifest is broken, else 1 if a file could not be read, else 0.

    \b
    Examples:
      volute verify holiday-x2.jpg
      volute verify letter.txt photos/ --html report.html
      volute verify 'made/*.png' --json
    """
    from volute.cli.batch import each, part_of
    from volute.cli.outputs import choose
    from volute.cli.show import tell
    from volute.cli.verify_report import lines, report
    from volute.cluster.task import Lost
    from volute.engine.inputs import gathered
    from volute.provenance import keys

    keys.anchors()  # a key that is refused stops here, once
    if html is not None:
        choose(html, "", overwrite)
    found: dict[str, Verdict] = {}
    failed = 0
    part, items = part_of(shard), gathered(files, emit=tell)
    sources = [x.source for x in items if part is None or part.has(x.name.as_posix())]
    for source, verdict in each(Verifying(), sources, cluster, "files"):
        if isinstance(verdict, Lost):
            failed += 1
            typer.echo(printable(f"failed   {verdict.reason}"), err=True)
            continue
        name = str(source)
        found[name] = verdict
        if as_json:
            typer.echo(json.dumps({"file": name, **_record(found[name])}))
            continue
        if len(items) > 1:
            typer.echo(printable(name))
        for line in lines(found[name]):
            typer.echo(line)
    if html is not None:
        report(html, found)
    if any(one.manifest.state == "broken" for one in found.values()):
        raise typer.Exit(BROKEN)
    if failed:
        raise typer.Exit(1)


@dataclass(frozen=True)
class Verifying:
    """What is done to each file: see `cluster.task.Task`."""

    def opened(self) -> Callable[[Path], Verdict]:
        """Return what looks."""
        from volute.provenance import verify

        return verify

    def how(self, tool: Callable[[Path], Verdict]) -> str:
        """Name it."""
        return "verify"

    def do(self, tool: Callable[[Path], Verdict], item: Source, emit: Emit) -> Verdict | Lost:
        """Return what a file tells, or why it could not be read."""
        from volute.cluster.task import Lost

        try:
            with item.at_hand() as file:
                return tool(file)
        except VoluteError as error:
            return Lost(error.what)


def _record(verdict: Verdict) -> dict[str, Any]:
    from volute.cli.verify_report import is_found

    mark, known, traces = verdict.watermark, verdict.known, verdict.detector
    found = {} if mark is None else {"found": is_found(mark), **dataclasses.asdict(mark)}
    return {
        "manifest": dataclasses.asdict(verdict.manifest),
        "watermark": found or None,
        "agrees": verdict.agrees,
        "detector": traces and dataclasses.asdict(traces),
        "known": known and {"by": known.by, **known.record.model_dump()},
    }
