"""Folders, zips, tars and npz files: the same pictures in the same order, and no way to do harm."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from drawing import noise, png
from volute.archives import clean_name
from volute.data.source import open_source
from volute.errors import DataError
from volute.media import photo

NAMES = ["b/2.png", "a/قطة.png", "a/猫 😀.png", "a/1.png"]
JUNK = ["__MACOSX/a/._1.png", ".hidden/x.png", "a/Thumbs.db", "a/.DS_Store"]
CONTENT = {name: png(noise(seed)) for seed, name in enumerate([*NAMES, *JUNK])}


def entries(path: Path, labels: bool = True):
    return list(open_source(path, labels).entries())


def found(path: Path) -> dict[str, bytes]:
    return {
        e.name: e.content.read_bytes() if isinstance(e.content, Path) else e.content
        for e in entries(path)
    }


def as_folder(path: Path) -> Path:
    for name, content in CONTENT.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(content)
    return path


def as_zip(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in CONTENT.items():
            archive.writestr(name, content)
    return path


def as_tar(path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in CONTENT.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("kind", ["folder", "zip", "w:", "w:gz", "w:bz2", "w:xz"])
def test_every_kind_gives_the_same_pictures_whatever_its_name(tmp_path, kind):
    path = tmp_path / "data.bin"
    made = as_folder(path) if kind == "folder" else None
    made = made or (as_zip(path) if kind == "zip" else as_tar(path, kind))
    assert found(made) == {name: CONTENT[name] for name in NAMES}


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path):
    assert [e.name for e in entries(as_folder(tmp_path))] == sorted(NAMES, key=os.fsencode)


def test_content_follows_names_and_bytes_and_stamp_follows_the_files(tmp_path):
    first, second = as_folder(tmp_path / "1"), as_folder(tmp_path / "2")
    before = open_source(first).content()
    assert before == open_source(second).content()
    stamp = open_source(first).stamp()
    (first / "a" / "1.png").write_bytes(CONTENT["b/2.png"])
    assert open_source(first).content() != before
    assert open_source(first).stamp() != stamp
    (second / "a" / "1.png").rename(second / "a" / "3.png")
    assert open_source(second).content() != before


def test_links_loops_and_special_files_in_a_folder(tmp_path):
    folder, elsewhere = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    elsewhere.mkdir()
    (elsewhere / "x.png").write_bytes(CONTENT["b/2.png"])
    (folder / "linked").symlink_to(elsewhere)
    (folder / "loop").symlink_to(folder)
    (folder / "gone.png").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.png")
    by_name = {entry.name: entry.content for entry in entries(folder)}
    assert sorted(by_name) == ["gone.png", "linked/x.png", "pipe.png"]
    assert "No such file" in str(by_name["gone.png"])
    assert "a device, pipe or socket" in str(by_name["pipe.png"])


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("../../etc/passwd", "etc/passwd"),
        ("/abs//x.png", "abs/x.png"),
        ("cat\\1.png", "cat/1.png"),
        ("cafe\u0301/1.png", "café/1.png"),
        ("a\x1b[31m\n.png", "a\ufffd[31m\ufffd.png"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("bad\udcff.png", "bad\ufffd.png"),
        ("👨\u200d👩.png", "👨\u200d👩.png"),
    ],
)
def test_names_are_safe_to_print(name, clean):
    assert clean_name(name) == clean


def test_a_zip_bomb_is_refused_and_a_huge_member_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("volute.data.archive.FILE_LIMIT", 1 << 20)
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("big.png", bytes(3 << 20))
        archive.writestr("1.png", CONTENT["b/2.png"])
    big, small = entries(path)
    assert "3 MiB; at most 1" in str(big.content)
    assert small.content == CONTENT["b/2.png"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"{number}.png", bytes(1 << 20))
    monkeypatch.setattr("volute.data.entry.FileSource.expansion_limit", lambda self: 4 << 20)
    with pytest.raises(DataError, match="unpacks to more than 100 times its size"):
        entries(path)


def test_members_that_lie_about_their_size_or_are_damaged_or_encrypted(tmp_path):
    path = tmp_path / "odd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("flipped.png", "locked.png", "lying.png"):
            archive.writestr(name, CONTENT["b/2.png"])
    data = bytearray(path.read_bytes())
    data[len("flipped.png") + 60] ^= 255
    directory = [i for i in range(len(data)) if data[i : i + 4] == b"PK\x01\x02"]
    data[directory[1] + 8] |= 1
    data[directory[2] + 24 : directory[2] + 28] = (10).to_bytes(4, "little")
    path.write_bytes(data)
    flipped, locked, lying = (str(entry.content) for entry in entries(path))
    assert "damaged in the archive" in flipped
    assert "it is encrypted" in locked
    assert "damaged in the archive" in lying


@pytest.mark.parametrize("opener", [gzip.open, bz2.open])
def test_a_tar_bomb_is_refused_without_unpacking_it(tmp_path, opener, monkeypatch):
    monkeypatch.setattr("volute.data.entry.FileSource.expansion_limit", lambda self: 4 << 20)
    path = tmp_path / "bomb.tar.gz"
    with opener(path, "wb") as stream:
        member = tarfile.TarInfo("big.png")
        member.size = 64 << 20
        stream.write(member.tobuf() + bytes(8 << 20))
    with pytest.raises(DataError, match="unpacks to more than"):
        entries(path)
    long_name = tarfile.TarInfo("././@LongLink")
    long_name.type, long_name.size = tarfile.GNUTYPE_LONGNAME, 8**11 - 1
    with opener(path, "wb") as stream:
        stream.write(long_name.tobuf() + bytes(1 << 20))
    with pytest.raises(DataError, match="unpacks to more than"):
        entries(path)
    long_name.size = 0
    with opener(path, "wb") as stream:
        stream.write(long_name.tobuf() * 5000)
    with pytest.raises(DataError, match="is damaged"):
        entries(path)


def test_tar_links_and_devices_are_ignored(tmp_path):
    path = tmp_path / "odd.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("soft.png", tarfile.SYMTYPE),
            ("hard.png", tarfile.LNKTYPE),
            ("dev.png", tarfile.CHRTYPE),
            ("pipe.png", tarfile.FIFOTYPE),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            archive.addfile(member)
        member = tarfile.TarInfo("../../1.png")
        member.size = len(CONTENT["b/2.png"])
        archive.addfile(member, io.BytesIO(CONTENT["b/2.png"]))
    assert found(path) == {"1.png": CONTENT["b/2.png"]}


def test_damaged_archives_are_refused(tmp_path):
    tar = as_tar(tmp_path / "cut.tar.gz", "w:gz")
    tar.write_bytes(tar.read_bytes()[:-2000])
    with pytest.raises(DataError, match="cut.tar.gz is damaged"):
        entries(tar)
    plain = as_tar(tmp_path / "cut.tar", "w:")
    plain.write_bytes(plain.read_bytes()[:700])
    with pytest.raises(DataError, match="cut.tar is damaged"):
        entries(plain)


@pytest.mark.parametrize(
    "content", [b"", b"hello", gzip.compress(b"no tar", mtime=0), b"7z\xbc\xaf\x27\x1c"]
)
def test_what_is_no_archive_is_refused(tmp_path, content):
    path = tmp_path / "photos.zip"
    path.write_bytes(content)
    with pytest.raises(DataError, match="is not a folder, zip, tar or npz"):
        open_source(path)


def test_one_picture_is_no_source(tmp_path):
    path = tmp_path / "one.png"
    path.write_bytes(CONTENT["b/2.png"])
    with pytest.raises(DataError) as caught:
        open_source(path)
    assert "It is one picture" in caught.value.hint


def npz(path: Path, **arrays) -> Path:
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(
    ("shape", "one"),
    [((5, 6, 7), (6, 7, 1)), ((5, 6, 7, 3), (6, 7, 3)), ((5, 4, 6, 7), (6, 7, 4))],
)
def test_npz_layouts(tmp_path, shape, one):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    made = entries(npz(tmp_path / "a.npz", x_train=array, x_test=array[:1]))
    assert [entry.name for entry in made][:2] == ["x_train[0]", "x_train[1]"]
    assert {entry.content.shape for entry in made} == {one}
    stacked = np.stack([entry.content for entry in made])
    expected = array.transpose(0, 2, 3, 1) if shape[1] == 4 else array.reshape(stacked.shape)
    assert np.array_equal(stacked, expected)


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (bool, [0, 1], [0, 255]),
        (np.float32, [0, 0.5, 1], [0, 128, 255]),
        (np.float64, [0, 0.2], [0, 51]),
        (">u2", [0, 257, 65535], [0, 1, 255]),
        (np.int64, [0, 7, 255], [0, 7, 255]),
    ],
)
def test_npz_number_types(tmp_path, dtype, values, expected):
    made = entries(npz(tmp_path / "a.npz", x=np.array(values, dtype).reshape(1, 1, -1)))
    assert made[0].content.ravel().tolist() == expected


def test_npz_labels(tmp_path):
    pictures = np.zeros((3, 4, 4), np.uint8)
    path = npz(tmp_path / "a.npz", images=pictures, labels=np.array([[2], [0], [1]]))
    assert [entry.label for entry in entries(path)] == [2, 0, 1]
    assert [entry.label for entry in entries(path, labels=False)] == [None] * 3
    assert "arrays used: images, labels" in open_source(path).notes()[0]
    text = npz(tmp_path / "b.npz", x=pictures, y=np.array(["a", "b", "a"]))
    assert [entry.label for entry in entries(text)] == ["a", "b", "a"]
    only = npz(tmp_path / "c.npz", anything=pictures)
    assert len(entries(only)) == 3


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": np.array([[[-1.0, 1.0]]])}, "holds numbers from -1 to 1"),
        ({"x": np.array([[[0.0, np.nan]]])}, "holds NaN"),
        ({"x": np.array([[[0, 256]]])}, "from 0 to 256"),
        ({"x": np.zeros((3, 4), np.uint8)}, "not pictures"),
        ({"x": np.zeros((2, 5, 6, 7), np.uint8)}, "not pictures"),
        ({"x": np.zeros((2, 3, 3), complex)}, "not pictures"),
        ({"x": np.zeros((2, 0, 3), np.uint8)}, "not pictures"),
        ({"x": np.array([[[{}]]], object)}, "Python objects, which are never loaded"),
        ({"x": np.asfortranarray(np.zeros((2, 3, 4), np.uint8))}, "Fortran order"),
        ({"x": np.zeros((3, 4, 4)), "y": np.zeros(2, int)}, "3 pictures but 2 labels"),
        ({"x": np.zeros((3, 4, 4)), "y": np.zeros(3)}, "not labels"),
        ({"a": np.zeros((3, 4, 4)), "b": np.zeros(3)}, "none is known to be the pictures"),
    ],
)
def test_npz_that_are_refused(tmp_path, arrays, reason):
    with pytest.raises(DataError, match=reason):
        entries(npz(tmp_path / "a.npz", **arrays))


def test_npz_that_lies_about_its_shape(tmp_path):
    path = tmp_path / "a.npz"
    stream = io.BytesIO()
    header = {"descr": "|u1", "fortran_order": False, "shape": (10**12, 64, 64)}
    np.lib.format.write_array_header_1_0(stream, header)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", stream.getvalue() + bytes(5000))
    with pytest.raises(DataError, match="array x ends too early"):
        entries(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", b"no array")
    with pytest.raises(DataError, match="a.npz is damaged: array x"):
        entries(path)


def test_a_file_over_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(photo, "FILE_LIMIT", 100)
    (tmp_path / "large.png").write_bytes(CONTENT["b/2.png"])
    with pytest.raises(photo.PictureError, match="at most 0"):
        photo.read_picture(tmp_path / "large.png")
