"""How a token is chosen byte by byte, so that its bytes carry the mark of any text."""

from __future__ import annotations

import numpy as np

from volute.engine.tokens import BYTES, Trie
from volute.provenance.text_mark import Mark


class Spelling:
    """Draws tokens along the trie of their bytes.

    The next byte is as likely as all tokens together that go on with it; the mark weighs these
    probabilities as it does those of a model of bytes. Where a token ends and others go on, it is
    drawn which, unmarked. Averaged over keys each token is as likely as without a mark.

    Args:
        trie: of the tokens.
        mark: of the text.
    """

    def __init__(self, trie: Trie, mark: Mark) -> None:
        self._trie, self._mark = trie, mark

    def draw(self, likely: np.ndarray, draws: np.random.Generator) -> int:
        """Return a symbol, and take its bytes as written.

        Args:
            likely: float64 [V], not negative: of each symbol, up to a factor.
            draws: where chance comes from.
        """
        trie = self._trie
        likely = likely[trie.order]
        first, end = 0, len(likely)
        for depth, letters in enumerate(trie.letters):
            if trie.lengths[first] == depth:
                others = float(likely[first + 1 : end].sum())
                if draws.random() * (likely[first] + others) >= others:
                    break
                first += 1
            column = letters[first:end]
            chances = np.bincount(column, likely[first:end], BYTES)
            byte = drawn(self._mark.weigh(chances), draws)
            self._mark.add(byte)
            start, stop = np.searchsorted(column, (byte, byte + 1))
            first, end = first + int(start), first + int(stop)
        return int(trie.order[first])


def drawn(likely: np.ndarray, draws: np.random.Generator) -> int:
    """Return an index by its share of [K] numbers that are not negative."""
    up_to = likely.cumsum()
    return int(np.searchsorted(up_to, draws.random() * up_to[-1], side="right"))
