"""2,700 broken and odd files through the whole check: bounded, quiet, each with its reason."""

from __future__ import annotations

import json
import subprocess
import sys

from realdata import real_data
from volute.data import DataSettings, open_dataset
from volute.events import silent

SCRIPT = """
import json, pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
from volute.data import DataSettings, open_dataset
dataset = open_dataset(pathlib.Path(sys.argv[1]), DataSettings(), 16, lambda event: None)
status = pathlib.Path("/proc/self/status").read_text()  # ru_maxrss would hold the parent's
peak_kb = int(status.split("VmHWM:")[1].split()[0])
print(json.dumps({"peak_kb": peak_kb, "report": dataset.report.model_dump()}))
"""


def test_hostile_files_are_survived_quietly_in_bounded_memory():
    folder = real_data("hostile")
    command = [sys.executable, "-W", "always", "-c", SCRIPT, folder]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr == ""
    result = json.loads(done.stdout)
    assert result["peak_kb"] < 400_000
    left_out = result["report"]["left_out"]
    assert len(left_out) > 2000
    assert all(item["name"] and item["reason"] for item in left_out)
    assert sum("over the limit of 50" in item["reason"] for item in left_out) == 3
    files = sum(1 for path in folder.rglob("*") if path.is_file())
    assert result["report"]["usable"] + len(left_out) == files


def test_land_in_tiles_loses_nothing_but_duplicates_and_flat_water():
    dataset = open_dataset(real_data("land"), DataSettings(crop="tiles"), 64, silent)
    assert len(dataset.pictures) + len(dataset.report.left_out) == 33_600
    assert len(dataset.report.left_out) < 50
    assert len(dataset.classes) == 21
