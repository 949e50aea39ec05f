"""Writing: whole characters, stops, seeds, forks, files, batches, and settings that cannot be."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import volute
from make_artefact import make_lm
from volute.errors import DataError, UsageError, VoluteError
from volute.handles import LanguageModel
from volute.handles.writing import Sampling, Shown
from volute.provenance.text_mark import detect


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    path = make_lm(tmp_path_factory.mktemp("lm") / "tiny-lm").path
    loaded = volute.load(path)
    assert isinstance(loaded, LanguageModel)
    return loaded


def test_a_seed_gives_the_same_text(model: LanguageModel) -> None:
    one = model.write("Once", tokens=60, seed=1)
    assert one == model.write("Once", tokens=60, seed=1)
    assert one != model.write("Once", tokens=60, seed=2)
    assert one != model.write("Twice", tokens=60, seed=1)
    assert model.write("Once", tokens=60) != model.write("Once", tokens=60)
    assert "".join(model.stream("Once", tokens=60, seed=1)) == one


def test_temperature_zero_takes_the_likeliest(model: LanguageModel) -> None:
    assert model.write("a", tokens=30, temperature=0) == model.write("a", tokens=30, temperature=0)


def test_several_prompts_are_each_by_themselves(model: LanguageModel) -> None:
    prompts = ["", "a", "A longer one, of several words"]
    texts = model.write(prompts, tokens=40, temperature=0)
    assert texts == [model.write(prompt, tokens=40, temperature=0) for prompt in prompts]
    assert model.write([], tokens=3) == []


def test_what_was_read_goes_on_forked_saved_and_loaded(
    model: LanguageModel, tmp_path: Path
) -> None:
    draft = model.begin("It was a ")
    draft.write(tokens=17, seed=3)
    draft.save(tmp_path / "draft")
    fork, loaded = draft.fork(), model.load(tmp_path / "draft")
    draft.read(" Something else. ").write(tokens=9)
    text = fork.write(tokens=50, seed=4)
    assert loaded.write(tokens=50, seed=4) == text
    assert model.load(tmp_path / "draft").read("").write(tokens=50, seed=4) == text


def test_long_texts_are_marked_unless_unmarked(model: LanguageModel) -> None:
    text = model.write("Once", tokens=400, seed=1)
    assert detect(text).p_value < 1e-9
    assert "".join(model.stream("Once", tokens=400, seed=1)) == text
    assert model.write(["Once"], tokens=400, seed=1) == [text]
    assert model.begin("Once").write(tokens=400, seed=1) == text
    plain = model.write("Once", tokens=400, seed=1, unmarked=True)
    assert detect(plain).p_value > 1e-3
    assert model.write("Once", tokens=199, seed=1) == plain[:199]
    assert detect(text, b"mine").p_value > 1e-3
    assert detect(model.write("Once", tokens=400, seed=1, key=b"mine"), b"mine").p_value < 1e-9
    for one in model.write(["Once", "Once"], tokens=400, seed=2):
        assert detect(one).p_value < 1e-9


def test_a_marked_draft_knows_what_it_has_used(model: LanguageModel, tmp_path: Path) -> None:
    draft = model.begin("Once")
    first = draft.write(tokens=300, seed=1)
    draft.save(tmp_path / "draft")
    fork, loaded = draft.fork(), model.load(tmp_path / "draft")
    draft.write(tokens=200)
    second = fork.write(tokens=300, seed=2)
    assert loaded.write(tokens=300, seed=2) == second
    anew = model.begin("Once" + first).write(tokens=300, seed=2)
    assert anew != second
    assert detect(first + second).p_value < detect(first).p_value


def test_a_draft_of_another_model_is_refused(model: LanguageModel, tmp_path: Path) -> None:
    other = volute.load(make_lm(tmp_path / "other", width=16).path)
    other.begin("x").save(tmp_path / "draft")
    (tmp_path / "text").write_text("not a draft")
    for name in ("draft", "text", "none"):
        with pytest.raises(DataError, match="no draft of tiny-lm"):
            model.load(tmp_path / name)


def test_a_prompt_may_be_longer_than_what_is_seen_of_it(model: LanguageModel) -> None:
    long = "x" * 5000 + "The end"
    near = long[-model.info.descriptor.radius - 10 :]
    assert model.write(long, tokens=40, temperature=0) == model.write(
        near, tokens=40, temperature=0
    )


@pytest.mark.parametrize("prompt", ["", "\0", "שלום", "🌙" * 9, b"\xff\xfe", "\udcff"])
def test_any_prompt_is_continued(model: LanguageModel, prompt: str | bytes) -> None:
    made = model.write(prompt, tokens=8, seed=0)
    made.encode()
    assert made


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": -1.0},
        {"temperature": math.inf},
        {"temperature": math.nan},
        {"top_p": 0.0},
        {"min_p": 1.0},
        {"tokens": 0},
        {"tokens": 1.5},
        {"seed": -1},
        {"warmth": 1},
    ],
)
def test_what_cannot_be_is_refused(model: LanguageModel, wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        model.write("a", **wrong)


def test_scores_are_the_same_in_any_parts(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "One, two; three.\n" * 9
    whole = model.score(text)
    monkeypatch.setattr("volute.handles.language.CHUNK", 7)
    np.testing.assert_allclose(model.score(text.encode()).nats, whole.nats, atol=1e-4)
    assert whole.bits_per_byte == pytest.approx(whole.nats.mean() / math.log(2))
    assert model.score("").bits_per_byte == 0


def test_settings_decide_what_can_be_chosen() -> None:
    likely = np.array([0.5, 0.3, 0.15, 0.05])
    logits = np.log(np.concatenate([likely, np.full(252, 1e-30)])).astype(np.float32)

    def chosen(**how: float) -> set[int]:
        sampling = Sampling.make({"temperature": 1.0, "min_p": 0.0, "seed": 0, **how})
        draws = sampling.draws(0)
        return {sampling.choose(logits, draws) for _ in range(400)}

    assert chosen() == {0, 1, 2, 3}
    assert chosen(top_p=0.75) == {0, 1}
    assert chosen(top_p=0.4) == {0}
    assert chosen(min_p=0.2) == {0, 1, 2}
    assert chosen(temperature=0.0) == {0}
    assert chosen(temperature=1e-9) == {0}


TEXT = "a→b 🌙 end. User: no"


@pytest.mark.parametrize("stop", [(), ("User:",), ("User:", "end"), ("zzz",), ("🌙",)])
def test_whole_characters_and_nothing_of_a_stop(stop: tuple[str, ...]) -> None:
    shown = Shown(stop)
    pieces = [shown.add(bytes([byte])) for byte in TEXT.encode()] + [shown.end()]
    places = [TEXT.find(one) for one in stop if one in TEXT]
    assert "".join(pieces) == TEXT[: min(places, default=len(TEXT))]
    assert all("�" not in piece for piece in pieces)
    assert shown.stopped == bool(places)


def test_what_may_become_a_stop_is_held_back_and_given_at_the_end() -> None:
    shown = Shown(("END",))
    assert [shown.add(bytes([byte])) for byte in b"aENb"] == ["a", "", "", "ENb"]
    assert [shown.add(bytes([byte])) for byte in b"EN"] == ["", ""]
    assert shown.end() == "EN"


def test_bytes_that_are_no_characters_are_replaced() -> None:
    shown = Shown(())
    pieces = [shown.add(bytes([byte])) for byte in b"a\xffb\xe2\x86"]
    assert "".join(pieces) + shown.end() == "a�b�"


def test_a_model_without_filters_is_damaged(tmp_path: Path) -> None:
    path = make_lm(tmp_path / "bad", settings={}).path
    with pytest.raises(VoluteError, match="filters"):
        volute.load(path)
