"""One of several parts of a batch, for as many processes or machines, which need not know of each
other.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from volute.errors import UsageError

MOST = 1_000_000


@dataclass(frozen=True)
class Shard:
    """Part `part`, from 1, of `parts`."""

    part: int
    parts: int

    @classmethod
    def of(cls, text: str) -> Shard:
        """Return what `2/5` means.

        Raises:
            UsageError: if it is no such part.
        """
        found = re.fullmatch(r"(\d{1,7})/(\d{1,7})", text)
        part, parts = map(int, found.groups()) if found else (0, 0)
        if not 1 <= part <= parts <= MOST:
            raise UsageError(f"--shard {text} is no part", "Write 1/4, 2/4, 3/4 and 4/4.")
        return cls(part, parts)

    def __str__(self) -> str:
        return f"{self.part}-of-{self.parts}"

    def has(self, name: str) -> bool:
        """Tell whether a file belongs to it, by its name alone: other files change nothing.

        Args:
            name: of the file under the folder that is worked on, with `/` between its parts.
        """
        hashed = hashlib.blake2b(name.encode("utf-8", "surrogateescape"), digest_size=8).digest()
        return int.from_bytes(hashed, "big") % self.parts == self.part - 1

    def numbers(self, count: int) -> range:
        """Return which of `count` numbered things belong to it."""
        return range(self.part - 1, count, self.parts)
