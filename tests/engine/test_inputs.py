"""What is meant by names, URLs and tars: which files, what they are called, what they hold."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import fsspec
import pytest

from sharding import serving, tar
from volute.engine import tarred
from volute.engine.inputs import Item, gathered
from volute.engine.sources import Brought
from volute.errors import DataError, MissingExtraError, UsageError, VoluteError
from volute.events import Event

FILES = {"a.png": b"one", "deep/b.jpg": b"two" * 9, "deep/er/c.png": b"three", "notes.csv": b"4"}


def held(items: list[Item]) -> dict[str, bytes | str]:
    """Return what each item holds, or why it cannot be read."""
    found: dict[str, bytes | str] = {}
    for item in items:
        try:
            with item.source.at_hand() as file:
                found[item.name.as_posix()] = file.read_bytes()
        except VoluteError as error:
            found[item.name.as_posix()] = error.what
    return found


def server_of(server: object, files: dict[str, bytes]) -> None:
    server.files = {f"/in/{name}": content for name, content in files.items()}  # type: ignore[attr-defined]


def test_a_folder_elsewhere_is_as_one_here(tmp_path: Path) -> None:
    system = fsspec.filesystem("memory")
    for name, content in FILES.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
        system.pipe(f"/inputs/in/{name}", content)
    hidden = {".hidden.png": b"x", "ledger.jsonl": b"{}", "a.png.c2pa": b"manifest"}
    for name, content in hidden.items():
        (tmp_path / "in" / name).write_bytes(content)
        system.pipe(f"/inputs/in/{name}", content)
    here = held(gathered([str(tmp_path / "in")]))
    assert here == FILES
    assert held(gathered([(tmp_path / "in").as_uri()])) == FILES
    for url in ("memory://inputs/in", "memory://inputs/in/"):
        assert held(gathered([url])) == FILES
    with serving([]) as server:
        server_of(server, FILES | hidden)
        assert held(gathered([f"{server.url}/in/"])) == FILES
        assert not [asked for asked in server.asked if "hidden" in asked and "GET" in asked]
    items = gathered(["memory://inputs/in/"])
    with items[0].source.at_hand() as file:
        assert file.with_name("a.png.c2pa").read_bytes() == b"manifest"
    assert not file.parent.exists(), "it is removed"


def test_patterns_braces_and_names_elsewhere() -> None:
    with serving([]) as server:
        server_of(server, FILES | {"my%20own.png": b"5"})
        found = {
            "/in/*.png": ["a.png", "my own.png"],
            "/in/**/*.png": ["a.png", "c.png", "my own.png"],
            "/in/deep/[ab].jpg": ["b.jpg"],
            "/in/{a,my%20own}.png": ["a.png", "my own.png"],
            "/in/notes.csv": ["notes.csv"],
        }
        for pattern, names in found.items():
            items = gathered([server.url + pattern], takes=(".png", ".jpg"))
            assert sorted(held(items)) == names
            assert not any(item.inside for item in items)
        with pytest.raises(UsageError, match="finds no files"):
            gathered([f"{server.url}/in/*.gif"])


def test_what_is_left_out_is_told() -> None:
    events: list[Event] = []
    with serving([]) as server:
        server_of(server, FILES)
        items = gathered([f"{server.url}/in/"], takes=(".png",), emit=events.append)
        assert list(held(items)) == ["a.png", "deep/er/c.png"]
        told = [event.text for event in events if hasattr(event, "text")]
        assert told == [
            f"looking for {server.url}/in/",
            "left out by their endings: 1 .jpg, 1 .csv",
        ]
        with pytest.raises(UsageError, match="no files to work on") as error:
            gathered([f"{server.url}/in/"], takes=(".gif",))
        assert error.value.hint == "Looked for .gif."


def test_links_that_lead_elsewhere_are_not_followed() -> None:
    with serving([]) as server, serving([]) as other:
        server_of(server, {"a.png": b"one", "deep/b.png": b"two"})
        server.files["/secret.png"] = b"secret"
        other.files["/in/a.png"] = b"other"
        server.links = ["../secret.png", "/secret.png", "./", ".", "deep/../../secret.png"]
        server.links += [f"{other.url}/in/a.png", "%2e%2e/secret.png", "?C=N;O=D", "a.png?x=1"]
        server.links += ["deep/%2e%2e/%2e%2e/secret.png", "//x.png", "#top", "mailto:a@b"]
        found = held(gathered([f"{server.url}/in/"]))
        assert {name for name, content in found.items() if isinstance(content, bytes)} == {
            "a.png",
            "deep/b.png",
        }
        assert not [asked for asked in server.asked if "secret" in asked]
        assert not other.asked


def test_a_url_that_fails_is_one_item_with_the_reason() -> None:
    with serving([]) as server:
        server_of(server, FILES)
        gone = "http://127.0.0.1:9/in/"
        names = [f"{server.url}/in/none.png", gone, f"{server.url}/in/a.png", "memory://none/x"]
        reasons = list(held(gathered(names)).items())
        assert reasons[0][0] == "none.png"
        assert "404" in str(reasons[0][1])
        assert str(reasons[1][1]).startswith(f"{gone}: ")
        assert reasons[2] == ("a.png", b"one")
        assert reasons[3] == ("x", "memory://none/x: not found")
        items = gathered([f"{server.url}/in/deep/"])
        server.files.pop("/in/deep/b.jpg")
        server.cuts = 1
        found = held(items)
        assert found["b.jpg"] == f"{server.url}/in/deep/b.jpg: 404 Not Found"
        assert str(found["er/c.png"]).startswith(f"{server.url}/in/deep/er/c.png: ")
        assert held(items)["er/c.png"] == b"three"


@pytest.mark.parametrize("ranges", [True, False])
def test_members_are_read_by_their_place(tmp_path: Path, ranges: bool) -> None:
    members = [(f"{i}.png", bytes([i]) * 100_000) for i in range(40)] + [("0.cls", b"7")]
    (tmp_path / "s-000.tar").write_bytes(tar(members))
    wanted = {f"s-000/{name}": content for name, content in members if name.endswith(".png")}
    here = gathered([str(tmp_path / "s-{000..000}.tar")], takes=(".png",))
    assert str(here[3].source) == str(tmp_path / "s-000.tar/3.png")
    assert held(here) == wanted
    with serving([tar(members)]) as server:
        server.ranges = ranges
        items = gathered([f"{server.url}/s-{{000..000}}.tar"], takes=(".png",))
        assert [item.source.seen()[0] for item in items] == [100_000] * 40
        assert str(items[3].source) == f"{server.url}/s-000.tar/3.png"
        server.asked.clear()
        sent = server.sent
        assert held(items[30:33]) == {
            f"s-000/{i}.png": wanted[f"s-000/{i}.png"] for i in (30, 31, 32)
        }
        if ranges:
            assert server.sent - sent == 300_000, "nothing but these members"


def test_only_headers_are_read_of_a_tar() -> None:
    with serving([tar([(f"{i}.png", bytes(3 << 20)) for i in range(8)])]) as server:
        assert len(gathered([f"{server.url}/s-000.tar"])) == 8
        assert server.sent < 9 * tarred.AHEAD + 8 * tarred.HEADER // 4


def test_a_tar_that_has_changed_is_not_read_by_old_places(tmp_path: Path) -> None:
    path = tmp_path / "s.tar"
    path.write_bytes(tar([("a.png", b"one"), ("b.png", b"two")]))
    items = gathered([str(path)])
    path.write_bytes(tar([("b.png", b"two"), ("a.png", b"one")]))
    assert held(items)["s/a.png"] == f"{path}/a.png: it has changed since it was listed"
    assert items[0].source.seen() != gathered([str(path)])[1].source.seen()


def hostile() -> bytes:
    """Return a tar whose members would leave the folder, or are no files."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in ("/etc/a.png", "../../b.png", "x/../../c.png", "..\\d.png", "C:\\e.png"):
            member = tarfile.TarInfo(name)
            member.size = 3
            archive.addfile(member, io.BytesIO(b"bad"))
        kinds = {"f.png": tarfile.SYMTYPE, "g.png": tarfile.LNKTYPE, "h.png": tarfile.CHRTYPE}
        kinds |= {"i.png": tarfile.FIFOTYPE, "j.png": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}
        kinds |= {"s.png": tarfile.GNUTYPE_SPARSE}
        for name, kind in kinds.items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        good = tarfile.TarInfo("a\x1b/good.png")
        good.size = 4
        archive.addfile(good, io.BytesIO(b"good"))
    return stream.getvalue()


