"""The ledger: what is done is skipped, what failed or changed is done again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from volute.engine.batch import Ledger, run, unique
from volute.engine.inputs import gathered
from volute.engine.sources import Local
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
    jobs = [(item.source, out / item.name) for item in gathered([str(folder)], leave=out.resolve())]
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


def test_a_run_that_was_killed_before_it_wrote_down_goes_on(folder: Path) -> None:
    done(folder)
    ledger = folder.parent / "out/ledger.jsonl"
    lines = ledger.read_text().splitlines()
    ledger.write_text("\n".join(lines[:-1]) + "\n" + lines[-1][:20])  # torn within its last line
    assert done(folder) == {"a.txt": "skipped", "b.txt": "skipped", "deep/a.txt": "ok"}
    assert set(done(folder).values()) == {"skipped"}


@pytest.mark.parametrize("line", ['{"source": [1]}', "[" * 100_000, "\0", '{"seen": 5}'])
def test_a_strangers_ledger_does_no_harm(folder: Path, line: str) -> None:
    (folder.parent / "out").mkdir()
    (folder.parent / "out/ledger.jsonl").write_text(line + "\n")
    assert set(done(folder).values()) == {"ok"}


def test_results_are_no_inputs_and_sources_are_never_written_over(folder: Path) -> None:
    out = folder / "x2"
    for _ in range(2):
        items = gathered([str(folder), str(folder / "**/*.txt"), str(out)], leave=out.resolve())
        assert len(items) == 6
        out.mkdir(exist_ok=True)
        (out / "a.txt").write_text("made")
    source = folder / "a.txt"
    (entry,) = run([(Local(source), source)], copy, "x", None, overwrite=True)
    assert (entry.status, source.read_text()) == ("failed", "a.txt")
    with pytest.raises(UsageError, match="has no name"):
        gathered([""])


def test_a_defect_fails_one_file_alone(folder: Path) -> None:
    def broken(source: Path, out: Path) -> dict[str, Any]:
        raise IndexError("7")

    (entry,) = run(
        [(Local(folder / "a.txt"), folder / "c.txt")], broken, "x", None, overwrite=False
    )
    assert "internal error" in entry.reason


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
    assert unique([Path("b.nii.gz")] * 2)[1] == Path("b-2.nii.gz")
