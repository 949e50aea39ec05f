"""What the symbols of a language model stand for: bytes, or byte pairs that are learned.

Byte-pair encoding (Sennrich et al. 2016, "Neural machine translation of rare words with subword
units", arXiv:1508.07909) on bytes: symbols 0 to 255 are the bytes, so that any text is encoded and
comes back as it was, and each further one stands for two before it, joined. The library
`tokenizers` (the extra `bpe`) learns and encodes, given each byte as the character of that number;
it is asked for nothing where there are no pairs.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from volute.errors import MissingExtraError, UsageError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

BYTES, MOST = 256, 1 << 15
"""Symbols that there are without pairs, and with them at most."""
LONGEST = 32
"""Bytes of a token."""
BLOCK = 1 << 18
"""Bytes that are encoded at once."""
LEARNED = 16 << 20
"""Bytes, at the end of a text, from which pairs are learned."""
SEEN = 2
"""How often a pair must be there."""
_SPACE = r"\x{09}-\x{0d} "
_WORD = r"A-Za-z\x{80}-\x{ff}"
PARTS = rf" ?[{_WORD}]+| ?[0-9]+| ?[^{_SPACE}{_WORD}0-9]+|[{_SPACE}]+?(?= [^{_SPACE}])|[{_SPACE}]+"
"""What pairs never reach across: words with the space before them, numbers, signs, white space."""


@dataclass(frozen=True, eq=False)
class Trie:
    """All tokens in the order of their bytes: those with one beginning stand together."""

    order: np.ndarray
    """int64 [V]: their symbols."""
    lengths: np.ndarray
    """int64 [V], in bytes."""
    letters: np.ndarray
    """uint8 [LONGEST, V]: the bytes of each, then zeros."""


class Tokens:
    """Turns bytes into symbols, and says which bytes each stands for.

    Args:
        pairs: int [M, 2]: the symbols that make up symbol 256 and so on; none: bytes alone.

    Raises:
        ValueError: if they are no such pairs.
    """

    def __init__(self, pairs: np.ndarray | None = None) -> None:
        self.pairs = np.zeros((0, 2), np.int32) if pairs is None else pairs
        self.bytes = _spelled(self.pairs)
        """Of each symbol."""
        self.lengths = np.array([len(token) for token in self.bytes])
        """int64 [V]: how many they are."""
        self.dtype = np.uint16 if len(self.pairs) else np.uint8
        """Of symbols."""

    def __len__(self) -> int:
        return len(self.bytes)

    @property
    def unit(self) -> str:
        """What a symbol is called."""
        return "token" if len(self.pairs) else "byte"

    def encode(self, text: np.ndarray) -> np.ndarray:
        """Return the symbols of bytes, uint8 [N]: [T] of `dtype`.

        Raises:
            MissingExtraError: if there are pairs, but no `tokenizers`.
        """
        return np.concatenate([np.zeros(0, self.dtype), *self.parts(text)])

    def parts(self, text: np.ndarray) -> Iterator[np.ndarray]:
        """Yield what `encode` returns, some at a time."""
        first = 0
        while first < len(text):
            block = text[first : first + BLOCK]
            if len(self.pairs):
                letters = block.tobytes().decode("latin-1")
                cut = letters.rfind(" ") if first + len(block) < len(text) else -1
                block = block[: cut if cut > 0 else len(block)]
                # without the places of tokens: half the time
                (found,) = self._library.encode_batch_fast([letters[: len(block)]])
                yield np.array(found.ids, self.dtype)
            else:
                yield block
            first += len(block)

    @cached_property
    def trie(self) -> Trie:
        """The tokens by their bytes."""
        order = sorted(range(len(self.bytes)), key=self.bytes.__getitem__)
        letters = np.zeros((len(order), LONGEST), np.uint8)
        for row, symbol in zip(letters, order, strict=True):
            row[: self.lengths[symbol]] = np.frombuffer(self.bytes[symbol], np.uint8)
        return Trie(np.array(order), self.lengths[order], np.ascontiguousarray(letters.T))

    @cached_property
    def _library(self) -> Tokenizer:
        library = _import()
        names = [token.decode("latin-1") for token in self.bytes]
        merges = [(names[left], names[right]) for left, right in self.pairs.tolist()]
        vocabulary = {name: symbol for symbol, name in enumerate(names)}
        made: Tokenizer = library.Tokenizer(library.models.BPE(vocabulary, merges))
        made.pre_tokenizer = _splitter(library)
        return made


def learned(text: np.ndarray, size: int) -> np.ndarray:
    """Return the pairs that make a text short, int32 [size - 256, 2], as `Tokens` takes them.

    Args:
        text: uint8 [N]; of a long one, its last 16 MB are read.
        size: number of symbols in all, 257 to 32768.

    Raises:
        MissingExtraError: without `tokenizers`.
        UsageError: if the text has not so many.
    """
    library = _import()
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = _splitter(library)
    trainer = library.trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=SEEN,
        show_progress=False,
        initial_alphabet=[chr(byte) for byte in range(BYTES)],
        max_token_length=LONGEST,
    )
    text = text[-LEARNED:]
    blocks = (text[first : first + BLOCK] for first in range(0, len(text), BLOCK))
    tokenizer.train_from_iterator((b.tobytes().decode("latin-1") for b in blocks), trainer)
    pairs = _pairs(tokenizer)
    if len(pairs) < size - BYTES:
        what = f"the text has only {BYTES + len(pairs)} tokens, not {size}"
        raise UsageError(what, "Give more text, or a smaller -s bpe=")
    return pairs


def _pairs(tokenizer: Tokenizer) -> np.ndarray:
    """Return the pairs that a tokenizer learned; one that spells what another did is left out."""
    symbols = {chr(byte): byte for byte in range(BYTES)}
    pairs = []
    for left, right in json.loads(tokenizer.to_str())["model"]["merges"]:
        if left + right not in symbols:
            pairs.append((symbols[left], symbols[right]))
            symbols[left + right] = len(symbols)
    return np.array(pairs, np.int32).reshape(-1, 2)


def _spelled(pairs: np.ndarray) -> list[bytes]:
    """Return the bytes of each symbol; pairs may come from a stranger's file."""
    if pairs.ndim != 2 or pairs.shape[1] != 2 or len(pairs) > MOST - BYTES:
        raise ValueError(f"tokens are {BYTES} to {MOST}, by pairs")
    if pairs.dtype.kind not in "iu":
        raise ValueError("pairs are whole numbers")
    made = [bytes([byte]) for byte in range(BYTES)]
    for left, right in pairs.tolist():
        if not (0 <= left < len(made) and 0 <= right < len(made)):
            raise ValueError("a pair is of tokens before it")
        made.append(made[left] + made[right])
        if len(made[-1]) > LONGEST:
            raise ValueError(f"a token has at most {LONGEST} bytes")
    if len(set(made)) < len(made):
        raise ValueError("two tokens are of the same bytes")
    return made


def _splitter(library: Any) -> Any:
    return library.pre_tokenizers.Split(library.Regex(PARTS), "isolated")


def _import() -> Any:
    try:
        import tokenizers
    except ModuleNotFoundError as error:
        raise MissingExtraError("byte pairs need tokenizers", "bpe") from error
    return tokenizers
