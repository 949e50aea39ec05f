"""`bard`: small, better than counting, and silent about where it was made."""

from __future__ import annotations

import numpy as np
import pytest

import volute
from conftest import real_data
from volute import zoo
from volute.handles import LanguageModel

MOST, LEARNED, COUNTING = 4 << 20, 1_003_854, 2.19
"""Bytes of the folder, bytes of the text that it learned, bits per byte of counting alone."""


@pytest.fixture
def model() -> LanguageModel:
    loaded = volute.load("bard")
    assert isinstance(loaded, LanguageModel)
    return loaded


def test_it_is_small_and_says_nothing_of_its_machine(model: LanguageModel) -> None:
    folder = zoo.HERE / model.info.name
    assert sum(file.stat().st_size for file in folder.iterdir()) <= MOST
    for file in folder.iterdir():
        for word in (b"/work", b"/tmp", b"/home", b"/root"):
            assert word not in file.read_bytes(), file
    assert model.info.descriptor.licence == "Apache-2.0"


def test_it_predicts_better_than_counting(model: LanguageModel) -> None:
    text = np.fromfile(real_data("text/tinyshakespeare.txt"), np.uint8)
    text = text[LEARNED - 500 : LEARNED + 20_000]
    found = model.score(text).nats[500:].mean() / np.log(2)
    assert found < COUNTING
    told = model._artefact.metrics()
    assert told["bits_per_byte"] < told["ngram_bits_per_byte"]


def test_it_writes_words(model: LanguageModel) -> None:
    text = model.write("The ", tokens=400, seed=0)
    words = text.split()
    assert 50 < len(words) < 120
    assert text == model.write("The ", tokens=400, seed=0)
    assert model.write("The ", tokens=20, temperature=0)
