"""Language models: they learn a text, go on bit for bit, and come out as they were trained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import volute
from make_language import TEXT, TINY, assert_same_state, said, train, written
from volute import jobs
from volute.errors import DataError, UsageError
from volute.handles import LanguageModel
from volute.training.run import Run, read_log


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("lm"))


@pytest.fixture(scope="module")
def run(book: Path) -> Run:
    return train(book, "whole", 25.6)


def test_it_learns_and_stands_beside_the_n_gram_model(run: Run) -> None:
    last = read_log(run.path / "log.jsonl")[-1]
    assert last["bits_per_byte"] < 2
    assert 0 < last["ngram_bits_per_byte"] < 2


def test_its_expert_helps(run: Run) -> None:
    found = volute.load(run.path)._artefact.metrics()
    assert found["bits_per_byte"] < found["bits_per_byte_alone"]


def test_without_an_expert_there_are_no_counts(book: Path) -> None:
    run = train(book, "alone", 1.28, settings={"expert": 0})
    model = volute.load(run.path)
    assert isinstance(model, LanguageModel)
    assert model._network.counts is None
    assert "bits_per_byte_alone" not in model._artefact.metrics()
    assert model.write("The", tokens=9, seed=0)


def test_what_is_used_is_what_was_trained(run: Run, book: Path) -> None:
    model = volute.load(run.path)
    assert isinstance(model, LanguageModel)
    last = read_log(run.path / "log.jsonl")[-1]
    measured = model._artefact.metrics()
    assert measured["parity"] < 1e-4
    assert measured["bits_per_byte_alone"] == pytest.approx(last["bits_per_byte"], abs=0.01)
    held = len(TEXT.encode()) - int(0.9 * len(TEXT.encode()))
    score = model.score(TEXT.encode()[-held:]).bits_per_byte
    assert score == pytest.approx(measured["bits_per_byte"], abs=0.05)


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(book: Path) -> None:
    whole = train(book, "uninterrupted", 1.28)
    steps = iter(range(100))
    part = train(book, "interrupted", 1.28, stop=lambda: next(steps) == 4)
    assert not part.model.exists()
    jobs.resume(part.path)
    assert_same_state(whole, part)


def test_a_run_goes_on_with_the_text_it_began_with(book: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text(TEXT)
    steps = iter(range(100))
    run = train(other, "other", 1.28, stop=lambda: next(steps) == 2)
    other.write_text(TEXT + "more")
    with pytest.raises(DataError, match="changed"):
        jobs.resume(run.path)


def test_the_model_says_nothing_of_where_it_was_made(run: Run, book: Path) -> None:
    for file in run.model.iterdir():
        assert str(book.parent).encode() not in file.read_bytes(), file
    assert volute.load(run.path).info.descriptor.training_data.startswith("sheep.txt, ")


def test_what_cannot_be_learned_is_refused(book: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.txt"
    short.write_text("x" * 1100)
    with pytest.raises(UsageError, match="window"):
        train(short, "short", 1, settings={"length": 1024})
    with pytest.raises(UsageError, match="filters"):
        train(book, "filters", 1, settings={"filters": [1]})


def test_it_writes_texts_of_a_kind(tmp_path: Path) -> None:
    run = train(said(tmp_path), "said", 38.4)
    model = volute.load(run.path)
    assert isinstance(model, LanguageModel)
    assert model.labels == ("cat", "dog")
    settings: dict[str, Any] = {"tokens": 150, "temperature": 0.7, "seed": 0}
    cat, dog = (model.write("\n\n", label=label, **settings) for label in ("cat", "dog"))
    assert "meow" in cat
    assert "woof" not in cat
    assert "woof" in dog
    assert "meow" not in dog
    assert model.write("\n\n", label="cat", **settings) == cat
    with pytest.raises(UsageError, match="knows no texts of the class cow"):
        model.write("", label="cow")


def test_labels_are_part_of_the_data(tmp_path: Path) -> None:
    lines = tmp_path / "said.jsonl"
    lines.write_text('{"text": "one two three", "label": "a"}\n' * 90)
    steps = iter(range(100))
    run = train(lines, "a", 1.28, stop=lambda: next(steps) == 2)
    lines.write_text('{"text": "one two three", "label": "b"}\n' * 90)
    with pytest.raises(DataError, match="changed"):
        jobs.resume(run.path)


@pytest.mark.long
def test_a_text_of_four_gigabytes_is_not_loaded(tmp_path: Path) -> None:
    text = tmp_path / "huge.txt"
    part = (TEXT * 400).encode()
    with text.open("wb") as out:
        while out.tell() < 1 << 32:
            out.write(part)
    code = (
        "import resource, sys; from volute import jobs; from pathlib import Path;"
        f"jobs.train('lm', {str(text)!r}, kimg=1.28, preset='tiny', out={str(tmp_path / 'run')!r},"
        f" settings={TINY!r});"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    shared_and_own = int(done.stdout.split()[-1]) / 2**20
    assert shared_and_own < 8, "GiB, of which mapped pages of the text are most"


@pytest.mark.long
def test_memory_does_not_grow_over_100_000_tokens(run: Run) -> None:
    code = (
        f"import resource, volute; d = volute.load({str(run.path)!r}).begin('The');"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "sum(len(t) for t in d.stream(tokens=2000, seed=0)); a = peak();"
        "sum(len(t) for t in d.stream(tokens=100_000, seed=1)); print(peak() - a)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 8 << 10, "KiB"
