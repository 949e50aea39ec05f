"""Train a causal convolutional language model on texts.

    volute train lm shakespeare.txt --time 10m

It learns windows of parallel streams, each with the exact past of the window before, and is
measured on the end of the text, streamed, beside what an n-gram model says of it. With
`-s bpe=1024` its symbols are not bytes, but so many tokens of one or several.
"""

from __future__ import annotations

import math
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from volute.engine.counts import PARTS, Counts, fitted
from volute.engine.language import Network
from volute.engine.tokens import BYTES, Tokens, learned
from volute.errors import UsageError
from volute.handles.language import COUNTS, PAIRS, START, Draft, scored
from volute.measure.copied import copied
from volute.measure.ngram import KneserNey
from volute.nets.language import ConvLm, Past
from volute.recipes.lm_settings import LmSettings
from volute.training.device import Device
from volute.training.ema import Average
from volute.training.feed import ALL
from volute.training.optimiser import adamw, set_rate
from volute.training.recipe import DataFacts, Draw, Exported, Held, Recipe, portable, seeded

CLIP = 1.0
"""Norm of the gradient from which it is cut."""
UNTOLD = 0.1
"""Share of the windows whose kind of text is not told, so that it can write without."""
COUNTED = 16 << 20
"""Bytes that the n-gram model counts at most."""
ORDER = 7
"""Of the n-gram model that the network is compared with."""
SPARED, MOST_SPARED = 0.02, 1 << 18
"""Share of the text, at its beginning, to which the expert's share is fitted, and how many bytes at
most. Not at its end: what is held out is often of one story with that."""
WRITTEN = 400
"""Bytes or tokens of a sample."""
LOOKED_AT = 20_000
"""Bytes that are written to see what is copied."""


