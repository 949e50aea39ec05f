from __future__ import annotations

import sys
from pathlib import Path

import pytest

from running import Command, Result
from volute import zoo
from volute.cli import main
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
