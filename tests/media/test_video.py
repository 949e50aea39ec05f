"""Films: all of a film survives enlargement but the size of its pictures."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import weakref
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from enlarging import repeating
from filming import Content, Recipe, content, film, picture
from realdata import real_data
from volute.errors import DataError, MissingExtraError, UsageError, VoluteError
from volute.media.raster import Canvas, Raster, Work
from volute.media.video import enlarge, is_video, suffix
from volute.media.video_encoder import choose_encoder, choose_pixels

MS = Fraction(1, 1000)
UNEVEN = (0, 512, 1024, 2048, 2560, 4096, 4608, 5120, 7168, 7680, 8192, 8704)
UNEVEN_MS = (0, 40, 80, 130, 200, 210, 300)
LATE = tuple(time + 6400 for time in UNEVEN)
TICKS = tuple(number * 3600 + 90_000 for number in range(12))

FILMS = {
    "h264.mp4": Recipe(audio="aac", pts=LATE),
    "h264.mov": Recipe(audio="pcm_s16le", pts=UNEVEN),
    "h264.mkv": Recipe(audio="aac", time_base=MS, pts=UNEVEN_MS),
    "h264.ts": Recipe(audio="aac", time_base=Fraction(1, 90_000), pts=TICKS),
    "h264.m2ts": Recipe(audio="aac", time_base=Fraction(1, 90_000), pts=TICKS),
    "h264.flv": Recipe(audio="aac", time_base=MS, pts=[100 + 40 * n for n in range(10)]),
    "h264-10bit.mp4": Recipe(pixels="yuv420p10le"),
    "h264-444.mp4": Recipe(pixels="yuv444p"),
    "h264-rgb.mkv": Recipe(codec="libx264rgb", pixels="rgb24", time_base=MS, pts=UNEVEN_MS),
    "hevc-10bit.mp4": Recipe(
        codec="libx265",
        pixels="yuv420p10le",
        size=(64, 96),
        options={"x265-params": "log-level=none"},
    ),
    "vp9.mkv": Recipe(codec="libvpx-vp9", audio="libopus", time_base=MS, pts=UNEVEN_MS),
    "vp8.webm": Recipe(codec="libvpx", audio="libopus", time_base=MS, pts=UNEVEN_MS),
    "mpeg4.avi": Recipe(codec="mpeg4", audio="pcm_s16le", time_base=Fraction(1, 25), pts=range(10)),
    "mpeg4.mp4": Recipe(codec="mpeg4", pts=UNEVEN),
    "mpeg2.mkv": Recipe(codec="mpeg2video", time_base=Fraction(1, 25), pts=range(10)),
    "ffv1.mkv": Recipe(codec="ffv1", time_base=MS, pts=UNEVEN_MS),
    "prores.mov": Recipe(codec="prores_ks", pixels="yuv422p10le", audio="pcm_s16le"),
    "mjpeg.avi": Recipe(
        codec="mjpeg", pixels="yuvj420p", span=2, time_base=Fraction(1, 25), pts=range(5)
    ),
}


def enlarged(source: Path, work: Work | None = None) -> tuple[Path, list[str]]:
    target = source.with_name("new" + suffix(source))
    return target, enlarge(source, target, work or repeating(2))


def far_from_edges(pictures: list[np.ndarray], scale: int = 1) -> np.ndarray:
    """Return the middle of each flat colour and every eighth of the ramp: [T, N, C]."""
    taken = []
    for array in pictures:
        height, width = array.shape[:2]
        columns = slice(3 * scale + scale // 2, width, 8 * scale)
        rows = slice(height // 2 + 6 * scale, height - 4 * scale, scale * 2)
        colours = array[rows, columns].reshape(-1, array.shape[2])
        ramp = array[4 * scale : height // 2 - 6 * scale : scale, columns]
        taken.append(np.concatenate([colours, ramp.reshape(-1, array.shape[2])]))
    return np.stack(taken).astype(int)


def assert_same_film(before: Content, after: Content) -> None:
    assert after.times == before.times
    assert after.copied == before.copied
    assert after.kinds == before.kinds
    assert after.stream["time_base"] == before.stream["time_base"]
    for old, new in zip(before.pictures, after.pictures, strict=True):
        assert new.shape == (2 * old.shape[0], 2 * old.shape[1], old.shape[2])
    difference = far_from_edges(before.pictures) - far_from_edges(after.pictures, 2)
    assert np.abs(difference).mean() < 2.5
    assert np.quantile(np.abs(difference), 0.95) <= 8


@pytest.mark.parametrize("name", FILMS)
def test_times_sound_codec_and_colours_survive(name: str, tmp_path: Path):
    recipe = FILMS[name]
    source = film(tmp_path / name, recipe)
    assert is_video(source)
    target, notes = enlarged(source)
    assert notes == []
    assert target.suffix == source.suffix
    before, after = content(source, span=recipe.span), content(target, span=recipe.span)
    assert len(before.times) == len(recipe.pts)
    assert_same_film(before, after)
    assert after.stream["pix_fmt"] == before.stream["pix_fmt"]
    assert set(tmp_path.iterdir()) == {source, target}


@pytest.mark.parametrize("matrix", [1, 5, 6, 7, 9])
@pytest.mark.parametrize("span", [1, 2])
def test_each_matrix_and_range_is_used_and_kept(matrix: int, span: int, tmp_path: Path):
    tags = {"colorspace": matrix, "color_range": span, "color_trc": 1, "color_primaries": 9}
    recipe = Recipe("ffv1", "yuv444p", time_base=MS, pts=(0, 40), context=tags)
    source = film(tmp_path / "a.mkv", dataclasses.replace(recipe, matrix=matrix, span=span))
    target, _ = enlarged(source)
    before, after = content(source, matrix, span), content(target, matrix, span)
    for old, new in zip(before.pictures, after.pictures, strict=True):
        assert np.abs(old.repeat(2, 0).repeat(2, 1).astype(int) - new).max() <= 3
    for name, tag in tags.items():
        assert after.stream[name] == tag


def test_a_film_that_names_no_matrix_gets_that_of_its_old_size(tmp_path: Path):
    recipe = Recipe("mpeg4", size=(480, 640), pts=(0, 512))
    target, _ = enlarged(film(tmp_path / "a.mp4", recipe))
    assert content(target).stream["colorspace"] == 6


@pytest.mark.parametrize(
    ("name", "recipe", "decoder"),
    [
        ("vp9.webm", Recipe("libvpx-vp9", "yuva420p", time_base=MS, pts=(0, 40)), "libvpx-vp9"),
        ("png.mov", Recipe("png", "rgba", pts=(0, 512)), ""),
        ("ffv1.mkv", Recipe("ffv1", "bgra", time_base=MS, pts=(0, 40)), ""),
    ],
)
def test_alpha_is_kept(name: str, recipe: Recipe, decoder: str, tmp_path: Path):
    target, notes = enlarged(film(tmp_path / name, recipe))
    assert notes == []
    for array in content(target, decoder=decoder).pictures:
        assert array.shape == (64, 96, 4)
        assert np.abs(array[:, :40, 3].astype(int) - 64).max() <= 2
        assert array[:, 56:, 3].min() >= 253


def test_alpha_that_the_new_codec_cannot_hold_is_noted(tmp_path: Path):
    source = film(tmp_path / "a.mov", Recipe("qtrle", "argb", pts=(0, 512)))
    assert enlarge(source, tmp_path / "b.mp4", repeating(2)) == [
        "the video is H.264 now: qtrle cannot be written in such a file",
        "transparency is left out: H.264 does not hold it",
    ]
    assert content(tmp_path / "b.mp4").pictures[0].shape == (64, 96, 3)


def with_subtitles(path: Path, codec: str, texts: list[bytes]) -> Path:
    """Write a film with one subtitle a tenth of a second from its start."""
    with av.open(str(path), "w") as out:
        video = out.add_stream("ffv1" if path.suffix == ".mkv" else "libx264", rate=25)
        video.height, video.width = 32, 48
        words = out.add_mux_stream(codec)
        words.time_base = MS
        words.metadata["language"] = "ita"
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(video.encode(frame.reformat(format="yuv420p")))
        for number, text in enumerate(texts):
            packet = av.Packet(text)
            packet.pts = packet.dts = 100 + 100 * number
            packet.duration, packet.time_base, packet.stream = 80, MS, words
            out.mux(packet)
        out.mux(video.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "texts"),
    [
        ("a.mkv", "subrip", [b"one", b"two"]),
        ("a.mp4", "mov_text", [b"\0\3one", b"\0\3two"]),
    ],
)
def test_subtitles_are_copied(name: str, codec: str, texts: list[bytes], tmp_path: Path):
    source = with_subtitles(tmp_path / name, codec, texts)
    target, notes = enlarged(source)
    before, after = content(source), content(target)
    assert notes == []
    assert set(texts) <= {text for _, text in after.copied[1]}
    assert after.copied == before.copied
    assert after.kinds == before.kinds
    with av.open(str(target)) as opened:
        assert opened.streams.subtitles[0].metadata["language"] == "ita"


def test_subtitles_that_the_new_container_cannot_hold_are_noted(tmp_path: Path):
    source = with_subtitles(tmp_path / "a.mkv", "subrip", [b"one"])
    notes = enlarge(source, tmp_path / "b.mp4", repeating(2))
    assert "left out, for such a file cannot hold it: subtitle (srt)" in notes


def test_an_interlaced_film_is_noted_once(tmp_path: Path):
    recipe = Recipe(size=(64, 64), options={"x264-params": "interlaced=1"})
    _, notes = enlarged(film(tmp_path / "a.mp4", recipe))
    assert notes == ["interlaced: its frames were treated as whole pictures"]


def test_few_frames_are_held_at_a_time(tmp_path: Path):
    recipe = Recipe("mpeg4", size=(120, 160), pts=range(0, 300 * 512, 512))
    source = film(tmp_path / "a.mp4", recipe)
    alive: list[weakref.ref[Raster]] = []
    most = 0

    def watched(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
        nonlocal most
        alive.append(weakref.ref(raster))
        most = max(most, sum(one() is not None for one in alive))
        repeating(2, side=200).run(raster, canvas, part, parts)

    enlarged(source, dataclasses.replace(repeating(2), run=watched))
    assert len(alive) == 300
    assert most <= 3


def test_titles_languages_chapters_shape_and_turn_are_kept(tmp_path: Path):
    chapter = {"id": 1, "start": 0, "end": 400, "time_base": MS, "metadata": {"title": "one"}}
    named = {"title": "Sea", "creation_time": "2020-01-02T03:04:05.000000Z", "comment": "mine"}
    recipe = Recipe(audio="aac", turn=90, metadata=named, chapters=[chapter])
    recipe.context = {"sample_aspect_ratio": Fraction(4, 3)}
    source = film(tmp_path / "a.mp4", recipe)
    target, notes = enlarged(source)
    assert notes == []
    before, after = content(source), content(target)
    assert after.metadata["title"] == "Sea"
    assert after.metadata["creation_time"] == named["creation_time"]
    assert after.metadata["comment"] == "mine; enlarged 2 times with repeat 0.1.0"
    assert after.stream["metadata"]["language"] == "fra"
    assert [c["metadata"] for c in after.chapters] == [{"title": "one"}]
    assert after.stream["sample_aspect_ratio"] == Fraction(4, 3)
    assert after.frames[0].rotation == before.frames[0].rotation != 0
    assert after.pictures[0].shape == (64, 96, 3)
    assert after.kinds == before.kinds
    with av.open(str(target)) as opened:
        assert opened.streams.audio[0].metadata["language"] == "deu"


def test_a_cover_is_copied_and_a_second_film_left_out(tmp_path: Path):
    source = film(tmp_path / "a.mp4", Recipe(cover=True, second=True))
    target, notes = enlarged(source)
    assert notes == ["another video stream is left out: only one is enlarged"]
    before, after = content(source), content(target)
    with av.open(str(target)) as opened:
        assert [bool(s.disposition & 0x400) for s in opened.streams.video].count(True) == 1
        assert len(opened.streams.video) == 2
    cover = next(packets for packets in after.copied.values())
    assert cover[0][1] in [packets[0][1] for packets in before.copied.values()]


def test_a_cover_in_matroska_stays_an_attachment(tmp_path: Path):
    first = film(tmp_path / "a.mp4", Recipe(cover=True))
    enlarge(first, tmp_path / "b.mkv", repeating(2))
    assert enlarge(tmp_path / "b.mkv", tmp_path / "c.mkv", repeating(2)) == []
    for name in ("b.mkv", "c.mkv"):
        after = content(tmp_path / name)
        assert len(after.times) == 12
        assert list(after.copied.values())[0][0][1] == content(first).copied[1][0][1]


def test_sound_that_begins_before_the_film_stays_so_in_matroska(tmp_path: Path):
    source = film(tmp_path / "a.mp4", Recipe(audio="aac"))
    enlarge(source, tmp_path / "b.mkv", repeating(2))
    before, after = content(source), content(tmp_path / "b.mkv")
    assert after.times == before.times
    assert before.copied[1][0][0] == Fraction(-1024, 48_000)
    assert after.copied[1][0][0] == Fraction(-21, 1000)


def test_sound_that_the_new_container_cannot_hold_is_left_out_with_a_note(tmp_path: Path):
    recipe = Recipe("libvpx-vp9", audio="aac", time_base=MS, pts=UNEVEN_MS)
    source = film(tmp_path / "a.mkv", recipe)
    notes = enlarge(source, tmp_path / "b.webm", repeating(2))
    assert notes == ["left out, for such a file cannot hold it: audio (aac)"]
    assert content(tmp_path / "b.webm").times == content(source).times


def test_three_times_an_odd_size(tmp_path: Path):
    source = film(tmp_path / "a.mkv", Recipe("ffv1", "yuv420p", (27, 35), (0, 40), MS))
    enlarge(source, tmp_path / "b.mkv", repeating(3))
    assert content(tmp_path / "b.mkv").pictures[0].shape == (81, 105, 3)
    assert choose_pixels("libx264", "yuv420p", 81, 105) == "yuv444p"
    assert choose_pixels("libx264", "yuv420p", 82, 106) == "yuv420p"
    with pytest.raises(VoluteError, match="even width and height, not 81 x 105"):
        choose_pixels("libsvtav1", "yuv420p", 81, 105)


QUIET = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from enlarging import repeating
from volute.media.video import enlarge
for name in sys.argv[2:]:
    assert enlarge(Path(name), Path(name).with_suffix(".new.mp4"), repeating(2)) == []
"""


