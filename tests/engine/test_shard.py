from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from volute.engine.shard import Shard
from volute.errors import UsageError


@given(st.lists(st.text(), unique=True), st.integers(1, 20))
def test_each_name_is_in_one_part_whatever_else_there_is(names: list[str], parts: int) -> None:
    shards = [Shard(part, parts) for part in range(1, parts + 1)]
    for name in names:
        assert sum(shard.has(name) for shard in shards) == 1
    assert shards[0].has("a/b.png") == Shard(1, parts).has("a/b.png")


@given(st.integers(0, 200), st.integers(1, 20))
def test_each_number_is_in_one_part(count: int, parts: int) -> None:
    found = [index for part in range(1, parts + 1) for index in Shard(part, parts).numbers(count)]
    assert sorted(found) == list(range(count))


def test_the_split_stays_what_it_is() -> None:
    """Parts of one batch may run on different versions and machines."""
    files = [f"{i}.png" for i in range(12)]
    assert [Shard.of("2/3").has(name) for name in files] == GOLDEN
    sizes = [sum(Shard(part, 4).has(f"{i}.jpg") for i in range(4000)) for part in range(1, 5)]
    assert min(sizes) > 900


def test_parts_that_cannot_be() -> None:
    assert str(Shard.of("2/5")) == "2-of-5"
    for text in ("0/4", "5/4", "1", "1/0", "a/b", "-1/2", "1/99999999", "1/2/3"):
        with pytest.raises(UsageError, match="is no part"):
            Shard.of(text)


GOLDEN = [True, False, False, True, False, False, True, False, False, True, False, False]
