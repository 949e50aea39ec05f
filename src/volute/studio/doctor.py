"""How a training goes, in words, from its log."""

from __future__ import annotations

import math
from collections.abc import Sequence

from volute.studio.findings import Doctor

EARLY = 5
"""Lines of a log before which nothing is said."""
TREND = 20
"""Lines that are compared with as many before them."""
LOSSES = ("loss", "g_loss", "held_out_bits", "nats")
STALL = 0.002
"""Change of a loss, as a share of it, that is none."""


def doctor(log: Sequence[dict[str, float]]) -> Doctor:
    """Return a verdict on a training by its log.

    OK: it learns, or it is too early to tell. WATCH: something is unusual. STOP: going on is of no
    use.
    """
    if len(log) < EARLY:
        return Doctor(verdict="OK", words="It has just begun: too early to tell.")
    last = log[-1]
    if not all(math.isfinite(value) for value in last.values()):
        words = "The numbers are no longer finite: it has become unstable."
        return Doctor(verdict="STOP", words=words, try_next="Resume it with -s lr=0.001.")
    if "d_loss" in last and "g_loss" in last:
        return _adversarial(log)
    return _trend(log)


def _adversarial(log: Sequence[dict[str, float]]) -> Doctor:
    """Judge a GAN by whether one of the two has won (relativistic loss: 0.69 is a draw)."""
    recent = [line["d_loss"] for line in log[-EARLY:] if "d_loss" in line]
    lead = sum(recent) / len(recent)
    if lead < 0.05:
        words = "The discriminator tells real from made without fail: the generator learns little."
        return Doctor(verdict="STOP", words=words, try_next="Start anew with a larger -s gamma.")
    if lead < 0.2:
        words = "The discriminator is far ahead of the generator."
        return Doctor(verdict="WATCH", words=words, try_next="More pictures, or a larger gamma.")
    return Doctor(verdict="OK", words="Generator and discriminator keep each other busy.")


def _trend(log: Sequence[dict[str, float]]) -> Doctor:
    name = next((name for name in LOSSES if name in log[-1]), "")
    values = [line[name] for line in log if name in line]
    if not name or len(values) < 2 * TREND:
        return Doctor(verdict="OK", words="It learns.")
    before, now = (sum(part) / TREND for part in (values[-2 * TREND : -TREND], values[-TREND:]))
    gain = (before - now) / max(abs(before), 1e-9)
    if gain < -0.2:
        words = f"The loss has gone up, from {before:.3g} to {now:.3g}."
        return Doctor(verdict="WATCH", words=words, try_next="Resume it with a smaller lr.")
    if abs(gain) < STALL:
        words = "The loss has not changed for a while: it may have learned what it can."
        return Doctor(verdict="WATCH", words=words, try_next="Stop it and use it, or go larger.")
    return Doctor(verdict="OK", words=f"It learns: the loss went from {before:.3g} to {now:.3g}.")
