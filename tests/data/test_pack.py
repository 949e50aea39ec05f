"""Packing: every rule about a person's pictures, what is said about it, and what is refused."""

from __future__ import annotations

import errno
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from drawing import broken_files, encoded, folder_of, noise, png
from volute.data import DataSettings, open_dataset
from volute.errors import DataError, UsageError, VoluteError
from volute.events import Note, silent
from volute.paths import cache_dir


def opened(source: Path, size: int | None = 16, **settings):
    return open_dataset(source, DataSettings.make(settings), size, silent)


def left_out(dataset) -> dict[str, str]:
    return {item.name: item.reason for item in dataset.report.left_out}


def write(folder: Path, **files: bytes | Image.Image) -> None:
    for name, content in files.items():
        made = content if isinstance(content, bytes) else encoded(content, "PNG")
        (folder / name.replace("__", ".")).write_bytes(made)


def test_a_plain_folder(tmp_path):
    folder_of(tmp_path / "p", 20)
    dataset = opened(tmp_path / "p", 20)
    assert (dataset.pictures.shape, dataset.pictures.dtype) == ((20, 20, 20, 3), np.uint8)
    assert (dataset.size, dataset.channels, dataset.classes) == (20, 3, ())
    assert dataset.labels.tolist() == [0] * 20
    assert dataset.labels.dtype == np.int64
    assert isinstance(dataset.pictures, np.memmap)
    square = Image.fromarray(noise(7)[:, 5:35]).resize((20, 20), Image.Resampling.LANCZOS)
    assert np.array_equal(dataset.pictures[7], np.asarray(square))
    assert dataset.report.lines() == [
        "20 images · 20 usable",
        "all 40x30 px, centre square resized to 20x20, RGB",
    ]


def test_a_nasty_folder_said_line_by_line(tmp_path):
    folder = folder_of(tmp_path / "p", 16)
    broken = broken_files()
    for name, content, _ in broken:
        (folder / name).write_bytes(content)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.fromarray(noise(seed)) for seed in (30, 31)]
    write(
        folder,
        **{
            "صورة__png": png(noise(20)),
            "图片 😀__png": png(noise(21)),
            "grey__png": png(noise(22, channels=1)),
        },
        cmyk__jpg=encoded(Image.fromarray(noise(23)).convert("CMYK"), "JPEG"),
        deep__png=Image.fromarray(noise(24, channels=1).astype(np.uint16) * 257),
        float__tif=encoded(Image.fromarray(noise(25, channels=1).astype(np.float32)), "TIFF"),
        turned__jpg=encoded(Image.fromarray(noise(26)), "JPEG", exif=exif),
        moving__gif=encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        tiny__png=png(noise(27, 9, 9)),
        clear__png=png(noise(28, channels=4)),
        copy__bmp=encoded(Image.fromarray(noise(3)), "BMP"),
        white__png=Image.new("RGB", (50, 40), "white"),
        readme__txt=b"not a picture",
    )
    dataset = opened(folder)
    assert dataset.report.lines() == [
        "36 images · 26 usable · 1 duplicate skipped · 8 unreadable · 1 near-empty skipped"
        " · 1 other file",
        "9x9 to 50x40 px, centre square resized to 16x16, RGB",
        "1 16-bit reduced to 8-bit · 1 CMYK converted to RGB · 1 animated, first frame taken"
        " · 3 grey made RGB · 1 rotated by EXIF · 1 smaller than the training size, enlarged"
        " · 1 stretched from their own range to 0..255 · 1 transparent laid on white",
    ]
    reasons = left_out(dataset)
    assert reasons.pop("copy.bmp") == "same pixels as 0003.png"
    assert reasons.pop("white.png") == "near-empty: almost one colour"
    assert reasons.pop("readme.txt") == "not a picture of a known format"
    for name, _, reason in broken:
        assert reason in reasons.pop(name)
    assert not reasons
    text = dataset.report.text()
    assert all(f"  {item.name}: {item.reason}\n" in text for item in dataset.report.left_out)


@pytest.mark.parametrize(
    ("grey", "colour", "clear", "mode"),
    [(16, 0, 0, "L"), (15, 1, 0, "RGB"), (0, 0, 16, "RGBA"), (7, 0, 9, "RGBA"), (0, 9, 9, "RGB")],
)
def test_automatic_mode(tmp_path, grey, colour, clear, mode):
    folder_of(tmp_path, grey, channels=1)
    folder_of(tmp_path, colour, start=100)
    folder_of(tmp_path, clear, channels=4, start=200)
    dataset = opened(tmp_path)
    assert dataset.report.mode == mode
    assert dataset.channels == {"L": 1, "RGB": 3, "RGBA": 4}[mode]


def test_grey_in_disguise_is_grey_and_full_alpha_is_no_transparency(tmp_path):
    for seed in range(16):
        image = Image.fromarray(noise(seed, channels=1)).convert("RGBA")
        (tmp_path / f"{seed}.png").write_bytes(encoded(image, "PNG"))
    dataset = opened(tmp_path)
    assert dataset.report.mode == "L"
    assert dataset.report.changes == {}
    assert opened(tmp_path, mode="RGB").report.changes == {"grey made RGB": 16}
    forced = opened(tmp_path, mode="RGBA")
    assert forced.report.changes == {"grey made RGB": 16, "opaque given alpha": 16}
    assert forced.pictures[..., 3].min() == 255


