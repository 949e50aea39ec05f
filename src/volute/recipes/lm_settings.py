"""Settings of a language model: what can be set with `-s`, and the presets."""

from __future__ import annotations

from pydantic import Field, ValidationInfo, field_validator

from volute.config import Config
from volute.engine.tokens import BYTES, MOST
from volute.recipes.files import Teacher


class LmSettings(Config):
    """What can be set with `-s`; the presets are rows of `PRESETS`."""

    texts: tuple[Teacher, ...] = ()
    """Files and folders, or `-`."""
    bpe: int = Field(0, ge=0, le=MOST)
    """Tokens, of which 256 are the bytes and the others byte pairs that are learned from the text;
    0: bytes alone. What is said of bytes below is then said of tokens."""
    width: int = Field(128, ge=8, le=2048)
    filters: tuple[int, ...] = (7, 64, 7, 64, 7, 64)
    """Length in bytes of each layer's filter."""
    rows: tuple[int, int, int, int] = (4096, 8192, 16384, 16384)
    """Of the tables of n-grams of 2, 3, 4 and 5 bytes."""
    part: int = Field(24, ge=1, le=512)
    """Channels of an n-gram's embedding."""
    expert: int = Field(default_factory=lambda known: 0 if known.get("bpe") else 6, ge=0, le=8)
    """Order of an n-gram model whose predictions are mixed in; 0: none, as where texts have labels,
    of which it knows nothing, and with byte pairs, for it counts bytes."""
    grams: int = Field(200_000, ge=0)
    """n-grams that it keeps, at most about: each takes seven bytes."""
    dropout: float = Field(0.4, ge=0, lt=1)
    """Of the n-grams' embeddings."""
    batch: int = Field(16, ge=1, le=4096)
    """Streams."""
    length: int = Field(128, ge=8, le=1 << 16)
    """Bytes of a window."""
    lr: float = Field(3e-3, gt=0)
    lr_end: float = Field(0.01, gt=0, le=1)
    warmup: float = Field(0.02, gt=0, lt=1)
    """Share of the budget over which the learning rate rises."""
    weight_decay: float = Field(0.1, ge=0)
    ema_kimg: float = Field(100.0, gt=0)
    """Half-life of the average, in thousands of bytes."""

    @field_validator("filters")
    @classmethod
    def _some(cls, given: tuple[int, ...]) -> tuple[int, ...]:
        if not given or not all(2 <= taps <= 4096 for taps in given):
            raise ValueError("filters are of 2 to 4096 bytes, one for each layer")
        return given

    @field_validator("bpe")
    @classmethod
    def _more_than_bytes(cls, given: int) -> int:
        if 0 < given <= BYTES:
            raise ValueError(f"{BYTES} are the bytes alone: give more tokens, or 0 for none")
        return given

    @field_validator("expert")
    @classmethod
    def _of_bytes(cls, given: int, info: ValidationInfo) -> int:
        if given and info.data.get("bpe"):
            raise ValueError("it counts bytes: with bpe leave it out, or set it to 0")
        return given


PRESETS: dict[str, dict[str, object]] = {
    "tiny": {
        "width": 64,
        "filters": (7, 64, 7, 64),
        "rows": (1024, 4096, 8192, 8192),
        "part": 16,
        "grams": 100_000,
    },
    "small": {},
    "base": {"width": 192, "filters": (7, 64) * 4, "rows": (8192, 1 << 15, 1 << 16, 1 << 16)},
    "large": {"width": 512, "filters": (7, 128) * 6, "rows": (1 << 16,) * 4, "part": 64},
}
