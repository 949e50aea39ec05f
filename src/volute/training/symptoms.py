"""What signs mean: from the rows of a training to a verdict in words.

A row has `shown`, `seconds`, what the step logged, and of `training.vitals` what was measured
then. Every rule looks at the rows so far and gives a verdict or nothing; the gravest wins.
Limits come from healthy trainings and from broken ones (`benchmarks/stability.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from volute.events import Verdict

Row = dict[str, float]
Rule = Callable[[Sequence[Row]], Verdict | None]

ADVERSARIES = ("generator", "discriminator")
"""Networks of which each must learn; others may take turns."""
LEAP = 0.12
"""Of its length a network's weights move in a step, as of a walk at random; healthy: 0.03."""
BLOWN = 25.0
"""Logits scatter so much only when the discriminator has blown up; healthy: 1 to 5."""
ALIKE, POOR = 0.1, 0.2
"""Variety under which all is alike, or little is different."""
HAD = 0.3
"""Variety that once was there before it was lost."""
START = 20_000
"""Images shown before which little variety means that it has only begun (64 px: 0.02 to 0.15)."""
FEW = 0.3
"""Share of the data's groups under which much of the data is never made."""
BLANK = 0.02
"""Variance of made pixels, over that of real ones, of pictures that are one and the same."""
WON, LEAD = 0.995, 8.0
"""Pairs told apart and margin in logits at which the generator has nothing to learn from."""
GUESS, GUESSES = 0.54, 6
"""Pairs that a discriminator tells apart, in the mean of so many looks, when it only guesses;
healthy: 0.59 and more."""
BY_HEART = 0.6
"""Share of the margin that held-out pictures lack."""
COPIES = 0.5
"""How much nearer than unseen pictures those made lie to what is learned from."""
RISEN = 0.3
"""Share of a loss, or of how far it had come, by which it goes up when something is wrong."""
TREND = 12
"""Rows that are compared with as many before them."""


def judge(rows: Sequence[Row]) -> Verdict:
    """Return the verdict on a training by its rows, oldest first; at least one."""
    found = [verdict for rule in RULES if (verdict := rule(rows))]
    for level in ("STOP", "WATCH"):
        for verdict in found:
            if verdict.level == level:
                return verdict
    return Verdict("OK", _well(rows))


def unstable(rows: Sequence[Row]) -> Verdict:
    """Return the verdict on a training whose values are no longer finite."""
    leap = _leaped(rows)
    if leap:
        return leap
    return Verdict(
        "STOP",
        "A value became NaN or infinite.",
        "Half the learning rate (-s lr=...), or for a GAN four times gamma (-s gamma=...).",
        "not finite",
    )


def _leaped(rows: Sequence[Row]) -> Verdict | None:
    for name, value in _of(rows[-1:], ".moved"):
        if value > LEAP:
            return Verdict(
                "STOP",
                f"The weights of the {name} are thrown about: they move by {value:.0%} of their "
                "length in a step.",
                "A smaller learning rate (-s lr=...).",
                "learning rate",
            )
    return None


def _still(rows: Sequence[Row]) -> Verdict | None:
    moved = dict(_of(rows[-1:], ".moved"))
    still = [n for n in moved if [row.get(f"{n}.moved") for row in rows[-2:]] == [0, 0]]
    for name in still:
        if len(still) == len(moved) or name in ADVERSARIES:
            return Verdict(
                "STOP",
                f"The weights of the {name} do not move: it learns nothing.",
                "A larger learning rate (-s lr=...).",
                "frozen",
            )
    return None


def _blown(rows: Sequence[Row]) -> Verdict | None:
    scatter = _last(rows, "scatter", 2)
    if len(scatter) < 2 or min(scatter) < BLOWN:
        return None
    if any(value > LEAP for row in rows for _, value in _of([row], ".moved")):
        return Verdict(
            "STOP",
            f"The discriminator has blown up, its scores scatter by {scatter[-1]:.0f}, after its "
            "weights were thrown about.",
            "A smaller learning rate (-s lr=...).",
            "learning rate",
        )
    return Verdict(
        "STOP",
        f"The discriminator has blown up: its scores scatter by {scatter[-1]:.0f}.",
        "A larger gamma (-s gamma=...).",
        "penalty",
    )


def _collapsed(rows: Sequence[Row]) -> Verdict | None:
    pixels, variety = _last(rows, "pixels", 2), _last(rows, "variety", 2)
    share = None
    if len(pixels) == 2 and max(pixels) < BLANK:
        share = pixels[-1]
    elif len(variety) == 2 and max(variety) < ALIKE and _begun(rows) and not _blurs(rows):
        share = variety[-1]
    if share is None:
        return None
    return Verdict(
        "STOP",
        f"Mode collapse: what is made is all alike, with {share:.0%} of the data's variety.",
        _varied(rows),
        "collapse",
    )


def _poor(rows: Sequence[Row]) -> Verdict | None:
    variety, groups = _last(rows, "variety", 3), _last(rows, "groups", 3)
    if len(variety) < 3 or not _begun(rows) or _blurs(rows):
        return None
    if max(variety) < POOR and variety[-1] <= variety[0]:
        what = f"what is made has {variety[-1]:.0%} of the data's variety"
    elif max(groups) < FEW and groups[-1] <= groups[0]:
        what = f"what is made reaches {groups[-1]:.0%} of the data's groups"
    else:
        return None
    return Verdict(
        "WATCH", f"Mode collapse is near: {what}, and no more.", _varied(rows), "collapse"
    )


