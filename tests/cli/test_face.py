from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

import volute
from make_artefact import make_gan, make_vae
from running import Command

BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("torch", "onnx", "onnxscript"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""


def python(code: str, *arguments: object) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    line = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def commands(command: Command, *group: str) -> list[str]:
    """Return the commands that a help page lists."""
    listed = command(*group, "--help").out.partition("\nCommands:")[2].splitlines()
    return [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "]


def test_version(command: Command) -> None:
    assert command("--version").out == f"volute {volute.__version__}\n"


def test_a_mistyped_verb_is_recorded(command: Command, snapshot: SnapshotAssertion) -> None:
    assert str(command("sampel")) == snapshot


def test_every_verb_shows_how_it_is_used(command: Command) -> None:
    verbs = commands(command)
    assert {"sample", "interpolate", "reconstruct", "models", "info"} <= set(verbs)
    for verb in verbs:
        for path in [[verb, inner] for inner in commands(command, verb)] or [[verb]]:
            assert f"  volute {' '.join(path)}" in command(*path, "--help").out


def test_help_and_import_load_nothing_heavy() -> None:
    code = """
import sys
import volute
assert not {"numpy", "pydantic", "PIL"} & set(sys.modules), "import volute"
from volute.cli import main
sys.argv = ["volute", "--help"]
try:
    main()
except SystemExit:
    pass
heavy = {"numpy", "pydantic", "PIL", "rich", "onnxruntime", "torch"} & set(sys.modules)
assert not heavy, heavy
"""
    assert "Usage: volute" in python(code)


def test_everything_in_use_works_without_torch(tmp_path: Path) -> None:
    make_gan(tmp_path / "gan")
    make_vae(tmp_path / "vae")
    code = f"""{BLOCKED}
import os, sys, volute
os.chdir(sys.argv[1])
volute.load("gan").interpolate(2, steps=2)
volute.load("vae").reconstruct(volute.sample("vae", 2))
from volute.cli import main
for verb in ["sample", "interpolate", "info"]:
    sys.argv = ["volute", verb, "gan"]
    try:
        main()
    except SystemExit as end:
        assert not end.code
"""
    assert "saved    tiny-gan-seed0 (16 pictures" in python(code, tmp_path)


def test_sampling_does_not_import_torch(tmp_path: Path) -> None:
    make_gan(tmp_path / "gan")
    code = """
import sys, volute
volute.sample(sys.argv[1], 2)
print(sorted({"torch", "onnx", "rich", "typer"} & set(sys.modules)))
"""
    assert python(code, tmp_path / "gan") == "[]\n"


def test_the_face_lists_its_names() -> None:
    assert {"load", "sample", "models", "train"} <= set(dir(volute))
    with pytest.raises(AttributeError, match="no attribute 'paint'"):
        _ = volute.paint


@pytest.mark.parametrize(
    "words",
    ["train gan mine", "resume runs/mine-1", "export runs/mine-1", "demo", "features mine a.png"],
)
def test_what_needs_torch_says_how_to_get_it(words: str, tmp_path: Path) -> None:
    code = f"""{BLOCKED}
import os
os.chdir(sys.argv[1])
sys.argv = ["volute", *{words.split()!r}]
from volute.cli import main
main()
"""
    line = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    assert done.stderr == (
        'error: training needs torch\n  Install it with: pip install "volute[train]"\n'
    )