def test_colour_forced_to_grey(tmp_path):
    dataset = opened(folder_of(tmp_path), mode="L")
    assert dataset.report.changes == {"colour made grey": 16}
    assert dataset.channels == 1


def test_hidden_colour_under_full_transparency_is_near_empty(tmp_path):
    folder_of(tmp_path, channels=4)
    hidden = noise(50, channels=4).copy()
    hidden[..., 3] = 0
    write(tmp_path, hidden__png=png(hidden))
    assert "hidden.png" in left_out(opened(tmp_path))


@pytest.mark.parametrize(("side", "size"), [(28, 28), (30, 28), (200, 64), (9, 16)])
def test_automatic_size(tmp_path, side, size):
    for seed in range(18):
        (tmp_path / f"{seed:02}.png").write_bytes(png(noise(seed, side, side + 5)))
    write(tmp_path, small__png=png(noise(90, 5, 5)), bad__png=b"bad")
    dataset = opened(tmp_path, None)
    assert dataset.size == size
    assert f"(most sides reach {side} px; another size: --size)" in dataset.report.lines()[1]


def test_classes_from_folders_and_none_when_asked(tmp_path):
    for name in ("猫", "dog"):
        folder_of(tmp_path / name, 8, start=len(name) * 100)
    write(tmp_path, stray__png=png(noise(999)))
    dataset = opened(tmp_path)
    assert dataset.classes == ("dog", "猫")
    assert dataset.labels.tolist() == [0] * 8 + [1] * 8
    assert "lies beside the class folders" in left_out(dataset)["stray.png"]
    assert "2 classes: dog 8, 猫 8" in dataset.report.lines()
    assert "1 without a class skipped" in dataset.report.lines()[0]
    plain = opened(tmp_path, labels=False)
    assert (plain.classes, len(plain.pictures)) == ((), 17)


def test_a_class_without_usable_pictures_is_gone(tmp_path):
    for number, name in enumerate("abc"):
        folder_of(tmp_path / name, 8, start=100 * number)
    for path in (tmp_path / "b").iterdir():
        path.write_bytes(png(np.zeros((9, 9, 3), np.uint8)))
    dataset = opened(tmp_path)
    assert dataset.classes == ("a", "c")
    assert dataset.labels.tolist() == [0] * 8 + [1] * 8


def test_numbered_labels_take_the_names_given(tmp_path):
    path = tmp_path / "a.npz"
    pictures = np.stack([noise(seed, 16, 16, 1) for seed in range(20)])
    np.savez(path, x_train=pictures, y_train=np.arange(20) % 2)
    named = opened(path, None, classes=["even", "odd"])
    assert named.classes == ("even", "odd")
    assert named.labels.tolist() == [0, 1] * 10
    assert np.array_equal(named.pictures[..., 0], pictures)
    assert "kept at 16x16, grey (L)" in named.report.lines()[1]
    assert opened(path).classes == ("0", "1")
    assert opened(path, labels=False).classes == ()
    with pytest.raises(UsageError, match="has 1 names"):
        opened(path, classes=["x"])
    with pytest.raises(UsageError, match="and there are none"):
        opened(folder_of(tmp_path / "p"), classes=["x", "y"])


def test_tiles_cover_the_picture_and_overlap_little(tmp_path):
    for seed in range(4):
        array = np.random.default_rng(seed).integers(0, 256, (62, 64, 3), np.uint8)
        (tmp_path / f"{seed}.png").write_bytes(png(array))
    write(tmp_path, thin__png=png(noise(9, 100, 15)), wide__png=png(noise(9, 20, 16)))
    dataset = opened(tmp_path, crop="tiles")
    first = np.random.default_rng(0).integers(0, 256, (62, 64, 3), np.uint8)
    rows, columns = (0, 15, 31, 46), (0, 16, 32, 48)
    expected = [first[y : y + 16, x : x + 16] for y in rows for x in columns]
    assert np.array_equal(dataset.pictures[:16], expected)
    assert len(dataset.pictures) == 65
    assert left_out(dataset) == {"thin.png": "100x15 px, smaller than a tile"}
    assert dataset.report.lines()[0] == (
        "6 images · 65 tiles of 16x16 usable · 1 smaller than a tile"
    )


def refused(folder: Path, **settings) -> DataError:
    with pytest.raises(DataError) as caught:
        opened(folder, **settings)
    assert caught.value.exit_code == 4
    assert not list((cache_dir() / "packs").glob(".*"))
    return caught.value


def test_what_is_refused(tmp_path):
    assert refused(tmp_path / "nowhere").what.endswith("nowhere does not exist")
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "empty holds no pictures" in refused(empty).what
    write(empty, notes__txt=b"hello")
    assert "holds no pictures" in refused(empty).what
    few = "usable pictures; training needs at least 16"
    assert "one has 1 usable picture;" in refused(folder_of(tmp_path / "one", 1)).what
    assert f"three has 3 {few}" in refused(folder_of(tmp_path / "three", 3)).what
    assert f"fifteen has 15 {few}" in refused(folder_of(tmp_path / "fifteen", 15)).what