def test_members_that_lead_out_or_are_no_files_are_refused_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "bad.tar").write_bytes(hostile())
    items = gathered([str(tmp_path / "bad.tar")], takes=(".png",))
    found = held(items)
    assert all((tmp_path / item.name).resolve().is_relative_to(tmp_path / "bad") for item in items)
    assert found.pop("bad/a\ufffd/good.png") == b"good"
    assert list(found) == [
        *("bad/etc/a.png", "bad/b.png", "bad/x/c.png", "bad/d.png", "bad/C:/e.png"),
        *("bad/f.png", "bad/g.png", "bad/h.png", "bad/i.png", "bad/s.png"),
    ]
    reasons = [str(reason).rpartition("png: ")[2] for reason in found.values()]
    assert all("leads out of it" in reason for reason in reasons[:5])
    assert reasons[5:7] == ["it is a link"] * 2
    assert reasons[7:9] == ["it is no file"] * 2
    assert "stored with holes" in reasons[9]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (tar([("1.png", b"1"), ("2.png", b"2")]).replace(b"2.png", b"3.png"), "damaged"),
        (tar([("1.png", b"1" * 9000)])[:2048], "unexpected end"),
        (b"\x1f\x8b" + b"\0" * 600, "it is compressed"),
        (b"", "empty file"),
    ],
)
def test_a_damaged_tar_is_an_item_after_what_was_before(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "s.tar").write_bytes(content)
    *before, last = gathered([str(tmp_path / "s.tar"), str(tmp_path / "s.tar")])
    assert reason in str(held([last])["s"])
    assert len([item for item in before if item.name.name == "1.png"]) in (0, 2)


