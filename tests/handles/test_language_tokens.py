"""Writing and scoring by byte pairs: all that a model of bytes does, and what is damaged."""

from __future__ import annotations

import math
import re
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import volute
from make_artefact import make_lm
from volute.cli.heat import heat_map
from volute.errors import DataError, MissingExtraError, VoluteError
from volute.handles import LanguageModel
from volute.handles.language import Score
from volute.provenance.text_mark import detect

pytest.importorskip("tokenizers", reason="needs the extra bpe")
SHEEP = "🐑".encode()
PAIRS = np.array(
    [[ord(a), ord(b)] for a, b in ("th", "he", "an", "in", "er", "ou", "st", " t", " a", "ed")]
    + [[256, ord("e")], [263, ord("h")], [267, ord("e")], [258, ord("d")], [SHEEP[0], SHEEP[1]]],
    np.int32,
)
"""th, he, an, in, er, ou, st, " t", " a", ed, the, " th", " the", and, and half of a sheep."""
TEXT = "the band and then there, in the 🐑 stand & <b>"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    return loaded(make_lm(tmp_path_factory.mktemp("lm") / "pairs", pairs=PAIRS).path)


def loaded(path: Path) -> LanguageModel:
    made = volute.load(path)
    assert isinstance(made, LanguageModel)
    return made


def test_tokens_are_counted_not_bytes(model: LanguageModel) -> None:
    text = model.write("the", tokens=150, seed=1)
    assert len(text) > 150
    assert text == model.write("the", tokens=150, seed=1)
    assert "".join(model.stream("the", tokens=150, seed=1)) == text
    assert text != model.write("the", tokens=150, seed=2)


def test_several_prompts_are_each_by_themselves(model: LanguageModel) -> None:
    prompts = ["", "the", "A longer one, of several bands and 🐑"]
    texts = model.write(prompts, tokens=40, temperature=0)
    assert texts == [model.write(prompt, tokens=40, temperature=0) for prompt in prompts]


def test_what_was_read_goes_on_forked_saved_and_loaded(
    model: LanguageModel, tmp_path: Path
) -> None:
    draft = model.begin("It was a ")
    draft.write(tokens=300, seed=3)
    draft.save(tmp_path / "draft")
    fork, again = draft.fork(), model.load(tmp_path / "draft")
    draft.read(" Something else. ").write(tokens=9)
    text = fork.write(tokens=300, seed=4)
    assert again.write(tokens=300, seed=4) == text


def test_a_draft_of_other_tokens_is_refused(model: LanguageModel, tmp_path: Path) -> None:
    for name, pairs in (("bytes", None), ("fewer", PAIRS[:-1])):
        loaded(make_lm(tmp_path / name, pairs=pairs).path).begin("x").save(tmp_path / "draft")
        with pytest.raises(DataError, match="no draft of pairs"):
            model.load(tmp_path / "draft")


def test_a_text_ends_before_a_stop_inside_a_token(model: LanguageModel) -> None:
    whole = model.write("the", tokens=150, seed=1)
    for stop in ("he", "d", whole[40:45]):
        text = model.write("the", tokens=150, seed=1, stop=stop)
        assert text == whole[: whole.find(stop)]


@pytest.mark.parametrize("prompt", ["", "\0", "שלום", "🌙" * 9, b"\xff\xfe", "\udcff", b"\r\n \r"])
def test_any_prompt_is_continued(model: LanguageModel, prompt: str | bytes) -> None:
    made = model.write(prompt, tokens=8, seed=0)
    made.encode()
    assert made


def test_the_mark_is_found_without_the_model(model: LanguageModel) -> None:
    how = {"temperature": 1.0, "min_p": 0.0, "seed": 1}
    text = model.write("the", tokens=300, **how)
    assert detect(text).p_value <= 1e-3
    assert "".join(model.stream("the", tokens=300, **how)) == text
    assert model.write(["the", "the"], tokens=300, **how)[0] == text
    plain = model.write("the", tokens=300, **how, unmarked=True)
    assert detect(plain).p_value > 1e-3
    assert model.write("the", tokens=199, **how) == model.begin("the").write(
        tokens=199, **how, unmarked=True
    )
    assert detect(model.write(tokens=300, **how, key=b"mine"), b"mine").p_value <= 1e-3


def test_a_score_is_of_tokens_and_of_their_bytes(
    model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = model.score(TEXT)
    data = TEXT.encode()
    spans = [data[a:b] for a, b in zip([0, *score.ends], score.ends, strict=False)]
    assert b"".join(spans) == data
    assert spans[:4] == [b"the", b" ", b"b", b"and"]
    draft = model.begin("")
    for span, nats in zip(spans, score.nats, strict=True):
        logits = draft._logits.astype(float)
        likely = np.exp(logits - logits.max())
        symbol = model._network.tokens.bytes.index(span)
        assert nats == pytest.approx(-math.log(likely[symbol] / likely.sum()), abs=1e-4)
        draft.read(span)
    assert score.bits_per_byte == pytest.approx(score.nats.sum() / math.log(2) / len(data))
    monkeypatch.setattr("volute.handles.language.CHUNK", 7)
    np.testing.assert_allclose(model.score(data).nats, score.nats, atol=1e-4)
    assert model.score("").bits_per_byte == 0


def test_bits_per_byte_by_hand() -> None:
    score = Score(np.array([math.log(2), 5 * math.log(2)]), np.array([1, 4]))
    assert score.bits_per_byte == pytest.approx(1.5)


def test_a_page_colours_tokens_and_leaves_characters_whole() -> None:
    data = "ab🐑c".encode() + b"\xff"
    bits = np.array([3.0, 1.0, 1.0, 0.0, 6.0])
    score = Score(bits * math.log(2), np.array([2, 4, 6, 7, 8]))
    page = heat_map("a", np.frombuffer(data, np.uint8), score, "m")
    shown = page[page.index("<pre") : page.index("</pre>")]
    assert unescape(re.sub("<[^>]*>", "", shown)) == "ab🐑c\ufffd"
    spans = re.findall(r"30, ([0-9.]+)\)\">([^<]*)<", shown)
    assert spans == [("0.375", "ab"), ("0.250", "🐑"), ("0.750", "\ufffd")]


@pytest.mark.parametrize(
    "pairs", [PAIRS[:-2], np.array([*PAIRS[:-1], [999, 1]]), PAIRS.astype(np.float32)]
)
def test_damaged_pairs_are_refused(tmp_path: Path, pairs: np.ndarray) -> None:
    path = make_lm(tmp_path / "bad", pairs=PAIRS).path
    weights = load_file(path / "weights.safetensors")
    save_file(weights | {"bpe.pairs": pairs}, path / "weights.safetensors")
    with pytest.raises(VoluteError, match="cannot use"):
        loaded(path).write("a")


def test_a_model_without_its_pairs_is_damaged(tmp_path: Path) -> None:
    path = make_lm(tmp_path / "bad", settings={"filters": [5, 9], "bpe": 300}).path
    with pytest.raises(VoluteError, match=r"no tensor bpe\.pairs"):
        loaded(path).write("a")


def test_without_the_library_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = loaded(make_lm(tmp_path / "pairs", pairs=PAIRS).path)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match="byte pairs need tokenizers"):
        model.write("the")
    with pytest.raises(MissingExtraError):
        model.score("the")
