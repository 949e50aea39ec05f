"""`volute bench`: how fast the models run on this computer, and how fast they could."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from volute.cli import stacked_mnist
from volute.cli.engines import EngineOption

if TYPE_CHECKING:
    from volute.engine.session import Engine
    from volute.speed.report import Report

bench = typer.Typer(rich_markup_mode=None, no_args_is_help=False)


def register(app: typer.Typer) -> None:
    """Add the group."""
    stacked_mnist.register(bench)
    app.add_typer(bench, name="bench", invoke_without_command=True)


@bench.callback(invoke_without_command=True)
def measure(
    context: typer.Context,
    models: Annotated[
        list[str] | None,
        typer.Option("--model", help="Shipped name, run or artefact; repeat it. Default: all."),
    ] = None,
    engine: EngineOption = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", help="Draw the roofline: FILE.svg or FILE.png.")
    ] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Keep the figures.")] = None,
    against: Annotated[
        Path | None, typer.Option("--against", help="Compare with figures that were kept.")
    ] = None,
) -> None:
    """Measure what the models need on this computer, and how near its limits they come.

    One line for each graph of a model: median and 95th percentile of a run, throughput, the most
    memory of a process that runs this model alone, multiply-adds counted from the graph, and the
    rate as a share of the limit: products of matrices by the same engine, measured in the same run,
    or the bandwidth of memory where that is less. The last column is the share that the operators
    which multiply reach by themselves, on one thread. Takes one to two minutes; wants a computer
    that does nothing else.

    \b
    Examples:
      volute bench
      volute bench --model photo-x2 --model painter --plot roofline.svg
      volute bench --json new.json --against old.json
      volute bench --engine openvino
    """
    if context.invoked_subcommand is not None:
        return
    from volute.cli.models import show
    from volute.paths import new_output
    from volute.speed.report import Report
    from volute.speed.roofline import checked, svg_or_png

    old = Report.open(against) if against else None
    if plot is not None:
        checked(plot)
    report = _measured(models, engine)
    for line in report.head():
        typer.echo(line)
    header, *rows = report.table(old)
    show(header, rows)
    for line in report.advice():
        typer.echo(f"advice   {line}")
    if json_ is not None:
        report.save(target := new_output(json_))
        typer.echo(f"saved    {target}")
    if plot is not None:
        svg_or_png(target := new_output(plot), report.limits, report.rows)
        typer.echo(f"saved    {target}")


def _measured(models: list[str] | None, engine: str | None) -> Report:
    """Measure the models between two looks at what the computer can do."""
    from volute.cli.show import live
    from volute.engine.session import DEFAULT
    from volute.events import Note
    from volute.speed.choose import able
    from volute.speed.limits import limits
    from volute.speed.measured import measured
    from volute.speed.report import Report, busy
    from volute.zoo import shipped

    before, found = busy(), []
    with live() as emit:
        emit(Note("measure", "what this computer can do"))
        most = limits([DEFAULT, *able()])
        for name in models or shipped():
            emit(Note("measure", name))
            for one in _engines(name, engine):
                found += measured(name, one)
        emit(Note("measure", "what this computer can do, again"))
        most = most.or_more(limits([DEFAULT, *able()]))
    rows = {row.key: row for row in found}  # what has no choice of engines was measured twice
    return Report.of(most, list(rows.values()), before)


def _engines(model: str, name: str | None) -> list[Engine | None]:
    """Return what to measure a model on: the other engine in all numbers that the CPU has."""
    from volute.cli.engines import engine_for
    from volute.speed.choose import able

    asked = engine_for(model, name)
    found: list[Engine | None] = [one for one in able() if asked and one.name == asked.name]
    return found or [asked]