def test_all_broken_all_the_same_all_empty(tmp_path):
    for name in ("broken", "same", "flat"):
        folder_of(tmp_path / name, 20)
    for number, path in enumerate(sorted((tmp_path / "broken").iterdir())):
        path.write_bytes(b"\x89PNG" + bytes(number))
    for path in (tmp_path / "same").iterdir():
        path.write_bytes(png(noise(0)))
    for number, path in enumerate((tmp_path / "flat").iterdir()):
        path.write_bytes(png(np.full((20, 20, 3), number, np.uint8)))
    error = refused(tmp_path / "broken")
    assert error.what == f"none of the 20 pictures in {tmp_path / 'broken'} can be read"
    assert "20 unreadable. 0000.png: broken PNG" in error.hint
    assert refused(tmp_path / "same").what.endswith("same are the same")
    assert refused(tmp_path / "flat").what.endswith("flat are near-empty: almost one colour each")


def test_an_invalid_size_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="size 100"):
        opened(tmp_path, 100)


def test_packed_once_then_opened_without_reading(tmp_path, monkeypatch):
    folder = folder_of(tmp_path / "p")
    first = opened(folder)
    monkeypatch.setattr("volute.data.pack.build", None)
    monkeypatch.setattr("volute.data.source.Folder.content", None)
    events = []
    second = open_dataset(folder, DataSettings(), 16, events.append)
    assert events == []
    assert second.key == first.key
    assert np.array_equal(second.pictures, first.pictures)
    assert second.report == first.report


def test_the_key_is_the_content(tmp_path):
    folder = folder_of(tmp_path / "p")
    copy = shutil.copytree(folder, tmp_path / "q")
    first = opened(folder)
    again = opened(copy)
    assert again.key == first.key
    assert again.report.source == str(copy)
    keys = {first.key, opened(folder, 20).key, opened(folder, mode="L").key}
    (folder / "0000.png").write_bytes(png(noise(500)))
    changed = opened(folder)
    assert len(keys | {changed.key}) == 4
    assert not np.array_equal(changed.pictures[0], first.pictures[0])


@pytest.mark.parametrize("harm", ["cut", "no report", "bad report", "bad sources", "empty"])
def test_a_damaged_pack_is_made_again(tmp_path, harm):
    folder = folder_of(tmp_path)
    whole = opened(folder)
    pictures = np.array(whole.pictures)
    pack = whole.folder
    if harm == "cut":
        content = (pack / "pictures.npy").read_bytes()
        (pack / "pictures.npy").write_bytes(content[: len(content) // 2])
    elif harm == "no report":
        (pack / "report.json").unlink()
    elif harm == "bad report":
        (pack / "report.json").write_text("{}")
    elif harm == "bad sources":
        np.save(pack / "sources.npy", np.zeros(3, np.int64))
    else:
        (pack / "labels.npy").write_bytes(b"")
    assert np.array_equal(opened(folder).pictures, pictures)


def test_what_a_killed_packing_left_is_removed_after_a_day(tmp_path, monkeypatch):
    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path / "cache"))
    old, new = (tmp_path / "cache" / "packs" / name for name in (".k.old", ".k.new"))
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "scratch-1").write_bytes(b"half")
    os.utime(old, (0, 0))
    opened(folder_of(tmp_path / "p"))
    assert (old.exists(), new.exists()) == (False, True)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path, monkeypatch):
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path / "cache"))
    folder = folder_of(tmp_path / "p")
    monkeypatch.setattr("volute.data.dataset.Writer.add", full)
    with pytest.raises(VoluteError, match="No space left on device") as caught:
        opened(folder)
    assert "set VOLUTE_CACHE" in caught.value.hint
    assert list((tmp_path / "cache" / "packs").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_said(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("VOLUTE_CACHE", str(tmp_path / "file"))
    with pytest.raises(VoluteError, match="cannot write") as caught:
        opened(folder_of(tmp_path / "p"))
    assert not isinstance(caught.value, DataError)
    assert "set VOLUTE_CACHE" in caught.value.hint


def test_zip_and_folder_pack_alike_and_reading_is_announced(tmp_path):
    folder = folder_of(tmp_path / "p")
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"photos/{file.name}")
    events = []
    packed = open_dataset(path, DataSettings(), 16, events.append)
    assert Note("data", f"reading {path}") in events
    assert np.array_equal(packed.pictures, opened(folder).pictures)
    assert packed.classes == ()


def test_tiles_know_the_picture_that_they_were_cut_from(tmp_path):
    folder = tmp_path / "wide"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(10):
        wide = rng.integers(0, 256, (16, 16 * (1 + index % 3)), np.uint8)
        Image.fromarray(wide).save(folder / f"{index}.png")
    dataset = opened(folder, 16, crop="tiles")
    assert dataset.sources.tolist() == [k for k in range(10) for _ in range(1 + k % 3)]
