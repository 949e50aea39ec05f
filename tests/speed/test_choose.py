"""The self-test behind `--engine auto`: faster and as good, or the default."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

import volute
from make_artefact import make_gan
from volute.engine import choice, with_openvino
from volute.engine.artefact import Artefact
from volute.engine.choice import Choice
from volute.engine.session import DEFAULT, Engine
from volute.errors import MissingExtraError
from volute.paths import cache_dir
from volute.speed import choose
from volute.speed.choose import BOUNDS, STEP, Tried, chosen, compared, self_test

HALF = Engine("openvino", "bf16")


@pytest.fixture
def artefact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Artefact:
    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path / "cache"))
    return make_gan(tmp_path / "gan")


def tried(times: float, within: bool = True, engine: Engine = HALF) -> Tried:
    return Tried("generator", engine, times, "0.2 of an 8-bit step", within)


def test_the_fastest_of_the_good_is_chosen() -> None:
    found = chosen([tried(1.3, engine=Engine("openvino")), tried(1.9), tried(4.0, within=False)])
    assert (found.chosen, found.times) == (HALF, 1.9)
    for losing in ([], [tried(1.05)], [tried(0.7)], [tried(3.0, within=False)]):
        assert chosen(losing).chosen == DEFAULT


def test_bounds() -> None:
    wanted = np.random.default_rng(0).uniform(-1, 1, (2, 3, 32, 32)).astype(np.float32)
    for share, good in ((0.9, True), (1.1, False)):
        off = share * BOUNDS["picture"] * STEP
        assert compared("upscaler", wanted, wanted + off)[1] is good
    logits = np.array([[2.0, 0.0, -1.0]])
    assert compared("classifier", logits, logits + [0.01, 0, 0])[1]
    assert not compared("classifier", logits, logits + [0.3, 0, 0])[1]
    floating, integers = wanted, wanted + STEP
    assert compared("int8", integers, wanted - 1.01 * STEP, floating)[1]
    assert not compared("int8", integers, wanted + 1.5 * STEP, floating)[1]


def test_what_was_found_is_used_and_told_until_the_computer_changes(artefact: Artefact) -> None:
    assert choice.engine_of(artefact, "generator") == DEFAULT
    pytest.importorskip("openvino")
    found = Choice(
        engine="openvino", precision="float32", times=1.9, difference="none", here=choice.here()
    )
    choice.store(artefact, "generator", found)
    handle = volute.load(artefact.path)
    assert handle.engine() == Engine("openvino")
    assert handle.origin("sample").parameters["engine"] == "openvino float32"
    assert volute.load(artefact.path, engine=DEFAULT).engine() == DEFAULT
    assert len(handle.sample(2)) == 2
    with patch.object(choice, "here", return_value="another computer"):
        assert choice.engine_of(artefact, "generator") == DEFAULT
    (cache_dir() / choice.FILE).write_text('{"a": [}')
    assert choice.engine_of(artefact, "generator") == DEFAULT
    choice.store(artefact, "generator", found)
    assert choice.engine_of(artefact, "generator") == Engine("openvino")


def test_it_tests_once(artefact: Artefact) -> None:
    pytest.importorskip("openvino")
    ((role, found),) = self_test(artefact)
    assert role == "generator"
    assert choice.stored(artefact, role) == found
    assert found.chosen == DEFAULT or found.times >= choose.FASTER
    with patch.object(choose, "tried", side_effect=AssertionError):
        assert list(self_test(artefact)) == [(role, found)]


def test_without_another_engine_nothing_is_tested(artefact: Artefact) -> None:
    with_openvino._core.cache_clear()
    with patch.dict(sys.modules, {"openvino": None}), pytest.raises(MissingExtraError):
        list(self_test(artefact))
    assert not (cache_dir() / choice.FILE).exists()
