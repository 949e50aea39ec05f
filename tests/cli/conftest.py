from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dying import DyingCrew
from running import Command, Result
from volute import zoo
from volute.cli import main
from volute.cluster import spread
from volute.cluster.task import Task
from volute.cluster.worker import Site, Worker
from volute.events import Emit
from volute.provenance import detector, watermark


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run `volute ARGUMENTS` inside an empty folder, with an empty zoo beside it."""
    watermark.shipped(), detector.shipped()  # are kept, also where the zoo is another
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(zoo, "HERE", tmp_path / "zoo")
    monkeypatch.setenv("COLUMNS", "80")

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["volute", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Put a crew in place of Ray, and give the number of workers that will die, to be changed."""
    deaths = [0]

    @contextlib.contextmanager
    def crew(task: Task, site: Site, emit: Emit) -> Iterator[DyingCrew]:
        yield DyingCrew(lambda: Worker(task, site), 2, deaths[0], 3)

    monkeypatch.setattr(spread, "crew", crew)
    return deaths
