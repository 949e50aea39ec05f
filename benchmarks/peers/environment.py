"""The environment that other projects run in: made once, beside the results, with this one's torch.

They are installed nowhere else: volute does not depend on them, nor on torchvision.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
import venv
from pathlib import Path

PACKAGES = ("pythae==0.1.2", "torchgan==0.1.0", "torchvision==0.28.0")
HERE = Path(__file__).parent
SOURCE = HERE.parents[1] / "src"


def run(folder: Path, script: str, *arguments: object) -> None:
    """Run a script of this folder in the environment in `folder`, which is made if need be."""
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not (folder / "ready").exists():
        _make(folder, python)
    command = [str(python), str(HERE / script), *map(str, arguments)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(SOURCE)})


def _make(folder: Path, python: Path) -> None:
    """Make an environment that sees what is installed here, and add the others' packages."""
    venv.create(folder, with_pip=True, clear=True)
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    told = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
    shared = Path(told.stdout.strip()) / "shared.pth"
    shared.write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    (folder / "ready").touch()
