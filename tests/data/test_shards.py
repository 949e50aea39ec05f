"""Shards: which they are, what is read of them and how they fail; no secret is kept or told."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shapes import shapes
from sharding import numbers, png, serving, shards, tar, written
from volute.data import DataSettings, is_shards, members, open_shards
from volute.data.members import Shard, ShardError
from volute.data.shards import called, lasting
from volute.errors import DataError, MissingExtraError, UsageError, VoluteError
from volute.events import Event, Note, silent
from volute.named import expanded
from volute.remote import in_words

PICTURE = png(shapes(1)[0][0])


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(members, "WAIT_S", 0.0)


def opened(source: str, **settings: object):
    return open_shards(source, DataSettings.make(settings), 16, silent)


def test_braces_are_those_of_a_shell() -> None:
    assert expanded("a-{08..11}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar", "a-11.tar"]
    assert expanded("{8..10}") == ["8", "9", "10"]
    assert expanded("{a,b}/{0..1}") == ["a/0", "a/1", "b/0", "b/1"]
    with pytest.raises(DataError, match="more than 200,000"):
        expanded("{000..999}{000..999}{000..999}{000..999}")


def test_what_is_a_set_of_shards(tmp_path: Path) -> None:
    yes = ["a-{0..9}.tar", "shards/*.tar", "https://host/a.tar", "s3://bucket/{0..9}.tar"]
    assert all(map(is_shards, yes))
    (tmp_path / "odd{1}.tar").write_bytes(b"")
    no = [str(tmp_path / "odd{1}.tar"), "photos.tar", "photos", "C:\\photos", "a{b}.zip"]
    assert not any(map(is_shards, no))
    names = ["photos", "bucket", "shards"]
    assert [called(x) for x in ("x/photos-{0..9}.tar", "s3://bucket/{0..9}.tar", "*.tar")] == names


def test_labels_names_and_what_is_no_picture() -> None:
    found = [
        ("x/1.cls", b"4"),
        ("x/1.jpg", PICTURE),
        ("x/2.txt", b"a caption alone"),
        ("x/3.seg.png", PICTURE),
        ("x/3.json", b'{"label": "ca\\u0000t"}'),
        ("x/3.cls", b"7"),
        ("y/3.png", PICTURE),
        ("y/3.json", b"[" * 100_000),
        ("y/4.PNG", b""),
        ("y/4.cls", b"\xff\xfe"),
    ]
    with serving([tar(found)]) as server:
        samples = list(Shard(f"{server.url}/s-000.tar", "s").samples())
    assert [s.name for s in samples] == ["x/1.jpg", "x/3.seg.png", "y/3.png", "y/4.PNG"]
    assert [s.number for s in samples] == [0, 1, 2, 3]
    assert [s.label for s in samples[:3]] == [4, "ca\ufffdt", None]


@given(st.integers(1, 9), st.integers(0, 40), st.integers(1, 12), st.integers(0, 3))
def test_a_run_goes_round(count: int, first: int, number: int, skip: int) -> None:
    content = tar([(f"{i}.png", b"x") for i in range(count)])
    system = fsspec.filesystem("memory")
    system.pipe("/round/s.tar", content)
    fresh, used = Shard("memory://round/s.tar", "s"), Shard("memory://round/s.tar", "s")
    list(used.run(max(0, first - 5), 5, skip))
    kept = list(range(min(skip, count), count))
    wanted = [kept[(first + i) % len(kept)] for i in range(min(number, len(kept)))] if kept else []
    for shard in (fresh, used):
        assert [sample.number for sample in shard.run(first, number, skip)] == wanted


@pytest.mark.parametrize("ranges", [True, False])
def test_an_interrupted_reading_goes_on(ranges: bool) -> None:
    with serving(shards(1, 40)) as server:
        server.cuts, server.ranges = 3, ranges
        samples = list(Shard(f"{server.url}/s-000.tar", "s").samples())
        assert [sample.number for sample in samples] == list(range(40))
        assert server.cuts == 0
        shard = Shard(f"{server.url}/s-000.tar", "s")
        assert next(shard.samples(30)).number == 30  # from a new shard: what is before is passed
        assert [s.number for s in shard.run(35, 10)] == [*range(35, 40), *range(5)]
        server.cuts = 99
        with pytest.raises(ShardError, match="s cannot be read: "):
            list(Shard(f"{server.url}/s-000.tar", "s").samples())
        assert server.cuts == 99 - 4


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (gzip.compress(tar([("1.png", PICTURE)])), "it is compressed"),
        (tar([("1.png", PICTURE), ("2.png", PICTURE)]).replace(b"2.png", b"3.png"), "damaged"),
        (b"", "empty"),
        (b"\x89PNG" * 300, "header"),
        (tar([("1.png", PICTURE * 9)])[:1024], "unexpected end"),
    ],
)
def test_what_is_no_sound_tar_says_so(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "s.tar").write_bytes(content)
    with pytest.raises(ShardError, match=reason):
        list(Shard(str(tmp_path / "s.tar"), "s").samples())


def test_the_first_pictures_decide(tmp_path: Path) -> None:
    source = written(tmp_path, shards(12, 100))
    found, first = opened(source)
    assert len(first.pictures) == first.report.images == 1000
    assert first.classes == ("0", "1")
    assert first.report.share == pytest.approx(10 / 12, abs=0.01)
    assert "12 shards; looked at the first 10: 1,000 pictures" in first.report.lines()
    assert numbers(first.pictures) == list(range(1000))
    again = opened(source)[1]
    assert (again.key, again.report.share) == (first.key, first.report.share)
    Path(tmp_path / "s-011.tar").write_bytes(b"\0" * 1024)
    assert opened(source)[1].key != first.key
    assert opened(source, labels=False)[1].classes == ()
    assert list(found.listing()) == [f"s-{i:03d}.tar" for i in range(12)]


def test_names_of_folders_are_no_classes(tmp_path: Path) -> None:
    pictures = shapes(64)[0]
    tars = [
        tar([(f"{'ab'[i % 2]}/{i}.png", png(pictures[i])) for i in range(k, k + 32)])
        for k in (0, 32)
    ]
    assert opened(written(tmp_path, tars))[1].classes == ()


def test_named_classes_need_not_be_among_the_first(tmp_path: Path) -> None:
    source = written(tmp_path, shards(2, 40))
    assert opened(source, classes=("disc", "bar", "ring"))[1].classes == ("disc", "bar")
    with pytest.raises(UsageError, match="1 names"):
        opened(source, classes=("disc",))


def test_missing_shards_up_to_a_tenth_are_told(tmp_path: Path) -> None:
    source = written(tmp_path, shards(10, 20))
    (tmp_path / "s-003.tar").unlink()
    events: list[Event] = []
    open_shards(source, DataSettings(), 16, events.append)
    told = [event.text for event in events if isinstance(event, Note)]
    assert told[0] == f"looking for {source}"
    assert "s-003.tar cannot be found: No such file or directory" in told
    (tmp_path / "s-007.tar").unlink()
    with pytest.raises(DataError, match=r"2 of 10 shards .* s-003.tar: .*s-007.tar: "):
        opened(source)


def test_globs_here_and_elsewhere(tmp_path: Path) -> None:
    tars = shards(3, 20)
    written(tmp_path, tars)
    system = fsspec.filesystem("memory")
    for number, content in enumerate(tars):
        system.pipe(f"/globbed/s-{number:03d}.tar", content)
    here, elsewhere = opened(str(tmp_path / "*.tar")), opened("memory://globbed/s-*.tar")
    assert here[0].listing() == elsewhere[0].listing()
    assert here[1].key == elsewhere[1].key
    with pytest.raises(DataError, match="no file is called"):
        opened(str(tmp_path / "x-*.tar"))


@pytest.mark.parametrize(
    "url", ["https://me:hush@host/a.tar", "https://host/a.tar?hush=1", "s3://hush@b/{0..9}.tar"]
)
def test_secrets_in_a_url_are_refused_and_not_repeated(url: str) -> None:
    for refuse in (lasting, opened):
        with pytest.raises(UsageError) as error:
            refuse(url)
        assert "hush" not in str(error.value)
    assert "hush" not in in_words(ValueError(f"403 at {url} (hidden)"))


def test_offline_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(shards(2, 20)) as server:
        monkeypatch.setenv("VOLUTE_OFFLINE", "1")
        with pytest.raises(VoluteError, match="VOLUTE_OFFLINE"):
            opened(f"{server.url}/s-{{000..001}}.tar")
        assert server.asked == []
        monkeypatch.setenv("VOLUTE_OFFLINE", "0")
        assert len(opened(f"{server.url}/s-{{000..001}}.tar")[1].pictures) == 40


def test_unknown_and_absent_protocols_say_what_to_do() -> None:
    with pytest.raises(DataError, match="nonsense:// is not known"):
        opened("nonsense://a/b-*.tar")
    with pytest.raises(MissingExtraError) as error:
        opened("gs://a/b-{0..9}.tar")
    assert error.value.hint == "Install it with: pip install gcsfs"
    with pytest.raises(UsageError, match="chain"):
        opened("simplecache::http://host/a.tar")


def test_json_report_survives(tmp_path: Path) -> None:
    report = opened(written(tmp_path, shards(2, 20)))[1].report
    assert json.loads(report.model_dump_json())["share"] == 1
