"""Films: work on every frame of the video, and all the rest carried over as it is.

The new film keeps the time of each frame, the codec where there is an encoder for it, colour tags,
the shape of pixels and the turn for display. Sound, subtitles, data, chapters and titles are
copied. Only a few frames are in memory at a time.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from volute.errors import DataError, UsageError, VoluteError
from volute.media.raster import ArrayCanvas, ArrayRaster, Levels, Work
from volute.media.video_encoder import Encoder
from volute.media.video_kinds import container_kind
from volute.media.video_source import (
    HINT,
    Decoder,
    first_frame,
    frame_count,
    import_av,
    is_cover,
    opened,
    packets,
    video_of,
)

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

ENDINGS = {
    "mov": (".mp4", ".mov", ".m4v", ".3gp", ".3g2"),
    "matroska": (".mkv",),
    "webm": (".webm",),
    "avi": (".avi",),
    "mpegts": (".ts", ".mts", ".m2ts"),
    "flv": (".flv",),
    "ogg": (".mkv",),
}
MUXERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".3gp": "3gp", ".3g2": "3g2"}
MUXERS |= {".mkv": "matroska", ".webm": "webm", ".avi": "avi", ".flv": "flv"}
MUXERS |= {".ts": "mpegts", ".mts": "mpegts", ".m2ts": "mpegts"}

_MOV_TAGS = ("major_brand", "minor_version", "compatible_brands", "encoder")
_VIDEO_TAGS = ("encoder", "BPS", "DURATION", "NUMBER_OF_", "_STATISTICS", "vendor_id")
_MOVIE_CLOCK = 10_000_000


def is_video(source: Path) -> bool:
    """Tell by its first bytes whether a file is a film; never raises."""
    return container_kind(source) != ""


def suffix(source: Path) -> str:
    """Return the ending of the new film: that of `source` where it fits what the file is."""
    endings = ENDINGS[container_kind(source) or "mov"]
    ending = source.suffix.lower()
    return ending if ending in endings else endings[0]


def enlarge(source: Path, target: Path, work: Work) -> list[str]:
    """Do `work` to every frame of a film; return notes on what could not be kept.

    Args:
        source: MP4, MOV, Matroska, WebM, AVI, MPEG-TS, FLV or Ogg.
        target: its ending says which container is written.
        work: it is given [3, H, W] RGB, or [4, H, W] with alpha, 8 or 16 bits.

    Raises:
        UsageError: `work.options` is not empty, or the ending of `target` is unknown.
        DataError: the source is no film, has no video, is damaged or cut off.
        VoluteError: no encoder takes the new size.
        OSError: the new film cannot be written.
    """
    _check_usage(target, work)
    first, parts = first_frame(source), frame_count(source)
    with opened(source) as film:
        stream = video_of(film, source)
        with _created(target, film, stream) as out:
            return _Rework(source, film, stream, first, out, work).run(parts)


def _check_usage(target: Path, work: Work) -> None:
    if work.options:
        unknown = ", ".join(sorted(work.options))
        raise UsageError(f"unknown setting for films: {unknown}", "Films have no settings.")
    if target.suffix.lower() not in MUXERS:
        known = ", ".join(MUXERS)
        raise UsageError(f"a film cannot be written as {target.suffix or 'such a file'}", known)


class _Rework:
    """One film on its way into another."""

    def __init__(
        self,
        source: Path,
        film: InputContainer,
        stream: VideoStream,
        first: VideoFrame,
        out: OutputContainer,
        work: Work,
    ) -> None:
        self.source, self.film, self.stream, self.out, self.work = source, film, stream, out, work
        self.size = first.width, first.height
        try:
            self.encoder = Encoder(out, stream, first, work.scale)
        except VoluteError as error:
            raise type(error)(f"{source}: {error.what}", error.hint) from error
        self.notes = list(self.encoder.notes)
        self.copied = {stream.index: self.encoder.stream} | self._copies()
        self._describe()
        self.done = 0
        self.last: int | None = None

    def _copies(self) -> dict[int, Any]:
        """Add a stream for each one that is copied and return them by the source's index."""
        copies, left_out = {}, []
        for stream in self.film.streams:
            if stream.index == self.stream.index or self._is_chapter_text(stream):
                continue
            if stream.type == "video" and not is_cover(stream):
                what = f"another video stream is left out: only one is {self.work.done}"
                self.notes.append(what)
            elif is_cover(stream) and self.out.format.name == "matroska":
                self._attach(stream)
            elif self._fits(stream, copies) and _holds_copy(self.out.format.name, stream):
                copies[stream.index] = _add_copy(self.out, stream)
            else:
                left_out.append(f"{stream.type} ({getattr(stream, 'name', None) or 'unknown'})")
        if left_out:
            self.notes.append(f"left out, for such a file cannot hold it: {', '.join(left_out)}")
        return copies

    def _fits(self, stream: Any, copies: dict[int, Any]) -> bool:
        """Tell whether FLV has room: FFmpeg ends the program at what it cannot write there."""
        if self.out.format.name != "flv":
            return True
        return not copies and getattr(stream, "name", "") in ("aac", "mp3", "mp3float")

    def _attach(self, cover: Any) -> None:
        """Attach a cover picture, for in Matroska it is a file and no stream."""
        kind = "png" if cover.codec_context.name == "png" else "jpeg"
        with opened(self.source) as film:
            steps = packets(film, self.source)
            data = next((bytes(p) for p in steps if p.stream_index == cover.index and p.size), b"")
        name = cover.metadata.get("filename", f"cover.{kind.replace('e', '')}")
        self.out.add_attachment(name, cover.metadata.get("mimetype", f"image/{kind}"), data)

    def _is_chapter_text(self, stream: Any) -> bool:
        """Tell whether it holds the titles of chapters, which are written anew."""
        return stream.type == "data" and stream.name == "bin_data" and bool(self.film.chapters())

    def _describe(self) -> None:
        kept = {key: text for key, text in self.film.metadata.items() if key not in _MOV_TAGS}
        said = self.work.told
        kept["comment"] = f"{kept['comment']}; {said}" if kept.get("comment") else said
        self.out.metadata.update(kept)
        self.out.set_chapters(self.film.chapters())
        for key, text in self.stream.metadata.items():
            if not key.startswith(_VIDEO_TAGS):
                self.encoder.stream.metadata[key] = text
        self.encoder.stream.disposition = self.stream.disposition

    def run(self, parts: int) -> list[str]:
        """Carry every packet over and return the notes."""
        decoder = Decoder(self.stream, self.source)
        with _writing():
            self.out.start_encoding()
        for packet in packets(self.film, self.source):
            if packet.stream is self.stream:
                for frame in decoder.frames(packet):
                    parts = max(parts, self.done + 1)
                    self._rework(frame, parts)
            elif packet.size and packet.stream_index in self.copied and not _is_gap(packet):
                packet.stream = self.copied[packet.stream_index]
                self._write([packet])
        with _writing():
            rest = self.encoder.flush()
        self._write(rest)
        return self.notes

    def _rework(self, frame: VideoFrame, parts: int) -> None:
        pts = self._time(frame)
        if (frame.width, frame.height) != self.size:
            raise DataError(f"{self.source}: the size of its pictures changes in the film")
        note = "interlaced: its frames were treated as whole pictures"
        if frame.interlaced_frame and note not in self.notes:
            self.notes.append(note)
        array = self.encoder.colours.array(frame)
        made = np.empty((len(array), self.encoder.height, self.encoder.width), array.dtype)
        levels = Levels.fixed(array.dtype, 0, np.iinfo(array.dtype).max)
        raster = ArrayRaster(array, levels, rgb=True, alpha=len(array) == 4)
        self.work.run(raster, ArrayCanvas(made), self.done, parts)
        self.done += 1
        with _writing():
            encoded = self.encoder.encode(made, pts, frame.duration)
        self._write(encoded)

    def _time(self, frame: VideoFrame) -> int:
        pts = frame.pts if frame.pts is not None else frame.dts
        if pts is None:
            pts = 0 if self.last is None else self.last + 1
        if self.last is not None and pts <= self.last:
            raise DataError(f"{self.source}: the times of its frames are out of order", HINT)
        self.last = pts
        return pts

    def _write(self, written: list[Packet]) -> None:
        with _writing():
            self.out.mux(written)


