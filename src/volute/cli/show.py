"""How long work looks on a terminal: notes as lines, progress as one line that is redrawn."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from volute.errors import printable
from volute.events import Emit, Event, Note, Progress, Saved, Verdict

SHORT = {"g_loss": "G", "d_loss": "D", "loss": "loss", "kl": "KL", "rmse": "rmse"}
SHARES = {"accuracy": "right", "held_out_accuracy": "held out right"}


@contextlib.contextmanager
def live() -> Iterator[Emit]:
    """Give an `emit` that shows events on standard error while the block runs.

    On a terminal, progress is one line that is redrawn; elsewhere a line every tenth of the work.
    """
    if not sys.stderr.isatty():
        yield _Plain()
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(stderr=True), refresh_per_second=4, transient=True) as view:

        def emit(event: Event) -> None:
            if isinstance(event, Progress):
                view.update(Text(progress_line(event)))
            elif line := event_line(event):
                view.console.print(Text(line))

        yield emit


def tell(event: Event) -> None:
    """Show one event on standard error, where no long work is shown."""
    if line := event_line(event):
        print(line, file=sys.stderr, flush=True)


class _Plain:
    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            if event.fraction < self._next:
                return
            self._next = event.fraction + 0.1 if event.fraction < 1 else 0.0
            print(progress_line(event), file=sys.stderr, flush=True)
        else:
            tell(event)


def event_line(event: Event) -> str:
    """Return the line of a note, a verdict or a saved file; samples are not announced."""
    if isinstance(event, Note):
        return printable(f"{event.topic:<8} {event.text}")
    if isinstance(event, Saved) and event.what != "sample":
        return printable(f"{event.what:<8} {shown_path(event.path)}")
    if isinstance(event, Verdict):
        advice = f" To try: {event.advice}" if event.advice else ""
        return printable(f"{event.level:<8} {event.reason}{advice}")
    return ""


def progress_line(event: Progress) -> str:
    """Return ` 12%    5 800 images · 27/s · 26 min left · G 0.91 · D 1.12`."""
    losses = [f"{SHORT[key]} {value:.2f}" for key, value in event.metrics.items() if key in SHORT]
    losses += [
        f"{SHARES[key]} {value:.1%}" for key, value in event.metrics.items() if key in SHARES
    ]
    parts = [
        f"{event.done:,} {event.unit}",
        f"{event.rate:.{0 if event.rate >= 10 else 1}f}/s",
        f"{_duration(event.left_s)} left",
        *losses,
    ]
    return f"{event.fraction:>7.0%}  " + " · ".join(parts)


def shown_path(path: Path) -> str:
    """Return `path` relative to the working folder where it lies inside it."""
    with contextlib.suppress(ValueError):
        return str(path.resolve().relative_to(Path.cwd()))
    return str(path)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
