"""`bard` and `darwin`: small, good for their size, and silent about where they were made."""

from __future__ import annotations

import numpy as np
import pytest

import volute
from realdata import real_data
from volute import zoo
from volute.handles import LanguageModel

MOST = {"bard": 4 << 20, "darwin": 2 << 20}
"""Bytes of the folder."""
LEARNED, COUNTING = 1_003_854, 2.19
"""Bytes of the text that `bard` learned, bits per byte of counting alone."""


@pytest.fixture(params=MOST)
def model(request: pytest.FixtureRequest) -> LanguageModel:
    return loaded(request.param)


def loaded(name: str) -> LanguageModel:
    found = volute.load(name)
    assert isinstance(found, LanguageModel)
    return found


def test_it_is_small_and_says_nothing_of_its_machine(model: LanguageModel) -> None:
    folder = zoo.HERE / model.info.name
    assert sum(file.stat().st_size for file in folder.iterdir()) <= MOST[model.info.name]
    for file in folder.iterdir():
        for word in (b"/work", b"/tmp", b"/home", b"/root"):
            assert word not in file.read_bytes(), file
    assert model.info.descriptor.licence == "Apache-2.0"


def test_bard_predicts_better_than_counting() -> None:
    model = loaded("bard")
    text = np.fromfile(real_data("text/tinyshakespeare.txt"), np.uint8)
    text = text[LEARNED - 500 : LEARNED + 20_000]
    found = model.score(text).nats[500:].mean() / np.log(2)
    assert found < COUNTING
    told = model._artefact.metrics()
    assert told["bits_per_byte"] < told["ngram_bits_per_byte"]


def test_darwin_knows_a_naturalist_from_a_playwright() -> None:
    nature = "The variation of species under domestication is due to natural selection. "
    stage = "ROMEO: O gentle Juliet, wherefore art thou so sad, and whither goest thou? "
    darwin, bard = loaded("darwin"), loaded("bard")
    assert darwin.score(nature).bits_per_byte < 0.8 * bard.score(nature).bits_per_byte
    assert bard.score(stage).bits_per_byte < 0.8 * darwin.score(stage).bits_per_byte


def test_it_writes_words(model: LanguageModel) -> None:
    text = model.write("The ", tokens=400, seed=0)
    words = text.split()
    assert 50 < len(words) < 120
    assert text == model.write("The ", tokens=400, seed=0)
    assert model.write("The ", tokens=20, temperature=0)
