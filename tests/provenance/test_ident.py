"""An ID tells one piece of work from another, and is the same for the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from signing import SAMPLED, picture
from volute.provenance.ident import ident_of


def test_the_same_work_has_the_same_id() -> None:
    turned = replace(SAMPLED, parameters={"b": 1, "a": 2})
    assert ident_of(turned) == ident_of(replace(SAMPLED, parameters={"a": 2, "b": 1}))
    assert 0 <= ident_of(SAMPLED) < 1 << 16
    assert ident_of(SAMPLED) == 1715  # golden: what was marked once is found again


def test_whatever_differs_gives_another(tmp_path: Path) -> None:
    first, second = picture(tmp_path / "a.png"), picture(tmp_path / "b.webp")
    same = picture(tmp_path / "c.png")
    others = [
        replace(SAMPLED, deed="interpolate"),
        replace(SAMPLED, weights="cd" * 32),
        replace(SAMPLED, parameters={"truncation": 0.6}),
        replace(SAMPLED, seed=6),
        replace(SAMPLED, parent=first),
        replace(SAMPLED, parent=second),
        replace(SAMPLED, inputs=(second,)),
    ]
    found = [ident_of(one) for one in [SAMPLED, *others]] + [ident_of(SAMPLED, 1)]
    assert len(set(found)) == len(found)
    assert ident_of(replace(SAMPLED, parent=same)) == ident_of(replace(SAMPLED, parent=first))


def test_ids_are_spread() -> None:
    assert len({ident_of(SAMPLED, number) for number in range(1000)}) > 980
