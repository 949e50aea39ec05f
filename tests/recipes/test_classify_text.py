"""Text classifiers: they learn, go on bit for bit, and come out as they were trained."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file

import volute
from volute import jobs
from volute.engine.texts import packed
from volute.errors import DataError, UsageError
from volute.handles import TextClassifier
from volute.nets.texts import Together
from volute.recipes import create, resolve_settings
from volute.training.device import choose
from volute.training.recipe import DataFacts
from volute.training.run import Run

TINY: dict[str, Any] = {
    "length": 200,
    "members": 2,
    "width": 12,
    "stem": 8,
    "part": 4,
    "maps": 8,
    "words": 512,
    "grams": [64, 64, 64, 64],
    "bag": 1024,
    "batch": 20,
    "lr": 1e-2,
    "ema_kimg": 0.2,
    "threads": 1,
    "precision": "float32",
}


def sentences(count: int, seed: int) -> list[tuple[str, str]]:
    """Return texts whose class is the order of two words among others."""
    rng, made = random.Random(seed), []
    for _ in range(count):
        other = rng.choices(["der", "größe", "Haus", "und", "viele", "東京", "🐑"], k=6)
        label = rng.choice(["dog first", "cat first"])
        pair = ["dog", "bites", "cat"] if label == "dog first" else ["cat", "bites", "dog"]
        at = rng.randrange(6)
        made.append((" ".join(other[:at] + pair + other[at:]), label))
    return made


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "pets.csv"
    rows = "".join(f"{text},{label}\n" for text, label in sentences(400, 0))
    path.write_text(f"text,label\n{rows}", encoding="utf-8")
    return path


def train(table: Path, name: str, kimg: float, **over: Any) -> Run:
    settings = TINY | over.pop("settings", {})
    out = table.parent / name
    return jobs.train("classify", table, kimg=kimg, out=out, settings=settings, **over)


@pytest.fixture(scope="module")
def run(table: Path) -> Run:
    return train(table, "whole", 3)


def loaded(run: Run) -> TextClassifier:
    model = volute.load(run.path)
    assert isinstance(model, TextClassifier)
    return model


def test_it_learns_the_order_of_words(run: Run) -> None:
    texts = sentences(100, 1)
    found = loaded(run).classify([text for text, _ in texts])
    assert [one.label for one in found] == [label for _, label in texts]
    assert all(one.probability > 0.5 for one in found)


def test_what_is_used_is_what_was_trained(run: Run, table: Path) -> None:
    model = loaded(run)
    assert model._artefact.metrics()["parity"] < 1e-4
    settings = resolve_settings("classify", "tiny", run.config.settings)
    facts = DataFacts(1, 1, 2, 400, (200, 200))
    recipe = create("classify", settings, facts, choose("cpu", "float32"))
    state = load_file(run.path / "state" / "newest.safetensors")
    net = recipe.averages["kept"].network
    assert isinstance(net, Together)
    made = load_file(run.model / "weights.safetensors")["classifier.members.0.words.weight"]
    last = np.array_equal(made, state["average.classifier.members.0.words.weight"])
    prefix = f"average.{'classifier' if last else 'kept'}."
    kept = {k: torch.from_numpy(v) for k, v in state.items() if k.startswith(prefix)}
    net.load_state_dict({name.removeprefix(prefix): value for name, value in kept.items()})
    texts = [text.encode() for text, _ in sentences(40, 2)]
    with torch.no_grad():
        expected = net(net.tables.read(packed(texts, 200))).mean(0).numpy()
    made = model._network.logits(texts)
    temperature = (expected * made).sum() / (made * made).sum()
    np.testing.assert_allclose(made * temperature, expected, atol=1e-4 * np.abs(expected).max())


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(table: Path) -> None:
    whole = train(table, "uninterrupted", 1.2)
    steps = iter(range(100))
    part = train(table, "interrupted", 1.2, stop=lambda: next(steps) == 30)
    assert not part.model.exists()
    jobs.resume(part.path)
    for name in ("state/newest.safetensors", "model/weights.safetensors"):
        one, two = (load_file(r.path / name) for r in (whole, part))
        assert one.keys() == two.keys()
        for key, tensor in one.items():
            np.testing.assert_array_equal(tensor, two[key], err_msg=key)


def test_a_run_goes_on_with_the_texts_it_began_with(table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text(table.read_text(encoding="utf-8"), encoding="utf-8")
    steps = iter(range(100))
    run = train(other, "other", 1, stop=lambda: next(steps) == 2)
    other.write_text(
        other.read_text(encoding="utf-8").replace("cat first", "dog first", 1), "utf-8"
    )
    with pytest.raises(DataError, match="changed"):
        jobs.resume(run.path)


def test_it_begins_with_what_a_language_model_has_learned(table: Path) -> None:
    book = table.parent / "book.txt"
    book.write_text("\n".join(text for text, _ in sentences(200, 3)), encoding="utf-8")
    small = {"width": 16, "filters": [5, 20], "rows": [64, 128, 128, 128], "part": 8, "batch": 4,
             "length": 32, "threads": 1, "precision": "float32"}  # fmt: skip
    lm = jobs.train("lm", book, preset="tiny", kimg=0.5, out=table.parent / "lm", settings=small)
    run = train(table, "begun", 0.02, settings={"start": str(lm.path), "lr": 1e-9})
    theirs = load_file(lm.model / "weights.safetensors")
    mine = load_file(run.model / "weights.safetensors")
    for name in ("bytes", "grams.0", "grams.3"):
        ours = mine[f"classifier.members.1.{name}.weight"]
        assert not ours[0].any()
        np.testing.assert_allclose(ours[1:], theirs[f"lm.{name}.weight"], atol=1e-3)
    assert loaded(run).info.settings["start"] == "lm"
    with pytest.raises(UsageError, match="not a language model"):
        train(table, "wrong", 0.1, settings={"start": str(run.path)})


def test_a_folder_of_folders_and_a_class_of_one(tmp_path: Path) -> None:
    for number, (text, label) in enumerate([*sentences(30, 4), ("alone", "one")]):
        file = tmp_path / "set" / label / f"{number}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    run = train(tmp_path / "set", "folder", 1)
    model = loaded(Run(run.path))
    assert model.classes == ("cat first", "dog first", "one")
    assert model.classify("alone").label == "one"


def test_the_card_says_what_it_is_and_nothing_of_where_it_was_made(run: Run, table: Path) -> None:
    card = (run.model / "README.md").read_text(encoding="utf-8")
    for said in ("classifier of texts", "train classify pets.csv", "pets.csv, 400 texts",
                 "held_out_texts | 40", "of texts unlike"):  # fmt: skip
        assert said in card
    for file in run.model.iterdir():
        assert str(table.parent).encode() not in file.read_bytes(), file


def test_what_cannot_be_learned_is_refused_before_anything_is_written(table: Path) -> None:
    with pytest.raises(UsageError, match="unknown setting operations"):
        train(table, "settings", 1, settings={"operations": 1})
    one = table.parent / "one.csv"
    one.write_text("text,label\na,x\nb,x\n")
    with pytest.raises(DataError, match="2 texts of 1 classes"):
        train(one, "one", 1)
    assert not (table.parent / "one").exists()