@contextlib.contextmanager
def _created(target: Path, film: InputContainer, stream: VideoStream) -> Iterator[OutputContainer]:
    """Give the container to fill; it is finished when the block ends well."""
    av = import_av()
    muxer = MUXERS[target.suffix.lower()]
    with target.open("wb") as file:
        options = _muxer_options(muxer, film, stream)
        out = av.open(file, "w", format=muxer, container_options=options, buffer_size=1 << 18)
        try:
            yield out
        except BaseException:
            with contextlib.suppress(Exception):  # the file is thrown away
                out.close()
            raise
        with _writing():
            out.close()


def _muxer_options(muxer: str, film: InputContainer, stream: VideoStream) -> dict[str, str]:
    if muxer in ("matroska", "webm"):
        return {"avoid_negative_ts": "disabled"}
    if muxer == "mpegts":
        return {"mpegts_copyts": "1"}
    if muxer not in ("mp4", "mov", "3gp", "3g2"):
        return {}
    clocks = [item.time_base.denominator for item in film.streams if item.time_base]
    clock = math.lcm(*clocks)
    if clock > _MOVIE_CLOCK:
        clock = max(clocks)
    flags = "+write_colr"
    if any(key.startswith("com.") for key in film.metadata):
        flags += "+use_metadata_tags"
    options = {"movflags": flags, "movie_timescale": str(clock)}
    if stream.time_base and stream.time_base.numerator == 1:
        options["video_track_timescale"] = str(stream.time_base.denominator)
    return options


def _holds_copy(muxer: str, stream: Any) -> bool:
    """Tell whether the container takes such a stream, by writing a head with it into memory."""
    av = import_av()
    trial = av.open(io.BytesIO(), "w", format=muxer)
    try:
        _add_copy(trial, stream)
        trial.start_encoding()
        trial.close()
    except (ValueError, av.FFmpegError):
        return False
    return True


def _add_copy(out: OutputContainer, stream: Any) -> Any:
    copy: Any = out.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


def _is_gap(packet: Any) -> bool:
    """Tell whether it is the empty text between two subtitles of MP4, which its muxer adds."""
    return packet.size == 2 and packet.stream.type == "subtitle" and bytes(packet) == b"\0\0"


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Turn FFmpeg's refusals into VoluteError; those of the disk pass through as OSError."""
    av = import_av()
    try:
        yield
    except av.FFmpegError as error:
        what = "the new film cannot be written: its encoder or container refused"
        raise VoluteError(what, "Choose another ending, such as .mkv.") from error