def test_no_encoder_writes_to_the_terminal(tmp_path: Path):
    av1 = film(tmp_path / "a.mp4", Recipe("libsvtav1", size=(64, 64), pts=(0, 512)))
    hevc = film(tmp_path / "b.mp4", FILMS["hevc-10bit.mp4"])
    avc = film(tmp_path / "c.mp4", FILMS["h264.mp4"])
    command = [sys.executable, "-c", QUIET, Path(__file__).parents[1], av1, hevc, avc]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert content(av1.with_suffix(".new.mp4")).times == content(av1).times


def test_hevc_is_not_made_too_small_for_its_encoder():
    assert choose_encoder("hevc", "mp4", (96, 62), False) == "libx264"
    assert choose_encoder("hevc", "mp4", (96, 64), False) == "libx265"


def test_codecs_without_encoder_become_one_that_the_container_holds():
    assert choose_encoder("theora", "matroska", (64, 64), False) == "libx264"
    assert choose_encoder("theora", "webm", (64, 64), False) == "libvpx-vp9"


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(st.integers(1, 3000), min_size=1, max_size=8),
    start=st.integers(0, 20_000),
    codec=st.sampled_from(["libx264", "mpeg4"]),
)
def test_any_times_are_kept(steps: list[int], start: int, codec: str, tmp_path: Path):
    times = [start + sum(steps[:number]) for number in range(len(steps) + 1)]
    source = film(tmp_path / "a.mp4", Recipe(codec, pts=times))
    seen = []

    def watched(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
        seen.append((part, parts))
        repeating(2).run(raster, canvas, part, parts)

    target, _ = enlarged(source, dataclasses.replace(repeating(2), run=watched))
    assert content(target).times == content(source).times
    assert seen == [(number, len(times)) for number in range(len(times))]


def test_parts_are_counted_or_estimated_but_never_too_few(tmp_path: Path):
    source = film(tmp_path / "a.mkv", Recipe(time_base=MS, pts=UNEVEN_MS))
    seen = []

    def watched(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
        seen.append((part, parts))
        repeating(2).run(raster, canvas, part, parts)

    enlarged(source, dataclasses.replace(repeating(2), run=watched))
    assert [part for part, _ in seen] == list(range(len(UNEVEN_MS)))
    assert all(part < parts for part, parts in seen)


def test_deep_films_are_given_in_16_bits(tmp_path: Path):
    source = film(tmp_path / "a.mp4", Recipe(pixels="yuv420p10le", pts=(0, 512)))
    kinds = []

    def watched(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
        kinds.append((raster.levels.dtype, raster.bands, raster.rgb, raster.alpha))
        repeating(2).run(raster, canvas, part, parts)

    enlarged(source, dataclasses.replace(repeating(2), run=watched))
    assert kinds == [(np.uint16, 3, True, False)] * 2


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "mpeg4.avi", "h264.flv", "vp8.webm"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_film_that_is_cut_off_is_refused(name: str, share: float, tmp_path: Path):
    source = film(tmp_path / name, FILMS[name])
    whole = source.read_bytes()
    source.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match="damaged or cut off|no video"):
        enlarged(source)


def test_a_damaged_frame_in_the_middle_is_refused(tmp_path: Path):
    source = film(tmp_path / "a.mp4", Recipe(pts=range(0, 60 * 512, 512)))
    with av.open(str(source)) as opened:
        places = [(p.pos, p.size) for p in opened.demux(video=0) if p.size]
    place, size = places[30]
    whole = bytearray(source.read_bytes())
    whole[place + 4 : place + size] = bytes(reversed(whole[place + 4 : place + size]))
    source.write_bytes(whole)
    with pytest.raises(DataError, match="damaged"):
        enlarged(source)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(["h264.mp4", "h264.mkv", "mpeg4.avi", "h264.ts"]), data=st.data())
def test_broken_bytes_are_refused_or_enlarged(name: str, data: st.DataObject, tmp_path: Path):
    whole = tmp_path / name
    if not whole.exists():
        film(whole, FILMS[name])
    broken = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 6))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    source = tmp_path / ("broken-" + name)
    source.write_bytes(broken)
    reasons = []
    try:
        enlarged(source)
    except VoluteError as error:
        reasons.append(error.what)
    assert "\n" not in "".join(reasons)


