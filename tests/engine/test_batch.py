"""The ledger: what is done is skipped, what failed or changed is done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from volute.engine.batch import Ledger, gathered, run, unique
from volute.errors import DataError, UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "in"
    (source / "deep").mkdir(parents=True)
    for name in ("a.txt", "b.txt", "deep/a.txt", ".hidden"):
        (source / name).write_text(name)
    return source


def copy(source: Path, out: Path) -> dict[str, Any]:
    text = source.read_text()
    if "bad" in text:
        raise DataError(f"{source}: it is\nbad")
    if "huge" in text:
        raise MemoryError
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    return {"length": len(text)}


def done(folder: Path, how: str = "x", overwrite: bool = False) -> dict[str, str]:
    out = folder.parent / "out"
    jobs = [(item.source, out / item.name) for item in gathered([str(folder)], leave=out)]
    entries = run(jobs, copy, how, Ledger(out), overwrite)
    return {Path(e.source).relative_to(folder).as_posix(): e.status for e in entries}


def test_a_second_run_goes_on(folder: Path) -> None:
    (folder / "b.txt").write_text("bad")
    assert done(folder) == {"a.txt": "ok", "b.txt": "failed", "deep/a.txt": "ok"}
    assert done(folder) == {"a.txt": "skipped", "b.txt": "failed", "deep/a.txt": "skipped"}
    (folder / "b.txt").write_text("mended")
    (folder.parent / "out/deep/a.txt").unlink()
    assert done(folder) == {"a.txt": "skipped", "b.txt": "ok", "deep/a.txt": "ok"}


def test_what_changed_is_not_written_over_unless_asked(folder: Path) -> None:
    done(folder)
    (folder / "a.txt").write_text("new words")
    assert done(folder)["a.txt"] == "failed"
    assert done(folder, overwrite=True)["a.txt"] == "ok"
    assert (folder.parent / "out/a.txt").read_text() == "new words"
    assert done(folder, how="another model")["b.txt"] == "failed"


def test_a_ledger_of_a_killed_run_and_of_a_stranger_is_read(folder: Path) -> None:
    done(folder)
    ledger = folder.parent / "out/ledger.jsonl"
    ledger.write_text(ledger.read_text() + '[1]\n{"status": "ok"}\n{"source": "a.t')
    assert set(done(folder).values()) == {"skipped"}


def test_too_little_memory_fails_one_file_alone(folder: Path) -> None:
    (folder / "a.txt").write_text("huge")
    assert done(folder) == {"a.txt": "failed", "b.txt": "ok", "deep/a.txt": "ok"}


def test_inputs_are_files_folders_and_patterns(folder: Path) -> None:
    names = [item.name.as_posix() for item in gathered([str(folder / "*.txt"), str(folder)])]
    assert names == ["a.txt", "b.txt", "a.txt", "b.txt", "deep/a.txt"]
    assert gathered([str(folder / "absent.png")])[0].name == Path("absent.png")
    for text in (str(folder / "*.png"), str(folder.parent / "empty")):
        (folder.parent / "empty").mkdir(exist_ok=True)
        with pytest.raises(UsageError, match="finds no files"):
            gathered([text])


def test_names_that_repeat_get_a_number() -> None:
    outs = [Path("a.png"), Path("a.png"), Path("b.png"), Path("a.png"), Path("a-2.png")]
    assert [str(p) for p in unique(outs)] == ["a.png", "a-2.png", "b.png", "a-3.png", "a-2-2.png"]
