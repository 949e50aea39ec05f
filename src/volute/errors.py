"""The errors a person sees: what went wrong, where and why, and what to do about it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class VoluteError(Exception):
    """A problem that the user can act on.

    `what` names the thing and the reason in one line; `hint` says what to do. The command line
    prints both and ends with `exit_code`; nothing else of it reaches the user.
    """

    exit_code = 1

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n  {self.hint}" if self.hint else self.what


def printable(text: str) -> str:
    """Return `text` without control characters: names from strangers' files reach terminals."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


class UsageError(VoluteError):
    """A setting, flag or model reference that cannot be used (exit code 2)."""

    exit_code = 2


class MissingExtraError(VoluteError):
    """An optional dependency is not installed (exit code 3)."""

    exit_code = 3

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(what, f'Install it with: pip install "volute[{extra}]"')


class DataError(VoluteError):
    """The data cannot be used as it is (exit code 4)."""

    exit_code = 4


TRAIN_EXTRA = ("torch", "onnx", "onnxscript")


def import_trained(module: str, what: str) -> Any:
    """Import a module of the train side for `what`, such as "training".

    Raises:
        MissingExtraError: where the extra `train` is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name not in TRAIN_EXTRA:
            raise
        raise MissingExtraError(f"{what} needs {error.name}", "train") from error