def test_a_header_that_is_huge_and_a_tar_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    huge = tarfile.TarInfo("././@PaxHeader")
    huge.type, huge.size = tarfile.XHDTYPE, 5 << 20
    (tmp_path / "a.tar").write_bytes(huge.tobuf() + bytes(6 << 20))
    assert "header in it is larger" in str(held(gathered([str(tmp_path / "a.tar")])))
    monkeypatch.setattr(tarred, "MOST", 5)
    (tmp_path / "b.tar").write_bytes(tar([(f"{i}.png", b"") for i in range(9)]))
    items = gathered([str(tmp_path / "b.tar")])
    assert len(items) == 6
    assert "more than 5 files" in str(held(items)["b"])


def test_what_is_too_large_is_not_brought(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("volute.remote.LARGEST", 1 << 20)
    with serving([]) as server:
        server_of(server, {"a.png": bytes(2 << 20), "b.png": b"small"})
        found = held(gathered([f"{server.url}/in/"]))
        assert "at most" in str(found["a.png"])
        assert found["b.png"] == b"small"
        assert server.sent < 1 << 20


def test_errors_name_the_source_and_not_its_copy() -> None:
    fsspec.filesystem("memory").pipe("/named/a.png", b"bad")
    (item,) = gathered(["memory://named/a.png"])
    assert isinstance(item.source, Brought)
    with pytest.raises(DataError) as error, item.source.at_hand() as file:
        raise DataError(f"{file}: broken", f"Look at {file}.")
    assert str(error.value) == "memory://named/a.png: broken\n  Look at memory://named/a.png."


def test_without_the_extra_offline_and_with_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="question mark") as error:
        gathered(["https://me:hush@host/a.png"])
    assert "hush" not in str(error.value)
    with serving([]) as server:
        server_of(server, FILES)
        monkeypatch.setenv("VOLUTE_OFFLINE", "1")
        with pytest.raises(VoluteError, match="VOLUTE_OFFLINE is set"):
            gathered([f"{server.url}/in/"])
        assert not server.asked
    monkeypatch.setenv("VOLUTE_OFFLINE", "")
    with pytest.raises(MissingExtraError) as missing:
        gathered(["gs://bucket/a.png"])
    assert missing.value.hint == "Install it with: pip install gcsfs"


def test_tars_in_a_folder_are_not_looked_into_but_those_of_a_pattern_are(tmp_path: Path) -> None:
    for name in ("a.tar", "b.tar"):
        (tmp_path / name).write_bytes(tar([("x.png", name.encode())]))
    assert held(gathered([str(tmp_path / "*.tar")])) == {"a/x.png": b"a.tar", "b/x.png": b"b.tar"}
    assert sorted(held(gathered([str(tmp_path)]))) == ["a.tar", "b.tar"]
    (absent,) = gathered([str(tmp_path / "c-{0..0}.tar")])
    assert (str(absent.source), absent.source.seen()) == (str(tmp_path / "c-0.tar"), (0, 0))