class Carried(nn.Module):
    """What the streams remember from one step to the next, as buffers of a state."""

    def __init__(self, past: Past) -> None:
        super().__init__()
        self.register_buffer("recent", past.recent)
        for index, (local, long) in enumerate(past.layers):
            self.register_buffer(f"local{index}", local)
            self.register_buffer(f"long{index}", long)

    def past(self, part: slice = ALL) -> Past:
        """Return that of some streams."""
        held = {name: buffer[part] for name, buffer in self.named_buffers()}
        layers = [(held[f"local{i}"], held[f"long{i}"]) for i in range((len(held) - 1) // 2)]
        return Past(held["recent"], layers)

    def keep(self, past: Past, part: slice = ALL) -> None:
        """Replace it."""
        mine = self.past(part)
        mine.recent.copy_(past.recent)
        for old, new in zip(mine.layers, past.layers, strict=True):
            for a, b in zip(old, new, strict=True):
                a.copy_(b)


class Pairs(nn.Module):
    """What tokens are made of, as a part of the state: a run goes on with those it began with.

    Args:
        count: how many pairs there are.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.pairs: torch.Tensor
        self.register_buffer("pairs", torch.zeros(count, 2, dtype=torch.int32))


class LmRecipe(Recipe):
    """The network and its step; see `volute.training.recipe.Recipe`."""

    settings: LmSettings
    compiles = True

    def __init__(self, settings: LmSettings, facts: DataFacts, device: Device, seed: int) -> None:
        super().__init__(settings, facts, device, seed)
        self.batch = settings.batch * settings.length
        if facts.text is None or len(facts.text) <= settings.length:
            raise UsageError(
                f"the text is no longer than a window of {settings.length} bytes",
                "Give more text, or a smaller -s length=",
            )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            sizes = settings.width, settings.filters, settings.rows, settings.part
            symbols = settings.bpe or BYTES
            net = ConvLm(*sizes, facts.classes, settings.dropout, symbols)
        self.net = device.place(net)
        self.carried = device.place(Carried(self.net.blank(settings.batch)))
        self.modules = {"lm": self.net, "carried": self.carried}
        if settings.bpe:
            self.modules["bpe"] = self._pairs = Pairs(settings.bpe - BYTES)
        self.averages = {"lm": Average(self.net, settings.ema_kimg * 1000)}
        self.optimisers = {
            "lm": adamw(self.net.parameters(), settings.lr, settings.weight_decay, 0.99)
        }
        self.ngram_bits = 0.0
        self.expert = 0 if facts.classes else settings.expert
        if self.expert:
            self.spared = min(int(SPARED * len(facts.text)), MOST_SPARED)

    @property
    def items(self) -> int:
        """How many windows a batch has."""
        return self.settings.batch

    def gather(self) -> None:
        """Fetch what the streams of other processes remember."""
        for buffer in self.carried.buffers():
            mine = torch.zeros_like(buffer)
            mine[self.group.part] = buffer[self.group.part]
            buffer.copy_(self.group.sum(mine))

    @cached_property
    def tokens(self) -> Tokens:
        """What the text is cut into; known when the state has been loaded."""
        return Tokens(self._pairs.pairs.numpy()) if self.settings.bpe else Tokens()

    def prepare(self) -> None:
        """Learn byte pairs, and measure what counting alone says of the text that is held out."""
        text, held = self.facts.text, self.facts.held_text
        assert text is not None
        assert held is not None
        if self.settings.bpe:
            self._pairs.pairs.copy_(torch.from_numpy(learned(text, self.settings.bpe)))
        counted = KneserNey(np.asarray(text[-COUNTED:]), ORDER)
        whole = np.concatenate([text[-ORDER:], held])
        start = len(whole) - len(held)
        self.ngram_bits = float(counted.nats(whole, start).mean() / math.log(2))

    def step(
        self, pictures: torch.Tensor, labels: torch.Tensor, progress: float, shown: int
    ) -> dict[str, float]:
        """Take one step on windows int64 [B, T + 1], and of what kind each symbol's text is."""
        settings, optimiser = self.settings, self.optimisers["lm"]
        set_rate(optimiser, settings.lr, progress, settings.lr_end, settings.warmup)
        rng = seeded(torch.device("cpu"), self.seed, shown, *self.group.mark)
        with torch.random.fork_rng(devices=[]), self.device.autocast():
            torch.manual_seed(int(torch.randint(1 << 31, (1,), generator=rng)))
            kind = None
            if self.facts.classes:
                kind = labels[:, 1:] * (torch.rand(len(labels), 1) >= UNTOLD).to(labels)
            logits, past = self.fast(self.net)(
                pictures[:, :-1], self.carried.past(self.group.part), kind
            )
        loss = F.cross_entropy(logits.float().flatten(0, 1), pictures[:, 1:].flatten())
        optimiser.zero_grad(set_to_none=True)
        self.group.backward(loss, self.net.parameters())
        nn.utils.clip_grad_norm_(self.net.parameters(), CLIP)
        optimiser.step()
        self.carried.keep(past, self.group.part)
        self.averages["lm"].update(self.net, self.batch, shown + self.batch)
        size = self.tokens.lengths[pictures[:, 1:].cpu().numpy()].mean()
        return {"loss": loss.item(), "bits": loss.item() / (math.log(2) * float(size))}

    def show(self, draw: Draw) -> str:
        """Write a text."""
        return Draft.of(self._network(), "").write(tokens=WRITTEN, seed=self.seed)

    def evaluate(self, held: Held) -> dict[str, float]:
        """Return the bits per byte of what is held out, beside those of the n-gram model."""
        return self._measured(self._network(), held)

    def _measured(self, network: Network, held: Held) -> dict[str, float]:
        ((text, before),) = held()
        score = scored(network, text.numpy(), before.numpy())
        found = {"bits_per_byte": score.bits_per_byte}
        if self.settings.bpe:
            found["bytes_per_token"] = len(text) / len(score.nats)
        return found | ({"ngram_bits_per_byte": self.ngram_bits} if self.ngram_bits else {})

    def export(self, draw: Draw, held: Held) -> Exported:
        """Give the averaged network, in half precision, its expert, and what they copy."""
        net = cast(ConvLm, portable(self.averages["lm"].network)).half()
        tensors = {f"lm.{name}": value.numpy() for name, value in net.state_dict().items()}
        alone = self._used(tensors, "lm.")
        metrics = self._measured(alone, held) | {"parity": self._parity(alone, net.float())}
        network = alone
        if self.expert:
            counts = self._expert(alone)
            tensors |= {COUNTS + name: tensor for name, tensor in counts.items()}
            network = self._used(tensors, "lm.", Counts(counts))
            metrics["bits_per_byte_alone"] = metrics["bits_per_byte"]
            metrics |= self._measured(network, held)
        if self.settings.bpe:
            tensors[PAIRS] = self.tokens.pairs
        written = Draft.of(network, "").write(
            tokens=int(LOOKED_AT / metrics.get("bytes_per_token", 1)),
            temperature=1.0,
            min_p=0.0,
            seed=self.seed,
        )
        assert self.facts.text is not None
        metrics |= copied(written.encode(), self.facts.text)
        weights = sum(p.numel() for p in net.parameters())
        tables = sum(table.weight.numel() for table in net.tables())
        return Exported(
            [],
            None,
            radius=network.reach,
            side=0,
            examples=tuple(Path(path).name for path in self.settings.texts),
            labelled=self.facts.classes > 0,
            metrics=metrics,
            tensors=tensors,
            cost=(weights, weights - tables),
        )

    def _expert(self, network: Network) -> dict[str, np.ndarray]:
        """Return the tables of an n-gram model, and how far it is trusted beside the network."""
        assert self.facts.text is not None
        spared = np.asarray(self.facts.text[: self.spared])
        rest = np.asarray(self.facts.text[self.spared :][-COUNTED:])
        tables = KneserNey(rest, self.expert).tables(self.settings.grams)
        orders = len(tables) // len(PARTS)
        counts = Counts(tables | {"trust": np.zeros(orders + 1, np.float32)})
        before = np.frombuffer(START, np.uint8)
        seen = np.concatenate([before.repeat(counts.context + 1), spared[:-1]])
        predicted, known = counts.predict(seen[None], len(spared))
        likely = predicted[np.arange(len(spared)), spared]
        other = np.exp(-scored(network, spared, before).nats)
        return tables | {"trust": fitted(likely, other, known, orders)}

    def _network(self) -> Network:
        """Return the averaged network as it will be used."""
        state = portable(self.averages["lm"].network).state_dict()
        return self._used({name: value.numpy() for name, value in state.items()})

    def _used(
        self, tensors: dict[str, np.ndarray], prefix: str = "", counts: Counts | None = None
    ) -> Network:
        return Network(tensors, len(self.settings.filters), prefix, counts, self.tokens)

    def _parity(self, network: Network, net: ConvLm) -> float:
        """Return the largest difference between the two forms of the network, singly, at once."""
        assert self.facts.text is not None
        text = self.tokens.encode(self.facts.text[: self.settings.length])[None]
        memory = network.blank()
        made = [network.read(text[:, i : i + 1], memory) for i in range(text.shape[1])]
        with torch.no_grad():
            whole, _ = net(torch.from_numpy(text.astype(np.int64)), net.blank(1))
        scale = max(1.0, float(whole.abs().max()))
        return float(np.abs(np.concatenate(made, 1) - whole.numpy()).max()) / scale
