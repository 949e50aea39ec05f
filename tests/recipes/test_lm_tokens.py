"""Language models of byte pairs: learned from what is learned from, measured in bytes."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import make_language
import volute
from make_language import TEXT, assert_same_state, said, written
from volute import jobs
from volute.engine.tokens import learned
from volute.errors import MissingExtraError, UsageError
from volute.handles import LanguageModel
from volute.training.run import Run, read_log

pytest.importorskip("tokenizers", reason="needs the extra bpe")
BPE = 280
DATA = np.frombuffer(TEXT.encode(), np.uint8)
KNOWN = int(0.9 * len(DATA))


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("lm"))


def train(book: Path, name: str, kimg: float, **over: Any) -> Run:
    settings = {"bpe": BPE} | over.pop("settings", {})
    return make_language.train(book, name, kimg, settings=settings, **over)


@pytest.fixture(scope="module")
def run(book: Path) -> Run:
    return train(book, "whole", 12.8)


def loaded(run: Run) -> LanguageModel:
    model = volute.load(run.path)
    assert isinstance(model, LanguageModel)
    return model


def test_it_learns_and_is_what_was_trained(run: Run) -> None:
    last, measured = read_log(run.path / "log.jsonl")[-1], loaded(run)._artefact.metrics()
    assert last["bits_per_byte"] < 2
    assert 0 < last["ngram_bits_per_byte"] < 2
    assert measured["parity"] < 1e-4
    assert measured["bits_per_byte"] == pytest.approx(last["bits_per_byte"], abs=0.01)
    assert measured["bytes_per_token"] > 2
    assert loaded(run).write("The", tokens=200, seed=0)


def test_bits_are_of_the_bytes_that_are_held_out(run: Run) -> None:
    model = loaded(run)
    score = model.score(DATA[KNOWN:])
    assert score.ends[-1] == len(DATA) - KNOWN
    bits = score.nats.sum() / math.log(2) / (len(DATA) - KNOWN)
    assert bits == pytest.approx(model._artefact.metrics()["bits_per_byte"], abs=0.05)


def test_nothing_is_learned_from_what_is_held_out(run: Run) -> None:
    tokens = loaded(run)._network.tokens
    np.testing.assert_array_equal(tokens.pairs, learned(DATA[:KNOWN], 280))


def test_tokens_are_counted(run: Run) -> None:
    card = (run.model / "README.md").read_text(encoding="utf-8")
    assert "| tokens shown | 12,800 |" in card
    assert "| vocabulary | 280 tokens |" in card
    told = loaded(run).info.descriptor.training_data
    assert told == f"sheep.txt, {len(DATA):,} bytes"


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(book: Path) -> None:
    whole = train(book, "uninterrupted", 1.28)
    steps = iter(range(100))
    part = train(book, "interrupted", 1.28, stop=lambda: next(steps) == 4)
    jobs.resume(part.path)
    assert_same_state(whole, part)
    made = [(r.model / "weights.safetensors").read_bytes() for r in (whole, part)]
    assert made[0] == made[1]


def test_a_run_goes_on_with_the_tokens_it_began_with(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = iter(range(100))
    run = train(book, "began", 1.28, stop=lambda: next(steps) == 4)
    monkeypatch.setattr("volute.recipes.lm.learned", lambda *_: np.zeros((24, 2), np.int32))
    jobs.resume(run.path)
    np.testing.assert_array_equal(loaded(run)._network.tokens.pairs, learned(DATA[:KNOWN], BPE))


def test_it_writes_texts_of_a_kind(tmp_path: Path) -> None:
    model = loaded(train(said(tmp_path), "said", 19.2, settings={"bpe": 270}))
    settings: dict[str, Any] = {"tokens": 60, "temperature": 0.7, "seed": 0}
    cat, dog = (model.write("\n\n", label=label, **settings) for label in ("cat", "dog"))
    assert "meow" in cat
    assert "woof" not in cat
    assert "woof" in dog
    assert "meow" not in dog


def test_counts_of_bytes_do_not_go_with_it(book: Path) -> None:
    with pytest.raises(UsageError, match="expert = 6: .*it counts bytes: with bpe leave it out"):
        train(book, "both", 1, settings={"expert": 6})
    for wrong in (-1, 100, 256, 1 << 20):
        with pytest.raises(UsageError, match="setting bpe"):
            train(book, "wrong", 1, settings={"bpe": wrong})
    with pytest.raises(UsageError, match="has only"):
        train(book, "many", 1, settings={"bpe": 20_000})


def test_a_missing_library_is_said_before_anything_is_made(
    book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError):
        train(book, "missing", 1)
    assert not (book.parent / "missing").exists()


def test_a_classifier_does_not_start_from_it(run: Run, tmp_path: Path) -> None:
    table = tmp_path / "pets.csv"
    table.write_text("text,label\n" + "a dog,dog\na cat,cat\n" * 60)
    with pytest.raises(UsageError, match="reads byte pairs"):
        jobs.train("classify", table, kimg=0.1, settings={"start": str(run.path)})