@pytest.mark.parametrize("head", [b"", b"hello, this is text\n" * 300, b"\0" * 5000, b"ftyp"])
def test_files_that_are_no_film_are_refused(head: bytes, tmp_path: Path):
    source = tmp_path / "a.mp4"
    source.write_bytes(head)
    assert not is_video(source)
    with pytest.raises(DataError, match="empty|not a film"):
        enlarged(source)


def test_sound_alone_is_refused(tmp_path: Path):
    source = tmp_path / "a.mkv"
    with av.open(str(source), "w") as out:
        sound = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48000
        out.mux(sound.encode(frame))
        out.mux(sound.encode(None))
    with pytest.raises(DataError, match="it has no video"):
        enlarged(source)


@pytest.mark.parametrize(
    "script",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
    ],
)
def test_a_list_of_other_files_is_not_followed(script: str, tmp_path: Path):
    secret = film(tmp_path / "secret.ts", FILMS["h264.ts"])
    source = tmp_path / "a.mp4"
    source.write_text(script.format(secret))
    with pytest.raises(DataError, match="not a film"):
        enlarged(source)


def test_a_size_over_the_limit_is_refused_before_decoding(tmp_path: Path):
    source = film(tmp_path / "a.mkv", Recipe("ffv1", size=(16, 17_000), time_base=MS, pts=(0,)))
    with pytest.raises(DataError, match="17000 x 16 pixels, over the limit"):
        enlarged(source)


