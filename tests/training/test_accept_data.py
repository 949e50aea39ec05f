"""A run whose data have changed since: said with the difference, refused, or accepted."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from shapes import TINY, shapes
from volute.data.listing import difference, listing
from volute.errors import DataError
from volute.events import Event, Note
from volute.exports import export_run
from volute.jobs import resume, train


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with 48 pictures in two classes."""
    pictures, labels = shapes(48)
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        place = tmp_path / "data" / ("bar" if label else "disc") / f"{number:02d}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place)
    return tmp_path / "data"


def test_changed_data_are_refused_with_the_difference_or_accepted(
    folder: Path, tmp_path: Path
) -> None:
    run = train("gan", folder, kimg=0.16, out=tmp_path / "run", settings=TINY["gan"])
    gone = sorted((folder / "disc").glob("*.png"))[0]
    gone.unlink()
    Image.fromarray(shapes(1, seed=9)[0][0]).save(folder / "bar" / "new.png")
    with pytest.raises(DataError, match=rf"1 added \(bar/new.png\), 1 gone \(disc/{gone.name}\)"):
        resume(run.path, kimg=0.32)
    with pytest.raises(DataError) as error:
        export_run(run.path, tmp_path / "model")
    assert "--accept-data" in error.value.hint
    assert run.config.kimg == 0.16
    events: list[Event] = []
    resume(run.path, kimg=0.32, accept_data=True, emit=events.append)
    assert run.metrics["shown"] == 320
    assert any(isinstance(e, Note) and "1 added" in e.text for e in events)
    resume(run.path, kimg=0.48)  # and they are its data from now on


def test_other_classes_are_refused_in_any_case(folder: Path, tmp_path: Path) -> None:
    run = train("gan", folder, kimg=0.16, out=tmp_path / "run", settings=TINY["gan"])
    (folder / "bar").rename(folder / "rod")
    with pytest.raises(DataError, match="classes are others"):
        resume(run.path, kimg=0.32, accept_data=True)


def test_differences_in_words(folder: Path) -> None:
    before = listing([folder])
    assert len(before) == 48
    assert "other contents" in difference(before, before)
    size, time = before["bar/00.png"] if "bar/00.png" in before else before["disc/00.png"]
    name = "bar/00.png" if "bar/00.png" in before else "disc/00.png"
    assert difference(before, before | {name: (size, time + 1)}) == f"1 changed ({name})"
    assert difference(before, {}).startswith("48 gone (bar/")
    assert difference({}, before).endswith(", ...)")
