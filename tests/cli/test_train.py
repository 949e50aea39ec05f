"""`volute train`, `resume` and `export` as typed: texts, exit codes, nothing left behind."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from shapes import TINY, shapes
from volute.cli import main


@pytest.fixture
def volute(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Run a command in an empty folder; return its exit code and what it said."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["volute", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
        said = capsys.readouterr()
        return int(stop.value.code or 0), said.out + said.err

    return run


def _pictures(folder: Path, count: int, same: bool = False) -> Path:
    folder.mkdir()
    for index, picture in enumerate(shapes(count)[0]):
        array = shapes(1)[0][0] if same else picture
        Image.fromarray(array).save(folder / f"{index}.png")
    return folder


FAST = [f"-s{key}={value}" for key, value in TINY["gan"].items()]


def test_train_sample_resume_and_export(volute, tmp_path: Path) -> None:
    _pictures(tmp_path / "mine", 40)
    code, said = volute("train", "gan", "mine", "--kimg", "0.16", *FAST)
    assert code == 0, said
    assert "40 images" in said
    assert "volute sample runs/mine-1" in said
    code, said = volute("sample", "runs/mine-1", "-n", "4", "--grid", "-o", "grid.png")
    assert code == 0, said
    assert Image.open("grid.png").size[0] >= 32
    assert volute("resume", "runs/mine-1", "--kimg", "0.32")[0] == 0
    code, said = volute("export", "runs/mine-1", "-o", "out")
    assert code == 0, said
    assert "mine-1" in volute("info", "out")[1]
    assert volute("train", "gan", "mine", "--kimg", "0.16", *FAST)[0] == 0
    assert Path("runs/mine-2").is_dir()


def test_a_run_can_be_repeated_from_its_settings(volute, tmp_path: Path) -> None:
    _pictures(tmp_path / "mine", 40)
    told = [*FAST, "-sblocks=1", "-srecompute=true", "-sname=Mine"]
    assert volute("train", "gan", "mine", "--kimg", "0.016", *told, "-o", "one")[0] == 0
    code, said = volute("train", "gan", "mine", "-c", "one/config.toml", "-o", "two")
    assert code == 0, said
    assert Path("two/config.toml").read_text() == Path("one/config.toml").read_text()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: folder, "missing"),
        (lambda folder: folder.mkdir() or folder, "no picture"),
        (lambda folder: _pictures(folder, 1), "1"),
        (lambda folder: _pictures(folder, 3), "3"),
        (lambda folder: _pictures(folder, 30, same=True), "same"),
    ],
)
def test_data_that_cannot_be_used_is_refused_with_exit_code_4(
    make, words: str, volute, tmp_path: Path
) -> None:
    source = make(tmp_path / "missing")
    code, said = volute("train", "gan", source, "--kimg", "1")
    assert code == 4, said
    assert said.splitlines()[-1].startswith("  ") or "error:" in said
    assert words in said
    assert "Traceback" not in said
    assert not Path("runs").exists()


def test_broken_pictures_alone_are_refused_by_name(volute, tmp_path: Path) -> None:
    folder = tmp_path / "broken"
    folder.mkdir()
    for index in range(20):
        (folder / f"{index}.jpg").write_bytes(b"\xff\xd8\xff\xe0 not a picture")
    code, said = volute("train", "gan", folder, "--kimg", "1")
    assert code == 4
    assert "0.jpg" in said or "20" in said


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--size", "30"], 2, "28"),
        (["--preset", "huge"], 2, "Presets"),
        (["-s", "bacth=3"], 2, "batch"),
        (["-s", "batch"], 2, "key=value"),
        (["--time", "1m", "--kimg", "1"], 2, "one of them"),
        (["-o", "mine/0.png/run"], 1, "0.png"),
    ],
)
def test_wrong_arguments_say_what_would_be_right(
    arguments: list[str], code: int, words: str, volute, tmp_path: Path
) -> None:
    _pictures(tmp_path / "mine", 20)
    found, said = volute("train", "gan", "mine", *arguments)
    assert (found, "Traceback" in said) == (code, False), said
    assert words in said


def test_a_run_goes_on_with_other_settings_but_not_with_other_networks(
    volute, tmp_path: Path
) -> None:
    _pictures(tmp_path / "mine", 20)
    assert volute("train", "gan", "mine", "--kimg", "0.16", *FAST)[0] == 0
    before = Path("runs/mine-1/config.toml").read_bytes()
    code, said = volute("resume", "runs/mine-1", "--kimg", "0.32", "-s", "width=48")
    assert code == 2, said
    assert "of other networks" in said
    code, said = volute("resume", "runs/mine-1", "--kimg", "0.32", "-s", "gama=1")
    assert code == 2, said
    assert "gamma" in said
    assert Path("runs/mine-1/config.toml").read_bytes() == before
    code, said = volute("resume", "runs/mine-1", "--kimg", "0.32", "-s", "lr=0.0005")
    assert code == 0, said
    assert "lr = 0.0005" in Path("runs/mine-1/config.toml").read_text()


def test_resume_of_something_else_says_so(volute, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros(3))
    code, said = volute("resume", tmp_path)
    assert code == 2
    assert "not a run" in said


def test_export_never_replaces_what_is_there(volute, tmp_path: Path) -> None:
    _pictures(tmp_path / "mine", 20)
    assert volute("train", "gan", "mine", "--kimg", "0.16", *FAST)[0] == 0
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for place in ("mine", "runs/mine-1", "."):
        code, said = volute("export", "runs/mine-1", "-o", place)
        assert (code, "not empty" in said) == (2, True), said
    assert (tmp_path / "mine" / "thesis.txt").exists()
    assert Path("runs/mine-1/state/newest.safetensors").exists()


def test_a_run_does_not_go_on_with_other_pictures(volute, tmp_path: Path) -> None:
    folder = _pictures(tmp_path / "mine", 20)
    assert volute("train", "gan", "mine", "--kimg", "0.16", *FAST)[0] == 0
    Image.fromarray(255 - shapes(1, seed=9)[0][0]).save(folder / "new.png")
    code, said = volute("resume", "runs/mine-1", "--kimg", "0.32")
    assert code == 4
    assert "changed" in said


def test_a_log_torn_by_a_power_cut_does_not_stop_the_run(volute, tmp_path: Path) -> None:
    _pictures(tmp_path / "mine", 20)
    assert volute("train", "gan", "mine", "--kimg", "0.16", *FAST)[0] == 0
    with Path("runs/mine-1/log.jsonl").open("a") as log:
        log.write('{"shown": 17')
    assert volute("resume", "runs/mine-1", "--kimg", "0.32")[0] == 0


def test_values_that_cannot_be_are_refused_and_spoil_nothing(volute, tmp_path: Path) -> None:
    _pictures(tmp_path / "mine", 20)
    assert volute("train", "gan", "mine", "--kimg", "0.064", *FAST)[0] == 0
    before = Path("runs/mine-1/config.toml").read_bytes()
    for words in (
        "train gan mine --time 0s",
        "train gan mine --kimg 0",
        "train gan mine --kimg -3",
        "resume runs/mine-1 --kimg 0",
        "resume runs/mine-1 --kimg 1 --time 1m",
        "train gan mine -s precision=fp32",
        "train gan mine -s threads=two",
        "train gan mine -s data=3",
        "train gan mine -s data=3 -s data.mode=L",
        "train gan mine -s gamma=nan",
    ):
        code, said = volute(*words.split())
        assert (code, "Traceback" in said) == (2, False), words + said
    assert Path("runs/mine-1/config.toml").read_bytes() == before
    assert not Path("runs/mine-2").exists()


def test_a_width_that_does_not_divide_by_eight_is_fine(volute, tmp_path: Path) -> None:
    _pictures(tmp_path / "mine", 20)
    arguments = ["--kimg", "0.064", "-s", "width=50", "-s", "batch=16", "-s", "threads=1"]
    code, said = volute("train", "vae", "mine", *arguments)
    assert code == 0, said


def test_control_characters_do_not_reach_the_terminal(volute, tmp_path: Path) -> None:
    pictures, labels = shapes(40)
    names = np.array(["\x1b]0;owned\x07a", "b"])[labels]
    np.savez(tmp_path / "evil.npz", x_train=pictures, y_train=names)
    code, said = volute("train", "gan", "evil.npz", "--kimg", "0.064", *FAST)
    assert code == 0, said
    assert "\x1b" not in said