def _varied(rows: Sequence[Row]) -> str:
    """Return what may make pictures more varied: VAEs have no gamma."""
    if _blurs(rows):
        return "A smaller learning rate (-s lr=...), a larger preset, or more pictures."
    return "A larger gamma (-s gamma=...), the default preset, or more pictures."


def _blurs(rows: Sequence[Row]) -> bool:
    """Say whether it is a VAE: features find what is blurred alike, and it has rules of its own."""
    return bool(_last(rows, "active", 1))


def _begun(rows: Sequence[Row]) -> bool:
    """Say whether little variety is no longer that of a beginning."""
    return rows[-1]["shown"] > START or any(row.get("variety", 0) > HAD for row in rows)


def _won(rows: Sequence[Row]) -> Verdict | None:
    told, margin = _last(rows, "told", 3), _last(rows, "margin", 3)
    if len(told) == 3 and min(told) > WON and min(margin) > LEAD:
        return Verdict(
            "WATCH",
            f"The discriminator is far ahead: it tells real from made without fail, by "
            f"{margin[-1]:.0f} logits.",
            "A larger gamma (-s gamma=...).",
            "discriminator ahead",
        )
    return None


def _guessing(rows: Sequence[Row]) -> Verdict | None:
    told = _last(rows, "told", GUESSES)
    if len(told) < GUESSES or rows[-1]["shown"] < START or sum(told) / GUESSES > GUESS:
        return None
    return Verdict(
        "WATCH",
        f"The discriminator guesses: it is right about {sum(told) / GUESSES:.0%} of pairs. Unless "
        "what is made looks real, the generator learns nothing from it.",
        "A quarter of gamma (-s gamma=...), or half the learning rate (-s lr=...).",
        "discriminator behind",
    )


def _by_heart(rows: Sequence[Row]) -> Verdict | None:
    share = _last(rows, "by_heart", 4)
    if len(share) == 4 and sorted(share)[1] > BY_HEART and _last(rows, "augmented", 1) == [1.0]:
        return Verdict(
            "WATCH",
            f"The discriminator knows its pictures by heart: {share[-1]:.0%} of its margin is "
            "missing for pictures that it has not seen, with all augmentation there is.",
            "More pictures, or a shorter training.",
            "by heart",
        )
    return None


def _copied(rows: Sequence[Row]) -> Verdict | None:
    copies = _last(rows, "copies", 2)
    if len(copies) == 2 and min(copies) > COPIES:
        return Verdict(
            "STOP",
            f"What is made are copies: it lies {copies[-1]:.0%} nearer to what is learned from "
            "than unseen pictures do.",
            "More pictures, or a shorter training.",
            "copies",
        )
    return None


def _unused(rows: Sequence[Row]) -> Verdict | None:
    active = _last(rows, "active", 3)
    if len(active) == 3 and max(active) < 0.05:
        return Verdict(
            "STOP",
            "Posterior collapse: the latent says nothing of the picture.",
            "A longer warm-up (-s warmup=0.3) or more free bits (-s free_bits=1).",
            "posterior collapse",
        )
    return None


def _rising(rows: Sequence[Row]) -> Verdict | None:
    values = [row["loss"] for row in rows if "loss" in row]
    if len(values) < 2 * TREND:
        return None
    before, now = sum(values[-2 * TREND : -TREND]) / TREND, sum(values[-TREND:]) / TREND
    come = max(values[:-TREND]) - min(values[:-TREND])  # some end below zero
    if now - before > RISEN * max(abs(before), abs(now), come):
        return Verdict(
            "WATCH",
            f"The loss has gone up, from {before:.3g} to {now:.3g}.",
            "A smaller learning rate (-s lr=...).",
            "loss rises",
        )
    return None


RULES: tuple[Rule, ...] = (
    _still,
    _leaped,
    _blown,
    _collapsed,
    _unused,
    _copied,
    _poor,
    _won,
    _guessing,
    _by_heart,
    _rising,
)


def _well(rows: Sequence[Row]) -> str:
    parts = []
    for name, words in (
        ("variety", "what is made has {:.0%} of the data's variety"),
        ("groups", "it reaches {:.0%} of the data's groups"),
        ("told", "the discriminator is right about {:.0%} of pairs"),
        ("active", "{:.0%} of the latent is in use"),
    ):
        if values := _last(rows, name, 1):
            parts.append(words.format(min(values[-1], 1)))
    if not parts:
        loss = _last(rows, "loss", 1)
        return f"It learns: the loss is {loss[0]:.3g}." if loss else "It learns."
    return f"{parts[0][0].upper()}{', '.join(parts)[1:]}."


def _last(rows: Sequence[Row], name: str, count: int) -> list[float]:
    """Return up to `count` last values, the newest at the end."""
    found = []
    for row in reversed(rows):
        if name in row:
            found.append(row[name])
            if len(found) == count:
                break
    return found[::-1]


def _of(rows: Sequence[Row], ending: str) -> list[tuple[str, float]]:
    return [
        (name.removesuffix(ending), value)
        for row in rows
        for name, value in row.items()
        if name.endswith(ending) and math.isfinite(value)
    ]
