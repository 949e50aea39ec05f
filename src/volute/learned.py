"""What a run learns from: opened, written down in the run, and compared when it goes on."""

from __future__ import annotations

import json
from pathlib import Path

from volute import data, recipes
from volute.data.labelled import open_labelled
from volute.data.listing import Listing, difference, listing
from volute.data.shards import lasting as shards_lasting
from volute.data.text import open_text
from volute.errors import DataError, UsageError
from volute.events import Emit
from volute.paths import write_text
from volute.training.feed import Feed, PictureFeed, TextFeed
from volute.training.labelled import LabelledFeed
from volute.training.run import Run, RunConfig
from volute.training.streamed import ShardFeed

FILES = "files.json"
"""In a run: the names of what it learns from."""


def opened(config: RunConfig, emit: Emit) -> Feed:
    """Open what is learned from."""
    if recipes.kind_of(config.kind, config.settings).text:
        paths = [Path(path) for path in config.settings["texts"]]
        name = ", ".join(path.name for path in paths)
        if config.kind == "classify":
            return LabelledFeed(open_labelled(paths), name)
        return TextFeed(open_text(paths), name)
    size = config.size or None
    if data.is_shards(config.source):
        shards, first = data.open_shards(config.source, config.data, size, emit)
        return ShardFeed(shards, first, config.data, emit)
    return PictureFeed(data.open_dataset(Path(config.source), config.data, size, emit))


def data_key(config: RunConfig, feed: Feed) -> str:
    """Return what changes whenever the data do, examples included."""
    return feed.key + recipes.examples_key(config.kind, config.settings)


def note(run: Run, config: RunConfig, feed: Feed) -> None:
    """Write into the run what it learns from: in words, and file by file."""
    write_text(run.path / "data.txt", feed.report)
    files = {"classes": feed.classes, "files": _listing(config, feed)}
    write_text(run.path / FILES, json.dumps(files))


def changed(run: Run, config: RunConfig, feed: Feed) -> DataError | None:
    """Return the error that the data of a run are not those it began with, if so.

    Raises:
        DataError: if their classes are others, so that there is no going on.
    """
    if config.data_key in ("", data_key(config, feed)):
        return None
    what = f"what {run.path} learns from, {config.source}: the files have changed since it began"
    hint = "Put them back as they were, or start a new run on them: volute train ..."
    path = run.path / FILES
    if not path.is_file():
        return DataError(what, f"{hint} To go on all the same: volute resume --accept-data")
    before = json.loads(path.read_text(encoding="utf-8"))
    marks = {name: tuple(mark) for name, mark in before["files"].items()}
    what += f": {difference(marks, _listing(config, feed))}"
    if tuple(before["classes"]) != tuple(feed.classes):
        raise DataError(f"{what}; and its classes are others", hint)
    return DataError(what, f"{hint} To go on all the same: volute resume --accept-data")


def lasting(source: str | Path) -> str:
    """Return what a run calls its source, so that it is found from any folder.

    Raises:
        UsageError: if its name is not UTF-8, or it is a URL that holds a secret.
    """
    if data.is_shards(source):
        return shards_lasting(str(source))
    source = Path(source)
    return str(source) if data.is_scenes(source) else _printable(source.resolve())


def _listing(config: RunConfig, feed: Feed) -> Listing:
    return feed.listing if isinstance(feed, ShardFeed) else listing(_sources(config))


def _sources(config: RunConfig) -> list[Path]:
    """Return the files and folders that a run learns from."""
    examples = recipes.kind_of(config.kind, config.settings).examples
    named = [config.source, *(config.settings.get(examples, ()) if examples else ())]
    return [Path(name) for name in dict.fromkeys(named)]


def _printable(path: Path) -> str:
    try:
        path.name.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the name of {path!r} is not UTF-8", "Rename it, please.") from error
    return str(path)
