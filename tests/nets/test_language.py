"""The language model: causal, and the same in torch, in NumPy, at once and byte by byte."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from volute.engine import language
from volute.engine.language import Network
from volute.engine.memory import joined
from volute.nets.language import ConvLm

TEXT = np.random.default_rng(0).integers(0, 256, (2, 90), np.uint8)


@pytest.fixture(scope="module")
def model() -> ConvLm:
    torch.manual_seed(0)
    network = ConvLm(16, (7, 20, 5), (64, 128, 256, 512), 8, 2, 0.5).eval()
    with torch.no_grad():  # it starts with matrices of zeros
        for name, parameter in network.named_parameters():
            if not name.endswith("filter"):
                parameter.normal_(std=0.3)
    return network


@pytest.fixture(scope="module")
def network(model: ConvLm) -> Network:
    return Network({k: v.numpy() for k, v in model.state_dict().items()}, 3)


def logits(model: ConvLm, text: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        made, _ = model(torch.from_numpy(text).long(), model.blank(len(text)))
    return made.numpy()


def test_nothing_is_seen_before_it_comes(model: ConvLm) -> None:
    before, changed = logits(model, TEXT), TEXT.copy()
    changed[:, 50] ^= 1
    after = logits(model, changed)
    np.testing.assert_allclose(after[:, :50], before[:, :50], atol=1e-4)
    assert np.abs(after[:, 50:] - before[:, 50:]).max((1, 2)).min() > 1e-2


@pytest.mark.parametrize("ready", [0, 1 << 20])
def test_numpy_is_torch(model: ConvLm, monkeypatch: pytest.MonkeyPatch, ready: int) -> None:
    monkeypatch.setattr(language, "READY", ready)
    network = Network({k: v.numpy() for k, v in model.state_dict().items()}, 3)
    made = network.read(TEXT, network.blank(2))
    np.testing.assert_allclose(made, logits(model, TEXT), atol=1e-4)
    memory = network.blank()
    single = [network.read(TEXT[:1, i : i + 1], memory) for i in range(90)]
    np.testing.assert_allclose(np.concatenate(single, 1)[0], made[0], atol=1e-4)


@pytest.mark.parametrize("parts", [[90], [1] * 90, [3, 1, 1, 40, 1, 44], [1, 88, 1]])
def test_in_parts_is_at_once(network: Network, parts: list[int]) -> None:
    memory, made, start = network.blank(2), [], 0
    for count in parts:
        made.append(network.read(TEXT[:, start : start + count], memory))
        start += count
    whole = network.read(TEXT, network.blank(2))
    np.testing.assert_allclose(np.concatenate(made, 1), whole, atol=1e-4)


def test_windows_that_carry_their_past_are_the_whole(model: ConvLm) -> None:
    text, past, made = torch.from_numpy(TEXT).long(), model.blank(2), []
    for start in range(0, 90, 30):
        with torch.no_grad():
            part, past = model(text[:, start : start + 30], past)
        made.append(part)
    np.testing.assert_allclose(torch.cat(made, 1).numpy(), logits(model, TEXT), atol=1e-4)


def test_a_fork_leaves_the_other_alone_and_streams_join(network: Network) -> None:
    one, two = network.blank(), network.blank()
    network.read(TEXT[:1, :40], one)
    network.read(TEXT[1:, :11], two)
    fork = one.fork()
    network.read(TEXT[1:, 60:], fork)
    both = joined([one, two])
    ahead = np.stack([TEXT[0, 40:60], TEXT[1, 11:31]])
    made = network.read(ahead, both)
    np.testing.assert_allclose(made[0], network.read(ahead[:1], one)[0], atol=1e-5)
    np.testing.assert_allclose(made[1], network.read(ahead[1:], two)[0], atol=1e-5)


def test_it_reaches_no_further_than_it_says(network: Network) -> None:
    reach, rng = network.reach, np.random.default_rng(1)
    text = rng.integers(0, 256, (1, reach + 60), np.uint8)
    changed = text.copy()
    changed[:, :59] = rng.integers(0, 256, 59)
    last = [network.read(one, network.blank())[:, -1] for one in (text, changed)]
    np.testing.assert_allclose(*last, atol=1e-5)