def test_a_new_size_that_the_encoder_refuses_is_told_before_any_work(tmp_path: Path):
    source = film(tmp_path / "a.mp4", Recipe(size=(16, 8200), pts=(0,)))

    def never(raster: Raster, canvas: Canvas, part: int = 0, parts: int = 1) -> None:
        raise AssertionError("work began")

    with pytest.raises(VoluteError, match="cannot make films of 32800 x 64 pixels"):
        enlarged(source, Work(scale=4, run=never, model="none"))


def test_the_error_of_the_work_passes_unchanged(tmp_path: Path):
    source = film(tmp_path / "a.mp4", Recipe(pts=(0, 512)))
    for error in (MemoryError("full"), KeyboardInterrupt(), VoluteError("stop")):

        def failing(
            raster: Raster,
            canvas: Canvas,
            part: int = 0,
            parts: int = 1,
            error: BaseException = error,
        ) -> None:
            raise error

        with pytest.raises(type(error)) as caught:
            enlarged(source, Work(scale=2, run=failing, model="none"))
        assert caught.value is error


def test_settings_and_endings_that_are_unknown(tmp_path: Path):
    source = film(tmp_path / "a.mp4", Recipe(pts=(0,)))
    with pytest.raises(UsageError, match="unknown setting for films: crf"):
        enlarged(source, repeating(2, {"crf": "3"}))
    with pytest.raises(UsageError, match="cannot be written as .png"):
        enlarge(source, tmp_path / "b.png", repeating(2))


