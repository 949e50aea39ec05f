"""Errors as RFC 9457 has them: `application/problem+json` with what is wrong and what to do."""

from __future__ import annotations

import errno
import logging

from volute.errors import DataError, MissingExtraError, UsageError, VoluteError, printable
from volute.studio.models import Problem

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Cannot be done",
    401: "Token needed",
    403: "Not allowed from there",
    404: "Not found",
    405: "Method not allowed",
    409: "In use",
    413: "Too large",
    415: "Unsupported media type",
    422: "Cannot be used",
    429: "Too many requests",
    500: "Unexpected error",
    501: "Not installed",
    503: "Busy",
    507: "No room on the disk",
}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
log = logging.getLogger("volute.studio")


class NotFoundError(VoluteError):
    """What was named is not there."""


class InUseError(VoluteError):
    """What is to be changed is being worked on, or not anybody's to change."""


class TooLargeError(VoluteError):
    """More than the limits allow."""


class FullError(VoluteError):
    """More work than fits into the queue."""


def problem(status: int, detail: str, hint: str = "") -> Problem:
    """Return an error of a status with its title."""
    title = TITLES.get(status, "Error")
    return Problem(title=title, status=status, detail=printable(detail), hint=printable(hint))


def problem_of(error: BaseException) -> Problem:
    """Return what a client is told of an error; what nobody foresaw goes to the log as well."""
    if isinstance(error, VoluteError):
        return problem(_status(error), error.what, error.hint)
    if isinstance(error, MemoryError):
        return problem(413, "there is not enough memory for this", "Give something smaller.")
    if isinstance(error, OSError) and error.errno in FULL:
        return problem(507, "the disk is full", "Make room there.")
    if isinstance(error, FileNotFoundError):
        return problem(404, f"{error.filename} is no longer there", "It was deleted meanwhile.")
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return problem(404, "there is nothing of so long a name")
    log.error("unexpected error", exc_info=error)
    return problem(500, f"{type(error).__name__}: this should not happen", "Report it, please.")


def _status(error: VoluteError) -> int:
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno in FULL:
        return 507
    table: tuple[tuple[type[VoluteError], int], ...] = (
        (NotFoundError, 404),
        (InUseError, 409),
        (TooLargeError, 413),
        (FullError, 503),
        (UsageError, 400),
        (DataError, 422),
        (MissingExtraError, 501),
    )
    return next((status for kind, status in table if isinstance(error, kind)), 422)
