"""Frozen settings with one schema: TOML in, TOML out, `-s key=value` on top, near misses named."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from volute.errors import UsageError
from volute.paths import write_text


class Config(BaseModel):
    """Base of every settings class: immutable, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    @classmethod
    def make(cls, values: Mapping[str, Any]) -> Self:
        """Build from plain values.

        Raises:
            UsageError: naming the first bad key, its reason, and the nearest known key.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _explain(cls, error) from error

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a TOML file written by `write` or by hand."""
        return cls.make(read_toml(path))

    def write(self, path: Path) -> None:
        """Write as TOML, atomically; None is left out."""
        write_text(path, tomli_w.dumps(self.model_dump(mode="json", exclude_none=True)))


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def parse_settings(pairs: Iterable[str]) -> dict[str, Any]:
    """Turn `a.b=value` strings into nested tables; values are TOML, else plain strings."""
    result: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"-s {pair} is not key=value", "Write it as in: -s batch=64")
        table = result
        *parents, last = key.strip().split(".")
        for part in parents:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise UsageError(f"-s {pair}: {part} is set to a value already")
        table[last] = _toml_value(text)
    return result


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the entries of `over` on top, table by table."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(value, Mapping) and isinstance(below, Mapping)
        result[key] = merged(below, value) if both else value
    return result


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ` Did you mean X?` for the known word closest to `word`, or an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"Did you mean {close[0]}?" if close else ""


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _explain(cls: type[BaseModel], error: ValidationError) -> UsageError:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _keys_at(cls, first["loc"][:-1])
        hint = nearest(str(first["loc"][-1]), known)
        return UsageError(f"unknown setting {where}", hint or f"Known: {', '.join(known)}")
    return UsageError(f"setting {where} = {first['input']!r}: {first['msg']}")


def _keys_at(cls: type[BaseModel], parents: tuple[int | str, ...]) -> list[str]:
    for part in parents:
        inner = cls.model_fields[str(part)].annotation if str(part) in cls.model_fields else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        cls = inner
    return list(cls.model_fields)