def test_without_the_library_films_are_told_but_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = film(tmp_path / "a.mp4", Recipe(pts=(0,)))
    monkeypatch.setitem(sys.modules, "av", None)
    assert is_video(source)
    with pytest.raises(MissingExtraError, match="needs av"):
        enlarged(source)


FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from enlarging import repeating
from volute.media.video import enlarge
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    enlarge(Path(sys.argv[1]), Path(sys.argv[2]), repeating(2))
except OSError as error:
    print("errno", error.errno)
"""


def test_a_full_disk_is_an_oserror_with_its_number(tmp_path: Path):
    source = film(tmp_path / "a.mkv", Recipe("ffv1", time_base=MS, pts=range(0, 4000, 40)))
    tests = Path(__file__).parents[1]
    command = [sys.executable, "-c", FULL_DISK, source, tmp_path / "b.mkv", tests]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("errno 27\n", "")


def test_endings_follow_what_the_file_is(tmp_path: Path):
    source = film(tmp_path / "a.mkv", Recipe(time_base=MS, pts=(0,)))
    wrong = source.rename(tmp_path / "a.mp4")
    assert suffix(wrong) == ".mkv"


@pytest.mark.parametrize("brand", [b"avif", b"heic", b"heix", b"mif1", b"M4A "])
def test_pictures_and_sound_in_boxes_are_no_films(brand: bytes, tmp_path: Path):
    source = tmp_path / "a.mp4"
    source.write_bytes(b"\0\0\0\x18ftyp" + brand + b"\0" * 100)
    assert not is_video(source)
    source.write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 100)
    assert is_video(source)
    assert not is_video(tmp_path / "missing")


def test_no_hostile_picture_is_a_film():
    folder = real_data("hostile")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert [path for path in files if is_video(path)] == []
