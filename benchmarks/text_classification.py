"""How many questions of TREC a text classifier names rightly, from scratch, beside linear ones.

    python benchmarks/text_classification.py                  # 6 classes, five seeds
    python benchmarks/text_classification.py --fine           # 50 classes as well
    python benchmarks/text_classification.py --keep           # measure the runs that are there

All settings are the defaults. There are 5,452 questions to learn from, 500 to measure on (Li & Roth
2002). A tenth of the former is held out of the networks' training, to choose by; nothing is chosen
by the test questions. The baselines learn from all 5,452, from words and pairs of words, each once:
naive Bayes with one added, and a logistic regression for each class, its features scaled by naive
Bayes (Wang & Manning 2012). 72 questions stand twice among those that are learned from, and 11 of
the test questions are there too.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

import volute
from volute.handles import TextClassifier

HERE = Path(__file__).parent
DATA = Path(os.environ.get("VOLUTE_DATA", HERE.parents[1] / "shared" / "data"))
RUNS = HERE / "results" / "runs"
Example = tuple[str, str]
"""A text and its label."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kimg", default="40", help="thousands of questions shown to each network")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--fine", action="store_true")
    parser.add_argument("--keep", action="store_true", help="measure the runs that are there")
    parser.add_argument("-s", "--set", action="append", default=[], help="settings of the networks")
    arguments = parser.parse_args()
    print("| classes | model | accuracy | macro-F1 | of each seed | training |")
    print("|---:|---|---:|---:|---|---:|")
    for fine in (False, True) if arguments.fine else (False,):
        for row in rows(fine, arguments):
            print(row, flush=True)


def rows(fine: bool, arguments: argparse.Namespace) -> list[str]:
    train, test = read("TREC.train", fine), read("TREC.test", fine)
    count = len({label for _, label in train})
    made = []
    linear = {
        "naive Bayes": (naive_bayes, True),
        "regression scaled by naive Bayes": (scaled_regression, True),
        "the same, case kept": (scaled_regression, False),
    }
    for name, (fit, lower) in linear.items():
        start = time.perf_counter()
        said = baseline(train, test, fit, lower)
        made.append(row(count, name, [said], test, time.perf_counter() - start))
    start = time.perf_counter()
    found = [network(train, test, fine, seed, arguments) for seed in range(arguments.seeds)]
    spent = (time.perf_counter() - start) / arguments.seeds
    return [*made, row(count, "**volute**", found, test, spent)]


def read(name: str, fine: bool) -> list[Example]:
    lines = (DATA / "text" / "trec" / name).read_text(encoding="latin-1").splitlines()
    split = [line.split(" ", 1) for line in lines]
    return [(text, label if fine else label.partition(":")[0]) for label, text in split]


def row(count: int, name: str, found: list[list[str]], test: list[Example], seconds: float) -> str:
    truth = [label for _, label in test]
    labels = sorted(set(truth))
    right = [np.mean([a == b for a, b in zip(said, truth, strict=True)]) for said in found]
    f1 = [f1_score(truth, said, labels=labels, average="macro", zero_division=0) for said in found]
    each = " ".join(f"{100 * share:.1f}" for share in right) if len(found) > 1 else ""
    cells = [count, name, f"{100 * np.mean(right):.1f} %", f"{100 * np.mean(f1):.1f} %", each]
    return f"| {' | '.join(map(str, cells))} | {seconds:.0f} s |"


def baseline(
    train: list[Example],
    test: list[Example],
    fit: Callable[[csr_matrix, np.ndarray, csr_matrix], np.ndarray],
    lower: bool,
) -> list[str]:
    """Return what a linear model of words and pairs of words says of the test texts."""
    words = CountVectorizer(
        binary=True, ngram_range=(1, 2), lowercase=lower, tokenizer=str.split, token_pattern=None
    )
    x_train, x_test = (
        words.fit_transform([text for text, _ in train]),
        words.transform([text for text, _ in test]),
    )
    classes = sorted({label for _, label in train})
    labels = np.array([classes.index(label) for _, label in train])
    return [classes[index] for index in fit(x_train, labels, x_test).argmax(1)]


def naive_bayes(x_train: csr_matrix, labels: np.ndarray, x_test: csr_matrix) -> np.ndarray:
    """Return scores [texts, classes] of multinomial naive Bayes."""
    scores = []
    for label in range(labels.max() + 1):
        counts = np.asarray(x_train[labels == label].sum(0)).ravel() + 1
        prior = np.log(np.mean(labels == label))
        scores.append(x_test @ np.log(counts / counts.sum()) + prior)
    return np.stack(scores, 1)


def scaled_regression(x_train: csr_matrix, labels: np.ndarray, x_test: csr_matrix) -> np.ndarray:
    """Return scores [texts, classes] of one regression a class, on features that are scaled."""
    scores = []
    for label in range(labels.max() + 1):
        of_class = labels == label
        inside = np.asarray(x_train[of_class].sum(0)).ravel() + 1
        outside = np.asarray(x_train[~of_class].sum(0)).ravel() + 1
        ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
        model = LogisticRegression(C=1.0, solver="liblinear")
        model.fit(x_train.multiply(ratio).tocsr(), of_class)
        scores.append(model.decision_function(x_test.multiply(ratio).tocsr()))
    return np.stack(scores, 1)


def network(
    train: list[Example],
    test: list[Example],
    fine: bool,
    seed: int,
    arguments: argparse.Namespace,
) -> list[str]:
    """Return what a network that has learned from the texts says of the test texts."""
    run = RUNS / f"trec-{'fine' if fine else 'coarse'}-{seed}"
    if not (arguments.keep and (run / "model").exists()):
        shutil.rmtree(run, ignore_errors=True)
        run.parent.mkdir(parents=True, exist_ok=True)
        table = run.with_suffix(".csv")
        with table.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("text", "label"), *train])
        volute_command = Path(sys.executable).with_name("volute")
        settings = [part for pair in arguments.set for part in ("-s", pair)]
        command = [volute_command, "train", "classify", table, "--kimg", arguments.kimg, "--seed",
                   seed, "-o", run, *settings]  # fmt: skip
        subprocess.run([str(part) for part in command], check=True)
    model = volute.load(run)
    assert isinstance(model, TextClassifier)
    return [found.label for found in model.classify([text for text, _ in test])]


if __name__ == "__main__":
    main()
