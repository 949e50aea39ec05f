"""Language models: how well they predict after ten minutes, and how fast they write, in one run.

    python benchmarks/text.py --runs runs/text            # 45 minutes on two cores

tinyshakespeare, the last tenth held out; every byte of it is scored once, with all that comes
before it. A network is trained by `volute train lm --preset small --time 10m`; with its expert and
without are the same network. Runs that are there already are measured, not trained again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import text_transformer as transformer
import volute
from volute.engine.language import Network
from volute.handles import LanguageModel
from volute.handles.language import scored
from volute.measure.ngram import KneserNey

DATA = Path(os.environ.get("VOLUTE_DATA", Path(__file__).parents[2] / "shared" / "data"))
BOOK = DATA / "text" / "tinyshakespeare.txt"
SYMBOLS, SHARE, CONTEXT = 65, 0.9, 4096
SPEED_TOKENS, MANY_TOKENS = 3000, 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, required=True, help="where models are, or are put")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    if os.environ.get("VOLUTE_SPEED_OF"):
        print(speed(os.environ["VOLUTE_SPEED_OF"]))
        return
    seconds = arguments.minutes * 60
    print(f"| tinyshakespeare, {arguments.minutes:g} minutes | nats per byte | bits per byte |")
    print("|---|---:|---:|")
    text = np.fromfile(BOOK, np.uint8)
    known = int(SHARE * len(text))
    for order in (5, 7):
        counted = KneserNey(text[:known], order, SYMBOLS)
        row(f"n-grams alone, order {order}", counted.nats(text, known).mean())
    plain = np.unique(text, return_inverse=True)[1].astype(np.int64)
    for seed in range(arguments.seeds):
        network = transformer.train(plain[:known], seconds, seed)
        row(f"transformer, seed {seed}", transformer.nats(network, plain, known))
    for seed in range(arguments.seeds):
        model = trained(arguments.runs / f"small-{seed}", "small", seconds, seed)
        network = model._network
        alone = Network(weights(model), len(model.info.settings["filters"]), "lm.")
        before, held = text[known - CONTEXT : known], text[known:]
        row(
            f"convolutions and hashed n-grams, seed {seed}", scored(alone, held, before).nats.mean()
        )
        row(
            f"the same and its n-gram expert, seed {seed}",
            scored(network, held, before).nats.mean(),
        )
    print("\n| one thread | tokens/s | alone | memory after 1,000 and 100,000 tokens |")
    print("|---|---:|---:|---:|")
    for preset in ("tiny", "small"):
        run = arguments.runs / f"{preset}-0"
        trained(run, preset, 60.0, 0)
        environment = os.environ | {"VOLUTE_SPEED_OF": str(run), "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, __file__, "--runs", str(arguments.runs)]
        found = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        print(f"| {preset} | {found.stdout.strip()} |", flush=True)


def row(name: str, nats: float) -> None:
    print(f"| {name} | {nats:.4f} | {nats / np.log(2):.4f} |", flush=True)


def trained(path: Path, preset: str, seconds: float, seed: int) -> LanguageModel:
    """Return a model, trained by the command line where it is not there yet."""
    if not path.exists():
        command = ["volute", "train", "lm", str(BOOK), "--preset", preset, "--time", f"{seconds}s"]
        subprocess.run(
            [*command, "--seed", str(seed), "-o", str(path)], check=True, capture_output=True
        )
    model = volute.load(path)
    assert isinstance(model, LanguageModel)
    return model


def weights(model: LanguageModel) -> dict[str, np.ndarray]:
    layers = len(model.info.settings["filters"])
    return model._artefact.tensors([f"lm.{name}" for name in Network.names(layers)])


def speed(path: str) -> str:
    """Return tokens/s of writing, those of the network alone, and peak memory early and late."""
    model = volute.load(path)
    assert isinstance(model, LanguageModel)
    draft = model.begin("ROMEO:")
    draft.write(tokens=1000, seed=0)
    early = peak()
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        draft.write(tokens=SPEED_TOKENS, seed=1)
        rates.append(SPEED_TOKENS / (time.perf_counter() - start))
    for _ in draft.stream(tokens=MANY_TOKENS, seed=2):
        pass
    late = peak()
    alone = Network(weights(model), len(model.info.settings["filters"]), "lm.")
    memory, byte = alone.blank(), np.full((1, 1), 97, np.uint8)
    start = time.perf_counter()
    for _ in range(SPEED_TOKENS):
        alone.read(byte, memory)
    single = SPEED_TOKENS / (time.perf_counter() - start)
    return f"{np.median(rates):,.0f} | {single:,.0f} | {early:.1f} and {late:.1f} MiB"


def peak() -> float:
    """Return the peak memory of this process in MiB; `ru_maxrss` would be that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
