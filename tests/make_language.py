"""A text about sheep, and language models that learn it within seconds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

from volute import jobs
from volute.training.run import Run

TINY: dict[str, Any] = {
    "width": 16,
    "filters": [5, 20],
    "rows": [64, 128, 128, 128],
    "part": 8,
    "batch": 4,
    "length": 32,
    "lr": 1e-2,
    "threads": 1,
    "precision": "float32",
}
TEXT = "".join(f"The {i % 7}th of {i % 11} sheep said: 'Größe {i % 5} 🐑!'\n" for i in range(600))


def written(folder: Path) -> Path:
    """Write the text into a folder."""
    path = folder / "sheep.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


def train(book: Path, name: str, kimg: float, **over: Any) -> Run:
    """Learn a text, into a folder beside it."""
    settings = TINY | over.pop("settings", {})
    out = book.parent / name
    return jobs.train("lm", book, preset="tiny", kimg=kimg, out=out, settings=settings, **over)


def said(folder: Path) -> Path:
    """Write JSON lines of what cats and dogs say, some of it without a label."""
    path = folder / "said.jsonl"
    texts = {"cat": "meow meow purr.", "dog": "woof bark woof!", "": "what is it?"}
    labels = np.random.default_rng(0).choice([*texts, "cat", "dog"], 750)
    rows = [{"text": texts[label], "label": str(label)} for label in labels]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def assert_same_state(one: Run, two: Run) -> None:
    """Compare all that two runs would go on from, bit for bit."""
    first, second = (load_file(run.state / "newest.safetensors") for run in (one, two))
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        np.testing.assert_array_equal(tensor, second[name], err_msg=name)
